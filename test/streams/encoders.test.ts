import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FamilyType } from '../../src/formats/family.js';
import { encodeOtlp } from '../../src/formats/otlp.js';
import { ProtobufWriter } from '../../src/formats/protobuf.js';
import { openDatadog } from '../../src/streams/destinations/datadog.js';
import { datadogBody, datadogSeries } from '../../src/streams/encode/datadog.js';
import { dogstatsdPackets } from '../../src/streams/encode/dogstatsd.js';
import { otlpMetrics } from '../../src/streams/encode/otlp.js';
import { encodeWrite1, encodeWrite2, mostSamples, writeBatches } from '../../src/streams/encode/remote-write.js';
import {
  isCumulative,
  type Metric,
  type Point,
  packWindow,
  unpackWindow,
  type Window,
} from '../../src/streams/window.js';
import { readPacket } from '../support/dogstatsd-reader.js';
import { attributesOf, readOtlp } from '../support/otlp-reader.js';
import type { DatadogSeries } from '../support/recorder.js';
import { readWrite1, readWrite2 } from '../support/remote-write-reader.js';

const time = Date.UTC(2026, 0, 1, 12);

const names = fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/);
/** Anything but half a character: it has no bytes. */
const texts = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !/\p{Surrogate}/u.test(text));
const labels = fc
  .dictionary(
    names,
    texts.filter((text) => text !== ''),
    { maxKeys: 4 },
  )
  .map((given) => Object.entries(given));
const values = fc.oneof(
  fc.integer({ min: -1000, max: 1_000_000 }),
  fc.double({ noDefaultInfinity: false, noNaN: false }),
);

/** Series with names of their own, so that none comes twice. */
const windows: fc.Arbitrary<Window> = fc
  .array(
    fc.record({
      type: fc.constantFrom<FamilyType>('counter', 'gauge', 'untyped'),
      help: fc.option(texts, { nil: undefined }),
      series: fc.array(fc.record({ labels, value: values, delta: fc.option(fc.nat(), { nil: undefined }) }), {
        minLength: 1,
        maxLength: 5,
      }),
    }),
    { maxLength: 6 },
  )
  .map((metrics) => ({
    kind: 'project.metrics',
    projectId: 'acme',
    from: time - 30_000,
    to: time,
    gone: [],
    metrics: metrics.map(({ type, help, series }, index): Metric => {
      const name = `m${index}`;
      const points = series.map(({ labels: own, value, delta }, at): Point => {
        const point = { name, labels: [...own, ['series', String(at)] as const], time, value };
        if (type !== 'counter') return point;
        return { ...point, start: time - 90_000, ...(delta === undefined ? {} : { delta, from: time - 30_000 }) };
      });
      return { name, type, ...(help === undefined ? {} : { help }), points };
    }),
  }));

const allPoints = ({ metrics }: Window) =>
  metrics.flatMap(({ points, type, name }) =>
    points.map((point) => ({ ...point, rises: isCumulative(type, name, point.name) })),
  );
const identity = (name: string, own: readonly (readonly [string, string])[]): string =>
  JSON.stringify([
    name,
    ...[...own]
      .filter(([, value]) => value !== '')
      .map(([key, value]) => [key, value])
      .sort(),
  ]);

const source = { resource: [['service.name', 'weir']] as const, scope: { name: 'weir' } };
const rules = { temporality: 'cumulative', mostBuckets: 30 } as const;

type Numbers = Map<string, { value: number; start: string | undefined; at: string }>;

function otlpNumbers(requests: readonly ReturnType<typeof readOtlp>[]): Numbers {
  const found: Numbers = new Map();
  for (const { resourceMetrics } of requests) {
    for (const { name, sum, gauge } of resourceMetrics[0]!.scopeMetrics[0]!.metrics) {
      for (const point of [...(sum?.dataPoints ?? []), ...(gauge?.dataPoints ?? [])]) {
        const key = identity(name, Object.entries(attributesOf(point.attributes)));
        if (found.has(key)) throw new Error(`twice: ${key}`);
        found.set(key, { value: Number(point.asDouble ?? 0), start: point.startTimeUnixNano, at: point.timeUnixNano });
      }
    }
  }
  return found;
}

