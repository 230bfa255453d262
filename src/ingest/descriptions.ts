import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import type { Metadata } from '../formats/series-batch.js';
import { mostDescriptions, type SeriesTable } from '../storage/live/series-table.js';

/** Sample names of families that are not named like their samples. */
const suffix = /_(bucket|sum|count|gsum|gcount|total|info)$/;

/**
 * What a stream for all customers says of metrics. It says so by name alone and not for each customer: an endpoint is
 * told of the metrics that it has, and of no others.
 */
export class Descriptions {
  private readonly byName = new LRUCache<string, Metadata>(atMost(mostDescriptions));
  /** By endpoint, what it was told when it had how many series. */
  private readonly told = new LRUCache<number, { version: number; series: number }>(atMost(100_000));
  private version = 0;

  learn(metadata: readonly Metadata[]): void {
    for (const each of metadata) {
      const before = this.byName.get(each.name);
      if (before?.type === each.type && before.help === each.help && before.unit === each.unit) continue;
      this.byName.set(each.name, each);
      this.version++;
    }
  }

  /** What the endpoint has not been told yet, of metrics that it has. */
  newsFor(endpointId: number, table: SeriesTable): Metadata[] {
    const told = this.told.get(endpointId);
    // A table that was folded has other numbers, and fewer of them.
    if (told?.version === this.version && told.series === table.count) return [];
    const from = told?.version === this.version && told.series < table.count ? told.series : 0;
    this.told.set(endpointId, { version: this.version, series: table.count });
    const seen = new Set<number>();
    const news: Metadata[] = [];
    for (let series = from; series < table.count; series++) {
      const id = table.ids[table.firsts[series]!]!;
      if (seen.has(id)) continue;
      seen.add(id);
      const name = table.pairs.text(id).toString('latin1');
      for (const family of new Set([name, name.replace(suffix, '')])) {
        const metadata = this.byName.get(family);
        if (metadata !== undefined) news.push(metadata);
      }
    }
    return news;
  }
}
