import { Command } from 'commander';
import type { AuditEvent } from '../storage/store.js';
import { onStore, withStore } from './common.js';
import { isoTime } from './output.js';

const row = ({ at, actor, action, object, ip }: AuditEvent) => ({ at: isoTime(at), actor, action, object, ip });

export function auditCommand(): Command {
  const audit = new Command('audit').description('Who did what to which noun, from where, when.');

  const list = onStore(audit.command('list')).description('List events, oldest first.');
  list
    .option('--project <id>', 'Only those of this project.')
    .option('--limit <count>', 'The newest so many.', '1000')
    .option('--json-lines', 'One JSON object a line, for export.');
  list.action(({ project: projectId, limit, jsonLines }: { project?: string; limit: string; jsonLines?: boolean }) =>
    withStore(list, async ({ store, many }) => {
      const rows = (await store.audit.list({ projectId, limit: Math.max(1, Number(limit) || 1000) })).map(row);
      if (jsonLines) for (const event of rows) process.stdout.write(`${JSON.stringify(event)}\n`);
      else many(rows, 'Nothing has been done yet.');
    }),
  );
  return audit;
}
