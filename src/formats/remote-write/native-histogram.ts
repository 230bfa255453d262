import { WeirError } from '../../domain/errors.js';
import type { Steps } from '../../domain/turns.js';
import { exponentialCounts } from '../otlp/exponential.js';
import { ProtoReader } from '../proto-reader.js';
import { change, mostLabelBytes, mostLabels, type SeriesBatch } from '../series-batch.js';
import { canonicalNumber } from '../syntax.js';

/** As in `prometheus.Histogram`; both versions have the same fields. */
interface Histogram {
  count: number;
  sum: number;
  isStale: boolean;
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  negative: Buckets;
  positive: Buckets;
  time: number;
  customBounds: number[];
}

interface Buckets {
  /** Offset and length. */
  readonly spans: (readonly [number, number])[];
  /** Integer histograms: each the difference to the one before. */
  readonly deltas: number[];
  readonly counts: number[];
}

/** Classic buckets, whose bounds the histogram names itself (NHCB). */
const customSchema = -53;
/** Each becomes dozens of series, whatever it weighs in the request. */
const mostHistograms = 10_000;
/** Between two stops. */
const labelsAStep = 512;
const histogramsAStep = 16;
const nameEnds = { bucket: '_bucket', sum: '_sum', count: '_count' } as const;

/** The histograms that have no form here. */
export interface Unfit {
  readonly unfit: number;
  readonly unfitOf: string;
  /** How many there are of which series. */
  readonly bySeries: ReadonlyMap<number, number>;
}

const allFit: Unfit = { unfit: 0, unfitOf: '', bySeries: new Map() };

/**
 * Turns the native histograms of a batch into classic ones: `_bucket`, `_sum` and `_count`, each histogram taken or
 * refused as one. With bounds of their own they keep them; exponential ones get the fixed bounds; of those that have ended,
 * all buckets end. Of one series the newest counts. Throws `invalid` for what is none, or for too many.
 */
export function* expandHistograms(batch: SeriesBatch, bounds: readonly number[]): Steps<Unfit> {
  if (batch.natives.length === 0) return allFit;
  const outcome = { unfit: 0, unfitOf: '', bySeries: new Map<number, number>() };
  const newest = new Map<number, { histogram: Histogram; samples: number }>();
  for (const [i, { series, at, end }] of batch.natives.entries()) {
    if (i % histogramsAStep === 0) yield;
    const histogram = read(batch.bytes, at, end);
    const before = newest.get(series);
    const samples = (before?.samples ?? 0) + 1;
    if (before === undefined || histogram.time >= before.histogram.time) newest.set(series, { histogram, samples });
    else newest.set(series, { ...before, samples });
  }
  if (newest.size > mostHistograms) {
    throw new WeirError(
      'invalid',
      `The request has native histograms of more than ${mostHistograms} series; send less at once.`,
    );
  }
  const texts = new Texts(batch.bytes.length);
  const points = Array.from({ length: batch.series }, (_, series) => series);
  batch.histogramsFrom = batch.series;
  let labels = 0;
  let bucketsSoFar = 0;
  for (const [series, { histogram, samples }] of newest) {
    const { isStale, time } = histogram;
    // A marker has no buckets, and says nothing of those that are there.
    const classic = isStale ? [] : classicOf(histogram, bounds);
    if (classic === undefined) {
      outcome.unfit += samples;
      outcome.bySeries.set(series, samples);
      if (outcome.unfitOf === '') outcome.unfitOf = batch.nameOf(series);
      continue;
    }
    const labelsOfEach = batch.first[series + 1]! - batch.first[series]! + 1;
    const parts = classic.length + 3;
    labels += parts * labelsOfEach;
    if (labels > mostLabels || batch.labelBytes + parts * batch.labelBytesOf(series) > mostLabelBytes) {
      throw new WeirError(
        'invalid',
        `The classic histograms of the request would have more than ${mostLabels} labels, or ${mostLabelBytes} bytes of them; ` +
          'send less at once.',
      );
    }
    points.push(batch.series);
    const name = batch.nameOf(series);
    const does = isStale ? change.end : change.set;
    const put = (nameEnd: string, le: string | undefined, value: number, counts: number, kind: number = does): void => {
      batch.derive(series, texts.place(name + nameEnd), le === undefined ? undefined : [leAt(texts), texts.place(le)]);
      batch.sample(kind, value, time);
      batch.samples[batch.series - 1] = counts;
      batch.totalSamples += counts - 1;
    };
    const between = Math.ceil(labelsAStep / labelsOfEach);
    for (const [bound, count] of classic) {
      put(nameEnds.bucket, canonicalNumber(bound), count, 0);
      if (++bucketsSoFar % between === 0) yield;
    }
    if (isStale) put(nameEnds.bucket, undefined, 0, 0, change.endBuckets);
    else put(nameEnds.bucket, '+Inf', histogram.count, 0);
    if (++bucketsSoFar % between === 0) yield;
    put(nameEnds.sum, undefined, histogram.sum, 0);
    put(nameEnds.count, undefined, histogram.count, samples);
  }
  points.push(batch.series);
  batch.points = points;
  batch.bytes = Buffer.concat([batch.bytes, ...texts.chunks]);
  return outcome;
}

