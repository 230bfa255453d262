import type { Steps } from '../../domain/turns.js';
import type { FamilyType } from '../family.js';
import { change, mostLabelBytes, mostLabels, type SeriesBatch } from '../series-batch.js';
import { BatchWriter } from './batch-writer.js';
import { Labels, lengthOf, merged, without } from './labels.js';
import { metricName, type TranslationStrategy } from './names.js';
import { doesOf, familyType, mostParts, unfitness, writeParts, wrongness } from './points.js';
import { type Attribute, type Attributes, type Metric, newMetric, type OtlpSink, type Point } from './request.js';

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
/** What is read of one request: a point may be two bytes. */
const mostPoints = 200_000;
/** Names and values of labels that one request may have, each counted once. */
const mostTexts = 500_000;

export interface Converted {
  /** Points that have no form here, and why the first of them has none. */
  readonly refused: number;
  readonly reason: string | undefined;
}

/** What one request has become so far, for whomever its parts are. */
export class RequestSize {
  points = 0;
  series = 0;
  labels = 0;
  /** About as `mostLabelBytes` counts: units of text. */
  labelBytes = 0;
  texts = 0;
}

/** OTLP metrics as series of Prometheus: what `read` tells of, into one batch. */
export function* convertSteps(
  read: (sink: OtlpSink) => Steps<void>,
  batch: SeriesBatch,
  options: ConvertOptions,
): Steps<Converted> {
  const converter = new Converter(batch, options, new RequestSize());
  yield* read(converter);
  return converter.end();
}

/**
 * Makes series of Prometheus of what it is told, by OpenTelemetry's "Prometheus and OpenMetrics Compatibility". What belongs
 * to one point is taken or refused as one.
 */
export class Converter implements OtlpSink {
  private readonly batch: SeriesBatch;
  private readonly options: ConvertOptions;
  private readonly size: RequestSize;
  private readonly writer: BatchWriter;
  private readonly labels: Labels;
  private readonly described = new Set<string>();
  private refused = 0;
  private reason: string | undefined;
  private attributes: Attributes = [];
  /** Of the resource; absent as long as it has no point. */
  private ofResource: ReturnType<typeof resourceLabels> | undefined;
  private newest = 0;
  private countedSeries = 0;
  private countedTexts = 0;
  private current = newMetric();
  private name = '';
  /** Why points of the metric have no form here. */
  private unfit: string | undefined;

  constructor(batch: SeriesBatch, options: ConvertOptions, size: RequestSize) {
    this.batch = batch;
    this.options = options;
    this.size = size;
    this.writer = new BatchWriter(batch);
    this.labels = new Labels(options.ours);
  }

  resource(attributes: Attributes): void {
    this.attributes = attributes;
    this.ofResource = undefined;
    this.newest = 0;
  }

  metric(metric: Metric): boolean {
    this.current = metric;
    this.name = metricName(metric, this.options.strategy);
    this.unfit = familyType(metric) === undefined ? unfitness(metric) : this.name === '' ? 'has no name' : undefined;
    return this.unfit === undefined;
  }

  wantsPoint(): boolean {
    return this.size.points < mostPoints;
  }

  pass(points: number): void {
    if (points === 0) return;
    this.refused += points;
    this.reason ??=
      this.unfit === undefined
        ? `a point of ${this.metricInWords()} is beyond the ${mostPoints} points that one request may have: send less at once`
        : `${this.metricInWords()} ${this.unfit}`;
  }

  point(point: Point): Steps<void> | undefined {
    const { options, size, writer, current: metric } = this;
    size.points++;
    this.ofResource ??= resourceLabels(this.attributes, this.labels, options);
    const { identity, common } = this.ofResource;
    const own = merged(without(this.labels.of(point.attributes), identity), common);
    const most = mostParts(metric, point, options.bounds);
    const labelBytes = most * (this.name.length + lengthOf(own));
    const wrong = wrongness(metric, point) ?? tooMany(size, most, most * own.length, labelBytes);
    if (wrong !== undefined) {
      this.refused++;
      this.reason ??= `a point of ${this.metricInWords()} ${wrong}`;
      return undefined;
    }
    this.describe(this.name, familyType(metric)!, metric.description);
    if (point.time === 0) point.time = options.now;
    this.newest = Math.max(this.newest, point.time);
    size.labels += most * own.length;
    size.labelBytes += labelBytes;
    writer.beginPoint();
    if (metric.kind !== 'gauge' && metric.kind !== 'sum') return this.parts(point, own);
    writer.series(this.name, own, doesOf(metric, point), point.value, point.time, point.start, true);
    this.count();
    return undefined;
  }

  private *parts(point: Point, own: Attributes): Steps<void> {
    yield* writeParts(this.writer, this.name, this.current, point, own, this.options.bounds);
    this.count();
  }

  endResource(): void {
    const { ofResource, writer, newest } = this;
    if (ofResource?.info === undefined || newest === 0) return;
    this.describe('target_info', 'info', 'Target metadata');
    writer.beginPoint();
    writer.series('target_info', ofResource.info, change.set, 1, newest, 0, false);
    this.count();
  }

  /** Nothing comes after it. */
  end(): Converted {
    this.writer.end();
    return { refused: this.refused, reason: this.reason };
  }

  private describe(name: string, type: FamilyType, help: string): void {
    if (this.described.has(name)) return;
    this.described.add(name);
    this.batch.metadata.push({ name, type, help, unit: '' });
  }

  /** Adds what was written since the last time. */
  private count(): void {
    const { size, batch, writer } = this;
    size.series += batch.series - this.countedSeries;
    size.texts += writer.texts - this.countedTexts;
    this.countedSeries = batch.series;
    this.countedTexts = writer.texts;
  }

  private metricInWords(): string {
    return `the metric ${JSON.stringify(this.current.name.slice(0, 100))}`;
  }
}

function tooMany(size: RequestSize, series: number, labels: number, labelBytes: number): string | undefined {
  if (size.series + series > mostSeries) {
    return `is beyond the ${mostSeries} series that one request may become: send less at once`;
  }
  if (size.labels + labels > mostLabels) {
    return `is beyond the ${mostLabels} labels that the series of one request may have: send less at once`;
  }
  if (size.labelBytes + labelBytes > mostLabelBytes) {
    return `is beyond the ${mostLabelBytes} bytes that the labels of all series of one request may have: send less at once`;
  }
  if (size.texts > mostTexts) {
    return `is beyond the ${mostTexts} different names and values that the labels of one request may have: send less at once`;
  }
  return undefined;
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
