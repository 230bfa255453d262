import type { Steps } from '../../domain/turns.js';
import type { FamilyHeader, FamilyType } from '../../formats/family.js';
import { canonicalNumber, isDecimalNumber } from '../../formats/syntax.js';
import type { LiveMoment } from './series-table.js';

/** A family of live series as a page shows it. */
export interface LiveFamily {
  readonly header: FamilyHeader;
  /** In the order of the page: those of one metric side by side, buckets rising. */
  readonly series: Uint32Array;
  /** By id, the pairs a page spells otherwise: `le` and `quantile`. */
  readonly bounds: ReadonlyMap<number, Buffer>;
  /** At most so many bytes are the names and labels of all of them, each with what separates it from the next. */
  readonly labelBytes: number;
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
export function* familiesOf(moment: LiveMoment): Steps<LiveFamily[]> {
  const { count, seen, ids, firsts, pairs, descriptions } = moment;
  const byName = new Map<number, number[]>();
  for (let series = 0; series < count; series++) {
    if ((series & 0x3ff) === 0) yield;
    if (seen[series] === 0) continue;
    const name = ids[firsts[series]!]!;
    const list = byName.get(name);
    if (list === undefined) byName.set(name, [series]);
    else list.push(series);
  }
  const members = new Map<string, { header: FamilyHeader; parts: { suffix: string; series: number[] }[] }>();
  for (const [id, series] of byName) {
    const { header, suffix } = roleOf(pairs.text(id).toString('latin1'), descriptions);
    const family = members.get(header.name);
    if (family === undefined) members.set(header.name, { header, parts: [{ suffix, series }] });
    else family.parts.push({ suffix, series });
  }
  const families: LiveFamily[] = [];
  for (const { header, parts } of members.values()) {
    const shape = shapes[header.type];
    const compound = shape && (yield* compoundFamily(moment, header, parts, shape));
    if (compound !== undefined) families.push(compound);
    else if (shape === undefined) families.push(yield* familyOf(moment, header, parts[0]!.series));
    // It is not what was said of it: each sample name by itself.
    else {
      for (const { suffix, series } of parts) {
        families.push(yield* familyOf(moment, { name: header.name + suffix, type: 'untyped' }, series));
      }
    }
  }
  return families;
}

function* familyOf(
  { ids, firsts, pairs }: LiveMoment,
  header: FamilyHeader,
  series: readonly number[],
  bounds: LiveFamily['bounds'] = new Map(),
): Steps<LiveFamily> {
  let labelBytes = 0;
  for (let index = 0; index < series.length; index++) {
    if ((index & 0xff) === 0) yield;
    const each = series[index]!;
    const end = firsts[each + 1]!;
    for (let i = firsts[each]!; i < end; i++) {
      const id = ids[i]!;
      labelBytes += Math.max(pairs.length(id), bounds.get(id)?.length ?? 0) + 1;
    }
  }
  return { header, series: Uint32Array.from(series), bounds, labelBytes };
}

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
function* compoundFamily(
  moment: LiveMoment,
  header: FamilyHeader,
  parts: readonly { suffix: string; series: number[] }[],
  { bound: label, order }: { bound: string; order: readonly string[] },
): Steps<LiveFamily | undefined> {
  const { ids, firsts, pairs } = moment;
  const bounds = new Map<number, Buffer>();
  const values = new Map<number, number>();
  const metrics = new Map<string, number>();
  const members: (Member & { metricOrder: number })[] = [];
  for (const { suffix, series } of parts) {
    const part = order.indexOf(suffix);
    for (const each of series) {
      if ((members.length & 0xff) === 0) yield;
      let bound = Number.NaN;
      const others: number[] = [];
      for (const id of ids.subarray(firsts[each]! + 1, firsts[each + 1]!)) {
        if (pairs.nameLength(id) !== label.length || pairs.name(id) !== label) {
          others.push(id);
          continue;
        }
        if (!values.has(id)) {
          const value = numberOf(pairs.text(id).toString('latin1', label.length + 2, pairs.length(id) - 1));
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
  return yield* familyOf(moment, header, withoutTwins(moment, members), bounds);
}

/** `le="1"` and `le="1.0"` are one series on a page: the one that came last counts. */
function withoutTwins({ seen }: LiveMoment, members: readonly (Member & { metricOrder: number })[]): number[] {
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
    } else if (seen[member.series]! > seen[before!.series]!) {
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
  return isDecimalNumber(text) ? Number(text) : Number.NaN;
}
