import { newSeed, spread, withRoom } from '../../formats/columns.js';
import type { FamilyHeader } from '../../formats/family.js';
import type { KnownSeries, Metadata, SeriesBatch } from '../../formats/series-batch.js';
import { BucketIndex } from './bucket-index.js';
import { PairTable } from './pair-table.js';

/** As in the table of pairs: ids can be guessed, where they stand must not be. */
const seed = newSeed();

let tables = 0;

/** What a table holds at one moment. What would change in place is copied; the rest only grows. */
export type LiveMoment = Readonly<
  Pick<
    SeriesTable,
    'pairs' | 'descriptions' | 'count' | 'living' | 'structure' | 'values' | 'times' | 'seen' | 'firsts' | 'ids'
  >
>;

/** Families a producer may describe, per endpoint. */
export const mostDescriptions = 10_000;

/**
 * The live series of one endpoint, as columns: labels interned, the newest value and its time, and when it came. Nothing
 * of a series is an object of its own. Series keep their number until the table is compacted, also when they have ended.
 */
export class SeriesTable implements KnownSeries {
  readonly serial = tables++;
  readonly pairs = new PairTable();
  /** What producers said of families, by name. */
  descriptions = new Map<string, FamilyHeader>();
  /** They are those of a moment, too. */
  private descriptionsAreShared = false;
  /** Numbers given so far. */
  count = 0;
  /** Of them, how many live. */
  living = 0;
  /** Of those that live, how many each metric has, by the id of its name. */
  private readonly ofMetric = new Map<number, number>();
  /** Changes whenever a page would show other series, or show them otherwise. */
  structure = 0;
  /** No series came before this, of those that live. */
  oldest = Number.POSITIVE_INFINITY;
  /** Last value, the time its producer gave it, and when it came here (0: it has ended). Milliseconds. */
  values = new Float64Array(16);
  times = new Float64Array(16);
  seen = new Float64Array(16);
  /** Where in `ids` each series begins: the id of its metric's name, then those of its labels. */
  firsts = new Uint32Array(17);
  ids = new Uint32Array(64);
  /** One more than the number; 0 is free. */
  private slots = new Int32Array(32);
  /** The series that came after this one the last time: mostly it does so again. */
  private following = new Uint32Array(16);
  private last = 0;
  /** The most ids that one of them has. */
  private widest = 0;
  /** Ids of the series that is looked for: a list that is emptied would give its memory back each time. */
  private scratch = new Uint32Array(32);
  private buckets: BucketIndex | undefined;

  get weight(): number {
    const { values, firsts, ids, slots, following } = this;
    const columns =
      3 * values.byteLength + firsts.byteLength + ids.byteLength + slots.byteLength + following.byteLength;
    const others = this.pairs.weight + (this.buckets?.weight ?? 0);
    return columns + others + this.descriptions.size * 250 + this.ofMetric.size * 50 + 1024;
  }

  moment(): LiveMoment {
    const { pairs, descriptions, count, living, structure, firsts, ids } = this;
    this.descriptionsAreShared = true;
    const [values, times, seen] = [this.values, this.times, this.seen].map((column) => column.slice(0, count));
    return { pairs, descriptions, count, living, structure, firsts, ids, values: values!, times: times!, seen: seen! };
  }

  isLiving(series: number): boolean {
    return this.seen[series] !== 0;
  }

  /**
   * The number of a series of the batch, or -1. Sorts its labels on the way, unless it is found without, or has more of
   * them than any here: whoever sends it may have sent millions.
   */
  find(batch: SeriesBatch, index: number): number {
    const guess = this.following[this.last]!;
    if (guess < this.count && this.isSeries(guess, batch, index)) {
      this.last = guess;
      return guess;
    }
    const count = this.resolve(batch, index);
    const series = count === -1 ? -1 : this.lookUp(this.scratch, count);
    if (series !== -1) this.follow(series);
    return series;
  }

