import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonValue } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import type { MetricsEndpoint } from '../../src/domain/endpoint.js';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { noRelabeling } from '../../src/domain/relabel.js';
import { atOnce, Turns } from '../../src/domain/turns.js';
import { expandHistograms } from '../../src/formats/remote-write/native-histogram.js';
import { writeRequest1Steps } from '../../src/formats/remote-write/v1.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { takeBatch } from '../../src/ingest/live-series.js';
import { SampleRate } from '../../src/ingest/rate.js';
import { RemoteWrite } from '../../src/ingest/remote-write.js';
import { RepeatedRequests } from '../../src/ingest/repeated-requests.js';
import { encodeTable, Recorder, tableOf } from '../../src/storage/live/record.js';
import { SeriesTable } from '../../src/storage/live/series-table.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import type { Store } from '../../src/storage/store.js';
import { HeldClock } from '../support/gateway.js';
import { encodeRequest, markStale, request1, type SentSeries } from '../support/remote-write.js';

const ours = Buffer.from('instance_id');
const start = 1_700_000_000_000;
const marker = 12345.25;
const oneBitFromStale = 1 + 2 ** -51;

/** Labels whose lengths take one byte of protobuf, or two, or more; empty ones; ones a page writes otherwise. */
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'web-1', 'production', '') },
  { weight: 2, arbitrary: fc.constantFrom(...[3, 4, 5, 113, 114, 115, 122, 127, 128, 300].map((n) => 'v'.repeat(n))) },
  { weight: 1, arbitrary: fc.constantFrom('x"y\\z\nä', 'w'.repeat(16_380), 'w'.repeat(17_000)) },
);
const name = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('job', 'le', 'pod', 'n'.repeat(127), 'n'.repeat(130)) },
  fc.constantFrom('UPPER', 'instance_id', '__name__'),
);
const metric = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('up', 'http_requests_total', 'm', 'm'.repeat(112), 'm'.repeat(113)) },
  fc.constantFrom('', 'm'.repeat(130), 'not one'),
);
const label = fc.tuple(name, value).map(([name, value]) => ({ name, value }));
const labels = fc
  .tuple(metric, fc.uniqueArray(label, { maxLength: 4, selector: ({ name }) => name }), fc.nat(5))
  .map(([metric, others, order]) => {
    const all = [{ name: '__name__', value: metric }, ...others];
    return order > 0 ? all.sort((a, b) => (a.name < b.name ? -1 : 1)) : all;
  });

const usual = fc.record({
  value: fc.oneof(fc.constantFrom(0, 1), fc.double({ noNaN: true, noDefaultInfinity: true })),
  timestamp: fc.constantFrom(start, start, start + 1, start + 50),
});
const sample = fc.record({
  value: fc.constantFrom(0, 1, marker, marker, 'NaN', 'Infinity'),
  timestamp: fc.oneof(
    { weight: 4, arbitrary: fc.constant(start) },
    fc.constantFrom(0, -1, start - 400_000, start + 700_000, 2 ** 31, 2 ** 49, '9223372036854775807'),
  ),
});
const samples = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(usual) },
  { weight: 2, arbitrary: fc.tuple(sample) },
  fc.array(sample, { maxLength: 3 }),
);
const histograms = fc.oneof(
  { weight: 30, arbitrary: fc.constant([]) },
  fc.constant([{ countInt: '1', sum: 1, zeroCountInt: '1', timestamp: String(start) }]),
);

/** Which of some series, in what order and with which samples: mostly all of them, in the order they have. */
const request = fc.record({
  first: fc.constantFrom(0, 0, 0, 1, 2),
  left: fc.constantFrom(6, 6, 6, 6, 0, 2, 4),
  swapped: fc.constantFrom(6, 6, 6, 6, 0, 1, 3),
  samples: fc.array(samples, { minLength: 6, maxLength: 6 }),
  histograms: fc.array(histograms, { minLength: 6, maxLength: 6 }),
  mutations: fc.oneof(
    { weight: 5, arbitrary: fc.constant([]) },
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 2 }),
  ),
});

