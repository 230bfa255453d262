import { isRelabeled } from '../domain/relabel.js';
import type { Steps } from '../domain/turns.js';
import type { PagePart } from '../formats/page.js';
import type { RelabelCounts } from '../formats/relabel/parts.js';
import { type OwnSeriesOf, ownSeries } from './own-series.js';
import type { Relabelings } from './relabelings.js';

export interface Assembly {
  /** What the gateway says itself comes first. */
  readonly parts: PagePart[];
  /** By endpoint id, of those with rules. */
  readonly relabeled: ReadonlyMap<number, RelabelCounts>;
}

/** What a page is made of: the groups of a snapshot, in its order, relabeled where the endpoint wants it. */
export function* assemble(of: Omit<OwnSeriesOf, 'relabeled'>, relabelings: Relabelings): Steps<Assembly> {
  const { endpoints, groups } = of;
  const timestamped = new Set(endpoints.filter(({ timestamps }) => timestamps).map(({ id }) => id));
  const ruled = new Map(endpoints.filter(isRelabeled).map((endpoint) => [endpoint.id, endpoint]));
  const relabeled = new Map<number, RelabelCounts>();
  const parts: PagePart[] = [];
  for (let at = 0; at < groups.length; ) {
    const { endpointId } = groups[at]!;
    const ofEndpoint: PagePart[] = [];
    for (; groups[at]?.endpointId === endpointId; at++) {
      const { exposition, pushedAt, times } = groups[at]!;
      ofEndpoint.push(timestamped.has(endpointId) ? { exposition, timestampMs: pushedAt, times } : { exposition });
    }
    const endpoint = ruled.get(endpointId);
    const result = endpoint && (yield* relabelings.apply(endpoint, ofEndpoint));
    if (result === undefined) parts.push(...ofEndpoint);
    else {
      parts.push(...result.parts);
      relabeled.set(endpointId, result.counts);
    }
  }
  return { parts: [ownSeries({ ...of, relabeled }), ...parts], relabeled };
}
