/** What an OTLP export request says, as far as metrics are concerned; times in milliseconds since the epoch, 0 for none. */
export interface OtlpRequest {
  readonly resources: ResourceMetrics[];
}

/** Key and value, the value as text. */
export type Attribute = readonly [key: string, value: string];
export type Attributes = readonly Attribute[];

export interface ResourceMetrics {
  attributes: Attributes;
  readonly metrics: Metric[];
}

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
  points: Point[];
}

/** A point of any kind: what its kind does not have stays as it is here. */
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
  points: [],
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
