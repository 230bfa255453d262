import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import type { Metadata } from '../formats/series-batch.js';
import { mostDescriptions, type SeriesTable } from '../storage/live/series-table.js';

/** Sample names of families that are not named like their samples. */
const suffix = /_(bucket|sum|count|gsum|gcount|total|info)$/;

/** What an endpoint has been told: all that was known of the first series of a table. */
interface Told {
  /** That of the table: another one may have been made without descriptions. */
  readonly serial: number;
  readonly version: number;
  readonly series: number;
}

/** What an endpoint has not been told yet, to be noted when it is on disk. */
export interface News extends Told {
  readonly metadata: readonly Metadata[];
}

/**
 * What a stream for all customers says of metrics. It says so by name alone and not for each customer: an endpoint is
 * told of the metrics that it has, and of no others.
 */
export class Descriptions {
  private readonly byName = new LRUCache<string, Metadata>(atMost(mostDescriptions));
  private readonly told = new LRUCache<number, Told>(atMost(100_000));
  private version = 0;

  learn(metadata: readonly Metadata[]): void {
    for (const each of metadata) {
      const before = this.byName.get(each.name);
      if (before?.type === each.type && before.help === each.help && before.unit === each.unit) continue;
      this.byName.set(each.name, each);
      this.version++;
    }
  }

  /** Of metrics that the endpoint has; `undefined` when it has been told of all. */
  newsFor(endpointId: number, table: SeriesTable): News | undefined {
    const { version } = this;
    const { serial, count } = table;
    const told = this.told.get(endpointId);
    const isSame = told?.version === version && told.serial === serial;
    if (isSame && told.series === count) return undefined;
    const seen = new Set<number>();
    const metadata: Metadata[] = [];
    for (let series = isSame ? told.series : 0; series < count; series++) {
      const id = table.ids[table.firsts[series]!]!;
      if (seen.has(id)) continue;
      seen.add(id);
      const name = table.pairs.text(id).toString('latin1');
      for (const family of new Set([name, name.replace(suffix, '')])) {
        const said = this.byName.get(family);
        if (said !== undefined) metadata.push(said);
      }
    }
    return { serial, version, series: count, metadata };
  }

  noteTold(endpointId: number, { serial, version, series }: News): void {
    this.told.set(endpointId, { serial, version, series });
  }
}