interface Sent {
  readonly first: number;
  readonly left: number;
  readonly swapped: number;
  readonly samples: readonly (readonly { value: number | string; timestamp: number | string }[])[];
  readonly histograms: readonly (readonly JsonValue[])[];
  readonly mutations: readonly (readonly [place: number, byte: number])[];
}

function bodyOf(series: readonly { name: string; value: string }[][], sent: Sent): Buffer {
  const order = series.map((_, i) => i).slice(sent.first);
  order.splice(sent.left, 1);
  if (sent.swapped < order.length - 1) order.splice(sent.swapped, 2, order[sent.swapped + 1]!, order[sent.swapped]!);
  const timeseries = order.map((i) => ({
    labels: series[i]!,
    samples: sent.samples[i]!.map(({ value, timestamp }) => ({ value, timestamp: String(timestamp) })),
    histograms: sent.histograms[i]! as JsonValue[],
  }));
  const body = markStale(encodeRequest('1.0', { timeseries } as JsonValue), marker);
  for (const [place, byte] of sent.mutations) if (body.length > 0) body[place % body.length] = byte;
  return body;
}

/** What a request leaves behind in a table, and what is answered. */
function take(
  table: SeriesTable,
  body: Buffer,
  repeated: RepeatedRequests | undefined,
  now: number,
  series: number,
): unknown {
  const batch = new SeriesBatch();
  const record = new Recorder(table);
  const refused: unknown[] = [];
  let taken: unknown;
  let recognised = 0;
  try {
    if (repeated === undefined) atOnce(writeRequest1Steps(body, batch, ours));
    else atOnce(repeated.read(body, batch, ours, table));
    recognised = Array.from({ length: batch.series }, (_, i) => batch.first[i] === batch.first[i + 1]).filter(
      Boolean,
    ).length;
    atOnce(expandHistograms(batch, [1, 10]));
    const refuse = (reason: unknown, count: number): number => refused.push([reason, count]);
    const living = (): number => table.living;
    const limits = { ...defaultLimits, series, series_per_metric: 5 };
    const endpoint = { lifetimeMs: 300_000 } as MetricsEndpoint;
    taken = takeBatch(
      batch,
      { table, record, now, projectSeries: living, endpointSeries: living, refuse },
      endpoint,
      limits,
    );
  } catch (error) {
    expect(error).toBeInstanceOf(WeirError);
    taken = (error as WeirError).message;
  }
  recognisedInAll += repeated === undefined ? 0 : recognised;
  return [taken, refused, batch.totalSamples, record.encode().toString('hex'), encodeTable(table).toString('hex')];
}

let recognisedInAll = 0;

