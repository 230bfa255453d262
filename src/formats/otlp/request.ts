/** What an OTLP export request says, as far as metrics are concerned; times in milliseconds since the epoch, 0 for none. */
export interface OtlpRequest {
  readonly resources: ResourceMetrics[];
}

/** Key and value, the value as text. */
export type Attributes = [string, string][];

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

export const newPoint = (): Point => ({
  attributes: [],
  start: 0,
  time: 0,
  noValue: false,
  value: 0,
  count: 0,
  sum: undefined,
  bucketCounts: [],
  bounds: [],
  scale: 0,
  zeroCount: 0,
  zeroThreshold: 0,
  positive: { offset: 0, counts: [] },
  negative: { offset: 0, counts: [] },
  quantiles: [],
});

/** Values in values, as deep as anyone needs them. */
export const deepestValue = 16;
