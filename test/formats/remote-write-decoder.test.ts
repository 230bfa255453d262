import type { JsonValue } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { atOnce } from '../../src/domain/turns.js';
import { fixedBounds } from '../../src/formats/otlp/exponential.js';
import { expandHistograms } from '../../src/formats/remote-write/native-histogram.js';
import { writeRequest1Steps } from '../../src/formats/remote-write/v1.js';
import { writeRequest2Steps } from '../../src/formats/remote-write/v2.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { mutations } from '../support/mutations.js';
import { decodeRequest, encodeRequest, type Version } from '../support/remote-write.js';

const ours = Buffer.from('instance_id');
const reading = { '1.0': writeRequest1Steps, '2.0': writeRequest2Steps } as const;

interface Seen {
  readonly labels: [string, string][];
  readonly sample: [value: number, time: number] | undefined;
  readonly samples: number;
}

/** What our decoder made of a body. */
function decoded(version: Version, body: Buffer, batch = new SeriesBatch()) {
  atOnce<unknown>(reading[version](body, batch, ours));
  const series = Array.from({ length: batch.series }, (_, index): Seen => {
    const labels: [string, string][] = [];
    for (let at = batch.first[index]! + 1; at < batch.first[index + 1]!; at++) {
      labels.push([batch.text(at, 'name'), batch.text(at, 'value')]);
    }
    labels.push(['__name__', batch.nameOf(index)]);
    const sample: [number, number] | undefined =
      batch.changes[index] === 0 ? undefined : [batch.values[index]!, batch.times[index]!];
    return { labels: labels.sort(byText), sample, samples: batch.samples[index]! };
  });
  return { series, metadata: [...batch.metadata], histograms: batch.natives.length };
}

const byText = (a: readonly string[], b: readonly string[]): number => (a.join('\n') < b.join('\n') ? -1 : 1);

interface Json1 {
  readonly timeseries?: readonly {
    readonly labels?: readonly { name?: string; value?: string }[];
    readonly samples?: readonly { value?: number | string; timestamp?: string }[];
    readonly histograms?: readonly JsonValue[];
  }[];
  readonly metadata?: readonly { type?: string; metricFamilyName?: string; help?: string; unit?: string }[];
}

interface Json2 {
  readonly symbols?: readonly string[];
  readonly timeseries?: readonly (NonNullable<Json1['timeseries']>[number] & { labelsRefs?: number[] })[];
}

/** The same from what the official schema reads. */
function expected(labelSets: readonly (readonly [string, string])[][], json: Pick<Json1, 'timeseries'>): Seen[] {
  return (json.timeseries ?? []).map(({ samples = [] }, index) => {
    const labels = labelSets[index]!.filter(
      ([name, value]) => name !== '__name__' && name !== 'instance_id' && value !== '',
    );
    const name = labelSets[index]!.findLast(([label]) => label === '__name__')?.[1] ?? '';
    let newest: [number, number] | undefined;
    for (const { value = 0, timestamp = '0' } of samples) {
      if (newest === undefined || Number(timestamp) >= newest[1]) newest = [Number(value), Number(timestamp)];
    }
    return {
      labels: [...labels, ['__name__', name] as const].map(([a, b]): [string, string] => [a, b]).sort(byText),
      sample: newest,
      samples: samples.length,
    };
  });
}

const text = fc.oneof(
  fc.string({ maxLength: 12, unit: 'grapheme' }),
  fc.constantFrom('__name__', 'instance_id', '', 'job', 'é"\\\n'),
);
const number = fc.oneof(
  fc.double({ noNaN: true }),
  fc.constant('NaN'),
  fc.constant('Infinity'),
  fc.constant('-Infinity'),
);
const json = (value: number | string): JsonValue =>
  typeof value === 'number' && !Number.isFinite(value) ? (value > 0 ? 'Infinity' : '-Infinity') : value;
const time = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 43 }),
  fc.integer({ min: -(2 ** 40), max: 0 }),
  fc.constantFrom('9223372036854775807', '-9223372036854775808'),
);
const sample = fc.record({ value: number.map(json), timestamp: time.map(String) });
const spans = fc.array(fc.record({ offset: fc.integer({ min: -5, max: 5 }), length: fc.nat(3) }), { maxLength: 3 });
const histogram = fc.record(
  {
    countInt: fc.nat().map(String),
    sum: fc.constant(1),
    schema: fc.constantFrom(-53, -4, 0, 3, 8, 9),
    zeroCountInt: fc.nat(9).map(String),
    positiveSpans: spans,
    positiveDeltas: fc.array(fc.integer({ min: -9, max: 9 }).map(String), { maxLength: 6 }),
    negativeSpans: spans,
    negativeCounts: fc.array(fc.nat(9), { maxLength: 6 }),
    customValues: fc.array(fc.nat(9), { maxLength: 4 }),
    timestamp: time.map(String),
  },
  { requiredKeys: ['sum', 'timestamp'] },
);

const request1 = fc.record({
  timeseries: fc.array(
    fc.record({
      labels: fc.array(fc.record({ name: text, value: text }), { maxLength: 6 }),
      samples: fc.array(sample, { maxLength: 4 }),
      exemplars: fc.array(
        fc.record({
          labels: fc.array(fc.record({ name: text, value: text }), { maxLength: 2 }),
          value: fc.constant(1),
        }),
        { maxLength: 2 },
      ),
      histograms: fc.array(histogram, { maxLength: 2 }),
    }),
    { maxLength: 8 },
  ),
  metadata: fc.array(
    fc.record({
      type: fc.constantFrom(
        'UNKNOWN',
        'COUNTER',
        'GAUGE',
        'HISTOGRAM',
        'GAUGEHISTOGRAM',
        'SUMMARY',
        'INFO',
        'STATESET',
      ),
      metricFamilyName: text,
      help: text,
      unit: text,
    }),
    { maxLength: 4 },
  ),
});

