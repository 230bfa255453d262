import type { Steps } from '../../domain/turns.js';
import type { FamilyType } from '../family.js';
import { change, mostLabels, type SeriesBatch } from '../series-batch.js';
import { canonicalNumber } from '../syntax.js';
import { BatchWriter } from './batch-writer.js';
import { fixedBounds, toFixedBuckets } from './exponential.js';
import { Labels, merged, without } from './labels.js';
import { metricName, type TranslationStrategy } from './names.js';
import { type Attribute, type Attributes, type Metric, type OtlpRequest, type Point, temporality } from './request.js';

export interface ConvertOptions {
  readonly strategy: TranslationStrategy;
  /** Resource attributes that become labels of every series, by their OpenTelemetry names. */
  readonly promoted: readonly string[];
  /** Buckets of exponential histograms. */
  readonly bounds?: readonly number[];
  /** The label the gateway sets itself. */
  readonly ours: string;
  /** For points that give no time; milliseconds. */
  readonly now: number;
}

/**
 * What one request may become: a histogram of a few bytes is dozens of series, each with all labels, and memory is taken
 * before limits are asked.
 */
const mostSeries = 200_000;

/** Resources, metrics and points; a histogram is a dozen series or more. */
const partsAStep = 16;
/** The same within a point. */
const labelsAStep = 256;

export interface Converted {
  /** Points that have no form here, and why the first of them has none. */
  readonly refused: number;
  readonly reason: string | undefined;
}

/**
 * OTLP metrics as series of Prometheus, by OpenTelemetry's "Prometheus and OpenMetrics Compatibility". What belongs to one
 * point is taken or refused as one.
 */
export function* convertSteps(
  { resources }: OtlpRequest,
  batch: SeriesBatch,
  options: ConvertOptions,
): Steps<Converted> {
  const writer = new BatchWriter(batch);
  const labels = new Labels(options.ours);
  const described = new Set<string>();
  let refused = 0;
  let reason: string | undefined;
  let converted = 0;
  let labelCount = 0;
  for (const { attributes, metrics } of resources) {
    if (++converted % partsAStep === 0) yield;
    const { identity, common, info } = resourceLabels(attributes, labels, options);
    let newest = 0;
    for (const metric of metrics) {
      if (++converted % partsAStep === 0) yield;
      const name = metricName(metric, options.strategy);
      const type = familyType(metric);
      const unfit = type === undefined ? unfitness(metric) : name === '' ? 'has no name' : undefined;
      if (unfit !== undefined) {
        refused += metric.points.length;
        if (metric.points.length > 0) reason ??= `the metric ${JSON.stringify(metric.name.slice(0, 100))} ${unfit}`;
        continue;
      }
      if (!described.has(name)) {
        described.add(name);
        batch.metadata.push({ name, type: type!, help: metric.description, unit: '' });
      }
      for (const point of metric.points) {
        if (++converted % partsAStep === 0) yield;
        const own = merged(without(labels.of(point.attributes), identity), common);
        const most = mostParts(metric, point, options.bounds);
        const wrong = wrongness(metric, point) ?? tooMany(batch.series + most, labelCount + most * own.length);
        if (wrong !== undefined) {
          refused++;
          reason ??= `a point of the metric ${JSON.stringify(metric.name.slice(0, 100))} ${wrong}`;
          continue;
        }
        if (point.time === 0) point.time = options.now;
        newest = Math.max(newest, point.time);
        labelCount += most * own.length;
        writer.beginPoint();
        if (metric.kind === 'gauge' || metric.kind === 'sum')
          writer.series(name, own, doesOf(metric, point), point.value, point.time, point.start, true);
        else yield* writeParts(writer, name, metric, point, own, options.bounds);
      }
    }
    if (info !== undefined && newest > 0) {
      if (!described.has('target_info')) {
        described.add('target_info');
        batch.metadata.push({ name: 'target_info', type: 'info', help: 'Target metadata', unit: '' });
      }
      writer.beginPoint();
      writer.series('target_info', info, change.set, 1, newest, 0, false);
    }
  }
  writer.end();
  return { refused, reason };
}

/** `undefined` where the metric has no form here. */
function familyType(metric: Metric): FamilyType | undefined {
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

function unfitness({ kind, temporality: given }: Metric): string {
  if (kind === 'none') return 'is of a kind that is not known';
  if (given === temporality.delta) return 'is a delta sum that is not monotonic: send it cumulative';
  return 'has no temporality';
}

function wrongness({ kind, temporality: given }: Metric, point: Point): string | undefined {
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
function mostParts({ kind }: Metric, point: Point, bounds = fixedBounds): number {
  if (kind === 'histogram') return point.bounds.length + 3;
  if (kind === 'exponential') return bounds.length + 3;
  return kind === 'summary' ? point.quantiles.length + 3 : 1;
}

function tooMany(series: number, labels: number): string | undefined {
  if (series > mostSeries) {
    return `is beyond the ${mostSeries} series that one request may become: send less at once`;
  }
  if (labels > mostLabels) {
    return `is beyond the ${mostLabels} labels that the series of one request may have: send less at once`;
  }
  return undefined;
}

function doesOf({ kind, temporality: given }: Metric, { noValue }: Point): number {
  if (noValue) return change.end;
  const isDelta = given === temporality.delta && (kind === 'sum' || kind === 'histogram' || kind === 'exponential');
  return isDelta ? change.add : change.set;
}

/** Of a point that is several series. */
function* writeParts(
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

/**
 * `job` and `instance`, which no point can give itself; these and what is promoted, where a point has none of its own; and
 * all the rest, for `target_info`.
 */
function resourceLabels(attributes: Attributes, labels: Labels, { promoted }: ConvertOptions) {
  const values = new Map(attributes);
  const service = values.get('service.name') ?? '';
  const namespace = values.get('service.namespace') ?? '';
  const instance = values.get('service.instance.id') ?? '';
  const identity: Attribute[] = [];
  const job = namespace !== '' && service !== '' ? `${namespace}/${service}` : service;
  if (job !== '') identity.push(['job', job]);
  if (instance !== '') identity.push(['instance', instance]);
  const lifted = attributes.filter(([key]) => promoted.includes(key));
  const common = merged(identity, labels.of(lifted));
  const identifying = ['service.name', 'service.namespace', 'service.instance.id'];
  const rest = labels.of(attributes.filter(([key]) => !identifying.includes(key)));
  const info = identity.length > 0 && rest.length > 0 ? merged(identity, rest) : undefined;
  return { identity, common, info };
}
