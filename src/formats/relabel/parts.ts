import type { Relabeling } from '../../domain/relabel.js';
import type { Steps } from '../../domain/turns.js';
import type { Exposition, Family, FamilyHeader } from '../family.js';
import type { PagePart } from '../page.js';
import { labelSetEnd, readLabels } from '../syntax.js';
import { identityOf, isServed, type Outcomes, type Served } from './outcome.js';

/** What became of the series of an endpoint. */
export interface RelabelCounts {
  /** There were. */
  readonly series: number;
  /** Are served under other labels or another name. */
  readonly changed: number;
  /** Are not, by why: a rule or a dropped metric; equal to one before it; a name or label that cannot be. */
  readonly leftOut: Readonly<Record<LeftOutReason, number>>;
}
export const leftOutReasons = ['rule', 'duplicate', 'invalid'] as const;
export type LeftOutReason = (typeof leftOutReasons)[number];

interface Line {
  readonly line: number;
  readonly outcome: Served;
}

type Tally = { series: number; changed: number; leftOut: Record<LeftOutReason, number> };

/**
 * The parts of one endpoint's page after relabeling, each series by itself as Prometheus does it, in the order they are
 * given. Of series that become equal the first is served; of a histogram or summary that meets another, nothing, so that no
 * metric is made of two.
 */
export function* relabelParts(
  parts: readonly PagePart[],
  { droppedMetrics }: Pick<Relabeling, 'droppedMetrics'>,
  outcomes: Outcomes,
): Steps<{ parts: PagePart[]; counts: RelabelCounts }> {
  const counts: Tally = { series: 0, changed: 0, leftOut: { rule: 0, duplicate: 0, invalid: 0 } };
  const dropped = new Set(droppedMetrics);
  const looked: LookedAt[][] = [];
  for (const part of parts) looked.push(yield* lookAt(part, dropped, outcomes, counts));
  // Only what bears a name that a changed series has now can be equal to it.
  const names = new Set<string>();
  for (const families of looked) {
    for (const { lines } of families)
      for (const { outcome } of lines) if (outcome.kind === 'changed') names.add(outcome.name);
  }
  const seen = new Seen(names, counts);
  const relabeled: PagePart[] = [];
  for (const [index, part] of parts.entries()) {
    const written = yield* write(part, looked[index]!, seen);
    if (written.exposition.families.length > 0) relabeled.push(written);
  }
  return { parts: relabeled, counts };
}

interface LookedAt {
  readonly family: Family;
  /** Those that stay. */
  readonly lines: readonly Line[];
}

function* lookAt(
  { exposition }: PagePart,
  dropped: ReadonlySet<string>,
  outcomes: Outcomes,
  counts: Tally,
): Steps<LookedAt[]> {
  const { bytes, lines: starts } = exposition;
  const looked: LookedAt[] = [];
  for (const family of exposition.families) {
    counts.series += family.last - family.first;
    const lines: Line[] = [];
    looked.push({ family, lines });
    if (dropped.has(family.header.name)) {
      counts.leftOut.rule += family.last - family.first;
      continue;
    }
    for (let line = family.first; line < family.last; line++) {
      if ((line & 0x3f) === 0) yield;
      const start = starts[line]!;
      const outcome = outcomes.of(bytes.toString('utf8', start, labelSetEnd(bytes, start)));
      if (isServed(outcome)) lines.push({ line, outcome });
      else counts.leftOut[outcome.kind]++;
    }
  }
  return looked;
}

/** The series that are on the page already, of those that others may be equal to. */
class Seen {
  private readonly names: ReadonlySet<string>;
  private readonly counts: Tally;
  private readonly identities = new Set<string>();

  constructor(names: ReadonlySet<string>, counts: Tally) {
    this.names = names;
    this.counts = counts;
  }

  concerns({ outcome }: Line): boolean {
    return this.names.has(outcome.name);
  }

  /** The lines, unless one of them is there already: then all of them are left out. */
  take(lines: readonly Line[]): readonly Line[] {
    const identities = lines.filter((line) => this.concerns(line)).map(({ outcome }) => identityOf(outcome.series));
    if (new Set(identities).size < identities.length || identities.some((identity) => this.identities.has(identity))) {
      this.counts.leftOut.duplicate += lines.length;
      return [];
    }
    for (const identity of identities) this.identities.add(identity);
    for (const { outcome } of lines) if (outcome.kind === 'changed') this.counts.changed++;
    return lines;
  }
}

