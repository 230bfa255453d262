import type { FamilyHeader, FamilyType } from '../../formats/family.js';
import { canonicalNumber } from '../../formats/syntax.js';
import type { SeriesTable } from './series-table.js';

/** A family of live series as a page shows it. */
export interface LiveFamily {
  readonly header: FamilyHeader;
  /** In the order of the page: those of one metric side by side, buckets rising. */
  readonly series: Uint32Array;
  /** By id, the pairs a page spells otherwise: `le` and `quantile`. */
  readonly bounds: ReadonlyMap<number, Buffer>;
}

/** How the samples of a type are named, by suffix, and the label that tells those of one metric apart. */
const shapes: Partial<Record<FamilyType, { bound: string; order: readonly string[] }>> = {
  histogram: { bound: 'le', order: ['', '_bucket', '_sum', '_count'] },
  gaugehistogram: { bound: 'le', order: ['_bucket', '_gsum', '_gcount'] },
  summary: { bound: 'quantile', order: ['', '_sum', '_count'] },
};

interface Role {
  readonly header: FamilyHeader;
  readonly suffix: string;
}

/** Sorts the living series into families, by what producers said of them. What nobody spoke of is untyped. */
export function familiesOf(table: SeriesTable): LiveFamily[] {
  const byName = new Map<number, number[]>();
  for (let series = 0; series < table.count; series++) {
    if (!table.isLiving(series)) continue;
    const name = table.ids[table.firsts[series]!]!;
    const list = byName.get(name);
    if (list === undefined) byName.set(name, [series]);
    else list.push(series);
  }
  const members = new Map<string, { header: FamilyHeader; parts: { suffix: string; series: number[] }[] }>();
  for (const [id, series] of byName) {
    const { header, suffix } = roleOf(table.pairs.text(id).toString('latin1'), table.descriptions);
    const family = members.get(header.name);
    if (family === undefined) members.set(header.name, { header, parts: [{ suffix, series }] });
    else family.parts.push({ suffix, series });
  }
  return [...members.values()].flatMap(({ header, parts }) => {
    const shape = shapes[header.type];
    if (shape === undefined) return [plainFamily(header, parts[0]!.series)];
    return compoundFamily(table, header, parts, shape) ?? parts.map((part) => untyped(header, part));
  });
}

const plainFamily = (header: FamilyHeader, series: readonly number[]): LiveFamily => ({
  header,
  series: Uint32Array.from(series),
  bounds: new Map(),
});

/** A family that is not what was said of it: each sample name by itself. */
const untyped = ({ name }: FamilyHeader, { suffix, series }: { suffix: string; series: number[] }): LiveFamily =>
  plainFamily({ name: name + suffix, type: 'untyped' }, series);

function roleOf(name: string, descriptions: ReadonlyMap<string, FamilyHeader>): Role {
  const own = descriptions.get(name);
  if (own !== undefined) return { header: own, suffix: '' };
  for (const [type, { order }] of Object.entries(shapes)) {
    for (const suffix of order) {
      if (suffix === '' || !name.endsWith(suffix)) continue;
      const header = descriptions.get(name.slice(0, -suffix.length));
      if (header?.type === type) return { header, suffix };
    }
  }
  // OpenMetrics describes `x_total` as `x`, `x_info` likewise; a page names them as the text format does.
  for (const [type, suffix] of [
    ['counter', '_total'],
    ['info', '_info'],
  ] as const) {
    const header = name.endsWith(suffix) ? descriptions.get(name.slice(0, -suffix.length)) : undefined;
    if (header?.type === type) return { header: { ...header, name }, suffix: '' };
  }
  return { header: { name, type: 'untyped' }, suffix: '' };
}

interface Member {
  readonly series: number;
  readonly metric: string;
  readonly part: number;
  readonly bound: number;
}

/** `undefined` when a sample lacks its bound, or has one that is no number: readers of the formats insist. */
function compoundFamily(
  table: SeriesTable,
  header: FamilyHeader,
  parts: readonly { suffix: string; series: number[] }[],
  { bound: label, order }: { bound: string; order: readonly string[] },
): LiveFamily | undefined {
  const bounds = new Map<number, Buffer>();
  const values = new Map<number, number>();
  const metrics = new Map<string, number>();
  const members: (Member & { metricOrder: number })[] = [];
  for (const { suffix, series } of parts) {
    const part = order.indexOf(suffix);
    for (const each of series) {
      let bound = Number.NaN;
      const others: number[] = [];
      for (const id of table.idsOf(each).subarray(1)) {
        if (table.pairs.nameLength(id) !== label.length || table.pairs.name(id) !== label) {
          others.push(id);
          continue;
        }
        if (!values.has(id)) {
          const value = numberOf(table.pairs.text(id).toString('latin1', label.length + 2, table.pairs.length(id) - 1));
          values.set(id, value);
          bounds.set(id, Buffer.from(`${label}="${canonicalNumber(value)}"`));
        }
        bound = values.get(id)!;
        if (Number.isNaN(bound)) return undefined;
      }
      if (suffix === '_bucket' && Number.isNaN(bound)) return undefined;
      const metric = others.join(',');
      const metricOrder = metrics.get(metric) ?? metrics.size;
      metrics.set(metric, metricOrder);
      members.push({ series: each, metric, part, bound, metricOrder });
    }
  }
  const boundOrder = (a: number, b: number): number => (a === b || Number.isNaN(a) ? 0 : a - b);
  members.sort((a, b) => a.metricOrder - b.metricOrder || a.part - b.part || boundOrder(a.bound, b.bound));
  return { header, series: Uint32Array.from(withoutTwins(table, members)), bounds };
}

/** `le="1"` and `le="1.0"` are one series on a page: the one that came last counts. */
function withoutTwins(table: SeriesTable, members: readonly (Member & { metricOrder: number })[]): number[] {
  const kept: number[] = [];
  let before: (Member & { metricOrder: number }) | undefined;
  for (const member of members) {
    const isTwin =
      before !== undefined &&
      before.metricOrder === member.metricOrder &&
      before.part === member.part &&
      (before.bound === member.bound || Number.isNaN(member.bound));
    if (!isTwin) {
      kept.push(member.series);
      before = member;
    } else if (table.seen[member.series]! > table.seen[before!.series]!) {
      kept[kept.length - 1] = member.series;
      before = member;
    }
  }
  return kept;
}

/** As Go's ParseFloat takes it in a label, of which producers use the plain forms. */
function numberOf(text: string): number {
  if (/^[+-]?inf(inity)?$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}
