import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { z } from 'zod';
import { backendKind } from '../backend.js';
import type { Family, HistogramSeries, NumberSeries } from '../registry.js';

/** The page a Prometheus scrapes: what is kept in memory, and what prom-client tells of the process. */
export const prometheus = backendKind({
  type: 'prometheus',
  options: z.strictObject({}),
  readsRegistry: true,
  sends: false,
  open: (_options, { registry, collect, wants }) => {
    const processes = new Registry();
    collectDefaultMetrics({ register: processes });
    // Gauges that prom-client names like counters, which `promtool check metrics` refuses.
    for (const what of ['handles', 'requests', 'resources']) {
      processes.removeSingleMetric(`nodejs_active_${what}_total`);
    }
    return {
      page: async () => {
        await collect();
        const shown = new Registry();
        // prom-client asks a metric only for its name and for `get`.
        for (const family of registry.families()) {
          if (wants(family.key)) shown.registerMetric(metricOf(family) as unknown as Metric);
        }
        const body = `${await shown.metrics()}\n${await processes.metrics()}`;
        return { contentType: shown.contentType, body };
      },
    };
  },
});

const metricOf = (family: Family) => {
  const isHistogram = family.type === 'timing' || family.type === 'distribution';
  const values = [...family.series.values()].flatMap((series) =>
    isHistogram ? histogramValues(family.name, series as HistogramSeries) : [numberValue(series as NumberSeries)],
  );
  return {
    name: family.name,
    get: async () => ({
      name: family.name,
      help: family.help,
      type: isHistogram ? 'histogram' : family.type,
      values,
    }),
  };
};

interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

const numberValue = ({ labels, value }: NumberSeries): Value => ({ labels, value });

function histogramValues(name: string, { labels, bounds, counts, sum }: HistogramSeries): Value[] {
  let below = 0;
  const buckets = counts.map((count, at) => {
    below += count;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bounds[at] ?? '+Inf' }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: below },
  ];
}
