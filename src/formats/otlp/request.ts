import { WeirError } from '../../domain/errors.js';
import type { Steps } from '../../domain/turns.js';

/**
 * Is told of an OTLP export request while it is read, as far as metrics are concerned: nobody holds more of it than one
 * point, because two bytes of a body may be an object of many hundred. In this order: each resource, of it each metric, of
 * that each point.
 */
export interface OtlpSink {
  resource(attributes: Attributes): void;
  /** False: its points are not to be read, only counted by `pass`. */
  metric(metric: Metric): boolean;
  /** Asked before each point; false: it and those that follow are not to be read, only counted. */
  wantsPoint(): boolean;
  /** Its own from now on. What it gives is done before the next one comes. */
  point(point: Point): Steps<void> | undefined;
  /** So many points of the metric are not read. */
  pass(points: number): void;
  endResource(): void;
}

/** Key and value, the value as text. */
export type Attribute = readonly [key: string, value: string];
export type Attributes = readonly Attribute[];

export type MetricKind = 'gauge' | 'sum' | 'histogram' | 'exponential' | 'summary' | 'none';

/** As in the schema. */
export const temporality = { unspecified: 0, delta: 1, cumulative: 2 } as const;

export interface Metric {
  name: string;
  description: string;
  unit: string;
  kind: MetricKind;
  temporality: number;
  monotonic: boolean;
}

/** A point of any kind, times in milliseconds since the epoch, 0 for none: what its kind does not have stays as it is here. */
export interface Point {
  attributes: Attributes;
  start: number;
  time: number;
  /** The producer says that there is no value (any more). */
  noValue: boolean;
  value: number;
  count: number;
  sum: number | undefined;
  bucketCounts: number[];
  bounds: number[];
  scale: number;
  zeroCount: number;
  zeroThreshold: number;
  positive: Buckets;
  negative: Buckets;
  /** Quantile and value. */
  quantiles: [number, number][];
}

export interface Buckets {
  offset: number;
  counts: number[];
}

export const newMetric = (): Metric => ({
  name: '',
  description: '',
  unit: '',
  kind: 'none',
  temporality: temporality.unspecified,
  monotonic: false,
});

/** In the place of lists that nothing is put into: a request has thousands of points, and most have one number each. */
const nothing: never[] = [];
const noBuckets: Buckets = { offset: 0, counts: nothing };
Object.freeze(nothing);
Object.freeze(noBuckets);

/** Only the lists of its kind are its own. */
export const newPoint = (kind: MetricKind): Point => ({
  attributes: nothing,
  start: 0,
  time: 0,
  noValue: false,
  value: 0,
  count: 0,
  sum: undefined,
  bucketCounts: kind === 'histogram' ? [] : nothing,
  bounds: kind === 'histogram' ? [] : nothing,
  scale: 0,
  zeroCount: 0,
  zeroThreshold: 0,
  positive: kind === 'exponential' ? { offset: 0, counts: [] } : noBuckets,
  negative: kind === 'exponential' ? { offset: 0, counts: [] } : noBuckets,
  quantiles: kind === 'summary' ? [] : nothing,
});

/** Values in values, as deep as anyone needs them. */
export const deepestValue = 16;

/** Attributes of a resource or a point, with the values within their values: they are read in one go. */
export const mostAttributes = 4096;

/** Resources, scopes and metrics of one request: each may be empty, and takes time all the same. */
const mostMessages = 500_000;

/** Throws `invalid` for more of them than anyone sends. */
export function countMessage(count: number): void {
  if (count <= mostMessages) return;
  throw new WeirError(
    'invalid',
    `The request has more than ${mostMessages} resources, scopes and metrics; send less at once.`,
  );
}