  /** The ids of the name and the labels of a series of the batch; `undefined` where not all of them are here. */
  lookUpIds(batch: SeriesBatch, index: number): Uint32Array | undefined {
    const count = this.resolve(batch, index);
    return count === -1 ? undefined : this.scratch.slice(0, count);
  }

  /** The series that have these ids and `le` beside them, those that have ended included. */
  bucketsOf(ids: Uint32Array): number[] {
    this.buckets ??= new BucketIndex(this);
    return this.buckets.find(ids);
  }

  /** Puts them into `scratch`, in the order of the names of the labels; gives how many, or -1. */
  private resolve(batch: SeriesBatch, index: number): number {
    const first = batch.first[index]!;
    const count = batch.first[index + 1]! - first;
    if (count > this.widest) return -1;
    batch.sort(index);
    const { ranges, bytes } = batch;
    this.scratch = withRoom(this.scratch, count);
    const ids = this.scratch;
    for (let i = 0; i < count; i++) {
      const at = (first + i) * 4;
      const id = this.pairs.find(bytes, ranges[at]!, ranges[at + 1]!, ranges[at + 2]!, ranges[at + 3]!);
      if (id === -1) return -1;
      ids[i] = id;
    }
    return count;
  }

  matchNext(bytes: DataView, at: number, end: number): number {
    const due = this.following[this.last]!;
    if (due >= this.count) return -1;
    const { pairs, ids } = this;
    const stop = this.firsts[due + 1]!;
    let label = this.firsts[due]!;
    let matched = pairs.matchName(bytes, at, end, ids[label++]!);
    while (label < stop && matched !== -1) matched = pairs.matchLabel(bytes, matched, end, ids[label++]!);
    return matched;
  }

  takeNext(): number {
    this.last = this.following[this.last]!;
    return this.last;
  }

  resumeAfter(number: number): void {
    this.last = number;
  }

  private follow(series: number): void {
    this.following[this.last] = series;
    this.last = series;
  }

  private isSeries(series: number, batch: SeriesBatch, index: number): boolean {
    const { ranges, bytes } = batch;
    const from = batch.first[index]!;
    const count = batch.first[index + 1]! - from;
    const first = this.firsts[series]!;
    if (this.firsts[series + 1]! - first !== count) return false;
    for (let i = count - 1; i >= 0; i--) {
      const at = (from + i) * 4;
      const id = this.ids[first + i]!;
      if (!this.pairs.is(id, bytes, ranges[at]!, ranges[at + 1]!, ranges[at + 2]!, ranges[at + 3]!)) return false;
    }
    return true;
  }

  private lookUp(ids: Uint32Array, count: number): number {
    const mask = this.slots.length - 1;
    for (let slot = hashOf(ids, 0, count) & mask; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      const series = this.slots[slot]! - 1;
      if (this.hasIds(series, ids, count)) return series;
    }
    return -1;
  }

  private hasIds(series: number, ids: Uint32Array, count: number): boolean {
    const first = this.firsts[series]!;
    if (this.firsts[series + 1]! - first !== count) return false;
    for (let i = 0; i < count; i++) if (this.ids[first + i] !== ids[i]) return false;
    return true;
  }

  /** A number for a series of the batch that `find` did not know, with its labels sorted; it has no value yet. */
  add(batch: SeriesBatch, index: number): number {
    const { ranges, bytes } = batch;
    const ids: number[] = [];
    for (let label = batch.first[index]!; label < batch.first[index + 1]!; label++) {
      const at = label * 4;
      ids.push(this.pairs.intern(bytes, ranges[at]!, ranges[at + 1]!, ranges[at + 2]!, ranges[at + 3]!));
    }
    const series = this.append(ids);
    this.follow(series);
    return series;
  }

