import { Command } from 'commander';
import type { AuditEvent } from '../storage/store.js';
import { managing, readLimit, withManager } from './common.js';
import { isoTime } from './output.js';

const row = ({ at, actor, action, object, ip }: AuditEvent) => ({ at: isoTime(at), actor, action, object, ip });

export function auditCommand(): Command {
  const audit = new Command('audit').description('Who did what to which noun, from where, when.');

  const list = managing(audit.command('list')).description('List events, oldest first.');
  list
    .option('--project <id>', 'Only those of this project.')
    .option('--limit <count>', 'The newest so many.', '1000')
    .option('--json-lines', 'One JSON object a line, for export.');
  list.action(({ project: projectId, limit, jsonLines }: { project?: string; limit: string; jsonLines?: boolean }) =>
    withManager(list, async ({ admin, many }) => {
      const newest = await admin.audit.list({ projectId, limit: readLimit(limit) });
      const rows = [...newest].reverse().map(row);
      if (jsonLines) for (const event of rows) process.stdout.write(`${JSON.stringify(event)}\n`);
      else many(rows, 'Nothing has been done yet.');
    }),
  );
  return audit;
}
