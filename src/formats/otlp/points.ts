import type { Steps } from '../../domain/turns.js';
import type { FamilyType } from '../family.js';
import { change } from '../series-batch.js';
import { canonicalNumber } from '../syntax.js';
import type { BatchWriter } from './batch-writer.js';
import { fixedBounds, toFixedBuckets } from './exponential.js';
import { merged } from './labels.js';
import { type Attributes, type Metric, type Point, temporality } from './request.js';

/** Between two stops within a point. */
const labelsAStep = 256;

/** `undefined` where the metric has no form here. */
export function familyType(metric: Metric): FamilyType | undefined {
  const { kind, monotonic } = metric;
  if (kind === 'gauge') return 'gauge';
  if (kind === 'summary') return 'summary';
  if (metric.temporality !== temporality.delta && metric.temporality !== temporality.cumulative) return undefined;
  if (kind === 'sum') {
    if (monotonic) return 'counter';
    return metric.temporality === temporality.cumulative ? 'gauge' : undefined;
  }
  return kind === 'histogram' || kind === 'exponential' ? 'histogram' : undefined;
}

export function unfitness({ kind, temporality: given }: Metric): string {
  if (kind === 'none') return 'is of a kind that is not known';
  if (given === temporality.delta) return 'is a delta sum that is not monotonic: send it cumulative';
  return 'has no temporality';
}

export function wrongness({ kind, temporality: given }: Metric, point: Point): string | undefined {
  if (point.noValue) return undefined;
  const isDelta = given === temporality.delta && kind !== 'gauge' && kind !== 'summary';
  if (isDelta && point.start === 0) return 'is a delta without a start time';
  if (kind === 'histogram' && point.bucketCounts.length > 0) {
    if (point.bucketCounts.length !== point.bounds.length + 1) return 'has not one bucket more than bounds';
    if (
      point.bounds.some((bound, i) => Number.isNaN(bound) || bound <= (point.bounds[i - 1] ?? Number.NEGATIVE_INFINITY))
    ) {
      return 'has bounds that do not rise';
    }
  }
  if (kind === 'exponential' && (point.scale < -10 || point.scale > 20)) return 'has a scale beyond -10 to 20';
  return undefined;
}

/** What a point may become. */
export function mostParts({ kind }: Metric, point: Point, bounds = fixedBounds): number {
  if (kind === 'histogram') return point.bounds.length + 3;
  if (kind === 'exponential') return bounds.length + 3;
  return kind === 'summary' ? point.quantiles.length + 3 : 1;
}

export function doesOf({ kind, temporality: given }: Metric, { noValue }: Point): number {
  if (noValue) return change.end;
  const isDelta = given === temporality.delta && (kind === 'sum' || kind === 'histogram' || kind === 'exponential');
  return isDelta ? change.add : change.set;
}

/** Of a point that is several series. */
export function* writeParts(
  writer: BatchWriter,
  name: string,
  metric: Metric,
  point: Point,
  labels: Attributes,
  fixedBounds: readonly number[] | undefined,
): Steps<void> {
  const { kind } = metric;
  const does = doesOf(metric, point);
  const partsBetween = Math.ceil(labelsAStep / (labels.length + 1));
  let parts = 0;
  const put = (suffix: string, extra: Attributes, value: number, kind: number = does): boolean => {
    writer.series(name + suffix, merged(extra, labels), kind, value, point.time, point.start, suffix === '_count');
    return ++parts % partsBetween === 0;
  };
  if (kind === 'summary') {
    for (const [quantile, value] of point.quantiles)
      if (put('', [['quantile', canonicalNumber(quantile)]], value)) yield;
  } else if (point.noValue) put('_bucket', [], 0, change.endBuckets);
  else {
    const { bounds, counts } = kind === 'histogram' ? explicitBuckets(point) : toFixedBuckets(point, fixedBounds);
    for (let i = 0; i < bounds.length; i++)
      if (put('_bucket', [['le', canonicalNumber(bounds[i]!)]], counts[i]!)) yield;
    put('_bucket', [['le', '+Inf']], point.count);
  }
  if (point.sum !== undefined || kind === 'summary' || point.noValue) put('_sum', [], point.sum ?? 0);
  put('_count', [], point.count);
}

/** Counts up to each bound; what is above the last one is in `+Inf` alone. */
function explicitBuckets({ bounds, bucketCounts }: Point): { bounds: readonly number[]; counts: readonly number[] } {
  let sum = 0;
  const finite = bounds.filter((bound) => bound !== Number.POSITIVE_INFINITY);
  return { bounds: finite, counts: finite.map((_, i) => (sum += bucketCounts[i] ?? 0)) };
}
