import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commitUnsynced, type Db, openDatabase } from '../../src/storage/sqlite/database.js';

let folder: string;
let db: Db;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-'));
  db = openDatabase(join(folder, 'weir.db'));
});
afterEach(() => {
  db.$client.close();
  rmSync(folder, { recursive: true });
});

let asked = 0;
/** Compiled anew each time: what a prepared pragma says may be of the time it was compiled. */
const synchronous = (): unknown => db.$client.pragma(`synchronous /* ${asked++} */`, { simple: true });
const normal = 1;
const full = 2;

it('after a transaction that did not wait for the disk all others wait for it, also when it failed', () => {
  for (let time = 0; time < 3; time++) {
    let during: unknown;
    commitUnsynced(db, () => {
      during = synchronous();
    });
    expect([during, synchronous()]).toEqual([normal, full]);
  }
  const fail = (): never => {
    throw new Error('full');
  };
  expect(() => commitUnsynced(db, fail)).toThrow('full');
  expect(synchronous()).toBe(full);
});
