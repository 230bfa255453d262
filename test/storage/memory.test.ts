import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { noRelabeling } from '../../src/domain/relabel.js';
import { Turns } from '../../src/domain/turns.js';
import { Ingest } from '../../src/ingest/push.js';
import { SampleRate } from '../../src/ingest/rate.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import { HeldClock, samples, TestGateway } from '../support/gateway.js';

const kilobytes = 1024;

/** About this many bytes as they are kept. */
const seriesOf = (bytes: number): string =>
  Array.from({ length: bytes / 64 }, (_, part) => `series{part="${String(part).padStart(20, '0')}"} 1\n`).join('');

describe('groups in memory', () => {
  it('stay within their budget, also when the groups of an endpoint grow', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-memory-'));
    const clock = new HeldClock();
    const store = openSqliteStore({
      path: join(folder, 'weir.db'),
      now: () => clock.now(),
      exclusive: true,
      groupMemoryBytes: 256 * kilobytes,
    });
    const ingest = new Ingest(store.groups, new SampleRate(clock), new Turns(systemClock));
    await store.projects.create({ id: 'acme', name: 'acme', createdAt: 0, limits: {} });
    const inMemory: boolean[] = [];
    try {
      for (let index = 0; index < 10; index++) {
        const settings = {
          name: 'e',
          lifetimeMs: 0,
          timestamps: false,
          metadata: {},
          limits: {},
          createdAt: 0,
          ...noRelabeling,
        };
        const endpoint = await store.endpoints.create({ projectId: 'acme', metricsId: `e${index}`, ...settings });
        const group = { text: '[]', labels: [] };
        for (const bytes of [64, 64 * kilobytes]) {
          const body = Buffer.from(seriesOf(bytes));
          await ingest.push({ endpoint, limits: defaultLimits, group, mode: 'replace-group', syntax: 'text', body });
        }
      }
      for (const endpoint of await store.endpoints.list('acme')) {
        inMemory.push(store.groups.peek(endpoint.id, '[]') !== undefined);
      }
    } finally {
      await store.close();
      rmSync(folder, { recursive: true });
    }
    // Each weighs some 60 KiB: of ten, four fit.
    expect(inMemory.filter((held) => held).length).toBeLessThanOrEqual(4);
    expect(inMemory.at(-1)).toBe(true);
  });
});

describe('a gateway without room for a single group or page in memory', () => {
  it('still merges, replaces, expires and serves', async () => {
    const gateway = await TestGateway.boot({ seams: { groupMemoryBytes: 1, pageMemoryBytes: 1 } });
    await gateway.project('acme', 'db1');
    const bearer = await gateway.bearer('acme');
    const page = async () => samples(await gateway.page('acme/metrics', bearer));
    await gateway.push('acme/db1/metrics', 'a 1\nb 1\n', bearer);
    await gateway.push('acme/db1/metrics', 'b 2\n', bearer, 'POST');
    await gateway.push('acme/db1/metrics/job/x', 'a 3\n', bearer);
    expect(await page()).toEqual([
      'a{instance_id="db1",job="x"} 3',
      'a{instance_id="db1"} 1',
      'b{instance_id="db1"} 2',
    ]);
    const conflicting = { method: 'PUT', body: '# TYPE a counter\na 1\n', bearer };
    expect((await gateway.fetch('/api/v1/acme/db1/metrics/job/y', conflicting)).status).toBe(400);
    gateway.clock.advance(5 * 60_000 + 1);
    expect(await page()).toEqual([]);
    await gateway.stop();
  });
});
