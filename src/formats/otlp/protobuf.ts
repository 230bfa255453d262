import type { Steps } from '../../domain/turns.js';
import { ProtoReader, wire } from '../proto-reader.js';
import {
  type Attributes,
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

const kinds = { 5: 'gauge', 7: 'sum', 9: 'histogram', 10: 'exponential', 11: 'summary' } as const;

class OtlpReader {
  private readonly wire: ProtoReader;
  /** Fields so far, those of a point counted as one. */
  private read = 0;

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
    const resource: OtlpRequest['resources'][number] = { attributes: [], metrics: [] };
    request.resources.push(resource);
    const scope = (stop: number): Steps<void> =>
      this.messages(stop, 2, (inner) => this.metric(resource.metrics, inner));
    return this.messages(end, 2, scope, (field, type, stop) => {
      if (field !== 1 || type !== wire.bytes) return false;
      this.message(stop, (inner, innerType, innerEnd) => {
        if (inner !== 1 || innerType !== wire.bytes) return false;
        this.attribute(resource.attributes, innerEnd, 0);
        return true;
      });
      return true;
    });
  }

  private attribute(to: Attributes, outer: number, depth: number): void {
    let key = '';
    let value = '';
    this.message(outer, (field, type, end) => {
      if (type !== wire.bytes) return false;
      if (field === 1) key = this.wire.string(end);
      else if (field === 2) value = asText(this.value(end, depth));
      else return false;
      return true;
    });
    to.push([key, value]);
  }

  /** Text as it is, all else as JSON. */
  private value(outer: number, depth: number): unknown {
    const { wire: reader } = this;
    if (depth > deepestValue) reader.fail('values that are nested too deep');
    let value: unknown = '';
    this.message(outer, (field, type, end) => {
      if (field === 1 && type === wire.bytes) value = reader.string(end);
      else if (field === 2 && type === wire.varint) value = reader.varint(end) !== 0;
      else if (field === 3 && type === wire.varint) value = reader.int64(end);
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
        const entries: [string, string][] = [];
        this.message(end, (inner, innerType, innerEnd) => {
          if (inner !== 1 || innerType !== wire.bytes) return false;
          this.attribute(entries, innerEnd, depth + 1);
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
    while (reader.at < end) {
      if (++this.read % fieldsAStep === 0) yield;
      const tag = this.tag(end);
      if (tag === 8 + wire.bytes) metric.points.push(this.point(metric.kind, end));
      else if (tag === 16 + wire.varint) metric.temporality = reader.varint(end);
      else if (tag === 24 + wire.varint) metric.monotonic = reader.varint(end) !== 0;
      else reader.skip(tag % 8, end);
    }
  }

  private point(kind: Metric['kind'], outer: number): Point {
    const point = newPoint();
    const read = { gauge: number, sum: number, histogram, exponential, summary, none: number }[kind];
    this.message(outer, (field, type, end) => {
      const { wire: reader } = this;
      if (field === 2 && type === wire.fixed64) point.start = Math.floor(reader.fixed64(end) / 1e6);
      else if (field === 3 && type === wire.fixed64) point.time = Math.floor(reader.fixed64(end) / 1e6);
      else {
        const known = read(reader, point, field, type, end);
        if (known === 'attribute') this.attribute(point.attributes, end, 0);
        return known !== false;
      }
      return true;
    });
    return point;
  }
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

/** A value as a label holds it. */
export const asText = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
