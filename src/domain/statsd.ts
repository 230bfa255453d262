/** Where StatsD and DogStatsD lines are taken, and whose they are. */
export interface StatsdSettings {
  /** `host:port` for UDP, `unixstream:///path` for DogStatsD's unix stream socket. */
  readonly listen: string;
  /** The endpoint all lines are for; `undefined` when the routing labels, as tags, say so of each line. */
  readonly target: { readonly projectId: string; readonly metricsId: string } | undefined;
  /** Plain StatsD takes a gauge with a sign for a change of it; to DogStatsD `-5` is a value. */
  readonly dialect: 'dogstatsd' | 'statsd';
  readonly flushMs: number;
  /** Upper bounds of the buckets of timers, in seconds, and of histograms and distributions. */
  readonly timerBounds: readonly number[];
  readonly histogramBounds: readonly number[];
}

export const defaultStatsd = {
  dialect: 'dogstatsd',
  flushMs: 10_000,
  timerBounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  histogramBounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
} as const;

/** Why a line, or one of its values, is not on a page; the first ones are about its form. */
export const statsdRefusals = [
  'too_long',
  'syntax',
  'name',
  'type',
  'value',
  'rate',
  'encoding',
  'event',
  'conflict',
  'full',
  'refused',
  'unavailable',
] as const;
export type StatsdRefusal = (typeof statsdRefusals)[number];

export const unixScheme = 'unixstream://';
