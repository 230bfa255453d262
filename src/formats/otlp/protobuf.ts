import type { Steps } from '../../domain/turns.js';
import { mostSmallFields, ProtoReader, wire } from '../proto-reader.js';
import { asText } from './attribute-text.js';
import { pointReaders } from './protobuf-points.js';
import {
  type Attribute,
  countMessage,
  deepestValue,
  type Metric,
  mostAttributes,
  newMetric,
  newPoint,
  type OtlpSink,
  type Point,
  temporality,
} from './request.js';

/** Reads one field of a message: its number, its wire type, where the message ends. False: it is not known. */
type Field = (field: number, type: number, end: number) => boolean;

/**
 * `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest`. Throws `invalid` for what is not one, also after
 * the sink was told of a part.
 */
export function otlpProtobufSteps(body: Buffer, sink: OtlpSink): Steps<void> {
  return new OtlpReader(body, sink).request(body.length);
}

/** What is read between two stops. */
const fieldsAStep = 32;
/** Points are more work, as they are told to the sink. */
const workOfPoint = 2;
/** The same in bytes, for points with long lists. */
const bytesAStep = 16 * 1024;
/** Fields that are passed over. */
const skipsAStep = 1024;
const mostKeys = 64;

const kinds = { 5: 'gauge', 7: 'sum', 9: 'histogram', 10: 'exponential', 11: 'summary' } as const;
/** Those whose data say more than points. */
const withTemporality = { gauge: false, sum: true, histogram: true, exponential: true, summary: false, none: false };

class OtlpReader {
  private readonly wire: ProtoReader;
  private readonly sink: OtlpSink;
  /** Work so far: fields, those of a point as one. */
  private read = 0;
  /** Resources, scopes and metrics so far. */
  private messagesRead = 0;
  /** Attributes of the resource or point that is being read, and values within values. */
  private attributesRead = 0;
  /** By length, the last key of an attribute and where it stands. */
  private readonly keys = new Array<{ at: number; text: string } | undefined>(mostKeys);
  /** Those of the point that is being read. */
  private readonly attributes: Attribute[] = [];

  constructor(body: Buffer, sink: OtlpSink) {
    this.wire = new ProtoReader(body, 'ExportMetricsServiceRequest');
    this.sink = sink;
  }

  private fields(end: number, read: Field): void {
    const { wire: reader } = this;
    while (reader.at < end) {
      reader.count();
      const tag = this.tag(end);
      if (!read(Math.floor(tag / 8), tag % 8, end)) reader.skip(tag % 8, end);
    }
  }

  private tag(end: number): number {
    const tag = this.wire.varint(end);
    return tag < 8 ? this.wire.fail('a field without a number') : tag;
  }

  /** Whether it is time to stop. */
  private isStep(work = 1): boolean {
    const before = this.read;
    this.read += work;
    return Math.floor(before / fieldsAStep) !== Math.floor(this.read / fieldsAStep);
  }

  /** Goes into each message of this field, and passes over the others. */
  private *messages(end: number, field: number, read: (end: number) => Steps<void>): Steps<void> {
    const { wire: reader } = this;
    while (reader.at < end) {
      if (this.isStep()) yield;
      const tag = this.tag(end);
      if (tag === field * 8 + wire.bytes) {
        countMessage(++this.messagesRead);
        yield* read(reader.block(end));
      } else reader.skip(tag % 8, end);
    }
  }

  private message(end: number, read: Field): void {
    this.fields(this.wire.block(end), read);
  }

  request(end: number): Steps<void> {
    return this.messages(end, 1, (stop) => this.resource(stop));
  }

  /** Twice: nothing says that the attributes come first. */
  private *resource(end: number): Steps<void> {
    const { wire: reader } = this;
    const { at } = reader;
    const attributes: Attribute[] = [];
    const attribute: Field = (field, type, stop) => {
      if (field !== 1 || type !== wire.bytes) return false;
      attributes.push(this.attribute(stop, 0));
      return true;
    };
    this.attributesRead = 0;
    reader.begin();
    while (reader.at < end) {
      if (this.isStep()) yield;
      const tag = this.tag(end);
      if (tag === 8 + wire.bytes) this.message(end, attribute);
      else reader.skip(tag % 8, end);
    }
    this.sink.resource(attributes);
    reader.at = at;
    const scope = (stop: number): Steps<void> => this.messages(stop, 2, (inner) => this.metric(inner));
    yield* this.messages(end, 2, scope);
    this.sink.endResource();
  }

  /** Makes no more than what it gives: a request has an attribute or more for each of thousands of points. */
  private attribute(outer: number, depth: number): Attribute {
    const { wire: reader } = this;
    this.countAttribute();
    const end = reader.block(outer);
    let key = '';
    let value = '';
    for (let fields = 0; reader.at < end; fields++) {
      if (fields === mostSmallFields) reader.failSmall();
      const tag = this.tag(end);
      if (tag === 8 + wire.bytes) key = this.key(end);
      else if (tag === 16 + wire.bytes) value = this.plainText(end) ?? asText(this.value(end, depth));
      else reader.skip(tag % 8, end);
    }
    return [key, value];
  }

