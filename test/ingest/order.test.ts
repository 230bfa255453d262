import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { MetricsEndpoint } from '../../src/domain/endpoint.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { noRelabeling } from '../../src/domain/relabel.js';
import { Turns } from '../../src/domain/turns.js';
import { Otlp } from '../../src/ingest/otlp.js';
import { Ingest } from '../../src/ingest/push.js';
import { SampleRate } from '../../src/ingest/rate.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import type { Store } from '../../src/storage/store.js';
import { HeldClock } from '../support/gateway.js';
import { encodeExport } from '../support/otlp.js';

const clock = new HeldClock();
/** Each look at it is a millisecond later: whatever stops on its way goes on in another turn. */
const hurried = () => {
  let at = 0;
  return new Turns({ monotonic: () => at++ });
};

let folder: string;
let store: Store;
let endpoint: MetricsEndpoint;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-order-'));
  store = openSqliteStore({ path: join(folder, 'weir.db'), now: () => clock.now(), exclusive: true });
  await store.projects.create({ id: 'acme', name: 'acme', createdAt: 0, limits: {} });
  const settings = { name: 'e', lifetimeMs: 0, timestamps: false, metadata: {}, limits: {}, createdAt: 0 };
  endpoint = await store.endpoints.create({ projectId: 'acme', metricsId: 'm', ...settings, ...noRelabeling });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const page = async (): Promise<string[]> =>
  (await store.groups.snapshot([endpoint])).flatMap(({ exposition }) =>
    exposition.bytes.toString().trimEnd().split('\n'),
  );

const group = { text: '[]', labels: [] };
const large = Array.from({ length: 3000 }, (_, i) => `m{i="${i}"} 1\n`).join('');

/** What comes after a large push does not overtake it. */
function pusher() {
  const ingest = new Ingest(store.groups, new SampleRate(clock), hurried());
  const put = (body: string, onRead = () => {}) =>
    ingest.push({
      endpoint,
      limits: defaultLimits,
      group,
      mode: 'replace-group',
      syntax: 'text',
      body: Buffer.from(body),
      onRead,
    });
  return { put, remove: () => ingest.delete(endpoint, group) };
}

it('a small push replaces the large one it came after', async () => {
  const { put } = pusher();
  await Promise.all([put(large), put('m{i="0"} 2\n')]);
  expect(await page()).toEqual(['m{i="0",instance_id="m"} 2']);
});

it('the bytes of a push may be used again once it was read, also when it is refused', async () => {
  const { put } = pusher();
  const read: string[] = [];
  await put(large, () => read.push('large'));
  await expect(put(`${large}m{i="0"} 1\n`, () => read.push('refused'))).rejects.toThrow('appears twice');
  expect(read).toEqual(['large', 'refused']);
});

it('a delete removes the large push it came after', async () => {
  const { put, remove } = pusher();
  await Promise.all([put(large), remove()]);
  expect(await page()).toEqual([]);
});

/** Sends exports of deltas of 1: of so many series, for a time from and to. */
function exporter(limits = defaultLimits, turns = hurried()) {
  const settings = () => ({ strategy: 'UnderscoreEscapingWithSuffixes', promoted: [], bounds: [] }) as const;
  const options = { live: store.live, rate: new SampleRate(clock), clock, routed: undefined as never };
  const otlp = new Otlp({ ...options, turns, settings });
  const nanos = (afterMs: number): string => `${clock.now() + afterMs}000000`;
  return (count: number, fromMs: number, toMs: number, onRead: (body: Buffer) => void = () => {}) => {
    const dataPoints = Array.from({ length: count }, (_, i) => ({
      attributes: [{ key: 'i', value: { stringValue: String(i) } }],
      startTimeUnixNano: nanos(fromMs),
      timeUnixNano: nanos(toMs),
      asDouble: 1,
    }));
    const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints };
    const metrics = [{ name: 'c_total', sum }];
    const body = encodeExport({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    return otlp.export({ endpoint, limits, encoding: 'protobuf', body, onRead: () => onRead(body) });
  };
}

it('a delta that comes right after a large export grows what that left', async () => {
  const send = exporter();
  const answers = await Promise.all([send(2000, -2000, -1000), send(1, -1000, 0)]);
  expect(answers.map(({ rejectedPoints }) => rejectedPoints)).toEqual([0, 0]);
  expect(await page()).toContain('c_total{i="0",instance_id="m"} 2');
});

it('the bytes of an export may be used again once it was read', async () => {
  const send = exporter();
  let read = 0;
  const scribble = (body: Buffer): void => {
    read++;
    body.fill(0xff);
  };
  await Promise.all([send(2000, -2000, -1000, scribble), send(2, -1000, 0, scribble)]);
  expect(read).toBe(2);
  const shown = await page();
  expect(shown).toHaveLength(2000);
  expect(shown.slice(0, 3)).toEqual([0, 1, 2].map((i) => `c_total{i="${i}",instance_id="m"} ${i < 2 ? 2 : 1}`));
});

it('a series that two exports bring at once is one, and has both', async () => {
  // Both are read before one is taken. By its turn the second export brings no new series, so that it has room.
  const send = exporter({ ...defaultLimits, series: 100 }, new Turns({ monotonic: () => 0 }));
  await send(1, -3000, -2000);
  const answers = await Promise.all([send(100, -2000, -1000), send(100, -1000, 0)]);
  expect(answers.map(({ rejectedPoints }) => rejectedPoints)).toEqual([0, 0]);
  const shown = (await page()).sort();
  expect(shown).toHaveLength(100);
  expect(shown.slice(0, 2)).toEqual(['c_total{i="0",instance_id="m"} 3', 'c_total{i="1",instance_id="m"} 2']);
});
