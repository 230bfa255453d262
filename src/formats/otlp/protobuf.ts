import type { Steps } from '../../domain/turns.js';
import { ProtoReader, wire } from '../proto-reader.js';
import { asText } from './attribute-text.js';
import {
  type Attribute,
  deepestValue,
  type Metric,
  newMetric,
  newPoint,
  type OtlpRequest,
  type Point,
} from './request.js';

/** Reads one field of a message: its number, its wire type, where the message ends. False: it is not known. */
type Field = (field: number, type: number, end: number) => boolean;

/**
 * `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest`. Throws `invalid` for what is not one.
 */
export function* otlpProtobufSteps(body: Buffer): Steps<OtlpRequest> {
  const request: OtlpRequest = { resources: [] };
  yield* new OtlpReader(body).request(request, body.length);
  return request;
}

/** What is read between two stops. */
const fieldsAStep = 32;
/** The same in bytes, for points with long lists. */
const bytesAStep = 16 * 1024;
const mostKeys = 64;

const kinds = { 5: 'gauge', 7: 'sum', 9: 'histogram', 10: 'exponential', 11: 'summary' } as const;

class OtlpReader {
  private readonly wire: ProtoReader;
  /** Fields so far, those of a point counted as one. */
  private read = 0;
  /** By length, the last key of an attribute and where it stands. */
  private readonly keys = new Array<{ at: number; text: string } | undefined>(mostKeys);
  /** Those of the point that is being read. */
  private readonly attributes: Attribute[] = [];

  constructor(body: Buffer) {
    this.wire = new ProtoReader(body, 'ExportMetricsServiceRequest');
  }

  private fields(end: number, read: Field): void {
    const { wire: reader } = this;
    while (reader.at < end) {
      const tag = this.tag(end);
      if (!read(Math.floor(tag / 8), tag % 8, end)) reader.skip(tag % 8, end);
    }
  }

  private tag(end: number): number {
    const tag = this.wire.varint(end);
    return tag < 8 ? this.wire.fail('a field without a number') : tag;
  }

  /** Goes into each message of this field, and lets `readOther` look at the others. */
  private *messages(end: number, field: number, read: (end: number) => Steps<void>, readOther?: Field): Steps<void> {
    const { wire: reader } = this;
    while (reader.at < end) {
      if (++this.read % fieldsAStep === 0) yield;
      const tag = this.tag(end);
      if (tag === field * 8 + wire.bytes) yield* read(reader.block(end));
      else if (!readOther?.(Math.floor(tag / 8), tag % 8, end)) reader.skip(tag % 8, end);
    }
  }

  private message(end: number, read: Field): void {
    this.fields(this.wire.block(end), read);
  }

  request(request: OtlpRequest, end: number): Steps<void> {
    return this.messages(end, 1, (stop) => this.resource(request, stop));
  }

  private resource(request: OtlpRequest, end: number): Steps<void> {
    const attributes: Attribute[] = [];
    const resource: OtlpRequest['resources'][number] = { attributes, metrics: [] };
    request.resources.push(resource);
    const scope = (stop: number): Steps<void> =>
      this.messages(stop, 2, (inner) => this.metric(resource.metrics, inner));
    return this.messages(end, 2, scope, (field, type, stop) => {
      if (field !== 1 || type !== wire.bytes) return false;
      this.message(stop, (inner, innerType, innerEnd) => {
        if (inner !== 1 || innerType !== wire.bytes) return false;
        attributes.push(this.attribute(innerEnd, 0));
        return true;
      });
      return true;
    });
  }

  /** Makes no more than what it gives: a request has an attribute or more for each of thousands of points. */
  private attribute(outer: number, depth: number): Attribute {
    const { wire: reader } = this;
    const end = reader.block(outer);
    let key = '';
    let value = '';
    while (reader.at < end) {
      const tag = this.tag(end);
      if (tag === 8 + wire.bytes) key = this.key(end);
      else if (tag === 16 + wire.bytes) value = this.plainText(end) ?? asText(this.value(end, depth));
      else reader.skip(tag % 8, end);
    }
    return [key, value];
  }

