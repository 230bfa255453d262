import { fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { atOnce, type Steps } from '../../src/domain/turns.js';
import { convertSteps } from '../../src/formats/otlp/convert.js';
import { otlpJsonSteps } from '../../src/formats/otlp/json.js';
import { otlpProtobufSteps } from '../../src/formats/otlp/protobuf.js';
import type { OtlpSink } from '../../src/formats/otlp/request.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { mutations } from '../support/mutations.js';
import { encodeExport, requestSchema } from '../support/otlp.js';
import { nobody, wholeRequest } from '../support/otlp-request.js';
import { field } from '../support/protobuf.js';

const text = fc.string({ maxLength: 10, unit: 'grapheme' });
const double = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom<JsonValue>('NaN', 'Infinity', '-Infinity'),
);
const whole = fc.oneof(fc.nat(), fc.constantFrom('9007199254740993', '18446744073709551615')).map(String);
const signed = fc.oneof(fc.integer(), fc.constantFrom('-9223372036854775808', '9007199254740993')).map(String);
const nanos = fc.nat({ max: 2 ** 51 }).map((n) => `${n}000`);
const value: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: signed }),
    fc.record({ doubleValue: double }),
    fc.constant({}),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('value'), { maxLength: 2 }) }) }),
    fc.record({
      kvlistValue: fc.record({ values: fc.array(fc.record({ key: text, value: tie('value') }), { maxLength: 2 }) }),
    }),
  ) as fc.Arbitrary<JsonValue>,
})).value;
const attributes = fc.array(fc.record({ key: text, value }), { maxLength: 3 });
const base = { attributes, startTimeUnixNano: nanos, timeUnixNano: nanos, flags: fc.constantFrom(0, 1, 2) };
const buckets = fc.record({
  offset: fc.integer({ min: -1000, max: 1000 }),
  bucketCounts: fc.array(whole, { maxLength: 5 }),
});
const list = <T>(point: fc.Arbitrary<T>) => fc.array(point, { maxLength: 3 });
const numberPoint = fc.oneof(fc.record({ ...base, asDouble: double }), fc.record({ ...base, asInt: signed }));
const temporality = fc.constantFrom(0, 1, 2);
const data = fc.oneof(
  fc.record({ gauge: fc.record({ dataPoints: list(numberPoint) }) }),
  fc.record({
    sum: fc.record({ dataPoints: list(numberPoint), aggregationTemporality: temporality, isMonotonic: fc.boolean() }),
  }),
  fc.record({
    histogram: fc.record({
      aggregationTemporality: temporality,
      dataPoints: list(
        fc.record({
          ...base,
          count: whole,
          sum: double,
          bucketCounts: fc.array(whole, { maxLength: 5 }),
          explicitBounds: fc.array(double, { maxLength: 5 }),
        }),
      ),
    }),
  }),
  fc.record({
    exponentialHistogram: fc.record({
      aggregationTemporality: temporality,
      dataPoints: list(
        fc.record({
          ...base,
          count: whole,
          scale: fc.integer({ min: -20, max: 30 }),
          zeroCount: whole,
          positive: buckets,
          negative: buckets,
          zeroThreshold: double,
        }),
      ),
    }),
  }),
  fc.record({
    summary: fc.record({
      dataPoints: list(
        fc.record({
          ...base,
          count: whole,
          sum: double,
          quantileValues: fc.array(fc.record({ quantile: double, value: double }), { maxLength: 3 }),
        }),
      ),
    }),
  }),
);
const metric = fc
  .tuple(
    fc.record({ name: text, description: text, unit: fc.oneof(text, fc.constantFrom('ms', 'By/s', '1', '{x}')) }),
    data,
  )
  .map(([head, kind]) => ({ ...head, ...kind }));
