import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { noRelabeling } from '../../src/domain/relabel.js';
import { atOnce, Turns } from '../../src/domain/turns.js';
import { writeRequest1Steps } from '../../src/formats/remote-write/v1.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { refusalOf } from '../../src/ingest/new-series.js';
import { SampleRate } from '../../src/ingest/rate.js';
import { RemoteWrite } from '../../src/ingest/remote-write.js';
import { liveExposition } from '../../src/storage/live/exposition.js';
import { SeriesTable } from '../../src/storage/live/series-table.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import type { Store } from '../../src/storage/store.js';
import { HeldClock, samples, TestGateway } from '../support/gateway.js';
import { encodeRequest, markStale, request1, type SentSeries, send } from '../support/remote-write.js';

const lifetimeMs = 60_000;
const marker = 12345.25;

type Step =
  | {
      readonly does: 'write';
      readonly at: 0 | 1;
      readonly series: readonly { id: number; value: number; age: number; stale: boolean }[];
    }
  | { readonly does: 'wait'; readonly ms: number }
  | { readonly does: 'sweep' | 'restart' | 'forget' };

const series = fc.record({
  id: fc.nat(12),
  value: fc.nat(1000),
  age: fc.constantFrom(0, 0, 0, 500, 5000),
  stale: fc.constantFrom(false, false, false, true),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('write' as const),
      at: fc.constantFrom<0 | 1>(0, 1),
      series: fc.array(series, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.constantFrom(100, 1000, 20_000, 61_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constantFrom('sweep' as const, 'restart' as const, 'forget' as const) }),
  },
);

/** Live series as a child would keep them: an object each. */
class Model {
  private readonly series = new Map<number, { value: number; time: number; seen: number }>();

  /**
   * False for what is not to be sent: a sample from before its series' staleness marker. It changes nothing while the end
   * of the series is remembered, which is until the next folding.
   */
  write(now: number, sent: { id: number; value: number; age: number; stale: boolean }): boolean {
    const time = now - sent.age;
    const kept = this.series.get(sent.id);
    const before = kept !== undefined && kept.seen > 0 && kept.seen + lifetimeMs <= now ? undefined : kept;
    if (before === undefined) this.series.delete(sent.id);
    if (before !== undefined && time < before.time) return before.seen > 0;
    if (!sent.stale) this.series.set(sent.id, { value: sent.value, time, seen: now });
    else if (before !== undefined) this.series.set(sent.id, { ...before, time, seen: 0 });
    return true;
  }

  shown(now: number): string[] {
    return [...this.series]
      .filter(([, { seen }]) => seen > 0 && seen + lifetimeMs > now)
      .map(([id, { value }]) => `s${id % 3}{id="${id}",x="y\\"z",instance_id="m"} ${value}`)
      .sort();
  }
}

const sentSeries = (
  now: number,
  { id, value, age, stale }: { id: number; value: number; age: number; stale: boolean },
): SentSeries => ({
  labels: { __name__: `s${id % 3}`, id: String(id), x: 'y"z' },
  samples: [[stale ? marker : value, now - age]],
});

/** No request here is for all customers. */
const nothingRouted = undefined as never;