describe('series that are recognised as a whole', () => {
  it('leave the same as series that are read label by label, whatever is sent', () => {
    recognisedInAll = 0;
    let requests = 0;
    fc.assert(
      fc.property(
        fc.array(labels, { minLength: 6, maxLength: 6 }),
        fc.array(request, { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 4, max: 40 }),
        (series, sent, limit) => {
          const recognising = new SeriesTable();
          const repeated = new RepeatedRequests();
          const reading = new SeriesTable();
          for (const [i, each] of sent.entries()) {
            const body = bodyOf(series, each);
            const now = start + i * 1000;
            requests++;
            const recognised = take(recognising, body, repeated, now, limit);
            expect(recognised).toEqual(take(reading, body, undefined, now, limit));
          }
        },
      ),
      { numRuns: 600 },
    );
    // Or this would compare one way with itself.
    expect(recognisedInAll).toBeGreaterThan(requests / 4);
  });

  it('are no others, though one byte is all that differs', () => {
    const labels = { __name__: 'http_requests_total', job: 'app', path: '/'.repeat(150) };
    const body = request1(
      [0, oneBitFromStale, -2].map((value, i) => ({
        labels: { ...labels, pod: `pod-${i}` },
        samples: [[value, start + i] as const],
      })),
    );
    const first = new SeriesTable();
    take(first, body, undefined, start, 1000);
    const record = encodeTable(first);
    for (let at = 0; at < body.length; at++) {
      for (const flip of [1, 0x40, 0x80]) {
        const other = Buffer.from(body);
        other[at]! ^= flip;
        // Series by series, and as a repetition of the request before.
        for (const isRepeated of [false, true]) {
          const [a, b] = [tableOf([record]), tableOf([record])];
          const repeated = new RepeatedRequests();
          // It takes two until the first series is known to follow the last.
          for (let i = 0; i < 3 && isRepeated; i++) take(a, body, repeated, start, 1000);
          expect(take(a, other, repeated, start, 1000)).toEqual(take(b, other, undefined, start, 1000));
        }
      }
    }
  });

  it('are all of a request that repeats the one before', () => {
    const table = new SeriesTable();
    const repeated = new RepeatedRequests();
    const sent = (value: number): Buffer =>
      request1(
        Array.from({ length: 100 }, (_, i) => ({
          labels: { __name__: `m${i % 20}`, job: 'app', path: '/'.repeat(i * 2 + 1), pod: `pod-${i}` },
          samples: [[(value * i) % 7, start + value] as const],
        })),
      );
    for (const value of [1, 2, 8]) {
      recognisedInAll = 0;
      take(table, sent(value), repeated, start, 1000);
    }
    expect(recognisedInAll).toBe(100);
    const batch = new SeriesBatch();
    const request = atOnce(writeRequest1Steps(sent(8), batch, ours, undefined, table))!;
    expect(request.read(sent(15), batch, table)).toBe(true);
    expect(Array.from(batch.values.subarray(0, 100))).toEqual(Array.from({ length: 100 }, (_, i) => (15 * i) % 7));
    expect(new Set(batch.times.subarray(0, 100))).toEqual(new Set([start + 15]));
    // All are zero, and left out.
    expect(request.read(sent(14), batch, table)).toBe(false);
  });
});

describe('a request that was read before another one changed the table', () => {
  const clock = new HeldClock();
  const path = (): string => join(folder, 'weir.db');
  let folder: string;
  let store: Store;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-known-'));
    store = openSqliteStore({ path: path(), now: () => clock.now(), exclusive: false });
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const numbered = (ids: readonly number[], value: number): SentSeries[] =>
    ids.map((id) => ({ labels: { __name__: 'm', id: String(id).padStart(5, '0') }, samples: [[value, clock.now()]] }));

  it('is read anew when the numbers of series have changed, and says the same', async () => {
    await store.projects.create({ id: 'acme', name: 'acme', createdAt: 0, limits: {} });
    const endpoint = await store.endpoints.create({
      projectId: 'acme',
      metricsId: 'm',
      name: 'e',
      lifetimeMs: 300_000,
      timestamps: false,
      metadata: {},
      limits: {},
      createdAt: 0,
      ...noRelabeling,
    });
    const remoteWrite = new RemoteWrite(
      store.live,
      new SampleRate(clock),
      undefined as never,
      new Turns(systemClock),
      () => [],
    );
    const write = (body: Buffer) => remoteWrite.write({ endpoint, limits: defaultLimits, version: '1.0', body });
    const all = Array.from({ length: 2000 }, (_, id) => id);
    await write(request1(numbered(all, 1)));
    const before = store.live.peekTable(endpoint.id);
    // So many ends fold the table, before the turn of the second, which was read already.
    const ends = markStale(request1(numbered(all.slice(0, 1900), marker)), marker);
    const values = request1(numbered(all.slice(1900), 2));
    // And a third, of the same series; it is too old to change anything.
    clock.advance(-1000);
    const older = request1(numbered(all.slice(1900), 9));
    clock.advance(1000);
    const [, written] = await Promise.all([write(ends), write(values), write(older)]);
    expect(store.live.peekTable(endpoint.id)).not.toBe(before);
    expect(written).toEqual({ samples: 100, histograms: 0, reason: undefined });
    const shown = async (): Promise<string[]> => {
      const [group] = await store.groups.snapshot([endpoint]);
      return group!.exposition.bytes.toString().trimEnd().split('\n').sort();
    };
    const wanted = all.slice(1900).map((id) => `m{id="0${id}",instance_id="m"} 2`);
    expect(await shown()).toEqual(wanted);
    await store.close();
    store = openSqliteStore({ path: path(), now: () => clock.now(), exclusive: false });
    expect(await shown()).toEqual(wanted);
  });
});
