import { WeirError } from '../../domain/errors.js';
import type { Steps } from '../../domain/turns.js';
import { mostListed } from '../proto-reader.js';
import { asText } from './attribute-text.js';
import { jsonWithinBounds } from './json-bounds.js';
import {
  type Attribute,
  type Attributes,
  type Buckets,
  countMessage,
  deepestValue,
  type MetricKind,
  mostAttributes,
  newMetric,
  newPoint,
  type OtlpSink,
  type Point,
  temporality,
} from './request.js';

type Json = Readonly<Record<string, unknown>>;

/**
 * The JSON encoding of OTLP (OTLP 1.x, "JSON Protobuf Encoding"): lowerCamelCase keys, 64-bit numbers as text or
 * numbers, unknown keys ignored. Throws `invalid` naming the field, also after the sink was told of a part. The body becomes
 * objects in one go: whoever takes it keeps it small.
 */
export function* otlpJsonSteps(body: Buffer, sink: OtlpSink): Steps<void> {
  yield* jsonWithinBounds(body);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw new WeirError('invalid', 'The body is not valid JSON.');
  }
  yield;
  let messages = 0;
  const isStep = (): boolean => {
    countMessage(++messages);
    return messages % messagesAStep === 0;
  };
  for (const resource of each(object(parsed, 'the body'), 'resourceMetrics')) {
    if (isStep()) yield;
    sink.resource(attributes(objectAt(resource, 'resource')));
    for (const scope of each(resource, 'scopeMetrics')) {
      if (isStep()) yield;
      for (const metric of each(scope, 'metrics')) {
        if (isStep()) yield;
        yield* readMetric(metric, sink);
      }
    }
    sink.endResource();
  }
}

/** Between two stops. */
const messagesAStep = 32;
const pointsAStep = 16;

const kinds = [
  ['gauge', 'gauge'],
  ['sum', 'sum'],
  ['histogram', 'histogram'],
  ['exponentialHistogram', 'exponential'],
  ['summary', 'summary'],
] as const;

function* readMetric(json: Json, sink: OtlpSink): Steps<void> {
  const metric = newMetric();
  metric.name = text(json, 'name');
  metric.description = text(json, 'description');
  metric.unit = text(json, 'unit');
  let data: Json = {};
  for (const [key, kind] of kinds) {
    if (!isThere(json, key)) continue;
    data = object(json[key], key);
    metric.kind = kind;
    metric.temporality = readTemporality(data.aggregationTemporality);
    metric.monotonic = data.isMonotonic === true;
  }
  const points = list(data, 'dataPoints');
  if (!sink.metric(metric)) {
    sink.pass(points.length);
    return;
  }
  for (let i = 0; i < points.length; i++) {
    if ((i + 1) % pointsAStep === 0) yield;
    if (!sink.wantsPoint()) {
      sink.pass(points.length - i);
      return;
    }
    const more = sink.point(readPoint(object(points[i], 'dataPoints'), metric.kind));
    if (more !== undefined) yield* more;
  }
}

/** Enums are numbers here; some producers write their names all the same. */
function readTemporality(value: unknown): number {
  if (value === 'AGGREGATION_TEMPORALITY_DELTA') return temporality.delta;
  if (value === 'AGGREGATION_TEMPORALITY_CUMULATIVE') return temporality.cumulative;
  return typeof value === 'number' ? value : temporality.unspecified;
}

function readPoint(json: Json, kind: MetricKind): Point {
  const point = newPoint(kind);
  point.attributes = attributes(json);
  point.start = Math.floor(number(json, 'startTimeUnixNano') / 1e6);
  point.time = Math.floor(number(json, 'timeUnixNano') / 1e6);
  point.noValue = (number(json, 'flags') & 1) !== 0;
  point.value = number(json, isThere(json, 'asInt') ? 'asInt' : 'asDouble');
  point.count = number(json, 'count');
  point.sum = isThere(json, 'sum') ? number(json, 'sum') : undefined;
  point.bucketCounts = numbers(json, 'bucketCounts');
  point.bounds = numbers(json, 'explicitBounds');
  point.scale = number(json, 'scale');
  point.zeroCount = number(json, 'zeroCount');
  point.zeroThreshold = number(json, 'zeroThreshold');
  point.positive = buckets(objectAt(json, 'positive'));
  point.negative = buckets(objectAt(json, 'negative'));
  point.quantiles = quantiles(json);
  return point;
}

