import { type RequestTag, requestTags, type Subscription } from '../../domain/stream.js';
import type { TakenRequests } from '../../telemetry/api-requests.js';
import type { Labels, Metric, Point, Window } from '../window.js';

export const requestMetric = 'weir.api_request.count';

/** By tags: how many there were in all since when, and when the last came. Times in milliseconds. */
export type RequestState = Readonly<Record<string, readonly [total: number, start: number, lastAt: number]>>;

/** A series that nothing was added to for so long ends. */
const idleMs = 3_600_000;
const repeatMs = 60_000;

/**
 * Counts per second and tags, as the subscription wants them. Once a minute series
 * without a request say so, at the end of the window, so that what a destination keeps of them does not run dry.
 */
export function collectRequests(
  taken: readonly TakenRequests[],
  before: RequestState,
  { projectId, from, to, subscription }: { projectId: string; from: number; to: number; subscription: Subscription },
): { window: Window; state: RequestState } {
  const bySeries = new Map<string, Map<number, number>>();
  for (const { tags, seconds } of taken) {
    const key = JSON.stringify(wantedTags({ tenant: projectId, ...tags }, subscription));
    const counts = bySeries.get(key) ?? new Map<number, number>();
    bySeries.set(key, counts);
    for (const [second, count] of seconds) counts.set(second, (counts.get(second) ?? 0) + count);
  }
  const state: Record<string, readonly [number, number, number]> = {};
  const points: Point[] = [];
  const gone: { name: string; labels: Labels }[] = [];
  for (const [key, counts] of bySeries) {
    const labels = JSON.parse(key) as Labels;
    const seconds = [...counts].sort(([a], [b]) => a - b);
    let [total, start, lastAt] = before[key] ?? [0, seconds[0]![0] * 1000, 0];
    for (const [second, count] of seconds) {
      total += count;
      // A second is said once: after a quick restart or a clock that was set back, the next one takes its place.
      const at = Math.max(second * 1000, lastAt);
      lastAt = at + 1000;
      points.push({ name: requestMetric, labels, time: lastAt, from: at, start, value: total, delta: count });
    }
    state[key] = [total, start, lastAt];
  }
  // Often enough for Prometheus, which forgets a series after five minutes.
  const repeats = Math.floor(to / repeatMs) > Math.floor(from / repeatMs);
  for (const [key, [total, start, lastAt]] of Object.entries(before)) {
    if (bySeries.has(key)) continue;
    const labels = JSON.parse(key) as Labels;
    if (to - lastAt >= idleMs) {
      gone.push({ name: requestMetric, labels });
      continue;
    }
    state[key] = [total, start, lastAt];
    if (repeats && lastAt <= from) {
      points.push({ name: requestMetric, labels, time: to, from, start, value: total, delta: 0 });
    }
  }
  const metrics: Metric[] =
    points.length === 0 ? [] : [{ name: requestMetric, type: 'counter', help: 'Requests to the gateway.', points }];
  return { window: { kind: 'api_request.count', projectId, from, to, metrics, gone }, state };
}

/** The tags the subscription wants, in a fixed order. */
export function wantedTags(
  tags: Partial<Record<RequestTag, string>>,
  { includeTags, excludeTags }: Pick<Subscription, 'includeTags' | 'excludeTags'>,
): [string, string][] {
  const wanted = (tag: RequestTag): boolean =>
    tags[tag] !== undefined && (includeTags?.includes(tag) ?? true) && !excludeTags.includes(tag);
  return requestTags.filter(wanted).map((tag) => [tag, tags[tag]!]);
}
