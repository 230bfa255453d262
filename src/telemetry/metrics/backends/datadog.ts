import { z } from 'zod';
import { type DatadogSeries, datadogSeriesBody, datadogTags } from '../../../formats/datadog-series.js';
import { type BackendContext, backendKind, type MetricsBackend } from '../backend.js';
import { Deltas } from '../deltas.js';
import { type HttpParts, httpBackend } from '../http-backend.js';
import type { Family, HistogramSeries, NumberSeries } from '../registry.js';
import { httpUrl, path, readSecret, tags } from './options.js';

const flushEveryMs = 10_000;
/** Far below its limits of 500 kB as sent and 5 MB inflated. */
const seriesPerBody = 5000;

/** Datadog's HTTP API, without an Agent: `POST /api/v2/series`, and `/api/v1/events`. */
export const datadog = backendKind({
  type: 'datadog',
  options: z.strictObject({
    api_key_file: path,
    site: z
      .string()
      .regex(/^[a-z0-9.-]+$/, { error: 'Write a site such as datadoghq.eu here.' })
      .nullish(),
    url: httpUrl.nullish(),
    tags: tags.nullish(),
  }),
  readsRegistry: true,
  sends: true,
  open: ({ api_key_file: keyFile, site, url }, context): MetricsBackend => {
    const key = readSecret(keyFile);
    const base = (url ?? `https://api.${site ?? 'datadoghq.com'}`).replace(/\/+$/, '');
    const { registry, clock } = context;
    const deltas = new Deltas();
    const gather: HttpParts['gather'] = (outbox) => {
      const series = registry
        .families()
        .filter((family) => context.wants(family.key))
        .flatMap((family) => seriesOf(family, deltas, context));
      const at = Math.floor(clock.now() / 1000);
      for (let first = 0; first < series.length; first += seriesPerBody) {
        const part = series.slice(first, first + seriesPerBody);
        const body = datadogSeriesBody(part, at, flushEveryMs / 1000);
        outbox.push({ url: `${base}/api/v2/series`, contentType: 'application/json', body }, part.length);
      }
    };
    const parts: HttpParts = {
      headers: { 'dd-api-key': key },
      capacity: 30,
      everyMs: flushEveryMs,
      gather,
      whenGatheringFails: 'Datadog series could not be made',
      whenSendingFails: 'measurements could not be sent to Datadog',
    };
    const { backend, outbox } = httpBackend(parts, context);
    return {
      ...backend,
      event: (title, text, { alertType, aggregationKey, sourceTypeName, priority, instance, tags: all }) => {
        const body = JSON.stringify({
          title,
          text,
          alert_type: alertType,
          aggregation_key: aggregationKey,
          source_type_name: sourceTypeName,
          priority,
          date_happened: Math.floor(clock.now() / 1000),
          tags: datadogTags(instance === undefined ? all : { instance, ...all }),
        });
        outbox.push({ url: `${base}/api/v1/events`, contentType: 'application/json', body }, 1);
      },
    };
  },
});

/** Counters as what was added since the last time, histograms as count and sum; what has not moved is not sent. */
function seriesOf(
  { key, type, unit, series }: Family,
  deltas: Deltas,
  { prefix, tags: configured }: BackendContext,
): DatadogSeries[] {
  const metric = `${prefix}${key}`;
  return [...series.values()].flatMap((each): DatadogSeries[] => {
    const labels = { ...each.labels, ...configured };
    if (type === 'gauge') return [{ metric, type: 'gauge', value: (each as NumberSeries).value, unit, tags: labels }];
    if (type === 'counter') {
      const value = deltas.ofCounter(each as NumberSeries);
      return value === 0 ? [] : [{ metric, type: 'count', value, unit, tags: labels }];
    }
    const { counts, sum } = deltas.ofHistogram(each as HistogramSeries);
    const count = counts.reduce((all, one) => all + one, 0);
    if (count === 0) return [];
    return [
      { metric: `${metric}.count`, type: 'count', value: count, tags: labels },
      { metric: `${metric}.sum`, type: 'count', value: sum, unit, tags: labels },
    ];
  });
}
