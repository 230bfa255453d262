import { OperatorError } from '../../domain/errors.js';
import type { Store } from '../store.js';
import { sqliteChanges } from './changes.js';
import { sqliteClients } from './clients.js';
import { openDatabase, takeLock } from './database.js';
import { sqliteEndpoints } from './endpoints.js';
import { sqliteFacts } from './facts.js';
import { type GroupStoreOptions, SqliteGroups } from './groups.js';
import { sqliteIssuers, sqliteKeys } from './keys.js';
import { sqliteProjects } from './projects.js';

export interface SqliteStoreOptions {
  readonly path: string;
  readonly now: () => number;
  /** The server holds the file for itself; commands share it. */
  readonly exclusive: boolean;
  readonly groupMemoryBytes?: number;
  readonly onCommit?: GroupStoreOptions['onCommit'];
}

const defaultGroupMemory = 1024 * 1024 * 1024;

/** Opens the embedded store; throws `OperatorError` with what to do. */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  const { path, now, exclusive } = options;
  const db = openDatabase(path);
  const lock = exclusive ? takeLock(path, 'serve', 0) : undefined;
  if (exclusive && lock === undefined) {
    db.$client.close();
    throw new OperatorError(
      `Another "weir serve" is running on ${path}. Stop it first, or give this one a file of its own with --storage.path.`,
    );
  }
  const groups = new SqliteGroups(db, {
    now,
    memoryBytes: options.groupMemoryBytes ?? defaultGroupMemory,
    ...(options.onCommit === undefined ? {} : { onCommit: options.onCommit }),
  });
  const facts = sqliteFacts(db);
  return {
    projects: sqliteProjects(db, now),
    endpoints: sqliteEndpoints(db, now),
    clients: sqliteClients(db, now),
    keys: sqliteKeys(db, now),
    issuers: sqliteIssuers(db),
    changes: sqliteChanges(db),
    facts,
    groups,
    checkWritable: async () => facts.touch(),
    close: async () => {
      groups.flush();
      if (exclusive) db.$client.pragma('wal_checkpoint(TRUNCATE)');
      db.$client.close();
      lock?.close();
    },
  };
}
