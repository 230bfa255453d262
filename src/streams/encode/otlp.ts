import type {
  OtlpAttributes,
  OtlpHistogram,
  OtlpMetric,
  OtlpNumber,
  OtlpSummary,
  Temporality,
} from '../../formats/otlp.js';
import { sampleValue } from '../../formats/syntax.js';
import { isCumulative, type Labels, type Metric, type Point, type Window } from '../window.js';

export interface OtlpRules {
  readonly temporality: Temporality;
  /** A histogram with more buckets than this goes as the series it is made of. */
  readonly mostBuckets: number;
}

/** New Relic takes attributes of at most this many characters. */
const [longestKey, longestValue] = [255, 4095];
const mostAttributes = 64;

/**
 * The window as OTLP metrics. Counters are monotonic sums, everything that has no type is a gauge. With delta temporality
 * what is seen for the first time is not sent. What is not finite is never sent.
 */
export function* otlpMetrics(window: Window, rules: OtlpRules): Generator<OtlpMetric> {
  for (const metric of window.metrics) {
    if (metric.type === 'histogram') yield* histograms(metric, rules);
    else if (metric.type === 'summary') yield* summaries(metric, rules);
    else yield* numbers(metric, metric.points, rules);
  }
}

/** Series by series: gauges, or monotonic sums. */
function* numbers(metric: Metric, points: readonly Point[], { temporality }: OtlpRules): Generator<OtlpMetric> {
  for (const [name, ofName] of byName(points)) {
    const named = { name, ...about(metric) };
    if (!isCumulative(metric.type, metric.name, name)) {
      const gauges: OtlpNumber[] = [];
      for (const point of ofName)
        if (Number.isFinite(point.value)) gauges.push(numberOf(point, point.value, undefined));
      if (gauges.length > 0) yield { ...named, kind: 'gauge', points: gauges };
      continue;
    }
    const sums: OtlpNumber[] = [];
    for (const point of ofName) {
      const value = temporality === 'delta' ? point.delta : point.value;
      if (value === undefined || !Number.isFinite(value)) continue;
      sums.push(numberOf(point, value, temporality === 'delta' ? point.from : point.start));
    }
    if (sums.length > 0) yield { ...named, kind: 'sum', monotonic: true, temporality, points: sums };
  }
}

const about = ({ help }: Metric) => (help === undefined ? {} : { description: help });

const numberOf = ({ labels, time }: Point, value: number, startMs: number | undefined): OtlpNumber => ({
  attributes: attributesOf(labels),
  startMs,
  timeMs: time,
  value,
});

function* histograms(metric: Metric, rules: OtlpRules): Generator<OtlpMetric> {
  const whole: OtlpHistogram[] = [];
  const loose: Point[] = [];
  for (const points of byMetric(metric, 'le')) {
    const made = histogramOf(metric.name, points, rules);
    if (made === 'as series') loose.push(...points);
    else if (made !== undefined) whole.push(made);
  }
  if (whole.length > 0) {
    yield { name: metric.name, ...about(metric), kind: 'histogram', temporality: rules.temporality, points: whole };
  }
  if (loose.length > 0) yield* numbers(metric, loose, rules);
}

/** `undefined` when there is nothing to say yet. */
function histogramOf(
  family: string,
  points: readonly Point[],
  { temporality, mostBuckets }: OtlpRules,
): OtlpHistogram | 'as series' | undefined {
  const delta = temporality === 'delta';
  if (delta && points.some((point) => point.delta === undefined)) return undefined;
  const amount = (point: Point): number => (delta ? point.delta! : point.value);
  const buckets = points
    .filter(({ name }) => name === `${family}_bucket`)
    .map((point) => ({ le: sampleValue(labelOf(point, 'le') ?? 'NaN'), value: amount(point) }))
    .sort((a, b) => a.le - b.le);
  const count = points.find(({ name }) => name === `${family}_count`);
  const sum = points.find(({ name }) => name === `${family}_sum`);
  const counts = buckets.map(({ value }, index) => value - (index === 0 ? 0 : buckets[index - 1]!.value));
  const total = count === undefined ? buckets.at(-1)?.value : amount(count);
  const isWhole =
    buckets.length > 0 &&
    buckets.length <= mostBuckets &&
    buckets.every(({ le }) => !Number.isNaN(le)) &&
    buckets.at(-1)!.le === Number.POSITIVE_INFINITY &&
    buckets.at(-1)!.value === total &&
    counts.every((each) => Number.isSafeInteger(each) && each >= 0);
  if (!isWhole) return 'as series';
  const sumValue = sum === undefined ? undefined : amount(sum);
  const any = count ?? points[0]!;
  return {
    attributes: attributesOf(without(any.labels, 'le')),
    startMs: delta ? any.from : any.start,
    timeMs: any.time,
    count: total!,
    ...(sumValue === undefined || !Number.isFinite(sumValue) ? {} : { sum: sumValue }),
    bounds: buckets.slice(0, -1).map(({ le }) => le),
    counts,
  };
}

/** OTLP's summaries have no temporality: they are always as they stand. */
function* summaries(metric: Metric, rules: OtlpRules): Generator<OtlpMetric> {
  const whole: OtlpSummary[] = [];
  const loose: Point[] = [];
  for (const points of byMetric(metric, 'quantile')) {
    const count = points.find(({ name }) => name === `${metric.name}_count`);
    const sum = points.find(({ name }) => name === `${metric.name}_sum`);
    const quantiles = points.filter(({ name, value }) => name === metric.name && Number.isFinite(value));
    const numbersFit = Number.isSafeInteger(count?.value) && count!.value >= 0 && Number.isFinite(sum?.value);
    if (count === undefined || sum === undefined || !numbersFit) {
      loose.push(...points);
      continue;
    }
    whole.push({
      attributes: attributesOf(without(count.labels, 'quantile')),
      startMs: count.start,
      timeMs: count.time,
      count: count.value,
      sum: sum.value,
      quantiles: quantiles.map((point) => [sampleValue(labelOf(point, 'quantile') ?? '0'), point.value] as const),
    });
  }
  if (whole.length > 0) yield { name: metric.name, ...about(metric), kind: 'summary', points: whole };
  if (loose.length > 0) yield* numbers(metric, loose, rules);
}

function byName(points: readonly Point[]): Map<string, Point[]> {
  const groups = new Map<string, Point[]>();
  for (const point of points) {
    const group = groups.get(point.name);
    if (group === undefined) groups.set(point.name, [point]);
    else group.push(point);
  }
  return groups;
}

/** Points that differ in the name of the sample and in one label only. */
function byMetric({ points }: Metric, apart: string): Iterable<Point[]> {
  const groups = new Map<string, Point[]>();
  for (const point of points) {
    const key = JSON.stringify([...without(point.labels, apart)].sort(([a], [b]) => (a < b ? -1 : 1)));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  return groups.values();
}

const without = (labels: Labels, name: string): Labels => labels.filter(([label]) => label !== name);
const labelOf = ({ labels }: Point, name: string): string | undefined => labels.find(([label]) => label === name)?.[1];

function attributesOf(labels: Labels): OtlpAttributes {
  const attributes: (readonly [string, string])[] = [];
  for (const label of labels) {
    const [key, value] = label;
    if (value === '' || attributes.length === mostAttributes) continue;
    const fits = key.length <= longestKey && value.length <= longestValue;
    attributes.push(fits ? label : [key.slice(0, longestKey), cut(value)]);
  }
  return attributes;
}

const cut = (value: string): string =>
  value.length <= longestValue ? value : [...value].slice(0, longestValue).join('');