  private countAttribute(): void {
    if (++this.attributesRead > mostAttributes) {
      this.wire.fail(`more than ${mostAttributes} attributes of one resource or point`);
    }
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
          this.countAttribute();
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

  /** Twice: what is said of a metric may stand behind its points, and in what the official encoders write a part of it does. */
  private *metric(end: number): Steps<void> {
    const { wire: reader, sink } = this;
    const metric = newMetric();
    let dataAt = end;
    while (reader.at < end) {
      if (this.isStep()) yield;
      const { at } = reader;
      const tag = this.tag(end);
      const field = Math.floor(tag / 8);
      if (tag % 8 !== wire.bytes) reader.skip(tag % 8, end);
      else if (field === 1) metric.name = reader.string(end);
      else if (field === 2) metric.description = reader.string(end);
      else if (field === 3) metric.unit = reader.string(end);
      else if (field in kinds) {
        const kind = kinds[field as keyof typeof kinds];
        // The last of several is what counts; of one in pieces, all of them.
        if (metric.kind !== kind) {
          dataAt = at;
          metric.temporality = temporality.unspecified;
          metric.monotonic = false;
        }
        metric.kind = kind;
        const stop = reader.block(end);
        if (withTemporality[kind]) yield* this.dataButPoints(metric, stop);
        reader.at = stop;
      } else reader.skip(wire.bytes, end);
    }
    const isWanted = sink.metric(metric);
    reader.at = dataAt;
    while (reader.at < end) {
      if (this.isStep()) yield;
      const tag = this.tag(end);
      if (tag % 8 !== wire.bytes || kinds[Math.floor(tag / 8) as keyof typeof kinds] !== metric.kind)
        reader.skip(tag % 8, end);
      else if (isWanted) yield* this.points(metric.kind, reader.block(end));
      else yield* this.countPoints(reader.block(end));
    }
  }

  private *dataButPoints(metric: Metric, end: number): Steps<void> {
    const { wire: reader } = this;
    let work = 0;
    while (reader.at < end) {
      // Passing over a point takes a hundredth of what reading it does.
      if (++work % skipsAStep === 0) yield;
      const tag = this.tag(end);
      if (tag === 16 + wire.varint) metric.temporality = reader.varint(end);
      else if (tag === 24 + wire.varint) metric.monotonic = reader.varint(end) !== 0;
      else reader.skip(tag % 8, end);
    }
  }

  private *countPoints(end: number): Steps<void> {
    const { wire: reader } = this;
    let points = 0;
    let work = 0;
    while (reader.at < end) {
      if (++work % skipsAStep === 0) yield;
      const tag = this.tag(end);
      if (tag === 8 + wire.bytes) points++;
      reader.skip(tag % 8, end);
    }
    this.sink.pass(points);
  }

  private *points(kind: Metric['kind'], end: number): Steps<void> {
    const { wire: reader, sink } = this;
    let { at } = reader;
    while (reader.at < end) {
      if (this.isStep(workOfPoint) || reader.at - at > bytesAStep) {
        at = reader.at;
        yield;
      }
      const tag = this.tag(end);
      if (tag !== 8 + wire.bytes) reader.skip(tag % 8, end);
      else if (sink.wantsPoint()) {
        const more = sink.point(this.point(kind, end));
        if (more !== undefined) yield* more;
      } else {
        sink.pass(1);
        reader.skip(wire.bytes, end);
        yield* this.countPoints(end);
      }
    }
  }

  private point(kind: Metric['kind'], outer: number): Point {
    const { wire: reader, attributes } = this;
    const point = newPoint(kind);
    const read = pointReaders[kind];
    const end = reader.block(outer);
    let count = 0;
    this.attributesRead = 0;
    reader.begin();
    while (reader.at < end) {
      reader.count();
      const tag = this.tag(end);
      if (tag === 16 + wire.fixed64) point.start = Math.floor(reader.fixed64(end) / 1e6);
      else if (tag === 24 + wire.fixed64) point.time = Math.floor(reader.fixed64(end) / 1e6);
      else {
        const known = read(reader, point, Math.floor(tag / 8), tag % 8, end);
        if (known === 'attribute') attributes[count++] = this.attribute(end, 0);
        else if (!known) reader.skip(tag % 8, end);
      }
    }
    // The list is filled again for the next point.
    if (count > 0) point.attributes = attributes.slice(0, count);
    return point;
  }
}

function isSame(bytes: Buffer, at: number, end: number, other: number): boolean {
  for (let i = at; i < end; i++) if (bytes[i] !== bytes[other + i - at]) return false;
  return true;
}
