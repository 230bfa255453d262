import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import './keep-alive.js';
import Sqlite from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import * as schema from '../../../db/schema.js';
import { OperatorError } from '../../domain/errors.js';
import type { FactStore } from '../store.js';
import { appliedMigrations, type Db, takeLock } from './database.js';
import { sqliteFacts } from './facts.js';

/**
 * Copies the database as it is at one commit into a new file, while others read and write it: all that was acknowledged
 * before is in it. Throws `OperatorError`.
 */
export function backUp(path: string, into: string): void {
  refuseExisting(into);
  const draft = `${resolve(into)}.partial`;
  withReadOnly(path, (db) => {
    rmSync(draft, { force: true });
    // Not the backup API of SQLite: that begins anew whenever another process writes.
    db.$client.prepare('VACUUM INTO ?').run(draft);
  });
  chmodSync(draft, 0o600);
  moveDurably(draft, resolve(into));
}

export interface RestoreOptions {
  /** Whether a database that is there is moved out of the way, to the name that is given. */
  readonly replace: boolean;
  /** Called when the place is held and the backup is sound, before anything changes; may throw. */
  readonly confirm: (facts: FactStore) => Promise<void>;
}

/** Puts a backup in the place of the database at `path`, which no server may use. Throws `OperatorError`. */
export async function restore(from: string, path: string, { replace, confirm }: RestoreOptions): Promise<void> {
  const file = resolve(path);
  const lock = takeLock(file, 'serve', 0);
  if (lock === undefined) throw new OperatorError(`"weir serve" is running on ${path}. Stop it before you restore.`);
  try {
    if (!replace) refuseExisting(path);
    const problems = checkDatabase(from);
    if (problems.length > 0) throw new OperatorError(problems.join('\n'));
    await withReadOnly(from, (db) => confirm(sqliteFacts(db)));
    mkdirSync(dirname(file), { recursive: true });
    copyFileSync(from, `${file}.partial`);
    chmodSync(`${file}.partial`, 0o600);
    moveAside(file, ['', '-wal', '-shm']);
    moveDurably(`${file}.partial`, file);
  } finally {
    lock.close();
  }
}

/** What is wrong with the database, a sentence each; it may be in use meanwhile. */
export function checkDatabase(path: string): string[] {
  return withReadOnly(path, (db) => {
    const lines = db.$client.pragma('integrity_check') as { integrity_check: string }[];
    const damage = lines.map(({ integrity_check }) => integrity_check).filter((line) => line !== 'ok');
    const orphans = db.$client.pragma('foreign_key_check') as { table: string; parent: string }[];
    if (damage.length === 0 && appliedMigrations(db, path) === 0) return [`${path} is no database of Weir.`];
    return [
      ...damage.map((line) => `${path} is damaged: ${line}.`),
      ...orphans.map(({ table, parent }) => `${path}: a row of ${table} belongs to no ${parent}.`),
    ];
  });
}

/** Files that stand where others are to go keep their content under another name. */
export function moveAside(file: string, endings: readonly string[]): void {
  if (!existsSync(file)) return;
  let name = `${file}.replaced`;
  for (let number = 2; existsSync(name); number++) name = `${file}.replaced-${number}`;
  for (const ending of endings) if (existsSync(`${file}${ending}`)) renameSync(`${file}${ending}`, `${name}${ending}`);
}

function withReadOnly<T>(path: string, work: (db: Db) => T): T {
  let client: Sqlite.Database;
  try {
    client = new Sqlite(resolve(path), { readonly: true, fileMustExist: true, timeout: 5000 });
  } catch (error) {
    throw new OperatorError(`The database ${path} cannot be opened: ${(error as Error).message}.`);
  }
  const close = (): void => {
    client.close();
  };
  let result: T;
  try {
    result = work(drizzle({ client, schema }));
  } catch (error) {
    close();
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`The database ${path} cannot be read: ${(error as Error).message}.`);
  }
  if (result instanceof Promise) return result.finally(close) as T;
  close();
  return result;
}

function refuseExisting(path: string): void {
  if (existsSync(path)) throw new OperatorError(`${path} is there already; nothing was changed.`);
}

/** On disk under its name when this returns. */
function moveDurably(draft: string, file: string): void {
  sync(draft);
  renameSync(draft, file);
  sync(dirname(file));
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
