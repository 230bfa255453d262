import type { Steps } from '../../domain/turns.js';
import { wordsOf } from '../columns.js';
import type { FamilyType } from '../family.js';
import { mostSmallFields, ProtoReader } from '../proto-reader.js';
import { change, type KnownSeries, nameLabel, type SeriesBatch } from '../series-batch.js';
import { type RepeatedRequest, SamplePlaces, usualTimeBytes } from './repeated-request.js';
import { checkCount, checkLabelsOfSeries, checkSize } from './size.js';

/** Staleness markers are NaNs with these bits, told by their halves: a number that is NaN need not keep them. */
const staleLow = 2;
const staleHigh = 0x7ff00000;

/** Series and what is said of metrics; each takes a microsecond or less. */
export const fieldsAStep = 64;

/** By number, in both versions. */
export const familyTypes: readonly FamilyType[] = [
  'untyped',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

const nameBytes = Buffer.from(nameLabel);

/** The labels by which each series of a request says where it belongs; they are taken off it. */
export interface RoutingLabels {
  readonly project: Buffer;
  readonly endpoint: Buffer;
}

/**
 * `prometheus.WriteRequest` (prompb/remote.proto) into columns. Throws `invalid` for what is not one. `ours` is the
 * label the gateway sets itself: what is sent for it is left out. Of a series that is `known`, and comes when it is due,
 * only the sample is read. Gives what tells repetitions of a request that had nothing else.
 */
export function* writeRequest1Steps(
  body: Buffer,
  batch: SeriesBatch,
  ours: Buffer,
  routing?: RoutingLabels,
  known?: KnownSeries,
): Steps<RepeatedRequest | undefined> {
  const reader = new ProtoReader(body, 'prometheus.WriteRequest');
  const end = body.length;
  batch.clear(body);
  if (routing !== undefined) batch.beginRoutes();
  const recognition = known && new Recognition(reader, batch, known);
  if (known !== undefined) batch.knownCount = known.count;
  for (let fields = 1; reader.at < end; fields++) {
    const tag = reader.varint(end);
    if (fields % fieldsAStep === 0) yield;
    if (tag === 0x0a) {
      const stop = reader.block(end);
      if (recognition?.readSeries(stop)) continue;
      reader.begin();
      readSeries(reader, stop, batch, ours, routing);
      checkSize(batch);
      recognition?.goOn();
    } else if (tag === 0x1a) {
      reader.begin();
      readMetadata(reader, reader.block(end), batch);
    } else skipField(reader, tag, end);
  }
  return batch.metadata.length === 0 ? recognition?.places.requestOf(body, batch) : undefined;
}

/** Reads series whose labels are known, each with one sample, without taking them apart. */
class Recognition {
  private readonly reader: ProtoReader;
  private readonly batch: SeriesBatch;
  private readonly known: KnownSeries;
  private readonly words: DataView;
  readonly places = new SamplePlaces();
  /** The time of the sample before, and the bytes that say it: mostly all samples of a request have one time. */
  private time = 0;
  private timeLow = 0;
  private timeHigh = noHigh;

  constructor(reader: ProtoReader, batch: SeriesBatch, known: KnownSeries) {
    const { bytes } = reader;
    this.reader = reader;
    this.batch = batch;
    this.known = known;
    this.words = wordsOf(bytes);
  }

  /** False, and nothing is read, for anything else than the series that is due with one ordinary sample. */
  readSeries(end: number): boolean {
    const { reader, known, words } = this;
    let at = known.matchNext(words, reader.at, end);
    if (at === -1) return false;
    const size = end - at - 2;
    if (size < 2 || size > longestSample) return false;
    if (words.getUint8(at) !== 0x12 || words.getUint8(at + 1) !== size) return false;
    at += 2;
    let value = 0;
    // What is 0 is left out.
    if (size > 9 && words.getUint8(at) === 0x09) {
      value = words.getFloat64(at + 1, true);
      at += 9;
    }
    if (end - at < 2 || words.getUint8(at) !== 0x10) return false;
    // It may be a staleness marker.
    if (Number.isNaN(value) || !this.readTime(at + 1, end)) return false;
    reader.at = end;
    if (end - at - 1 === usualTimeBytes) this.places.add(at + 1, end - at < size);
    this.batch.known(known.takeNext(), value, this.time);
    return true;
  }

  private readTime(at: number, end: number): boolean {
    const { reader, words } = this;
    const isUsual = end - at === usualTimeBytes;
    if (isUsual && words.getInt32(at, true) === this.timeLow && words.getInt16(at + 4, true) === this.timeHigh)
      return true;
    const { at: start } = reader;
    reader.at = at;
    const time = reader.varint(end);
    const isAll = reader.at === end;
    reader.at = start;
    if (!isAll || time > Number.MAX_SAFE_INTEGER) return false;
    this.time = time;
    this.timeLow = isUsual ? words.getInt32(at, true) : 0;
    this.timeHigh = isUsual ? words.getInt16(at + 4, true) : noHigh;
    return true;
  }

  /** After a series that was read in full: what comes next follows it. */
  goOn(): void {
    const { batch, known } = this;
    batch.lookUp(batch.series - 1, known);
  }
}

/** In the place of their last two, where there are none to compare. */
const noHigh = 0x10000;
const longestSample = 1 + 8 + 1 + 10;

function readSeries(
  reader: ProtoReader,
  end: number,
  batch: SeriesBatch,
  ours: Buffer,
  routing: RoutingLabels | undefined,
): void {
  const { bytes } = reader;
  batch.begin();
  let labels = 0;
  while (reader.at < end) {
    reader.count();
    const tag = bytes[reader.at];
    if (tag === 0x0a) {
      checkLabelsOfSeries(++labels);
      reader.at++;
      readLabel(reader, reader.block(end), batch, ours, routing);
    } else if (tag === 0x12) {
      reader.at++;
      readSample(reader, reader.block(end), batch);
    } else {
      const other = reader.varint(end);
      if (other === 0x22) noteHistogram(reader, reader.block(end), batch);
      else skipField(reader, other, end);
    }
  }
}

/** It is read when the labels of its series are known. */
export function noteHistogram(reader: ProtoReader, end: number, batch: SeriesBatch): void {
  checkCount('native histograms', batch.natives.length + 1);
  batch.natives.push({ series: batch.series - 1, at: reader.at, end });
  reader.at = end;
}

function readLabel(
  reader: ProtoReader,
  end: number,
  batch: SeriesBatch,
  ours: Buffer,
  routing: RoutingLabels | undefined,
): void {
  const { bytes } = reader;
  let nameAt = 0;
  let nameEnd = 0;
  let valueAt = 0;
  let valueEnd = 0;
  for (let fields = 0; reader.at < end; fields++) {
    if (fields === mostSmallFields) reader.failSmall();
    const tag = reader.varint(end);
    if (tag === 0x0a) {
      nameEnd = reader.block(end);
      nameAt = reader.at;
      reader.at = nameEnd;
    } else if (tag === 0x12) {
      valueEnd = reader.block(end);
      valueAt = reader.at;
      reader.at = valueEnd;
    } else skipField(reader, tag, end);
  }
  if (isText(bytes, nameAt, nameEnd, nameBytes)) batch.name(valueAt, valueEnd);
  else if (isText(bytes, nameAt, nameEnd, ours)) return;
  else if (routing !== undefined && isText(bytes, nameAt, nameEnd, routing.project)) {
    batch.route('project', valueAt, valueEnd);
  } else if (routing !== undefined && isText(bytes, nameAt, nameEnd, routing.endpoint)) {
    batch.route('endpoint', valueAt, valueEnd);
  } else batch.label(nameAt, nameEnd, valueAt, valueEnd);
}

export function readSample(reader: ProtoReader, end: number, batch: SeriesBatch): void {
  const { bytes } = reader;
  let valueAt = -1;
  let value = 0;
  let time = 0;
  for (let fields = 0; reader.at < end; fields++) {
    if (fields === mostSmallFields) reader.failSmall();
    const tag = reader.varint(end);
    if (tag === 0x09) {
      valueAt = reader.at;
      value = reader.double(end);
    } else if (tag === 0x10) time = reader.int64(end);
    else skipField(reader, tag, end);
  }
  if (Number.isNaN(value) && isStale(bytes, valueAt)) batch.sample(change.end, value, time);
  else batch.sample(change.set, value, time);
}

const isStale = (bytes: Buffer, at: number): boolean =>
  bytes.readUInt32LE(at) === staleLow && bytes.readUInt32LE(at + 4) === staleHigh;

function readMetadata(reader: ProtoReader, end: number, batch: SeriesBatch): void {
  let type = 0;
  let name = '';
  let help = '';
  let unit = '';
  while (reader.at < end) {
    reader.count();
    const tag = reader.varint(end);
    if (tag === 0x08) type = reader.varint(end);
    else if (tag === 0x12) name = reader.string(end);
    else if (tag === 0x22) help = reader.string(end);
    else if (tag === 0x2a) unit = reader.string(end);
    else skipField(reader, tag, end);
  }
  checkCount('metric descriptions', batch.metadata.length + 1);
  batch.metadata.push({ name, type: familyTypes[type] ?? 'untyped', help, unit });
}

/** A field of no meaning to us: by number and wire type. */
export function skipField(reader: ProtoReader, tag: number, end: number): void {
  if (tag < 8) reader.fail('a field without a number');
  reader.skip(tag % 8, end);
}

export function isText(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (end - at !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}
