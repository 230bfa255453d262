import { Command } from 'commander';
import { OperatorError } from '../domain/errors.js';
import { type DailyUsage, dayText, parseDay } from '../domain/usage.js';
import { managing, withManager } from './common.js';

const row = (usage: DailyUsage) => ({
  day: dayText(usage.day),
  project: usage.projectId,
  scrapes: usage.scrapes,
  bytes_served: usage.bytesServed,
  samples_in: usage.samplesIn,
  points_streamed: usage.pointsStreamed,
  tokens_issued: usage.tokensIssued,
});

interface Flags {
  readonly project?: string;
  readonly from?: string;
  readonly to?: string;
}

export function usageCommand(): Command {
  const usage = managing(new Command('usage')).description(
    'What projects used on each UTC day, oldest first; the last seconds are not in it yet.',
  );
  usage
    .option('--project <id>', 'Only this one.')
    .option('--from <day>', 'The first day, such as 2026-01-01.')
    .option('--to <day>', 'The last day.');
  usage.action(({ project: projectId, from, to }: Flags) =>
    withManager(usage, async ({ admin, many }) => {
      const filter = { projectId, from: dayIn('--from', from), to: dayIn('--to', to) };
      const newestFirst = await admin.usage.list({ ...filter, limit: Number.MAX_SAFE_INTEGER });
      many([...newestFirst].reverse().map(row), 'Nothing was used on these days.');
    }),
  );
  return usage;
}

function dayIn(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const day = parseDay(text);
  if (day === undefined) throw new OperatorError(`${flag} needs a day such as 2026-01-31, not "${text}".`);
  return day;
}