const request = fc.record({
  resourceMetrics: fc.array(
    fc.record({
      resource: fc.record({ attributes }),
      scopeMetrics: fc.array(
        fc.record({ scope: fc.record({ name: text }), metrics: fc.array(metric, { maxLength: 3 }) }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 3 },
  ),
}) as unknown as fc.Arbitrary<JsonValue>;

const options = { strategy: 'UnderscoreEscapingWithSuffixes', promoted: ['a'], ours: 'instance_id', now: 1 } as const;

const fromProtobuf = (body: Buffer) => (sink: OtlpSink) => otlpProtobufSteps(body, sink);
const fromJson = (text: string) => (sink: OtlpSink) => otlpJsonSteps(Buffer.from(text), sink);

describe('the decoders of OTLP', () => {
  it('read from protobuf what the official schema reads, as its JSON form says it', () => {
    fc.assert(
      fc.property(request, (sent) => {
        const body = encodeExport(sent);
        const official = toJson(requestSchema, fromBinary(requestSchema, body), { enumAsInteger: true });
        expect(wholeRequest(fromProtobuf(body))).toEqual(wholeRequest(fromJson(JSON.stringify(official))));
        atOnce(convertSteps(fromProtobuf(body), new SeriesBatch(), options));
      }),
      { numRuns: 500 },
    );
  });

  it('fill a batch that served another request as they fill a new one', () => {
    const filled = (sent: JsonValue, batch: SeriesBatch) => {
      const converted = atOnce(convertSteps(fromProtobuf(encodeExport(sent)), batch, options));
      const series = Array.from({ length: batch.series }, (_, i) => [
        batch.nameOf(i),
        batch.labelsOf(i),
        [batch.changes, batch.values, batch.times, batch.starts, batch.samples, batch.numbers].map((each) => each[i]),
      ]);
      return { converted, series, points: batch.points, metadata: [...batch.metadata], samples: batch.totalSamples };
    };
    fc.assert(
      fc.property(fc.array(request, { minLength: 2, maxLength: 4 }), (all) => {
        const batch = new SeriesBatch();
        for (const sent of all) expect(filled(sent, batch)).toEqual(filled(sent, new SeriesBatch()));
      }),
      { numRuns: 200 },
    );
  });

  it('read or refuse whatever is done to a body, and what is read can be converted', () => {
    fc.assert(
      fc.property(request, fc.boolean(), mutations, (sent, isJson, all) => {
        const sound = isJson ? Buffer.from(JSON.stringify(sent)) : encodeExport(sent);
        for (const mutated of all) {
          const body = mutated(sound);
          try {
            const read = (sink: OtlpSink) => (isJson ? otlpJsonSteps(body, sink) : otlpProtobufSteps(body, sink));
            atOnce(convertSteps(read, new SeriesBatch(), options));
          } catch (error) {
            if (!(error instanceof WeirError)) throw error;
            if (error.code !== 'invalid') expect(error.code).toBe('invalid');
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('refuse values nested without end', () => {
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 2000; depth++) {
      nested = field(5, field(1, nested));
    }
    const body = field(1, field(1, field(1, field(2, nested))));
    expect(() => atOnce(otlpProtobufSteps(body, nobody))).toThrow(/nested too deep/);
  });

  it('make no more series of one request than anyone sends at once', () => {
    const dataPoints = Array.from({ length: 20_000 }, () => ({ count: '1', sum: 1, scale: 0 }));
    const metrics = [{ name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints } }];
    const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
    const batch = new SeriesBatch();
    const { refused, reason } = atOnce(convertSteps(fromJson(body), batch, options));
    expect(batch.series).toBeGreaterThan(190_000);
    expect(batch.series).toBeLessThanOrEqual(200_000);
    expect(refused).toBeGreaterThan(12_000);
    expect(reason).toContain('is beyond the 200000 series that one request may become');
  });

  /** A histogram of one point. */
  const wide = (labels: number, buckets: number): ((sink: OtlpSink) => Steps<void>) => {
    const attributes = Array.from({ length: labels }, (_, i) => ({ key: `a${i}`, value: { stringValue: 'v' } }));
    const explicitBounds = Array.from({ length: buckets }, (_, i) => i);
    const bucketCounts = Array.from({ length: buckets + 1 }, () => '1');
    const dataPoints = [{ attributes, explicitBounds, bucketCounts, timeUnixNano: '1000000000' }];
    const metrics = [{ name: 'h', histogram: { aggregationTemporality: 2, dataPoints } }];
    return fromJson(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
  };

  it('make no more labels of one request than anyone sends at once', () => {
    const batch = new SeriesBatch();
    const { refused, reason } = atOnce(convertSteps(wide(2100, 2100), batch, options));
    expect(reason).toContain('is beyond the 4000000 labels that the series of one request may have');
    expect([refused, batch.series]).toEqual([1, 0]);
  });

  it('stop between points with long lists, and refuse a list that is longer than any', () => {
    const exported = (length: number, points: number) => {
      const positive = { offset: 0, bucketCounts: Array.from({ length }, () => '1') };
      const dataPoints = Array.from({ length: points }, () => ({ scale: 0, positive }));
      const metrics = [{ name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints } }];
      return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
    };
    const body = (length: number, points: number): Buffer => encodeExport(exported(length, points));
    const json = (length: number): Steps<void> => fromJson(JSON.stringify(exported(length, 1)))(nobody);
    expect(() => atOnce(json(16_385))).toThrow(/"bucketCounts" has more than 16384 numbers/);
    atOnce(json(16_384));
    expect(() => atOnce(otlpProtobufSteps(body(16_385, 1), nobody))).toThrow(/a list of more than 16384 numbers/);
    const steps = otlpProtobufSteps(body(16_384, 10), nobody);
    let stops = 0;
    while (steps.next(0).done !== true) stops++;
    expect(stops).toBeGreaterThan(5);
  });

  it('stop within a point that becomes many series', () => {
    const steps = convertSteps(wide(9, 1000), new SeriesBatch(), options);
    let stops = 0;
    while (steps.next(0).done !== true) stops++;
    expect(stops).toBeGreaterThan(30);
  });
});
