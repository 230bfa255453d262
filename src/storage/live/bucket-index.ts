import { newSeed, spread, withRoom } from '../../formats/columns.js';
import type { PairTable } from './pair-table.js';

/** What a table of series has of their labels; it only grows. */
export interface Columns {
  readonly pairs: PairTable;
  readonly count: number;
  readonly firsts: Uint32Array;
  readonly ids: Uint32Array;
}

const bound = 'le';
/** As in the table of series: ids can be guessed, which of them have one hash must not be. */
const seed = newSeed();

/**
 * Finds the buckets of a histogram by its name and its other labels. Made for those tables alone whose producers say that
 * a histogram has ended: walking through all series for each of them would cost more than whoever says so pays.
 */
export class BucketIndex {
  private readonly columns: Columns;
  /** By the hash of what its histogram has, the last bucket. */
  private readonly last = new Map<number, number>();
  /** By bucket, one more than the number of the one before it of the same hash; 0: there is none. */
  private before = new Int32Array(64);
  private read = 0;
  /** Which pairs are bounds, of those that may be. */
  private readonly bounds = new Map<number, boolean>();

  constructor(columns: Columns) {
    this.columns = columns;
  }

  get weight(): number {
    return this.before.byteLength + (this.last.size + this.bounds.size) * 50;
  }

  /** Series that have these ids, and `le` beside them. */
  find(wanted: Uint32Array): number[] {
    this.extend();
    const found: number[] = [];
    const last = this.last.get(hashBut(wanted, 0, wanted.length, -1)) ?? -1;
    for (let series = last; series !== -1; series = this.before[series]! - 1) {
      if (this.hasBeside(series, wanted)) found.push(series);
    }
    return found;
  }

  /** Takes in what has come since. */
  private extend(): void {
    const { count, firsts, ids } = this.columns;
    this.before = withRoom(this.before, count);
    for (; this.read < count; this.read++) {
      const from = firsts[this.read]!;
      const to = firsts[this.read + 1]!;
      const place = this.placeOfBound(from, to);
      if (place === -1) continue;
      const hash = hashBut(ids, from, to, place);
      this.before[this.read] = (this.last.get(hash) ?? -1) + 1;
      this.last.set(hash, this.read);
    }
  }

  private placeOfBound(from: number, to: number): number {
    const { ids } = this.columns;
    for (let place = from + 1; place < to; place++) if (this.isBound(ids[place]!)) return place;
    return -1;
  }

  private isBound(id: number): boolean {
    const { pairs } = this.columns;
    if (pairs.nameLength(id) !== bound.length) return false;
    let is = this.bounds.get(id);
    if (is === undefined) {
      is = pairs.name(id) === bound;
      this.bounds.set(id, is);
    }
    return is;
  }

  private hasBeside(series: number, wanted: Uint32Array): boolean {
    const { firsts, ids } = this.columns;
    const from = firsts[series]!;
    const to = firsts[series + 1]!;
    if (to - from !== wanted.length + 1) return false;
    const place = this.placeOfBound(from, to);
    for (let i = from, at = 0; i < to; i++) if (i !== place && ids[i] !== wanted[at++]) return false;
    return true;
  }
}

/** Of the ids from `from` to `to`, in their order, without the one at `place`. */
function hashBut(ids: Uint32Array, from: number, to: number, place: number): number {
  let hash = 0;
  for (let i = from; i < to; i++) if (i !== place) hash = (Math.imul(hash, 31) + spread(ids[i]! ^ seed)) | 0;
  return hash;
}