describe('OTLP', () => {
  it('is read by its own schema with every finite value, in protobuf and in JSON alike', () => {
    fc.assert(
      fc.property(
        windows,
        fc.constantFrom('cumulative', 'delta') as fc.Arbitrary<'cumulative' | 'delta'>,
        (window, temporality) => {
          const metrics = [...otlpMetrics(window, { ...rules, temporality })];
          const binary = [...encodeOtlp(source, metrics, 'protobuf', 950_000)].map(readOtlp);
          const expected = allPoints(window).flatMap(({ name, labels: own, value, delta, rises, start, from }) => {
            const sent = rises && temporality === 'delta' ? delta : value;
            if (sent === undefined || !Number.isFinite(sent)) return [];
            const since = rises ? (temporality === 'delta' ? from : start) : undefined;
            const nanos = since === undefined ? undefined : `${since}000000`;
            return [
              [identity(name, own), { value: sent === 0 ? 0 : sent, start: nanos, at: `${time}000000` }] as const,
            ];
          });
          const found = otlpNumbers(binary);
          // 0 and -0 are one number to a metric.
          for (const point of found.values()) if (point.value === 0) point.value = 0;
          expect(found).toEqual(new Map(expected));
          const json = [...encodeOtlp(source, metrics, 'json', 950_000)].map(
            (body) => JSON.parse(body.toString()) as ReturnType<typeof readOtlp>,
          );
          const fromJson = otlpNumbers(json);
          for (const point of fromJson.values()) if (point.value === 0) point.value = 0;
          expect(fromJson).toEqual(found);
        },
      ),
    );
  });

  it('is split below its size, and nothing is lost or said twice', () => {
    const points = Array.from(
      { length: 5000 },
      (_, at): Point => ({
        name: 'm',
        labels: [['id', `${at}-${'x'.repeat(at % 300)}`]],
        time,
        value: at,
      }),
    );
    const window: Window = {
      kind: 'project.metrics',
      projectId: 'acme',
      from: 0,
      to: time,
      gone: [],
      metrics: [{ name: 'm', type: 'gauge', points }],
    };
    for (const [encoding, read] of [
      ['protobuf', readOtlp],
      ['json', (body: Buffer) => JSON.parse(body.toString()) as ReturnType<typeof readOtlp>],
    ] as const) {
      const bodies = [...encodeOtlp(source, otlpMetrics(window, rules), encoding, 100_000)];
      expect(Math.max(...bodies.map(({ length }) => length))).toBeLessThanOrEqual(100_000);
      expect(bodies.length).toBeGreaterThan(5);
      expect(otlpNumbers(bodies.map(read)).size).toBe(5000);
    }
  });

  const bucket = (le: string, value: number): Point => ({
    name: 'h_bucket',
    labels: [['le', le]],
    time,
    value,
    delta: value,
    from: 1,
    start: 1,
  });
  const histogram = (...buckets: Point[]): Window => ({
    kind: 'project.metrics',
    projectId: 'acme',
    from: 0,
    to: time,
    gone: [],
    metrics: [
      {
        name: 'h',
        type: 'histogram',
        points: [
          ...buckets,
          { name: 'h_sum', labels: [], time, value: 7.5, delta: 7.5, from: 1, start: 1 },
          { name: 'h_count', labels: [], time, value: 6, delta: 6, from: 1, start: 1 },
        ],
      },
    ],
  });

  it('makes one histogram of buckets, sum and count, each bucket with its own count', () => {
    const [body] = encodeOtlp(
      source,
      otlpMetrics(histogram(bucket('0.5', 1), bucket('2.0', 4), bucket('+Inf', 6)), rules),
      'protobuf',
      1e6,
    );
    const [metric] = readOtlp(body!).resourceMetrics[0]!.scopeMetrics[0]!.metrics;
    expect(metric).toMatchObject({
      name: 'h',
      histogram: {
        aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
        dataPoints: [{ count: '6', sum: 7.5, explicitBounds: [0.5, 2], bucketCounts: ['1', '3', '2'] }],
      },
    });
  });

  it.each([
    [
      'has more buckets than the receiver takes',
      Array.from({ length: 31 }, (_, at) => bucket(at === 30 ? '+Inf' : `${at}.0`, 6)),
    ],
    ['has no last bucket', [bucket('0.5', 1)]],
    ['has a count that is not its last bucket', [bucket('0.5', 1), bucket('+Inf', 5)]],
    ['has buckets that fall', [bucket('0.5', 7), bucket('+Inf', 6)]],
  ])('sends a histogram that %s as the series it is made of', (_, buckets) => {
    const [body] = encodeOtlp(source, otlpMetrics(histogram(...buckets), rules), 'protobuf', 1e6);
    const { metrics } = readOtlp(body!).resourceMetrics[0]!.scopeMetrics[0]!;
    expect(metrics.map(({ name }) => name)).toEqual(['h_bucket', 'h_sum', 'h_count']);
    expect(metrics.every(({ sum }) => sum?.isMonotonic)).toBe(true);
    expect(metrics[0]!.sum!.dataPoints).toHaveLength(buckets.length);
  });
});

