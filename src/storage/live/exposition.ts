import type { Steps } from '../../domain/turns.js';
import { wordsOf } from '../../formats/columns.js';
import type { Exposition, Family } from '../../formats/family.js';
import { escapeLabelValue } from '../../formats/syntax.js';
import { familiesOf, type LiveFamily } from './families.js';
import type { LiveMoment, SeriesTable } from './series-table.js';

/** Live series at one moment, in the form of a push. */
export interface LiveExposition {
  readonly exposition: Exposition;
  /** By line, the time the producer gave; milliseconds. */
  readonly times: Float64Array;
  /** When the oldest and the newest of them came. */
  readonly oldest: number;
  readonly newest: number;
}

const families = new WeakMap<SeriesTable, { structure: number; list: readonly LiveFamily[] }>();

/** Which series stand where is found out again only when there are others. */
function* familiesKept(table: SeriesTable, moment: LiveMoment): Steps<readonly LiveFamily[]> {
  const { structure } = moment;
  const kept = families.get(table);
  if (kept?.structure === structure) return kept.list;
  const list = yield* familiesOf(moment);
  families.set(table, { structure, list });
  return list;
}

/**
 * The series that came after `since`, each with the given labels of ours, as they are at the moment of the call.
 * `undefined` when there are none.
 */
export function liveExposition(
  table: SeriesTable,
  since: number,
  ours: readonly (readonly [string, string])[],
): Steps<LiveExposition | undefined> {
  return expositionOf(table, table.moment(), since, ours);
}

function* expositionOf(
  table: SeriesTable,
  moment: LiveMoment,
  since: number,
  ours: readonly (readonly [string, string])[],
): Steps<LiveExposition | undefined> {
  const live = yield* familiesKept(table, moment);
  const suffix = Buffer.from(ours.map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(','));
  const writer = new LineWriter(moment, since, suffix, live);
  const out: Family[] = [];
  for (const family of live) {
    const first = writer.line;
    for (let from = 0; from < family.series.length; from += 64) {
      writer.write(family, from, Math.min(from + 64, family.series.length));
      yield;
    }
    if (writer.line > first) out.push({ header: family.header, first, last: writer.line, exemplars: false });
  }
  return writer.line === 0 ? undefined : writer.finish(out);
}

/** Beside the labels and ours: the closing brace, a blank, a number and the end of the line. */
const mostOfARest = 3 + '-1.7976931348623157e+308'.length;

class LineWriter {
  /** The next one. */
  line = 0;
  private readonly moment: LiveMoment;
  private readonly since: number;
  private readonly suffix: DataView;
  private readonly suffixLength: number;
  private readonly bytes: Buffer;
  private readonly words: DataView;
  private readonly lines: Uint32Array;
  private readonly times: Float64Array;
  private at = 0;
  private oldest = Number.POSITIVE_INFINITY;
  private newest = 0;

  constructor(moment: LiveMoment, since: number, suffix: Buffer, live: readonly LiveFamily[]) {
    this.moment = moment;
    this.since = since;
    // Copies go in words of four bytes, up to three beyond.
    this.suffix = wordsOf(Buffer.concat([suffix], suffix.length + 3));
    this.suffixLength = suffix.length;
    const labelBytes = live.reduce((sum, family) => sum + family.labelBytes, 0);
    this.bytes = Buffer.allocUnsafeSlow(labelBytes + moment.living * (suffix.length + mostOfARest) + 3);
    this.words = wordsOf(this.bytes);
    this.lines = new Uint32Array(moment.living + 1);
    this.times = new Float64Array(moment.living);
  }

  write({ series, bounds }: LiveFamily, from: number, to: number): void {
    const { bytes, words, since, suffix, suffixLength } = this;
    const { values, times, seen, pairs, ids, firsts } = this.moment;
    let { at } = this;
    for (let index = from; index < to; index++) {
      const each = series[index]!;
      const came = seen[each]!;
      if (came <= since) continue;
      if (came < this.oldest) this.oldest = came;
      if (came > this.newest) this.newest = came;
      this.lines[this.line] = at;
      this.times[this.line++] = times[each]!;
      const first = firsts[each]!;
      const end = firsts[each + 1]!;
      at = pairs.copy(ids[first]!, words, at);
      bytes[at++] = 0x7b;
      for (let i = first + 1; i < end; i++) {
        const id = ids[i]!;
        const spelled = bounds.size === 0 ? undefined : bounds.get(id);
        if (spelled === undefined) at = pairs.copy(id, words, at);
        else {
          bytes.set(spelled, at);
          at += spelled.length;
        }
        bytes[at++] = 0x2c;
      }
      for (let i = 0; i < suffixLength; i += 4) words.setUint32(at + i, suffix.getUint32(i));
      at += suffixLength;
      bytes[at++] = 0x7d;
      bytes[at++] = 0x20;
      at = writeValue(values[each]!, bytes, at);
      bytes[at++] = 0x0a;
    }
    this.at = at;
  }

  finish(out: Family[]): LiveExposition {
    const { at, line, oldest, newest } = this;
    this.lines[line] = at;
    return {
      exposition: { families: out, bytes: this.bytes.subarray(0, at), lines: this.lines.subarray(0, line + 1) },
      times: this.times.subarray(0, line),
      oldest,
      newest,
    };
  }
}

/** Gives where it ends. */
function writeValue(value: number, to: Buffer, at: number): number {
  if (value !== (value | 0) || value === 0) {
    const text = valueText(value);
    for (let i = 0; i < text.length; i++) to[at + i] = text.charCodeAt(i);
    return at + text.length;
  }
  let rest = value;
  if (rest < 0) {
    to[at++] = 0x2d;
    rest = -rest;
  }
  let end = at;
  for (let power = 1; power <= rest; power *= 10) end++;
  for (let i = end - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10);
    to[i] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}

/** As the formats spell it. */
function valueText(value: number): string {
  if (Number.isFinite(value)) {
    return value === 0 && Object.is(value, -0) ? '-0' : String(value);
  }
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
