import { statSync } from 'node:fs';
import { systemClock } from '../../domain/clock.js';
import { OperatorError } from '../../domain/errors.js';
import { Turns } from '../../domain/turns.js';
import { Refusals } from '../refusals.js';
import type { Doer, Managed, Store } from '../store.js';
import { sqliteAccessLog } from './access-log.js';
import { sqliteBans } from './bans.js';
import { sqliteChanges } from './changes.js';
import { sqliteClients } from './clients.js';
import { Commits, type CommitsOptions } from './commits.js';
import { type Db, openDatabase, takeLock } from './database.js';
import { sqliteDeliveries } from './deliveries.js';
import { sqliteEndpoints } from './endpoints.js';
import { sqliteFacts } from './facts.js';
import { SqliteGroups } from './groups.js';
import { sqliteIdempotency } from './idempotency.js';
import { Journal, sqliteAudit } from './journal.js';
import { sqliteIssuers, sqliteKeys } from './keys.js';
import { SqliteLive } from './live.js';
import { sqliteProjects } from './projects.js';
import { sqliteSources } from './sources.js';
import { sqliteStreams } from './streams.js';
import { sqliteUsage } from './usage.js';

export interface SqliteStoreOptions {
  readonly path: string;
  readonly now: () => number;
  /** Whose name the audit log shows: `cli:<user>` or `system`. */
  readonly actor?: string;
  /** The server holds the file for itself; commands share it. */
  readonly exclusive: boolean;
  /** For pages that take long to write. */
  readonly turns?: Turns;
  readonly groupMemoryBytes?: number;
  readonly liveFoldBytes?: number;
  readonly onCommit?: CommitsOptions['onCommit'];
}

const serverWaitMs = 100;
const defaultGroupMemory = 1024 * 1024 * 1024;

/** Opens the embedded store; throws `OperatorError` with what to do. */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  const { path, now, exclusive } = options;
  // Before the file is touched: a newer version that starts beside a running one must not upgrade it under its feet.
  const lock = exclusive ? takeLock(path, 'serve', 0) : undefined;
  if (exclusive && lock === undefined) {
    throw new OperatorError(
      `Another "weir serve" is running on ${path}. Stop it first, or give this one a file of its own with --storage.path.`,
    );
  }
  const db = openOrUnlock(path, lock);
  // A command may wait for the server; the server must not stand still for a command (groups wait on their own).
  if (exclusive) db.$client.pragma(`busy_timeout = ${serverWaitMs}`);
  const { onCommit } = options;
  const commits = new Commits(db, { now, ...(onCommit === undefined ? {} : { onCommit }) });
  const memoryBytes = options.groupMemoryBytes ?? defaultGroupMemory;
  const refusals = new Refusals();
  const live: SqliteLive = new SqliteLive(db, commits, {
    now,
    memoryBytes,
    refusals,
    otherSeries: (projectId, at) => groups.countSeries(projectId, at),
    otherSeriesAt: (at) => groups.seriesOfEndpoint(at),
    ...(options.liveFoldBytes === undefined ? {} : { foldBytes: options.liveFoldBytes }),
  });
  const groups: SqliteGroups = new SqliteGroups(db, commits, {
    now,
    memoryBytes,
    live,
    refusals,
    turns: options.turns ?? new Turns(systemClock),
  });
  const facts = sqliteFacts(db);
  const as = (by: Doer): Managed => {
    const journal = new Journal(now, by);
    return {
      projects: sqliteProjects(db, journal),
      endpoints: sqliteEndpoints(db, journal, now),
      clients: sqliteClients(db, journal, now),
      keys: sqliteKeys(db, journal),
      bans: sqliteBans(db, journal),
      streams: sqliteStreams(db, journal, now),
      deliveries: sqliteDeliveries(db, journal, commits),
      sources: sqliteSources(db, journal, now),
      audit: sqliteAudit(db),
      usage: sqliteUsage(db),
      accessLog: sqliteAccessLog(db),
    };
  };
  return {
    ...as({ actor: options.actor ?? 'system', ip: null }),
    as,
    issuers: sqliteIssuers(db),
    idempotency: sqliteIdempotency(db, now),
    changes: sqliteChanges(db),
    facts,
    groups,
    live,
    refusals,
    checkQueue: () => commits.checkQueue(),
    walBytes: () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
    checkWritable: async () => {
      facts.touch();
      commits.checkLastCommit();
    },
    close: async () => {
      await commits.drain();
      try {
        if (exclusive) db.$client.pragma('wal_checkpoint(TRUNCATE)');
      } catch {
        // A full disk: what is in the write-ahead log stays there, and is read from there at the next start.
      }
      db.$client.close();
      lock?.close();
    },
  };
}

function openOrUnlock(path: string, lock: { close(): void } | undefined): Db {
  try {
    return openDatabase(path);
  } catch (error) {
    lock?.close();
    throw error;
  }
}