  /** A text that is mostly the last one of its length. */
  private key(outer: number): string {
    const { wire: reader } = this;
    const end = reader.block(outer);
    const { at } = reader;
    reader.at = end;
    const length = end - at;
    const last = length < mostKeys ? this.keys[length] : undefined;
    if (last !== undefined && isSame(reader.bytes, at, end, last.at)) return last.text;
    const text = reader.bytes.toString('utf8', at, end);
    if (length < mostKeys) this.keys[length] = { at, text };
    return text;
  }

  /** The value, if it is a text and nothing else; else nothing is read. */
  private plainText(outer: number): string | undefined {
    const { wire: reader } = this;
    const { at } = reader;
    const end = reader.block(outer);
    if (reader.at < end && reader.bytes[reader.at] === 8 + wire.bytes) {
      reader.at++;
      const stop = reader.block(end);
      if (stop === end) {
        const text = reader.bytes.toString('utf8', reader.at, end);
        reader.at = end;
        return text;
      }
    }
    reader.at = at;
    return undefined;
  }

  /** Text as it is, all else as JSON. */
  private value(outer: number, depth: number): unknown {
    const { wire: reader } = this;
    if (depth > deepestValue) reader.fail('values that are nested too deep');
    let value: unknown = '';
    this.message(outer, (field, type, end) => {
      if (field === 1 && type === wire.bytes) value = reader.string(end);
      else if (field === 2 && type === wire.varint) value = reader.varint(end) !== 0;
      else if (field === 3 && type === wire.varint) value = reader.wholeNumber(end);
      else if (field === 4 && type === wire.fixed64) value = reader.double(end);
      else if (field === 5 && type === wire.bytes) {
        const list: unknown[] = [];
        this.message(end, (inner, innerType, innerEnd) => {
          if (inner !== 1 || innerType !== wire.bytes) return false;
          list.push(this.value(innerEnd, depth + 1));
          return true;
        });
        value = list;
      } else if (field === 6 && type === wire.bytes) {
        const entries: Attribute[] = [];
        this.message(end, (inner, innerType, innerEnd) => {
          if (inner !== 1 || innerType !== wire.bytes) return false;
          entries.push(this.attribute(innerEnd, depth + 1));
          return true;
        });
        value = Object.fromEntries(entries);
      } else if (field === 7 && type === wire.bytes) {
        const stop = reader.block(end);
        value = reader.bytes.toString('base64', reader.at, stop);
        reader.at = stop;
      } else return false;
      return true;
    });
    return value;
  }

  private *metric(to: Metric[], end: number): Steps<void> {
    const { wire: reader } = this;
    const metric = newMetric();
    to.push(metric);
    while (reader.at < end) {
      if (++this.read % fieldsAStep === 0) yield;
      const tag = this.tag(end);
      const field = Math.floor(tag / 8);
      if (tag % 8 !== wire.bytes) reader.skip(tag % 8, end);
      else if (field === 1) metric.name = reader.string(end);
      else if (field === 2) metric.description = reader.string(end);
      else if (field === 3) metric.unit = reader.string(end);
      else if (field in kinds) {
        const kind = kinds[field as keyof typeof kinds];
        // The last of several is what counts; of one in pieces, all of them.
        if (metric.kind !== kind) metric.points = [];
        metric.kind = kind;
        yield* this.data(metric, reader.block(end));
      } else reader.skip(wire.bytes, end);
    }
  }

  private *data(metric: Metric, end: number): Steps<void> {
    const { wire: reader } = this;
    let { at } = reader;
    while (reader.at < end) {
      if (++this.read % fieldsAStep === 0 || reader.at - at > bytesAStep) {
        at = reader.at;
        yield;
      }
      const tag = this.tag(end);
      if (tag === 8 + wire.bytes) metric.points.push(this.point(metric.kind, end));
      else if (tag === 16 + wire.varint) metric.temporality = reader.varint(end);
      else if (tag === 24 + wire.varint) metric.monotonic = reader.varint(end) !== 0;
      else reader.skip(tag % 8, end);
    }
  }