describe('live series', () => {
  it.each([
    ['all in memory, never folded', { groupMemoryBytes: 1e9, liveFoldBytes: 1e9 }],
    ['none in memory, folded all the time', { groupMemoryBytes: 1, liveFoldBytes: 1 }],
    ['in memory, folded now and then', { groupMemoryBytes: 1e9, liveFoldBytes: 1500 }],
  ])('%s: are what was written, whatever else happens', async (_, sizes) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
        const folder = mkdtempSync(join(tmpdir(), 'weir-live-'));
        const clock = new HeldClock();
        const open = (): Store =>
          openSqliteStore({ path: join(folder, 'weir.db'), now: () => clock.now(), exclusive: false, ...sizes });
        let store = open();
        try {
          await store.projects.create({ id: 'acme', name: 'acme', createdAt: 0, limits: {} });
          const settings = {
            projectId: 'acme',
            name: 'e',
            lifetimeMs,
            timestamps: false,
            metadata: {},
            limits: {},
            createdAt: 0,
            ...noRelabeling,
          };
          const endpoints = [
            await store.endpoints.create({ ...settings, metricsId: 'm' }),
            // In another project, so that what is counted is not the same either.
            await store.endpoints.create({ ...settings, metricsId: 'm2' }),
          ];
          const models = [new Model(), new Model()];
          for (const each of steps) {
            if ('ms' in each) clock.advance(each.ms);
            else if (each.does === 'sweep') await store.live.removeExpired();
            else if (each.does === 'forget') store.live.forget('acme');
            else if (each.does === 'restart') {
              await store.close();
              store = open();
            } else if ('series' in each) {
              const taken = each.series.filter((one) => models[each.at]!.write(clock.now(), one));
              const sent = taken.map((one) => sentSeries(clock.now(), one));
              const body = markStale(request1(sent), marker);
              const remoteWrite = new RemoteWrite(
                store.live,
                new SampleRate(clock),
                nothingRouted,
                new Turns(systemClock),
                () => [],
              );
              await remoteWrite.write({ endpoint: endpoints[each.at]!, limits: defaultLimits, version: '1.0', body });
            }
            for (const at of [0, 1] as const) {
              const [group] = await store.groups.snapshot([endpoints[at]!]);
              const lines = group?.exposition.bytes.toString().trimEnd().split('\n').sort() ?? [];
              const shown = models[at]!.shown(clock.now());
              expect(lines.map((line) => line.replace('"m2"', '"m"'))).toEqual(shown);
            }
          }
        } finally {
          await store.close();
          rmSync(folder, { recursive: true });
        }
      }),
      { numRuns: 6 },
    );
  });
});