function quantiles(json: Json): Point['quantiles'] {
  const listed = short(json, 'quantileValues');
  return listed.map((one) => {
    const pair = object(one, 'quantileValues');
    return [number(pair, 'quantile'), number(pair, 'value')];
  });
}

const buckets = (json: Json): Buckets => ({ offset: number(json, 'offset'), counts: numbers(json, 'bucketCounts') });

function attributes(json: Json): Attributes {
  let read = 0;
  const count = (): void => {
    if (++read > mostAttributes) throw invalid('attributes', `has more than ${mostAttributes} of them`);
  };
  const all: Attribute[] = [];
  const listed = list(json, 'attributes');
  for (let i = 0; i < listed.length; i++) {
    count();
    const pair = object(listed[i], 'attributes');
    all.push([text(pair, 'key'), asText(value(objectAt(pair, 'value'), 0, count))]);
  }
  return all;
}

/** `count` is told of each value within. */
function value(json: Json, depth: number, count: () => void): unknown {
  if (depth > deepestValue) throw invalid('attributes', 'are nested too deep');
  if (isThere(json, 'stringValue')) return text(json, 'stringValue');
  if (isThere(json, 'boolValue')) return json.boolValue === true;
  if (isThere(json, 'intValue')) return wholeNumber(json, 'intValue');
  if (isThere(json, 'doubleValue')) return number(json, 'doubleValue');
  if (isThere(json, 'bytesValue')) return text(json, 'bytesValue');
  if (isThere(json, 'arrayValue')) {
    const values: unknown[] = [];
    for (const inner of each(objectAt(json, 'arrayValue'), 'values')) {
      count();
      values.push(value(inner, depth + 1, count));
    }
    return values;
  }
  if (isThere(json, 'kvlistValue')) {
    const pairs: Attribute[] = [];
    for (const pair of each(objectAt(json, 'kvlistValue'), 'values')) {
      count();
      pairs.push([text(pair, 'key'), asText(value(objectAt(pair, 'value'), depth + 1, count))]);
    }
    return Object.fromEntries(pairs);
  }
  return '';
}

/** What is null is not there. */
const isThere = (json: Json, key: string): boolean => json[key] !== undefined && json[key] !== null;

function object(json: unknown, name: string): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(name, 'must be an object');
  return json as Json;
}

function objectAt(json: Json, key: string): Json {
  return isThere(json, key) ? object(json[key], key) : {};
}

function list(json: Json, key: string): readonly unknown[] {
  const found = json[key];
  if (found === undefined || found === null) return [];
  if (!Array.isArray(found)) throw invalid(key, 'must be an array');
  return found;
}

/** One by one: the list may be long, and what is wrong with it stand first. */
function* each(json: Json, key: string): Generator<Json> {
  for (const one of list(json, key)) yield object(one, key);
}

/** A list of a point, which is read in one go. */
function short(json: Json, key: string): readonly unknown[] {
  const listed = list(json, key);
  if (listed.length > mostListed) throw invalid(key, `has more than ${mostListed} numbers`);
  return listed;
}

const numbers = (json: Json, key: string): number[] => short(json, key).map((one) => numberOf(one, key));

function text(json: Json, key: string): string {
  const found = json[key];
  if (found === undefined || found === null) return '';
  if (typeof found !== 'string') throw invalid(key, 'must be text');
  return found;
}

const number = (json: Json, key: string): number => {
  const found = json[key];
  return found === undefined || found === null ? 0 : numberOf(found, key);
};

/** Of 64 bits, to the last digit where it is given as text. */
function wholeNumber(json: Json, key: string): number | bigint {
  const number = numberOf(json[key], key);
  const digits = json[key];
  if (Number.isSafeInteger(number) || typeof digits !== 'string' || !/^-?\d{1,19}$/.test(digits)) return number;
  return BigInt(digits);
}

function numberOf(found: unknown, key: string): number {
  if (typeof found === 'number') return found;
  if (found === 'Infinity' || found === '-Infinity' || found === 'NaN') return Number(found);
  if (typeof found === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(found)) return Number(found);
  throw invalid(key, 'must be a number');
}

const invalid = (field: string, what: string): WeirError =>
  new WeirError('invalid', `The body is not a valid ExportMetricsServiceRequest: "${field}" ${what}.`, { field });
