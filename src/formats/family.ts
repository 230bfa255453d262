/** A metric type as the two text formats know them; `untyped` is OpenMetrics' `unknown`. */
export type FamilyType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'summary'
  | 'untyped'
  | 'info'
  | 'stateset'
  | 'gaugehistogram';

/** What is said once for all series of a family. The name is the one the text format uses (`foo_total`, `x_info`). */
export interface FamilyHeader {
  readonly name: string;
  readonly type: FamilyType;
  /** Unescaped. */
  readonly help?: string;
  /** OpenMetrics only. */
  readonly unit?: string;
}

/** One family within an `Exposition`: its sample lines are `first` (inclusive) to `last` (exclusive). */
export interface Family {
  readonly header: FamilyHeader;
  readonly first: number;
  readonly last: number;
  /** Whether any of the lines carries an exemplar (which text 0.0.4 cannot). */
  readonly exemplars: boolean;
}

/**
 * The canonical form of what one producer pushed: every sample line as a page serves it,
 * `name{pushed labels,labels of ours} value[ # exemplar]\n` in UTF-8, the lines of a family side by side.
 * `le` and `quantile` are spelled as OpenMetrics demands, so that a series has one identity in both formats.
 * Immutable once made: pages, templates for the next push and storage share it.
 */
export interface Exposition {
  readonly families: readonly Family[];
  readonly bytes: Buffer;
  /** Where each line starts, and at the end where the last one ends: one entry more than there are series. */
  readonly lines: Uint32Array;
}

export const seriesCount = (exposition: Exposition): number => exposition.lines.length - 1;

/** What a group counts towards limits. One without series is kept, too, and has a line of its own on the page. */
export const countedSeries = (exposition: Exposition): number => Math.max(1, seriesCount(exposition));

export const emptyExposition: Exposition = { families: [], bytes: Buffer.alloc(0), lines: new Uint32Array(1) };

/** The sample lines of one family, as bytes. */
export const familyBytes = (exposition: Exposition, family: Family): Buffer =>
  exposition.bytes.subarray(exposition.lines[family.first]!, exposition.lines[family.last]!);

/** Finds the line starts again, for bytes that come back from storage. */
export function indexLines(bytes: Buffer, count: number): Uint32Array {
  const lines = new Uint32Array(count + 1);
  let at = 0;
  for (let line = 1; line <= count; line++) {
    at = bytes.indexOf(10, at) + 1;
    if (at === 0) throw new Error(`stored group holds fewer than ${count} lines`);
    lines[line] = at;
  }
  if (at !== bytes.length) throw new Error(`stored group holds more than ${count} lines`);
  return lines;
}

/** One exposition from families of several, in that order. */
export function concatFamilies(parts: readonly { exposition: Exposition; family: Family }[]): Exposition {
  const families: Family[] = [];
  const chunks: Buffer[] = [];
  const starts: number[] = [0];
  let length = 0;
  for (const { exposition, family } of parts) {
    const offset = length - exposition.lines[family.first]!;
    const first = starts.length - 1;
    for (let line = family.first; line < family.last; line++) starts.push(exposition.lines[line + 1]! + offset);
    families.push({ ...family, first, last: starts.length - 1 });
    chunks.push(familyBytes(exposition, family));
    length = starts[starts.length - 1]!;
  }
  return { families, bytes: Buffer.concat(chunks, length), lines: Uint32Array.from(starts) };
}

/** The names samples of a family have in the text format; `undefined` for types it does not know. */
export function textSampleNames({ name, type }: FamilyHeader): readonly string[] | undefined {
  if (type === 'counter' || type === 'gauge' || type === 'untyped') return [name];
  if (type === 'histogram') return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
  return type === 'summary' ? [name, `${name}_sum`, `${name}_count`] : undefined;
}

/** Whether two expositions have the same families with as many lines each. */
export function sameFamilies(a: readonly Family[], b: readonly Family[]): boolean {
  return a === b || (a.length === b.length && a.every((family, i) => sameFamily(family, b[i]!)));
}

function sameFamily(a: Family, b: Family): boolean {
  const [x, y] = [a.header, b.header];
  if (a.last !== b.last || a.exemplars !== b.exemplars) return false;
  return x === y || (x.name === y.name && x.type === y.type && x.help === y.help && x.unit === y.unit);
}