describe('the live series of a gateway', () => {
  it('that ended do not come back with a longer lifetime', async () => {
    const gateway = await TestGateway.boot();
    try {
      await gateway.project('acme', 'db1');
      let bearer = await gateway.bearer('acme');
      const up = (value: number): Buffer =>
        request1([{ labels: { __name__: 'up' }, samples: [[value, gateway.clock.now()]] }]);
      await send(gateway, 'acme/db1', bearer, up(1));
      gateway.clock.advance(300_001);
      await gateway.admin.endpoints.set('acme', 'db1', { lifetimeMs: 3_600_000 });
      expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual([]);
      await send(gateway, 'acme/db1', bearer, up(2));
      gateway.clock.advance(3_000_000);
      bearer = await gateway.bearer('acme');
      expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual(['up{instance_id="db1"} 2']);
      await gateway.restart();
      expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual(['up{instance_id="db1"} 2']);
    } finally {
      await gateway.stop();
    }
  });

  it('leave nothing in the file when their endpoint is deleted, or all have ended', async () => {
    const gateway = await TestGateway.boot();
    const file = new Sqlite(gateway.config.storage.path, { readonly: true });
    const rows = (): unknown =>
      file.prepare('SELECT (SELECT count(*) FROM live_delta) + (SELECT count(*) FROM live_base) AS n').get();
    try {
      await gateway.project('acme', 'db1', 'db2');
      const bearer = await gateway.bearer('acme');
      const up = request1([{ labels: { __name__: 'up' }, samples: [[1, gateway.clock.now()]] }]);
      await send(gateway, 'acme/db1', bearer, up);
      await send(gateway, 'acme/db2', bearer, up);
      expect(rows()).toEqual({ n: 2 });
      await gateway.admin.endpoints.delete('acme', 'db1');
      expect(rows()).toEqual({ n: 1 });
      expect((await send(gateway, 'acme/db1', bearer, up)).status).toBe(404);
      await gateway.page('acme/db2/metrics', bearer);
      gateway.clock.advance(300_001);
      // Whatever is written next ends what has ended.
      await gateway.push('acme/db2/metrics', 'a 1\n', bearer);
      expect(rows()).toEqual({ n: 0 });
    } finally {
      file.close();
      await gateway.stop();
    }
  });

  it('that come and go without end take no more room, and no columns anew but at a fold', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-churn-'));
    const path = join(folder, 'weir.db');
    const clock = new HeldClock();
    const store = openSqliteStore({ path, now: () => clock.now(), exclusive: true });
    const file = new Sqlite(path, { readonly: true });
    const recordBytes = file.prepare(
      'SELECT (SELECT total(length(record)) FROM live_delta) + (SELECT total(length(record)) FROM live_base) AS n',
    );
    try {
      await store.projects.create({ id: 'acme', name: 'acme', createdAt: 0, limits: {} });
      const settings = { name: 'e', lifetimeMs, timestamps: false, metadata: {}, limits: {}, createdAt: 0 };
      const made = { projectId: 'acme', metricsId: 'm', ...settings, ...noRelabeling };
      const endpoint = await store.endpoints.create(made);
      const rate = new SampleRate(clock);
      const ingest = new RemoteWrite(store.live, rate, undefined as never, new Turns(systemClock), () => []);
      const limits = { ...defaultLimits, series: 2000 };
      const seen = { tables: new Set<number>(), columns: new Set<unknown>(), most: 0, records: 0 };
      const generations: (typeof seen)[] = [];
      // Each generation fills the project up, is refused at its limit, and ends.
      for (let generation = 0; generation < 30; generation++) {
        const now = { tables: new Set<number>(), columns: new Set<unknown>(), most: 0, records: 0 };
        for (let request = 0; request < 3; request++) {
          const sent = Array.from(
            { length: 1000 },
            (_, i): SentSeries => ({
              labels: { __name__: 'bomb', user: String(1e7 + generation * 3000 + request * 1000 + i) },
              samples: [[1, clock.now()]],
            }),
          );
          const { samples: taken } = await ingest.write({ endpoint, limits, version: '1.0', body: request1(sent) });
          expect(taken).toBe(request < 2 ? 1000 : 0);
          const table = store.live.peekTable(endpoint.id)!;
          now.tables.add(table.serial);
          for (const column of [table.values, table.times, table.seen, table.firsts, table.ids])
            now.columns.add(column);
          now.most = Math.max(now.most, table.weight);
          now.records = Math.max(now.records, (recordBytes.get() as { n: number }).n);
          clock.advance(lifetimeMs / 3);
        }
        generations.push(now);
      }
      const all = (from: number, to: number): typeof seen => ({
        tables: new Set(generations.slice(from, to).flatMap(({ tables }) => [...tables])),
        columns: new Set(generations.slice(from, to).flatMap(({ columns }) => [...columns])),
        most: Math.max(...generations.slice(from, to).map(({ most }) => most)),
        records: Math.max(...generations.slice(from, to).map(({ records }) => records)),
      });
      const [early, late] = [all(5, 10), all(10, 30)];
      expect(late.tables.size).toBeGreaterThan(5);
      expect(late.columns.size).toBe(late.tables.size * 5);
      expect(late.most).toBeLessThanOrEqual(early.most);
      expect(late.records).toBeLessThanOrEqual(early.records);
    } finally {
      file.close();
      await store.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('of 20,000 weigh less than 150 bytes each', async () => {
    const table = new SeriesTable();
    const batch = new SeriesBatch();
    for (let request = 0; request < 20; request++) {
      const sent = Array.from(
        { length: 1000 },
        (_, i): SentSeries => ({
          labels: {
            __name__: `neo4j_database_metric_${i % 40}_total`,
            cluster: 'production-eu-west-1',
            database: `db${i % 7}`,
            instance: `10.0.${request}.${i >> 3}:9090`,
            job: 'bench',
            pod: `neo4j-core-${i % 50}`,
          },
          samples: [[1, 1]],
        }),
      );
      atOnce(writeRequest1Steps(request1(sent), batch, Buffer.from('instance_id')));
      for (let i = 0; i < batch.series; i++) {
        table.set(table.add(batch, i), 1, 1, 1);
      }
    }
    expect(table.living).toBe(20_000);
    expect(table.weight / table.living).toBeLessThan(150);
    // What is left of them, when most have ended at once, takes no room for all.
    for (let series = 0; series < table.count; series++) if (series % 1000 > 0) table.end(series, 2);
    const compacted = table.compacted();
    expect(compacted.living).toBe(20);
    expect(compacted.weight).toBeLessThan(16_384);
    expect(compacted.labelsOf(19)).toEqual(table.labelsOf(19_000));
  });
});

it('a few live series keep no room for the long labels of those that have ended', () => {
  const timeseries = Array.from({ length: 1500 }, (_, i) => ({
    labels: ['__name__', 'a', 'b', 'c'].map((name) => ({ name, value: `${name}${i}`.padEnd(2000, 'v') })),
  }));
  const batch = new SeriesBatch();
  atOnce(writeRequest1Steps(encodeRequest('1.0', { timeseries }), batch, Buffer.from('instance_id')));
  const table = new SeriesTable();
  for (let i = 0; i < batch.series; i++) table.set(table.add(batch, i), 1, 1, 1);
  expect(table.weight).toBeGreaterThan(10_000_000);
  for (let i = 1; i < batch.series; i++) table.end(i, 2);
  expect(table.compacted().weight).toBeLessThan(50_000);
});

it('series with more labels than any that lives are neither sorted nor given room', () => {
  const timeseries = [3, 4_000].map((count) => ({
    labels: ['__name__', ...Array.from({ length: count }, (_, i) => `l${count - i}`)].map((name) => ({
      name,
      value: 'v',
    })),
  }));
  const batch = new SeriesBatch();
  atOnce(writeRequest1Steps(encodeRequest('1.0', { timeseries }), batch, Buffer.from('instance_id')));
  const table = new SeriesTable();
  batch.sort(0);
  table.set(table.add(batch, 0), 1, 1, 1);
  const before = process.memoryUsage().arrayBuffers;
  expect([table.find(batch, 0), table.find(batch, 1)]).toEqual([0, -1]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000);
  expect(refusalOf(batch, 1, defaultLimits)).toContain('too many labels');
  expect(batch.text(batch.first[1]! + 1, 'name')).toBe('l4000');
  // Where there is no limit they are sorted before they are added.
  expect(refusalOf(batch, 1, { ...defaultLimits, labels_per_series: 0 })).toBeUndefined();
  table.set(table.add(batch, 1), 1, 1, 1);
  expect(table.labelsOf(1).slice(0, 3)).toEqual([1, 10, 100].map((i) => [`l${i}`, 'v']));
  for (const each of [table, table.compacted()]) expect(each.find(batch, 1)).toBe(1);
});

describe('the page of live series', () => {
  const ours = [['instance_id', 'm']] as const;
  const fill = (table: SeriesTable, ids: readonly number[], value: number): void => {
    const batch = new SeriesBatch();
    const sent = ids.map(
      (id): SentSeries => ({
        labels: { __name__: `m${id % 7}_bucket`, id: String(id % 50), le: String(id), x: 'y'.repeat(id % 9) },
        samples: [[value, 1]],
      }),
    );
    atOnce(writeRequest1Steps(request1(sent), batch, Buffer.from('instance_id')));
    for (let i = 0; i < batch.series; i++) {
      const known = table.find(batch, i);
      table.set(known === -1 ? table.add(batch, i) : known, value, 1, 1);
    }
  };
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  it('is of the moment it was asked for, whatever comes while it is written', () => {
    const table = new SeriesTable();
    for (const name of ['m0', 'm1']) table.describe({ name, type: 'histogram', help: 'Said.', unit: '' });
    fill(table, range(0, 500), 1);
    const wanted = atOnce(liveExposition(table, 0, ours))!;
    expect(wanted.exposition.lines).toHaveLength(501);
    // Not what is remembered of which series stand where.
    fill(table, [500], 1);
    table.end(table.count - 1, 1);
    const steps = liveExposition(table, 0, ours);
    let turns = 0;
    let step = steps.next(0);
    for (; !step.done; step = steps.next(0)) {
      turns++;
      table.end(turns % 400, 2);
      fill(table, range(1000 * turns, 1000 * turns + 50), turns);
      fill(table, range(100, 200), turns);
      table.describe({ name: `m${turns % 7}`, type: 'summary', help: `${turns}`, unit: '' });
    }
    expect(turns).toBeGreaterThan(10);
    const { exposition, times } = step.value!;
    expect(exposition.bytes.toString()).toBe(wanted.exposition.bytes.toString());
    expect([...exposition.lines]).toEqual([...wanted.exposition.lines]);
    expect(exposition.families).toEqual(wanted.exposition.families);
    expect([...times]).toEqual([...wanted.times]);
    const after = atOnce(liveExposition(table, 0, ours))!.exposition.bytes.toString();
    expect(after).toContain(`le="${1000 * turns}"`);
  });

  it('spells every value so that it is read as the same', () => {
    const table = new SeriesTable();
    fill(table, [0], 1);
    const spelled = (value: number): string => {
      table.set(0, value, 1, 1);
      const text = atOnce(liveExposition(table, 0, ours))!.exposition.bytes.toString();
      return text.slice(text.lastIndexOf(' ') + 1, -1);
    };
    for (const value of [0, 7, 10, 99, 100, -1, -10, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 1e21, 0.1, 5e-324]) {
      expect(spelled(value)).toBe(String(value));
    }
    expect(['-0', 'NaN', '+Inf', '-Inf']).toEqual(
      [-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(spelled),
    );
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })), (value) => {
        expect(Object.is(Number(spelled(value)), value)).toBe(true);
      }),
    );
  });
});