describe('remote write', () => {
  it('is read by its schema with every value, in both versions alike', () => {
    fc.assert(
      fc.property(windows, (window) => {
        const batches = [...writeBatches(window)];
        const first = batches.flatMap((batch) => readWrite1(encodeWrite1(batch)));
        const second = batches.flatMap((batch) => readWrite2(encodeWrite2(batch)));
        const expected = allPoints(window).map(({ name, labels: own, value }) => ({
          labels: { ...Object.fromEntries(own), __name__: name },
          samples: [[time, value]],
        }));
        expect(first).toEqual(expected);
        expect(second.map(({ labels: own, samples }) => ({ labels: own, samples }))).toEqual(expected);
        const help = window.metrics.flatMap(({ points, help: said }) => points.map(() => said ?? ''));
        expect(second.map((series) => series.help)).toEqual(help);
      }),
    );
  });

  it('marks what has gone with exactly the NaN that means so, and no other NaN with it', () => {
    const nan: Point = { name: 'n', labels: [], time, value: Number.NaN };
    const window: Window = {
      kind: 'project.metrics',
      projectId: 'acme',
      from: 0,
      to: time,
      metrics: [{ name: 'n', type: 'gauge', points: [nan] }],
      gone: [{ name: 'g', labels: [['a', 'b']] }],
    };
    const [batch] = writeBatches(window);
    for (const encode of [encodeWrite1, encodeWrite2]) {
      const bytes = encode(batch!);
      // Field 1 as a double: 0x09 and eight bytes.
      const doubles = [...bytes.toString('hex').matchAll(/09(0[12]0000000000f[08]7f)/g)].map(([, bits]) => bits);
      expect(doubles).toEqual(['010000000000f87f', '020000000000f07f']);
    }
    expect(readWrite1(encodeWrite1(batch!))[1]!.labels).toEqual({ __name__: 'g', a: 'b' });
  });

  it('never parts the samples of a series, nor exceeds its number of samples', () => {
    const points = Array.from(
      { length: 3 * mostSamples },
      (_, at): Point => ({
        name: 'weir.api_request.count',
        labels: [['id', String(at % 1500)]],
        time: time + Math.floor(at / 1500) * 1000,
        value: at,
        start: 1,
        from: 1,
        delta: 1,
      }),
    );
    const window: Window = {
      kind: 'api_request.count',
      projectId: 'acme',
      from: 0,
      to: time,
      gone: [],
      metrics: [{ name: 'weir.api_request.count', type: 'counter', points }],
    };
    const batches = [...writeBatches(window)];
    expect(batches.every((batch) => batch.reduce((sum, { samples }) => sum + samples.length, 0) <= mostSamples)).toBe(
      true,
    );
    const all = batches.flat();
    expect(all).toHaveLength(1500);
    for (const { samples, labels: own } of all) {
      expect(samples.map((sample) => sample.time)).toEqual(
        [...samples.map((sample) => sample.time)].sort((a, b) => a - b),
      );
      expect(Object.fromEntries(own).__name__).toBe('weir_api_request_count_total');
    }
  });
});

