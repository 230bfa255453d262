import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';

/** Why series were refused: by which limit, or because they cannot be. */
export const refusalReasons = ['series', 'series_per_metric', 'invalid'] as const;
export type RefusalReason = (typeof refusalReasons)[number];

export type Refused = Readonly<Record<RefusalReason, number>>;

/** Series that were refused since the start, by endpoint, each time they came. In memory only: what is wrong goes on. */
export class Refusals {
  private readonly counts = new LRUCache<number, Record<RefusalReason, number>>(atMost(10_000));

  count(endpointId: number, reason: RefusalReason, series: number): void {
    let counts = this.counts.get(endpointId);
    if (counts === undefined) {
      counts = { series: 0, series_per_metric: 0, invalid: 0 };
      this.counts.set(endpointId, counts);
    }
    counts[reason] += series;
  }

  /** `undefined` when there were none. */
  of(endpointId: number): Refused | undefined {
    return this.counts.get(endpointId);
  }
}
