import { BatchWriter } from '../../formats/otlp/batch-writer.js';
import { type Part, partRoom } from '../../formats/routes.js';
import { change, SeriesBatch } from '../../formats/series-batch.js';
import type { StatsdKind } from '../../formats/statsd-lines.js';
import { canonicalNumber } from '../../formats/syntax.js';
import { type Gathered, isBucketed } from './window.js';

const familyTypes = {
  counter: 'counter',
  gauge: 'gauge',
  set: 'gauge',
  timer: 'histogram',
  histogram: 'histogram',
} as const;

/** What was gathered for one endpoint. */
export interface StatsdPart extends Part {
  /** By point, of how many values it is made. */
  readonly values: readonly number[];
}

/** As series of Prometheus, by endpoint. What grows is added to what the endpoint has: nobody else needs to know the total. */
export function statsdParts(
  gathered: readonly Gathered[],
  boundsOf: (kind: StatsdKind) => readonly number[],
  now: number,
): StatsdPart[] {
  const byEndpoint = new Map<string, Gathered[]>();
  for (const each of gathered) {
    const key = JSON.stringify([each.series.project, each.series.endpoint]);
    const list = byEndpoint.get(key);
    if (list === undefined) byEndpoint.set(key, [each]);
    else list.push(each);
  }
  return [...byEndpoint.values()].map((list) => {
    const { project, endpoint } = list[0]!.series;
    const batch = new SeriesBatch(partRoom);
    const writer = new BatchWriter(batch);
    const described = new Set<string>();
    for (const each of list) {
      const { name, kind } = each.series;
      if (!described.has(name)) {
        described.add(name);
        batch.metadata.push({ name, type: familyTypes[kind], help: '', unit: '' });
      }
      writeSeries(writer, each, boundsOf(kind), now);
    }
    writer.end();
    return { project, endpoint, batch, values: list.map(({ values }) => values) };
  });
}

function writeSeries(writer: BatchWriter, each: Gathered, bounds: readonly number[], now: number): void {
  const { name, kind, labels } = each.series;
  writer.beginPoint();
  if (!isBucketed(kind)) {
    const grows = kind === 'counter' || (kind === 'gauge' && !each.isSet);
    const value = kind === 'set' ? each.members.size : each.sum;
    writer.series(name, labels, grows ? change.grow : change.set, value, now, 0, true);
    return;
  }
  const grow = (suffix: string, value: number, isCounted: boolean, le?: string): void => {
    const all: [string, string][] = le === undefined ? labels : [...labels, ['le', le]];
    writer.series(name + suffix, all, change.grow, value, now, 0, isCounted);
  };
  let count = 0;
  bounds.forEach((bound, i) => {
    count += each.counts[i]!;
    grow('_bucket', count, false, canonicalNumber(bound));
  });
  count += each.counts[bounds.length]!;
  grow('_bucket', count, false, '+Inf');
  grow('_sum', each.sum, false);
  grow('_count', count, true);
}