describe('Datadog', () => {
  it('gets every finite value: gauges as they stand, counters as what was added', () => {
    fc.assert(
      fc.property(windows, (window) => {
        const { series } = JSON.parse(datadogBody(datadogSeries(window))) as { series: DatadogSeries[] };
        const expected = allPoints(window).flatMap(({ value, delta, rises }) => {
          const sent = rises ? delta : value;
          return sent === undefined || !Number.isFinite(sent) ? [] : [{ value: sent + 0, timestamp: time / 1000 }];
        });
        expect(series.flatMap(({ points }) => points)).toEqual(expected);
        for (const { type, interval, tags } of series) {
          expect(interval).toBe(type === 1 ? 30 : undefined);
          expect(tags.every((tag) => [...tag].length <= 200)).toBe(true);
        }
      }),
    );
  });

  it('is split below both of its sizes, also when it hardly compresses', async () => {
    const random = fc.sample(fc.base64String({ minLength: 150, maxLength: 180 }), 9000);
    const points = random.map((text, at): Point => ({ name: 'm', labels: [['id', `${at}${text}`]], time, value: at }));
    const window: Window = {
      kind: 'project.metrics',
      projectId: 'acme',
      from: 0,
      to: time,
      gone: [],
      metrics: [{ name: 'm', type: 'gauge', points }],
    };
    const target = {
      destination: { type: 'datadog', configuration: { site: 'US1' } },
      secrets: { api_key: 'k' },
    } as const;
    const bodies: Buffer[] = [];
    for await (const part of openDatadog(target, {} as never).parts(window)) bodies.push(part as Buffer);
    expect(bodies.length).toBeGreaterThan(1);
    expect(Math.max(...bodies.map(({ length }) => length))).toBeLessThanOrEqual(512_000);
    const inflated = bodies.map((body) => gunzipSync(body));
    expect(Math.max(...inflated.map(({ length }) => length))).toBeLessThanOrEqual(5_242_880);
    const sent = inflated.flatMap((body) => (JSON.parse(body.toString()) as { series: DatadogSeries[] }).series);
    expect(sent.map((series) => series.points[0]!.value)).toEqual(points.map(({ value }) => value));
  });
});

describe('DogStatsD', () => {
  it('is read with every finite value, in datagrams below their size', () => {
    fc.assert(
      fc.property(windows, (window) => {
        const packets = [...dogstatsdPackets(window, 1432)];
        expect(packets.every(({ length }) => length <= 1432)).toBe(true);
        const found = packets.flatMap((packet) => readPacket(packet).metrics);
        const expected = allPoints(window).flatMap(({ name, value, delta, rises }) => {
          const sent = rises ? delta : value;
          if (sent === undefined || !Number.isFinite(sent) || (rises && sent === 0)) return [];
          return [{ name, values: [sent + 0], type: rises ? 'c' : 'g' }];
        });
        expect(
          found.map(({ name, values: all, type }) => ({ name, values: all.map((value) => value + 0), type })),
        ).toEqual(expected);
      }),
    );
  });
});

describe('what is shared', () => {
  it('a window comes back from the store as it was, infinities included', async () => {
    await fc.assert(
      fc.asyncProperty(windows, async (window) => {
        const back = await unpackWindow(await packWindow(window));
        // JSON has no -0; to every destination it is 0.
        const told = (of: Window): unknown => JSON.parse(JSON.stringify(of));
        expect(told(back)).toEqual(told(window));
        const numbers = ({ metrics }: Window) => metrics.flatMap(({ points }) => points.map(({ value }) => value + 0));
        expect(numbers(back)).toEqual(numbers(window));
      }),
      { numRuns: 50 },
    );
  });

  it('protobuf lengths of every size move what they precede', () => {
    for (const size of [0, 127, 128, 16_383, 16_384, 2_097_152]) {
      const writer = new ProtobufWriter(16);
      writer.message(1, () => writer.message(2, () => writer.raw(3, Buffer.alloc(size, 1))));
      writer.varint(9, 5);
      const bytes = writer.finish();
      expect(bytes.subarray(-2)).toEqual(Buffer.from([72, 5]));
      expect(bytes.length).toBeGreaterThan(size);
    }
  });
});
