import type { SeriesBatch } from '../formats/series-batch.js';
import type { LiveWrite } from '../storage/store.js';

/**
 * Ends the living series that have the name and the labels of these of the batch, and `le` beside them, as far as they are
 * not newer: who says that a histogram has ended need not know its buckets.
 */
export function endBuckets(batch: SeriesBatch, indices: readonly number[], { table, record }: LiveWrite): void {
  /** Of what is there twice, the newest counts. */
  const ended = new Map<string, { ids: Uint32Array; time: number }>();
  for (const index of indices) {
    const ids = table.lookUpIds(batch, index);
    if (ids === undefined) continue;
    const key = ids.join();
    const time = Math.max(batch.times[index]!, ended.get(key)?.time ?? Number.NEGATIVE_INFINITY);
    ended.set(key, { ids, time });
  }
  for (const { ids, time } of ended.values()) {
    for (const series of table.bucketsOf(ids)) {
      if (table.isLiving(series) && time >= table.times[series]!) record.end(series, time);
    }
  }
}