  append(ids: ArrayLike<number>): number {
    const series = this.count++;
    const first = this.firsts[series]!;
    this.reserve(this.count, first + ids.length);
    this.ids.set(ids, first);
    if (ids.length > this.widest) this.widest = ids.length;
    this.firsts[series + 1] = first + ids.length;
    this.seen[series] = 0;
    this.times[series] = Number.NEGATIVE_INFINITY;
    // Where nothing else is known, they come in the order they came in first.
    this.following[series] = series + 1;
    if (this.count * 1.5 > this.slots.length) {
      this.slots = new Int32Array(this.slots.length * 2);
      for (let each = 0; each < this.count; each++) this.place(each);
    } else this.place(series);
    return series;
  }

  private place(series: number): void {
    const mask = this.slots.length - 1;
    let slot = hashOf(this.ids, this.firsts[series]!, this.firsts[series + 1]!) & mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = series + 1;
  }

  /** The id of the metric's name, and those of the labels in the order of their names. */
  idsOf(series: number): Uint32Array {
    return this.ids.subarray(this.firsts[series]!, this.firsts[series + 1]!);
  }

  private reserve(series: number, ids: number): void {
    this.values = withRoom(this.values, series);
    const { length } = this.values;
    this.times = withRoom(this.times, length);
    this.seen = withRoom(this.seen, length);
    this.following = withRoom(this.following, length);
    this.firsts = withRoom(this.firsts, length + 1);
    this.ids = withRoom(this.ids, ids);
  }

  /** A new value, which came at `seen`. */
  set(series: number, value: number, time: number, seen: number): void {
    if (this.seen[series] === 0) {
      this.living++;
      this.structure++;
      this.countMetric(series, 1);
    }
    this.values[series] = value;
    this.times[series] = time;
    this.seen[series] = seen;
    if (seen < this.oldest) this.oldest = seen;
  }

  /** Ends a series, as of `time`: what is older does not bring it back. */
  end(series: number, time: number): void {
    if (this.seen[series] !== 0) {
      this.living--;
      this.structure++;
      this.countMetric(series, -1);
    }
    this.seen[series] = 0;
    this.times[series] = time;
  }

  private countMetric(series: number, by: 1 | -1): void {
    const name = this.ids[this.firsts[series]!]!;
    const count = (this.ofMetric.get(name) ?? 0) + by;
    if (count === 0) this.ofMetric.delete(name);
    else this.ofMetric.set(name, count);
  }

  nameOf(series: number): string {
    return this.pairs.value(this.ids[this.firsts[series]!]!);
  }

  /** Name and value of its labels, but for the metric's name. */
  labelsOf(series: number): [name: string, value: string][] {
    return Array.from(this.idsOf(series).subarray(1), (id) => [this.pairs.name(id), this.pairs.value(id)]);
  }

  /** How many live of the metric that a series is of. */
  livingBeside(series: number): number {
    return this.ofMetric.get(this.ids[this.firsts[series]!]!) ?? 0;
  }

  /** How many live of the metric that a series of the batch, whose labels are sorted, is of. */
  livingOfMetric(batch: SeriesBatch, index: number): number {
    const { ranges, bytes } = batch;
    const at = batch.first[index]! * 4;
    const name = this.pairs.find(bytes, ranges[at]!, ranges[at + 1]!, ranges[at + 2]!, ranges[at + 3]!);
    return name === -1 ? 0 : (this.ofMetric.get(name) ?? 0);
  }

  /** The series whose lifetime has ended by `now`; `lifetimeMs` 0 is for ever. Cheap when there are none. */
  expired(now: number, lifetimeMs: number): number[] {
    if (lifetimeMs === 0 || this.oldest + lifetimeMs > now) return [];
    const found: number[] = [];
    let oldest = Number.POSITIVE_INFINITY;
    for (let series = 0; series < this.count; series++) {
      const seen = this.seen[series]!;
      if (seen === 0) continue;
      if (seen + lifetimeMs <= now) found.push(series);
      else if (seen < oldest) oldest = seen;
    }
    this.oldest = oldest;
    return found;
  }

