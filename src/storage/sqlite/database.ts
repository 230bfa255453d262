import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import './keep-alive.js';
import Sqlite from 'better-sqlite3';
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import * as schema from '../../../db/schema.js';
import { OperatorError } from '../../domain/errors.js';

export type Db = BetterSQLite3Database<typeof schema> & { $client: Sqlite.Database };

const migrationsFolder = fileURLToPath(new URL('../../../db/migrations', import.meta.url));

/**
 * Opens the file, makes it durable and brings its schema up to date. Throws `OperatorError` with what to do when it
 * cannot. WAL with `synchronous=FULL`: a commit is on disk when it returns. better-sqlite3 is compiled to enter WAL
 * with NORMAL, so FULL is set on every connection and read back.
 */
export function openDatabase(path: string): Db {
  const file = resolve(path);
  let client: Sqlite.Database;
  try {
    mkdirSync(dirname(file), { recursive: true });
    const isNew = !existsSync(file);
    client = new Sqlite(file, { timeout: 5000 });
    if (isNew) chmodSync(file, 0o600);
    // Only a new file takes it. A group is one blob of many pages: large ones save most of the calls that write it.
    client.pragma('page_size = 16384');
  } catch (error) {
    throw new OperatorError(`The database ${file} cannot be opened: ${(error as Error).message}.`);
  }
  try {
    const db = drizzle({ client, schema });
    client.pragma('synchronous = FULL');
    client.pragma('foreign_keys = ON');
    client.pragma('journal_size_limit = 67108864');
    // 32 MiB: a group that was pushed again meanwhile is copied into the database once.
    client.pragma('wal_autocheckpoint = 2000');
    if (!isSetUp(db, file)) setUp(db, file);
    assertPragma(client, file, 'journal_mode', 'wal');
    assertPragma(client, file, 'synchronous', 2);
    return db;
  } catch (error) {
    client.close();
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`The database ${file} cannot be used: ${(error as Error).message}.`);
  }
}

/**
 * A transaction that does not wait for the disk: when the power fails, the newest of these may be gone, and nothing else. They are on
 * disk at the latest with the next that waits. `work` leaves no statement open: SQLite would refuse to wait for the disk again.
 */
export function commitUnsynced(db: Db, work: () => void): void {
  // Compiled anew each time: a prepared pragma may have done its work when it was compiled.
  db.$client.exec('PRAGMA synchronous = NORMAL');
  try {
    db.transaction(work, { behavior: 'immediate' });
  } finally {
    db.$client.exec('PRAGMA synchronous = FULL');
  }
}

function assertPragma(client: Sqlite.Database, file: string, name: string, wanted: string | number): void {
  const actual = client.pragma(name, { simple: true });
  if (actual !== wanted) {
    throw new OperatorError(`The database ${file} does not take ${name} = ${wanted} (it says ${String(actual)}).`);
  }
}

const isSetUp = (db: Db, file: string): boolean =>
  db.$client.pragma('journal_mode', { simple: true }) === 'wal' && appliedMigrations(db, file) === knownMigrations();

/** Journal mode and schema. Only one process does this; the others wait for it and then find nothing left to do. */
function setUp(db: Db, file: string): void {
  const lock = takeLock(file, 'migrate', 30_000);
  if (lock === undefined) throw new OperatorError(`Another process is upgrading ${file}; try again when it is done.`);
  try {
    db.$client.pragma('journal_mode = WAL');
    db.$client.pragma('synchronous = FULL');
    if (appliedMigrations(db, file) !== knownMigrations()) upgrade(db.$client, () => migrate(db, { migrationsFolder }));
  } finally {
    lock.close();
  }
}

/**
 * A migration that makes a table anew drops the old one, which would take along all that refers to it. SQLite ignores the
 * switch within a transaction, where drizzle writes it.
 */
function upgrade(client: Sqlite.Database, migrateAll: () => void): void {
  client.pragma('foreign_keys = OFF');
  try {
    migrateAll();
    const broken = client.pragma('foreign_key_check') as unknown[];
    if (broken.length > 0) throw new OperatorError(`${broken.length} rows refer to others that are not there.`);
  } finally {
    client.pragma('foreign_keys = ON');
  }
}

function knownMigrations(): number {
  const journal = JSON.parse(readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8')) as { entries: unknown[] };
  return journal.entries.length;
}

/** Throws when the file is newer than this program. */
export function appliedMigrations(db: Db, file: string): number {
  const table = db.$client.prepare("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'").get();
  if (table === undefined) return 0;
  const { count } = db.$client.prepare('SELECT count(*) AS count FROM __drizzle_migrations').get() as { count: number };
  if (count > knownMigrations()) {
    throw new OperatorError(
      `The database ${file} was written by a newer Weir (schema ${count}, this program knows ${knownMigrations()}). ` +
        'Run that version or a later one; nothing was changed.',
    );
  }
  return count;
}

/**
 * A lock beside the database that ends with the process, however it ends: an exclusive transaction on an empty SQLite
 * file. `undefined` when another process holds it for longer than `waitMs`.
 */
export function takeLock(
  databasePath: string,
  purpose: 'serve' | 'migrate',
  waitMs: number,
): { close(): void } | undefined {
  const lockFile = `${resolve(databasePath)}.${purpose}-lock`;
  let client: Sqlite.Database;
  try {
    mkdirSync(dirname(lockFile), { recursive: true });
    client = new Sqlite(lockFile, { timeout: waitMs });
  } catch (error) {
    throw new OperatorError(`The lock file ${lockFile} cannot be made: ${(error as Error).message}.`);
  }
  try {
    client.pragma('journal_mode = MEMORY');
    client.exec('BEGIN EXCLUSIVE');
    return { close: () => client.close() };
  } catch (error) {
    client.close();
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY')) return undefined;
    throw error;
  }
}
