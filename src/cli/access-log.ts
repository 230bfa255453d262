import { Command } from 'commander';
import { managing, readLimit, withManager } from './common.js';
import type { AccessFacts } from './manager.js';
import { isoTime } from './output.js';

const row = (entry: AccessFacts) => ({
  at: isoTime(entry.at),
  client: entry.clientId,
  proved: entry.proved,
  operation: entry.operation,
  endpoint: entry.endpointId,
  status: entry.status,
  reason: entry.reason,
  format: entry.format,
  bytes: entry.bytes,
  duration_ms: entry.durationMs,
  interval_ms: entry.intervalMs,
  address: entry.address,
  user_agent: entry.agent,
});

interface Flags {
  readonly project: string;
  readonly client?: string;
  readonly endpoint?: string;
  readonly limit: string;
}

export function accessLogCommand(): Command {
  const accessLog = managing(new Command('access-log')).description(
    'The last scrapes and token requests of clients and what came of them, oldest first; the last seconds are not in it yet.',
  );
  accessLog
    .requiredOption('--project <id>', 'Whose clients.')
    .option('--client <id>', 'Only those of this client.')
    .option('--endpoint <metrics-id>', 'Only scrapes of this endpoint.')
    .option('--limit <count>', 'The newest so many.', '100');
  accessLog.action(({ project: projectId, client: clientId, endpoint: endpointId, limit }: Flags) =>
    withManager(accessLog, async ({ admin, many }) => {
      const newest = await admin.accessLog.list({ projectId, clientId, endpointId, limit: readLimit(limit) });
      many([...newest].reverse().map(row), 'Nothing was asked for yet.');
    }),
  );
  return accessLog;
}