/** Texts that no request has, behind its own bytes. */
class Texts {
  readonly chunks: Buffer[] = [];
  private end: number;
  private readonly places = new Map<string, readonly [number, number]>();

  constructor(from: number) {
    this.end = from;
  }

  place(text: string): readonly [number, number] {
    let place = this.places.get(text);
    if (place === undefined) {
      const bytes = Buffer.from(text);
      this.chunks.push(bytes);
      place = [this.end, this.end + bytes.length];
      this.end += bytes.length;
      this.places.set(text, place);
    }
    return place;
  }
}

const leAt = (texts: Texts): readonly [number, number] => texts.place('le');

/** Counts up to each bound; `undefined` for a schema or buckets that are none. */
function classicOf(histogram: Histogram, bounds: readonly number[]): (readonly [number, number])[] | undefined {
  const { schema, customBounds, positive, negative, zeroCount, zeroThreshold } = histogram;
  const above = entriesOf(positive);
  const below = entriesOf(negative);
  if (above === undefined || below === undefined) return undefined;
  if (schema === customSchema) {
    if (customBounds.some((bound, i) => !Number.isFinite(bound) || (i > 0 && bound <= customBounds[i - 1]!)))
      return undefined;
    const counts = new Map(above);
    let sum = 0;
    return customBounds.map((bound, i) => {
      sum += counts.get(i) ?? 0;
      return [bound, sum] as const;
    });
  }
  // -4 to 8 are those there are.
  if (schema < -4 || schema > 8) return undefined;
  const counts = exponentialCounts(bounds, (add) => {
    for (const [, count] of below) add(0, count);
    add(zeroThreshold, zeroCount);
    for (const [index, count] of above) add(2 ** (index * 2 ** -schema), count);
  });
  return bounds.map((bound, i) => [bound, counts[i]!] as const);
}

/** Index and count of each bucket; `undefined` where spans and buckets do not fit. */
function entriesOf({ spans, deltas, counts }: Buckets): [number, number][] | undefined {
  const own = counts.length > 0 ? counts : deltas;
  const entries: [number, number][] = [];
  let index = 0;
  let count = 0;
  for (const [offset, length] of spans) {
    index += offset;
    for (let i = 0; i < length; i++) {
      if (entries.length >= own.length) return undefined;
      const value = own[entries.length]!;
      count = counts.length > 0 ? value : count + value;
      entries.push([index++, count]);
    }
  }
  return entries.length === own.length ? entries : undefined;
}

const stale = { low: 2, high: 0x7ff00000 };

function read(bytes: Uint8Array, at: number, end: number): Histogram {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const reader = new ProtoReader(buffer, 'native histogram');
  reader.at = at;
  const buckets = (): Buckets => ({ spans: [], deltas: [], counts: [] });
  const histogram: Histogram = {
    count: 0,
    sum: 0,
    isStale: false,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    negative: buckets(),
    positive: buckets(),
    time: 0,
    customBounds: [],
  };
  while (reader.at < end) {
    reader.count();
    const tag = reader.varint(end);
    const [field, type] = [Math.floor(tag / 8), tag % 8];
    if (tag === 0x08) histogram.count = reader.varint(end);
    else if (tag === 0x11) histogram.count = reader.double(end);
    else if (tag === 0x19) {
      const sumAt = reader.at;
      histogram.sum = reader.double(end);
      const { low, high } = stale;
      histogram.isStale = buffer.readUInt32LE(sumAt) === low && buffer.readUInt32LE(sumAt + 4) === high;
    } else if (tag === 0x20) histogram.schema = reader.sint32(end);
    else if (tag === 0x29) histogram.zeroThreshold = reader.double(end);
    else if (tag === 0x30) histogram.zeroCount = reader.varint(end);
    else if (tag === 0x39) histogram.zeroCount = reader.double(end);
    else if (tag === 0x42) addSpan(histogram.negative, reader, end);
    else if (field === 9) reader.sint64s(histogram.negative.deltas, type, end);
    else if (field === 10) reader.doubles(histogram.negative.counts, type, end);
    else if (tag === 0x5a) addSpan(histogram.positive, reader, end);
    else if (field === 12) reader.sint64s(histogram.positive.deltas, type, end);
    else if (field === 13) reader.doubles(histogram.positive.counts, type, end);
    else if (tag === 0x78) histogram.time = reader.int64(end);
    else if (field === 16) reader.doubles(histogram.customBounds, type, end);
    else reader.skip(tag < 8 ? reader.fail('a field without a number') : type, end);
  }
  return histogram;
}

function addSpan({ spans }: Buckets, reader: ProtoReader, outer: number): void {
  reader.countListed(spans);
  const end = reader.block(outer);
  let offset = 0;
  let length = 0;
  while (reader.at < end) {
    reader.count();
    const tag = reader.varint(end);
    if (tag === 0x08) offset = reader.sint32(end);
    else if (tag === 0x10) length = reader.varint(end);
    else reader.skip(tag < 8 ? reader.fail('a field without a number') : tag % 8, end);
  }
  spans.push([offset, length]);
}
