import { z } from 'zod';
import { encodeOtlp, type OtlpAttributes, type OtlpMetric, type Temporality } from '../../../formats/otlp.js';
import { backendKind, type MetricsBackend } from '../backend.js';
import { Deltas } from '../deltas.js';
import { type HttpParts, httpBackend } from '../http-backend.js';
import type { Family, HistogramSeries, NumberSeries } from '../registry.js';
import { httpUrl, path, readSecret, tags } from './options.js';

const flushEveryMs = 15_000;

/** OpenTelemetry over HTTP in protobuf: a collector, or a vendor's intake. Tags of the configuration tell of the resource. */
export const otlp = backendKind({
  type: 'otlp',
  options: z.strictObject({
    endpoint: httpUrl.nullish(),
    api_key_file: path.nullish(),
    api_key_header: z
      .string()
      .regex(/^[A-Za-z0-9-]+$/, { error: 'Write the name of a header here.' })
      .nullish(),
    temporality: z.enum(['cumulative', 'delta'], { error: 'Write cumulative or delta here.' }).nullish(),
    tags: tags.nullish(),
  }),
  readsRegistry: true,
  sends: true,
  open: (options, context): MetricsBackend => {
    const { registry, clock, prefix } = context;
    const url = options.endpoint ?? 'http://127.0.0.1:4318/v1/metrics';
    const header = options.api_key_header ?? 'api-key';
    const headers = options.api_key_file ? { [header]: readSecret(options.api_key_file) } : {};
    const temporality = options.temporality ?? 'cumulative';
    const service = prefix.replace(/\.$/, '') || 'unknown_service';
    const resource = attributesOf({ 'service.name': service, ...context.tags });
    const deltas = temporality === 'delta' ? new Deltas() : undefined;
    let lastAt = registry.since;
    const gather: HttpParts['gather'] = (outbox) => {
      const wanted = registry.families().filter(({ key }) => context.wants(key));
      const time: Span = { startMs: deltas === undefined ? registry.since : lastAt, timeMs: clock.now(), temporality };
      const metrics = wanted.map((family) => metricOf(family, prefix, time, deltas));
      const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
      if (points === 0) return;
      lastAt = time.timeMs;
      const source = { resource, scope: { name: 'weir-gateway/metrics' } };
      // One request: the registry is bounded, and an outbox of one would drop the first of two.
      const [body] = encodeOtlp(source, metrics, 'protobuf', Number.POSITIVE_INFINITY);
      outbox.push({ url, contentType: 'application/x-protobuf', body: body! }, points);
    };
    const parts: HttpParts = {
      headers,
      // A sum that was dropped is in the next one, a difference is not.
      capacity: temporality === 'delta' ? 30 : 1,
      everyMs: flushEveryMs,
      gather,
      whenGatheringFails: 'OTLP metrics could not be made',
      whenSendingFails: 'measurements could not be sent by OTLP',
    };
    return httpBackend(parts, context).backend;
  },
});

/** UCUM. */
const units: Readonly<Record<string, string>> = { seconds: 's', bytes: 'By', ratio: '1' };

interface Span {
  readonly startMs: number;
  readonly timeMs: number;
  readonly temporality: Temporality;
}

function metricOf(
  { key, type, help, unit, series }: Family,
  prefix: string,
  { startMs, timeMs, temporality }: Span,
  deltas: Deltas | undefined,
): OtlpMetric {
  const about = { name: `${prefix}${key}`, description: help, unit: unit === undefined ? '1' : (units[unit] ?? unit) };
  const all = [...series.values()];
  const timed = (labels: Readonly<Record<string, string>>) => ({ attributes: attributesOf(labels), startMs, timeMs });
  if (type === 'timing' || type === 'distribution') {
    const points = (all as HistogramSeries[]).map((each) => {
      const { counts, sum } = deltas?.ofHistogram(each) ?? each;
      const count = counts.reduce((total, one) => total + one, 0);
      return { ...timed(each.labels), bounds: each.bounds, counts: [...counts], count, sum };
    });
    return { ...about, kind: 'histogram', temporality, points };
  }
  if (type === 'gauge') {
    const levels = (all as NumberSeries[]).map(({ labels, value }) => ({
      ...timed(labels),
      startMs: undefined,
      value,
    }));
    return { ...about, kind: 'gauge', points: levels };
  }
  const points = (all as NumberSeries[]).map((each) => ({
    ...timed(each.labels),
    value: deltas === undefined ? each.value : deltas.ofCounter(each),
  }));
  return { ...about, kind: 'sum', monotonic: true, temporality, points };
}

const attributesOf = (labels: Readonly<Record<string, string>>): OtlpAttributes => Object.entries(labels);
