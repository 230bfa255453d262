/** What a project has used of the gateway. */
export interface Usage {
  /** Pages served. */
  readonly scrapes: number;
  /** Of these pages, as they were sent. */
  readonly bytesServed: number;
  /** Samples taken in: pushed, by remote write and by OTLP. */
  readonly samplesIn: number;
  /** Points that destinations of metric streams have taken. */
  readonly pointsStreamed: number;
  readonly tokensIssued: number;
}

/** What it used on one day. */
export interface DailyUsage extends Usage {
  readonly projectId: string;
  /** The beginning of the day in UTC; milliseconds since the epoch. */
  readonly day: number;
}

export const dayMs = 86_400_000;
/** A year and a month, so that a bill can be compared with the one a year before. */
export const usageKeptMs = 400 * dayMs;

/** The beginning of the UTC day in which the moment lies. */
export const dayOf = (ms: number): number => Math.floor(ms / dayMs) * dayMs;
/** `2026-01-31`. */
export const dayText = (day: number): string => new Date(day).toISOString().slice(0, 10);

/** Of a text such as `2026-01-31`; `undefined` when there is no such day. */
export function parseDay(text: string): number | undefined {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(day) || dayText(day) !== text ? undefined : day;
}
