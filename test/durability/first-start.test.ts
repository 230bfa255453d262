import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as held } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeLock } from '../../src/storage/sqlite/database.js';

const program = fileURLToPath(new URL('open-store.ts', import.meta.url));
/** Enough for the processes to meet in every step of the opening. */
const rounds = 20;

interface Outcome {
  readonly outcomes: unknown[];
  readonly files: string[];
  readonly modes: string[];
  readonly migrations: number;
  readonly projects: number;
}

let folder: string;
let processes: ChildProcess[];
const seen: Outcome[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-first-start-'));
  processes = Array.from({ length: 2 }, () => fork(program, { execArgv: ['--import', 'tsx'] }));
  await Promise.all(processes.map((child) => once(child, 'message')));
  for (let round = 0; round < rounds; round++) seen.push(await openTogether(join(folder, String(round))));
});
afterAll(() => {
  for (const child of processes) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function openTogether(home: string): Promise<Outcome> {
  const path = join(home, 'weir.db');
  const answers = processes.map((child) => once(child, 'message'));
  for (const child of processes) child.send(path);
  const outcomes = (await Promise.all(answers)).map(([answer]) => answer as unknown);
  const database = new Sqlite(path, { readonly: true });
  const count = (table: string): number =>
    (database.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count;
  const migrations = count('__drizzle_migrations');
  const projects = count('project');
  database.close();
  const files = readdirSync(home).sort();
  const mode = (file: string): string => `${file} ${(statSync(join(home, file)).mode & 0o777).toString(8)}`;
  return {
    outcomes,
    files,
    modes: ['weir.db', 'weir.db.pepper'].map(mode),
    migrations,
    projects,
  };
}

describe('two commands that meet on a file that is not there yet', () => {
  // Each checks its pepper against the fingerprint in the file: with two peppers, one of them would be refused.
  it('both succeed, with one pepper', () => {
    expect(seen.flatMap(({ outcomes }) => outcomes)).toEqual(
      Array.from({ length: 2 * rounds }, () => ({ opened: true })),
    );
    expect(seen.map(({ projects }) => projects)).toEqual(seen.map(() => 2));
  });

  it('apply each migration once', () => {
    const known = JSON.parse(readFileSync('db/migrations/meta/_journal.json', 'utf8')) as { entries: unknown[] };
    expect(seen.map(({ migrations }) => migrations)).toEqual(seen.map(() => known.entries.length));
  });

  it('leave a database and a pepper that only the owner may read, and no draft of another', () => {
    for (const { files, modes } of seen) {
      expect(modes).toEqual(['weir.db 600', 'weir.db.pepper 600']);
      expect(files.filter((file) => file.includes('pepper'))).toEqual(['weir.db.pepper']);
    }
  });
});

it('a command that comes while another is still making the file waits for it', async () => {
  const path = join(folder, 'unfinished', 'weir.db');
  mkdirSync(join(folder, 'unfinished'));
  // What the other is at: it has the lock, and a transaction in a file that is not in WAL yet.
  const lock = takeLock(path, 'migrate', 0)!;
  const other = new Sqlite(path);
  other.exec('BEGIN IMMEDIATE');
  const answer = once(processes[0]!, 'message').then(([outcome]) => outcome as unknown);
  processes[0]!.send(path);
  // One that does not wait answers at once.
  const early = await Promise.race([answer, held(500, 'none')]);
  other.exec('ROLLBACK');
  other.close();
  lock.close();
  expect(early).toBe('none');
  expect(await answer).toEqual({ opened: true });
});
