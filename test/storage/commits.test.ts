import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

const counts = async () => ({
  commits: await gateway.operatorValue('weir_storage_commit_seconds_count'),
  writes: await gateway.operatorValue('weir_storage_writes_total'),
});

it('pushes that arrive together share commits, and each is in the file when its answer comes', async () => {
  const pushes = 200;
  // Connections are accepted one per turn of the event loop: only producers that have theirs open arrive together.
  await Promise.all(Array.from({ length: pushes }, () => gateway.page('acme/db1/metrics', bearer)));
  const before = await counts();
  // Another connection sees what is committed, and nothing else.
  const file = new Sqlite(gateway.config.storage.path, { readonly: true });
  const row = file.prepare('SELECT samples FROM push_group WHERE key = ?');
  try {
    const seen = await Promise.all(
      Array.from({ length: pushes }, async (_, index) => {
        await gateway.push(`acme/db1/metrics/job/${index}`, `a ${index}\n`, bearer);
        const { samples: bytes } = row.get(`[["job","${index}"]]`) as { samples: Buffer };
        return bytes.toString();
      }),
    );
    expect(seen).toEqual(
      Array.from({ length: pushes }, (_, index) => `a{instance_id="db1",job="${index}"} ${index}\n`),
    );
  } finally {
    file.close();
  }
  const after = await counts();
  expect(after.writes - before.writes).toBe(pushes);
  expect(after.commits - before.commits).toBeLessThanOrEqual(pushes / 2);
  gateway.clock.advance(30_001);
  expect(samples(await gateway.page('acme/db1/metrics', bearer))).toHaveLength(pushes);
});

it('a push that is refused does not take down those it shares a commit with', async () => {
  await gateway.push('acme/db1/metrics/job/typed', '# TYPE a counter\na 1\n', bearer);
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      // Every third contradicts the type that is stored, which only shows within the commit.
      const body = index % 3 === 0 ? '# TYPE a gauge\na 1\n' : `b ${index}\n`;
      const path = `/api/v1/acme/db1/metrics/job/${index}`;
      return (await gateway.fetch(path, { method: 'PUT', body, bearer })).status;
    }),
  );
  expect(answers).toEqual(Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? 400 : 200)));
  const page = await gateway.page('acme/db1/metrics', bearer);
  expect(samples(page).filter((line) => line.startsWith('b{'))).toHaveLength(40);
  expect(samples(page).filter((line) => line.startsWith('a{'))).toEqual(['a{instance_id="db1",job="typed"} 1']);
});

it('pushes to one group that arrive together are taken one after the other, none lost', async () => {
  await Promise.all(
    Array.from({ length: 100 }, (_, index) => gateway.push('acme/db1/metrics', `f${index} 1\n`, bearer, 'POST')),
  );
  expect(samples(await gateway.page('acme/db1/metrics', bearer))).toHaveLength(100);
});

it('a push that repeats the series of the one before is in the file as a whole, also when the row was deleted meanwhile', async () => {
  const file = new Sqlite(gateway.config.storage.path);
  const row = (): Record<string, unknown> =>
    file
      .prepare('SELECT labels, families, samples, series, pushed_at, expires_at, version FROM push_group')
      .get() as Record<string, unknown>;
  try {
    const rows: Record<string, unknown>[] = [];
    for (const value of [1, 22, 333]) {
      gateway.clock.advance(1000);
      if (value === 333) file.exec('DELETE FROM push_group');
      const body = `# TYPE a counter\na{x="1"} ${value}\na{x="2"} ${value}\n`;
      await gateway.push('acme/db1/metrics/job/app', body, bearer);
      rows.push(row());
    }
    const [first, second, third] = rows as [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>];
    const line = (x: number, value: number): string => `a{x="${x}",instance_id="db1",job="app"} ${value}\n`;
    expect(String(second.samples)).toBe(line(1, 22) + line(2, 22));
    expect(String(third.samples)).toBe(line(1, 333) + line(2, 333));
    for (const [before, after] of [
      [first, second],
      [second, third],
    ] as const) {
      expect([after.labels, after.families, after.series]).toEqual([before.labels, before.families, 2]);
      expect(Number(after.pushed_at) - Number(before.pushed_at)).toBe(1000);
      expect(Number(after.expires_at) - Number(before.expires_at)).toBe(1000);
      expect(Number(after.version) - Number(before.version)).toBe(1);
    }
  } finally {
    file.close();
  }
});
