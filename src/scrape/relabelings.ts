import { LRUCache } from 'lru-cache';
import { instanceLabel, type MetricsEndpoint, reservedMetricPrefix } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { isRelabeled } from '../domain/relabel.js';
import { type Steps, within } from '../domain/turns.js';
import type { PagePart } from '../formats/page.js';
import { Outcomes } from '../formats/relabel/outcome.js';
import { type RelabelCounts, relabelParts } from '../formats/relabel/parts.js';

export type Relabeled = { readonly parts: readonly PagePart[]; readonly counts: RelabelCounts };

/** What is remembered of all endpoints together, in series. */
const mostSeries = 200_000;
/** What was worked out is remembered, so that the next attempt gets further. */
const longestMs = 1000;

/** What the rules of an endpoint make of its series; each label set is looked at once, not at every rendering. */
export class Relabelings {
  private readonly outcomes = new LRUCache<string, Outcomes>({
    maxSize: mostSeries,
    sizeCalculation: ({ size }) => size + 1,
  });

  /** `undefined` for an endpoint without rules. Throws `unavailable` when it takes too long. */
  *apply(endpoint: MetricsEndpoint, parts: readonly PagePart[]): Steps<Relabeled | undefined> {
    if (!isRelabeled(endpoint)) return undefined;
    const key = `${endpoint.id}.${endpoint.version}`;
    const outcomes = this.outcomes.get(key) ?? outcomesOf(endpoint);
    try {
      return yield* within(longestMs, relabelParts(parts, endpoint, outcomes), () => tooLong(endpoint));
    } finally {
      outcomes.rest();
      // The cache asks for a size only when an entry is new to it.
      this.outcomes.delete(key);
      this.outcomes.set(key, outcomes);
    }
  }
}

export const outcomesOf = (endpoint: MetricsEndpoint): Outcomes =>
  new Outcomes(endpoint, { ours: [[instanceLabel, endpoint.metricsId]], reservedPrefix: reservedMetricPrefix });

function tooLong({ metricsId }: MetricsEndpoint): WeirError {
  const sentence = `The relabeling of endpoint "${metricsId}" takes too long; its rules need simpler expressions.`;
  return new WeirError('unavailable', sentence, { retryAfterSeconds: 5 });
}
