import type { Config } from '../config.js';
import { accessKeptMs } from '../domain/access.js';
import { usageKeptMs } from '../domain/usage.js';
import { AccessNotes } from '../http/access-notes.js';
import type { TrustedProxies } from '../http/client-address.js';
import { Countries } from '../http/countries.js';
import type { RequestCounting } from '../http/requests.js';
import type { Directory } from '../storage/directory.js';
import type { Store } from '../storage/store.js';
import { AccessLog } from '../telemetry/access-log.js';
import type { ApiRequests } from '../telemetry/api-requests.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import { UsageMeters } from '../telemetry/usage.js';
import { CountryFile } from './country-file.js';
import type { Seams } from './seams.js';
import { inPortions, type Job, type Write } from './timers.js';

interface Ground {
  readonly config: Config;
  readonly seams: Seams;
  readonly store: Store;
  readonly apiRequests: ApiRequests;
  readonly directory: Directory;
  readonly metrics: GatewayMetrics;
  readonly trustedProxies: TrustedProxies;
}

/** What is counted and noted of requests: in memory, and written now and then. */
export interface Records {
  readonly counting: RequestCounting;
  readonly accessNotes: AccessNotes;
  readonly jobs: readonly Job[];
  /** Writes what is left; a failure is logged. */
  close(): Promise<void>;
}

/** What was used since is lost with a crash. */
const writeUsageEveryMs = 5_000;
const writeAccessEveryMs = 2_000;
/** Of ten clients and endpoints each. */
const accessPortions = 25;
const housekeepingEveryMs = 300_000;

/** Throws `OperatorError` for a country file that cannot be used. */
export function openRecords({
  config,
  seams,
  store,
  apiRequests,
  directory,
  metrics,
  trustedProxies,
}: Ground): Records {
  const { clock, log } = seams;
  const usage = new UsageMeters();
  const accessLog = new AccessLog();
  const { countryHeader, countryFile } = config.web;
  const file = countryFile === undefined ? undefined : new CountryFile(countryFile);
  const countries = new Countries({ header: countryHeader, lookup: file?.lookup, trustedProxies });
  const writeUsage = (): Promise<boolean> =>
    usage.write(async (rows) => {
      await store.usage.add(rows);
      if (config.telemetry.metrics.projectLabel) metrics.used(rows);
    });
  const writeAccess = (): Promise<boolean> => accessLog.write((batches) => store.accessLog.append(batches));
  return {
    counting: { counted: apiRequests, usage, countries, clock },
    accessNotes: new AccessNotes({ accessLog, directory, clock, trustedProxies }),
    jobs: [
      [seams.writeRecordsEveryMs ?? writeUsageEveryMs, () => inPortions(writeUsage)],
      [seams.writeRecordsEveryMs ?? writeAccessEveryMs, () => inPortions(writeAccess, accessPortions)],
      [housekeepingEveryMs, () => store.usage.prune(clock.now() - usageKeptMs)],
      [housekeepingEveryMs, () => store.accessLog.prune(clock.now() - accessKeptMs)],
      [housekeepingEveryMs, async () => file?.refresh(log)],
    ],
    close: async () => {
      await all(writeUsage).catch((error) => log.error({ err: error }, 'what was used was not written'));
      await all(writeAccess).catch((error) => log.error({ err: error }, 'the access log was not written'));
    },
  };
}

async function all(write: Write): Promise<void> {
  while (await write());
}