const request2 = fc.array(text, { maxLength: 10 }).chain((texts) => {
  const symbols = ['', ...texts];
  const ref = fc.nat(symbols.length - 1);
  return fc.record({
    symbols: fc.constant(symbols),
    timeseries: fc.array(
      fc.record({
        labelsRefs: fc.array(fc.tuple(ref, ref), { maxLength: 6 }).map((pairs) => pairs.flat()),
        samples: fc.array(sample, { maxLength: 4 }),
        histograms: fc.array(histogram, { maxLength: 2 }),
        exemplars: fc.array(fc.record({ labelsRefs: fc.constant([0, 0]), value: fc.constant(1) }), { maxLength: 1 }),
        metadata: fc.record({
          type: fc.constantFrom('METRIC_TYPE_COUNTER', 'METRIC_TYPE_UNSPECIFIED'),
          helpRef: ref,
          unitRef: ref,
        }),
      }),
      { maxLength: 8 },
    ),
  });
});

describe('the decoders of remote write, against the schema', () => {
  it('1.0: the same series, samples and metadata', () => {
    fc.assert(
      fc.property(request1, (request) => {
        const body = encodeRequest('1.0', request as unknown as JsonValue);
        const official = decodeRequest('1.0', body) as Json1;
        const seen = decoded('1.0', body);
        const labelSets = (official.timeseries ?? []).map(({ labels = [] }) =>
          labels.map(({ name = '', value = '' }) => [name, value] as const),
        );
        expect(seen.series).toEqual(expected(labelSets, official));
        expect(seen.metadata).toEqual(
          (official.metadata ?? []).map(({ type = 'UNKNOWN', metricFamilyName = '', help = '', unit = '' }) => ({
            type: type === 'UNKNOWN' ? 'untyped' : type.toLowerCase(),
            name: metricFamilyName,
            help,
            unit,
          })),
        );
        const histograms = (official.timeseries ?? []).reduce(
          (count, each) => count + (each.histograms?.length ?? 0),
          0,
        );
        expect(seen.histograms).toBe(histograms);
      }),
      { numRuns: 500 },
    );
  });

  it('2.0: the same series and samples', () => {
    fc.assert(
      fc.property(request2, (request) => {
        const body = encodeRequest('2.0', request as unknown as JsonValue);
        const official = decodeRequest('2.0', body) as unknown as Json2;
        const labelSets = (official.timeseries ?? []).map(({ labelsRefs = [] }) => {
          const pairs: [string, string][] = [];
          for (let i = 0; i < labelsRefs.length; i += 2) {
            pairs.push([official.symbols![labelsRefs[i]!]!, official.symbols![labelsRefs[i + 1]!]!]);
          }
          return pairs;
        });
        expect(decoded('2.0', body).series).toEqual(expected(labelSets, official));
      }),
      { numRuns: 500 },
    );
  });

  it.each<Version>(['1.0', '2.0'])(
    '%s: whatever is done to a body, it is read or refused, and the batch serves the next one',
    (version) => {
      const batch = new SeriesBatch();
      const good = encodeRequest(version, goodRequest[version]);
      const wanted = JSON.stringify(decoded(version, good));
      const requests: fc.Arbitrary<unknown> = version === '1.0' ? request1 : request2;
      fc.assert(
        fc.property(requests, mutations, (request, all) => {
          const sound = encodeRequest(version, request as JsonValue);
          for (const mutated of all) {
            try {
              decoded(version, mutated(sound), batch);
              const before = batch.series;
              atOnce(expandHistograms(batch, fixedBounds));
              expect(batch.series - before).toBeLessThanOrEqual(before * (fixedBounds.length + 3));
            } catch (error) {
              if (!(error instanceof WeirError)) throw error;
              if (error.code !== 'invalid') expect(error.code).toBe('invalid');
            }
            expect(JSON.stringify(decoded(version, good, batch))).toBe(wanted);
          }
        }),
        { numRuns: 500 },
      );
    },
  );

  it('refuses lengths beyond the body, numbers without an end, references to nothing', () => {
    for (const body of [
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [0x0a, 0x80],
      Array(12).fill(0xff),
      [0x02],
      [0x0b, 0x0c],
    ]) {
      expect(() => decoded('1.0', Buffer.from(body as number[]))).toThrow(/not a valid prometheus\.WriteRequest/);
    }
    const dangling = encodeRequest('2.0', { symbols: ['', 'a'], timeseries: [{ labelsRefs: [1, 2] }] });
    expect(() => decoded('2.0', dangling)).toThrow(/a symbol that is not there/);
    const odd = encodeRequest('2.0', { symbols: ['', 'a'], timeseries: [{ labelsRefs: [1] }] });
    expect(() => decoded('2.0', odd)).toThrow(/a label name without a value/);
  });
});

const goodRequest: Record<Version, JsonValue> = {
  '1.0': {
    timeseries: [
      {
        labels: [
          { name: '__name__', value: 'up' },
          { name: 'a', value: 'b' },
        ],
        samples: [{ value: 1, timestamp: '5' }],
      },
    ],
  },
  '2.0': {
    symbols: ['', '__name__', 'up', 'a', 'b'],
    timeseries: [{ labelsRefs: [1, 2, 3, 4], samples: [{ value: 1, timestamp: '5' }] }],
  },
};
