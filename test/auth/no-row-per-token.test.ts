import { statSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pipeline } from '../http/pipeline.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let client: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot({ seams: { writeRecordsEveryMs: 1000 } });
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics']);
});
afterAll(() => gateway.stop());

const pageBytes = 16_384;

/** Rows of every table, and the pages that were written since the write-ahead log began. */
function written(): { rows: Record<string, number>; pages: number } {
  const { path } = gateway.config.storage;
  const database = new Sqlite(path, { readonly: true });
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all() as string[];
  const count = (table: string) => database.prepare(`SELECT count(*) FROM "${table}"`).pluck().get() as number;
  const rows = Object.fromEntries(tables.map((table) => [table, count(table)]));
  database.close();
  return { rows, pages: statSync(`${path}-wal`).size / pageBytes };
}

const request = (authorization: string): string =>
  [
    'POST /oauth/token HTTP/1.1',
    'Host: x',
    'Content-Type: application/x-www-form-urlencoded',
    `Authorization: ${authorization}`,
    'Content-Length: 29',
    '',
    'grant_type=client_credentials',
  ].join('\r\n');

it('a thousand tokens leave no row each: last use, usage and access log are written now and then', async () => {
  const right = request(basic(client.clientId, client.clientSecret));
  const wrong = Array.from({ length: 20 }, (_, i) => request(basic(client.clientId, `wrong-${i}`)));
  expect(await pipeline(gateway.url, [right, wrong[0]!])).toEqual([200, 401]);
  // What the client was given and what only used its name have a row of the access log each.
  const first = { usage: 1, access_ring: 2 };
  await expect.poll(() => written().rows, { timeout: 5000 }).toMatchObject(first);
  const before = written();
  const started = performance.now();
  const statuses = await pipeline(gateway.url, new Array<string>(1000).fill(right));
  expect(statuses).toEqual(new Array(1000).fill(200));
  // Refused ones neither; the twenty-first would be a ban, which is a row.
  expect(await pipeline(gateway.url, wrong.slice(1))).toEqual(wrong.slice(1).map(() => 401));
  const seconds = (performance.now() - started) / 1000;
  const after = written();
  expect(Object.keys(before.rows).length).toBeGreaterThan(10);
  expect(after.rows).toEqual(before.rows);
  // Three writes every second or two, of a few pages each; a write for each token would be a thousand pages.
  expect(after.pages - before.pages).toBeLessThan(12 * (2 + seconds));
});