function* write(part: PagePart, looked: readonly LookedAt[], seen: Seen): Steps<PagePart> {
  const isUntouched = looked.every(
    ({ family, lines }) =>
      lines.length === family.last - family.first &&
      lines.every((line) => line.outcome.kind === 'same' && !seen.concerns(line)),
  );
  if (isUntouched) return part;
  const { exposition, times } = part;
  const writer = new Writer(exposition);
  for (const { family, lines } of looked) {
    for (const [header, ofTarget] of byTarget(exposition, family.header, lines)) {
      const taken: Line[] = [];
      let looked = 0;
      for (const metric of metricsOf(exposition, header, ofTarget)) {
        if ((looked++ & 0x3f) === 0) yield;
        taken.push(...seen.take(metric));
      }
      yield* writer.add({ ...family, header }, taken);
    }
  }
  const written = { ...part, exposition: writer.exposition() };
  return times === undefined ? written : { ...written, times: Float64Array.from(writer.from, (line) => times[line]!) };
}

const isCompound = ({ type }: FamilyHeader): boolean =>
  type === 'histogram' || type === 'gaugehistogram' || type === 'summary';

/**
 * The lines by the family they are of now. What was part of a histogram or summary stays one under a name with the same
 * ending, with its bound; else it is a series by itself, of no type.
 */
function byTarget({ bytes, lines: starts }: Exposition, header: FamilyHeader, lines: readonly Line[]) {
  const targetOf = ({ line, outcome: { kind, name, bound } }: Line): FamilyHeader => {
    if (kind === 'same') return header;
    if (!isCompound(header)) return { ...header, name };
    const start = starts[line]!;
    const ending = bytes.toString('latin1', start, bytes.indexOf(0x7b, start)).slice(header.name.length);
    const base = name.slice(0, name.length - ending.length);
    return bound && base !== '' && name.endsWith(ending) ? { ...header, name: base } : { name, type: 'untyped' };
  };
  const targets = new Map<string, [FamilyHeader, Line[]]>();
  for (const line of lines) {
    const target = targetOf(line);
    const key = `${target.type} ${target.name}`;
    const there = targets.get(key);
    if (there === undefined) targets.set(key, [target, [line]]);
    else there[1].push(line);
  }
  return targets.values();
}

/** Lines that are only served together: those that were one metric before. */
function* metricsOf(exposition: Exposition, header: FamilyHeader, lines: readonly Line[]): Generator<readonly Line[]> {
  if (!isCompound(header)) {
    for (const line of lines) yield [line];
    return;
  }
  let current: Line[] = [];
  let key = '';
  for (const line of lines) {
    const next = metricOf(exposition, line);
    if (next !== key && current.length > 0) {
      yield current;
      current = [];
    }
    key = next;
    current.push(line);
  }
  if (current.length > 0) yield current;
}

function metricOf({ bytes, lines }: Exposition, { line }: Line): string {
  const start = bytes.indexOf(0x7b, lines[line]!) + 1;
  const labels = readLabels(bytes.toString('utf8', start, labelSetEnd(bytes, lines[line]!) - 1));
  const others = labels.filter(([name, value]) => name !== 'le' && name !== 'quantile' && value !== '');
  return JSON.stringify(others.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Puts lines of one exposition into another. */
class Writer {
  /** By line, which one it was. */
  readonly from: number[] = [];
  private readonly source: Exposition;
  private readonly families: Family[] = [];
  private readonly chunks: Buffer[] = [];
  private readonly starts: number[] = [0];
  private length = 0;

  constructor(source: Exposition) {
    this.source = source;
  }

  *add(family: Family, lines: readonly Line[]): Steps<void> {
    if (lines.length === 0) return;
    const { bytes, lines: starts } = this.source;
    const first = this.from.length;
    for (const { line, outcome } of lines) {
      if ((line & 0xff) === 0) yield;
      const start = starts[line]!;
      const end = starts[line + 1]!;
      if (outcome.kind === 'same') this.push(bytes.subarray(start, end));
      else {
        const rest = bytes.toString('utf8', labelSetEnd(bytes, start), end);
        this.push(Buffer.from(outcome.series + rest));
      }
      this.starts.push(this.length);
      this.from.push(line);
    }
    this.families.push({ ...family, first, last: this.from.length });
  }

  private push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  exposition(): Exposition {
    return {
      families: this.families,
      bytes: Buffer.concat(this.chunks, this.length),
      lines: Uint32Array.from(this.starts),
    };
  }
}
