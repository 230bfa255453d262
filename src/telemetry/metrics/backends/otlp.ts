import { z } from 'zod';
import { encodeOtlpMetrics, type OtlpMetric } from '../../../formats/otlp-metrics.js';
import { backendKind, type MetricsBackend } from '../backend.js';
import { Deltas } from '../deltas.js';
import { type HttpParcel, post } from '../http-sender.js';
import { every, Outbox } from '../outbox.js';
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
    const { registry, collect, complain, dropped, random, clock, prefix } = context;
    const url = options.endpoint ?? 'http://127.0.0.1:4318/v1/metrics';
    const header = options.api_key_header ?? 'api-key';
    const headers = options.api_key_file ? { [header]: readSecret(options.api_key_file) } : {};
    const temporality = options.temporality ?? 'cumulative';
    const resource = { 'service.name': prefix.replace(/\.$/, '') || 'unknown_service', ...context.tags };
    const outbox = new Outbox<HttpParcel>({
      send: (parcel, signal) => post(parcel, headers, { fetch: context.fetch, signal }),
      // A sum that was dropped is in the next one, a difference is not.
      capacity: temporality === 'delta' ? 30 : 1,
      timeoutMs: 10_000,
      attempts: 5,
      dropped,
      complain: (error) => complain(error, 'measurements could not be sent by OTLP'),
      random,
    });
    const deltas = temporality === 'delta' ? new Deltas() : undefined;
    let lastAt = registry.since;
    const gather = async (): Promise<void> => {
      await collect();
      const wanted = registry.families().filter(({ key }) => context.wants(key));
      const metrics = wanted.map((family) => metricOf(family, prefix, deltas));
      const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
      if (points === 0) return;
      const at = clock.now();
      const startedAt = deltas === undefined ? registry.since : lastAt;
      lastAt = at;
      const scope = { name: 'weir-gateway/metrics', version: '' };
      const body = encodeOtlpMetrics({ resource, scope, metrics, temporality, startedAt, at });
      outbox.push({ url, contentType: 'application/x-protobuf', body }, points);
    };
    const flush = (): Promise<void> => gather().catch((error) => complain(error, 'OTLP metrics could not be made'));
    const stop = every(flushEveryMs, () => void flush());
    return {
      flush: async () => {
        await flush();
        await outbox.settled();
      },
      close: async (signal) => {
        stop();
        await flush();
        await outbox.close(signal);
      },
    };
  },
});

/** UCUM. */
const units: Readonly<Record<string, string>> = { seconds: 's', bytes: 'By', ratio: '1' };

function metricOf({ key, type, help, unit, series }: Family, prefix: string, deltas: Deltas | undefined): OtlpMetric {
  const about = { name: `${prefix}${key}`, description: help, unit: unit === undefined ? '1' : (units[unit] ?? unit) };
  const all = [...series.values()];
  if (type === 'timing' || type === 'distribution') {
    const points = (all as HistogramSeries[]).map((each) => {
      const { counts, sum } = deltas?.ofHistogram(each) ?? each;
      return { attributes: each.labels, bounds: each.bounds, counts: [...counts], sum };
    });
    return { ...about, kind: 'histogram', points };
  }
  const points = (all as NumberSeries[]).map((each) => {
    const value = type === 'counter' && deltas !== undefined ? deltas.ofCounter(each) : each.value;
    return { attributes: each.labels, value };
  });
  return { ...about, kind: type === 'counter' ? 'sum' : 'gauge', points };
}