  private point(kind: Metric['kind'], outer: number): Point {
    const { wire: reader, attributes } = this;
    const point = newPoint(kind);
    const read = readers[kind];
    const end = reader.block(outer);
    let count = 0;
    while (reader.at < end) {
      const tag = this.tag(end);
      if (tag === 16 + wire.fixed64) point.start = Math.floor(reader.fixed64(end) / 1e6);
      else if (tag === 24 + wire.fixed64) point.time = Math.floor(reader.fixed64(end) / 1e6);
      else {
        const known = read(reader, point, Math.floor(tag / 8), tag % 8, end);
        if (known === 'attribute') attributes[count++] = this.attribute(end, 0);
        else if (!known) reader.skip(tag % 8, end);
      }
    }
    // A list that grows takes room for more than most points have.
    if (count > 0) point.attributes = attributes.slice(0, count);
    return point;
  }
}

function isSame(bytes: Buffer, at: number, end: number, other: number): boolean {
  for (let i = at; i < end; i++) if (bytes[i] !== bytes[other + i - at]) return false;
  return true;
}

type Read = (reader: ProtoReader, point: Point, field: number, type: number, end: number) => boolean | 'attribute';

const noValueFlag = 1;

const number: Read = (reader, point, field, type, end) => {
  if (field === 7 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.value = reader.double(end);
  else if (field === 6 && type === wire.fixed64) point.value = reader.sfixed64(end);
  else if (field === 8 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else return false;
  return true;
};

const histogram: Read = (reader, point, field, type, end) => {
  if (field === 9 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.count = reader.fixed64(end);
  else if (field === 5 && type === wire.fixed64) point.sum = reader.double(end);
  else if (field === 6) reader.fixed64s(point.bucketCounts, type, end);
  else if (field === 7) reader.doubles(point.bounds, type, end);
  else if (field === 10 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else return false;
  return true;
};

const exponential: Read = (reader, point, field, type, end) => {
  if (field === 1 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.count = reader.fixed64(end);
  else if (field === 5 && type === wire.fixed64) point.sum = reader.double(end);
  else if (field === 6 && type === wire.varint) point.scale = reader.sint32(end);
  else if (field === 7 && type === wire.fixed64) point.zeroCount = reader.fixed64(end);
  else if (field === 8 && type === wire.bytes) readBuckets(reader, point.positive, end);
  else if (field === 9 && type === wire.bytes) readBuckets(reader, point.negative, end);
  else if (field === 10 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else if (field === 14 && type === wire.fixed64) point.zeroThreshold = reader.double(end);
  else return false;
  return true;
};

function readBuckets(reader: ProtoReader, buckets: Point['positive'], outer: number): void {
  const end = reader.block(outer);
  while (reader.at < end) {
    const tag = reader.varint(end);
    if (tag === 0x08) buckets.offset = reader.sint32(end);
    else if (Math.floor(tag / 8) === 2) reader.varints(buckets.counts, tag % 8, end);
    else reader.skip(tag < 8 ? reader.fail('a field without a number') : tag % 8, end);
  }
}

const summary: Read = (reader, point, field, type, end) => {
  if (field === 7 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.count = reader.fixed64(end);
  else if (field === 5 && type === wire.fixed64) point.sum = reader.double(end);
  else if (field === 6 && type === wire.bytes) {
    const stop = reader.block(end);
    const pair: [number, number] = [0, 0];
    while (reader.at < stop) {
      const tag = reader.varint(stop);
      if (tag === 0x09) pair[0] = reader.double(stop);
      else if (tag === 0x11) pair[1] = reader.double(stop);
      else reader.skip(tag < 8 ? reader.fail('a field without a number') : tag % 8, stop);
    }
    point.quantiles.push(pair);
  } else if (field === 8 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else return false;
  return true;
};

const readers: Readonly<Record<Metric['kind'], Read>> = {
  gauge: number,
  sum: number,
  histogram,
  exponential,
  summary,
  none: number,
};
