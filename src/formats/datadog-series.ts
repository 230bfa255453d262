/** `POST /api/v2/series` of Datadog: type 1 is a count within the interval, 3 a gauge. */
export interface DatadogSeries {
  readonly metric: string;
  readonly type: 'count' | 'gauge';
  readonly value: number;
  readonly unit?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** The body. `at` and `interval` are in whole seconds. Values JSON cannot carry are left out. */
export function datadogSeriesBody(series: readonly DatadogSeries[], at: number, interval: number): string {
  const points = series.filter(({ value }) => Number.isFinite(value));
  return JSON.stringify({
    series: points.map(({ metric, type, value, unit, tags }) => ({
      metric,
      type: type === 'count' ? 1 : 3,
      points: [{ timestamp: at, value }],
      ...(type === 'count' ? { interval } : {}),
      ...(unit === undefined ? {} : { unit: datadogUnits[unit] ?? unit }),
      tags: datadogTags(tags),
    })),
  });
}

export const datadogTags = (tags: Readonly<Record<string, string>>): string[] =>
  Object.entries(tags).map(([name, value]) => `${name}:${value}`.replaceAll(',', '_').slice(0, 200));

/** Its units are in the singular. */
const datadogUnits: Readonly<Record<string, string>> = { seconds: 'second', bytes: 'byte', ratio: 'fraction' };