  /** True when this says something new. */
  describe({ name, type, help, unit }: Metadata): boolean {
    const before = this.descriptions.get(name);
    if (before === undefined && this.descriptions.size >= mostDescriptions) return false;
    if (before?.type === type && (before.help ?? '') === help && (before.unit ?? '') === unit) return false;
    const header = { name, type, ...(help === '' ? {} : { help }), ...(unit === '' ? {} : { unit }) };
    if (this.descriptionsAreShared) {
      this.descriptions = new Map(this.descriptions);
      this.descriptionsAreShared = false;
    }
    this.descriptions.set(name, header);
    this.structure++;
    return true;
  }

  /**
   * A table with the series that live, and nothing else. Others wait for it: its room is taken at once, and it is filled
   * column by column.
   */
  compacted(): SeriesTable {
    const compact = new SeriesTable();
    const renamed = new Int32Array(this.pairs.count).fill(unused);
    const needed = { ids: this.markUsed(renamed), pairs: this.pairs.bytesOf(renamed, used) };
    const isChurn = this.count > 2 * this.living && this.count < 4 * this.living + fewSeries;
    const { firsts, ids, seen } = this;
    const before = { ids: firsts[this.count]!, pairs: this.pairs.size };
    const isSmall = before.ids < 4 * needed.ids + fewIds && before.pairs.bytes < 4 * needed.pairs.bytes + fewBytes;
    // Where series come and go, as many will have come by the next time: growing there once more would make garbage only.
    if (isChurn && isSmall) compact.makeRoom(this.count, before.ids, before.pairs);
    else compact.makeRoom(this.living, needed.ids, needed.pairs);
    let at = 0;
    let count = 0;
    let oldest = Number.POSITIVE_INFINITY;
    for (let series = 0; series < this.count; series++) {
      const came = seen[series]!;
      if (came === 0) continue;
      const end = firsts[series + 1]!;
      compact.widest = Math.max(compact.widest, end - firsts[series]!);
      for (let i = firsts[series]!; i < end; i++) {
        const id = ids[i]!;
        if (renamed[id] === used) renamed[id] = compact.pairs.adopt(this.pairs, id);
        compact.ids[at++] = renamed[id]!;
      }
      compact.firsts[count + 1] = at;
      compact.values[count] = this.values[series]!;
      compact.times[count] = this.times[series]!;
      compact.seen[count] = came;
      compact.following[count] = count + 1;
      compact.place(count++);
      if (came < oldest) oldest = came;
    }
    compact.count = count;
    compact.living = count;
    compact.structure = count;
    compact.oldest = oldest;
    for (const [name, living] of this.ofMetric) compact.ofMetric.set(renamed[name]!, living);
    for (const [name, header] of this.descriptions) compact.descriptions.set(name, header);
    return compact;
  }

  /** Marks the pairs of the series that live; gives how many ids these have. */
  private markUsed(pairs: Int32Array): number {
    const { firsts, ids, seen } = this;
    let all = 0;
    for (let series = 0; series < this.count; series++) {
      if (seen[series] === 0) continue;
      const end = firsts[series + 1]!;
      for (let i = firsts[series]!; i < end; i++) pairs[ids[i]!] = used;
      all += end - firsts[series]!;
    }
    return all;
  }

  /** Of a table that is empty: to grow there by steps would be to make each column five times over. */
  private makeRoom(series: number, ids: number, pairs: { count: number; bytes: number }): void {
    this.reserve(series, ids);
    while (this.slots.length < series * 1.5) this.slots = new Int32Array(this.slots.length * 2);
    this.pairs.makeRoom(pairs.count, pairs.bytes);
  }
}

/** A table for so many series, with so many ids and pairs so long, is small, however few live. */
const fewSeries = 8192;
const fewIds = 16 * fewSeries;
const fewBytes = 128 * fewSeries;

/** In the place of the number a pair has in a compacted table. */
const unused = -1;
const used = -2;

function hashOf(ids: Uint32Array, from: number, to: number): number {
  let hash = 0;
  for (let i = from; i < to; i++) hash = Math.imul(hash, 31) + spread(ids[i]! ^ seed);
  return spread(hash);
}
