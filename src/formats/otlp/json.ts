import { WeirError } from '../../domain/errors.js';
import { mostListed } from '../proto-reader.js';
import { asText } from './attribute-text.js';
import {
  type Attributes,
  type Buckets,
  deepestValue,
  type Metric,
  type MetricKind,
  newMetric,
  newPoint,
  type OtlpRequest,
  type Point,
  temporality,
} from './request.js';

type Json = Readonly<Record<string, unknown>>;

/**
 * The JSON encoding of OTLP (OTLP 1.x, "JSON Protobuf Encoding"): lowerCamelCase keys, 64-bit numbers as text or
 * numbers, unknown keys ignored. Throws `invalid` naming the field.
 */
export function readOtlpJson(body: Buffer): OtlpRequest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw new WeirError('invalid', 'The body is not valid JSON.');
  }
  const root = object(parsed, 'the body');
  return {
    resources: objects(root, 'resourceMetrics').map((resource) => ({
      attributes: attributes(objectAt(resource, 'resource')),
      metrics: objects(resource, 'scopeMetrics').flatMap((scope) => objects(scope, 'metrics').map(readMetric)),
    })),
  };
}

const kinds = [
  ['gauge', 'gauge'],
  ['sum', 'sum'],
  ['histogram', 'histogram'],
  ['exponentialHistogram', 'exponential'],
  ['summary', 'summary'],
] as const;

function readMetric(json: Json): Metric {
  const metric = newMetric();
  metric.name = text(json, 'name');
  metric.description = text(json, 'description');
  metric.unit = text(json, 'unit');
  for (const [key, kind] of kinds) {
    if (!isThere(json, key)) continue;
    const data = object(json[key], key);
    metric.kind = kind;
    metric.temporality = readTemporality(data.aggregationTemporality);
    metric.monotonic = data.isMonotonic === true;
    metric.points = objects(data, 'dataPoints').map((point) => readPoint(point, kind));
  }
  return metric;
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
  point.quantiles = objects(json, 'quantileValues').map((pair) => [number(pair, 'quantile'), number(pair, 'value')]);
  return point;
}

const buckets = (json: Json): Buckets => ({ offset: number(json, 'offset'), counts: numbers(json, 'bucketCounts') });

const attributes = (json: Json): Attributes =>
  objects(json, 'attributes').map((pair) => [text(pair, 'key'), asText(value(objectAt(pair, 'value'), 0))]);

function value(json: Json, depth: number): unknown {
  if (depth > deepestValue) throw invalid('attributes', 'are nested too deep');
  if (isThere(json, 'stringValue')) return text(json, 'stringValue');
  if (isThere(json, 'boolValue')) return json.boolValue === true;
  if (isThere(json, 'intValue')) return wholeNumber(json, 'intValue');
  if (isThere(json, 'doubleValue')) return number(json, 'doubleValue');
  if (isThere(json, 'bytesValue')) return text(json, 'bytesValue');
  if (isThere(json, 'arrayValue')) {
    return objects(objectAt(json, 'arrayValue'), 'values').map((each) => value(each, depth + 1));
  }
  if (isThere(json, 'kvlistValue')) {
    const pairs = objects(objectAt(json, 'kvlistValue'), 'values');
    return Object.fromEntries(
      pairs.map((pair) => [text(pair, 'key'), asText(value(objectAt(pair, 'value'), depth + 1))]),
    );
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

const objects = (json: Json, key: string): Json[] => list(json, key).map((each) => object(each, key));

function numbers(json: Json, key: string): number[] {
  const listed = list(json, key);
  if (listed.length > mostListed) throw invalid(key, `has more than ${mostListed} numbers`);
  return listed.map((each) => numberOf(each, key));
}

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
