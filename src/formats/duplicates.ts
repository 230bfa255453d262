import { newSeed } from './columns.js';
import { seriesIdentity } from './syntax.js';

const seed = newSeed();

interface Table {
  readonly hashes: Int32Array;
  readonly starts: Int32Array;
}

const newTable = (slots: number): Table => ({ hashes: new Int32Array(slots), starts: new Int32Array(slots) });

/** Tables that nobody uses now: bodies are read in steps, several at a time. */
const free: Table[] = [];
const mostFree = 4;
const fewestSlots = 1024;
const mostKeptSlots = 8 * 1024;

/**
 * Whether a series came before in this body, its labels in whatever order. A table of 32-bit hashes answers for nearly
 * every line; only lines that share a hash are taken apart and compared, through a set, so that hashes made to collide
 * cost a constant each.
 */
export class DuplicateCheck {
  private hashes: Int32Array;
  /** One more than where the line starts; negative when others shared its hash, and all of them are in `collided`. */
  private starts: Int32Array;
  private used = 0;
  private readonly collided = new Set<string>();

  constructor() {
    const table = free.pop() ?? newTable(fewestSlots);
    this.hashes = table.hashes;
    this.starts = table.starts.fill(0);
  }

  /** Says that it will not be asked again: its table becomes another's. */
  release(): void {
    const { hashes, starts } = this;
    if (free.length < mostFree && hashes.length <= mostKeptSlots) free.push({ hashes, starts });
  }

  /** Notes the canonical line from `start`; `key` must not depend on label order. True when it repeats one. */
  isRepeated(out: Buffer, start: number, key: number): boolean {
    if (this.used * 2 >= this.hashes.length) this.grow();
    const mask = this.hashes.length - 1;
    let slot = mixed(key ^ seed) & mask;
    while (this.starts[slot] !== 0) {
      if (this.hashes[slot] === key) return this.compare(slot, out, start);
      slot = (slot + 1) & mask;
    }
    this.hashes[slot] = key;
    this.starts[slot] = start + 1;
    this.used++;
    return false;
  }

  private compare(slot: number, out: Buffer, start: number): boolean {
    const earlier = this.starts[slot]!;
    if (earlier > 0) {
      this.collided.add(seriesIdentity(out, earlier - 1));
      this.starts[slot] = -earlier;
    }
    const identity = seriesIdentity(out, start);
    if (this.collided.has(identity)) return true;
    this.collided.add(identity);
    return false;
  }

  private grow(): void {
    const { hashes, starts } = this;
    const larger = newTable(hashes.length * 2);
    this.hashes = larger.hashes;
    this.starts = larger.starts;
    const mask = this.hashes.length - 1;
    for (let i = 0; i < hashes.length; i++) {
      if (starts[i] === 0) continue;
      let slot = mixed(hashes[i]! ^ seed) & mask;
      while (this.starts[slot] !== 0) slot = (slot + 1) & mask;
      this.hashes[slot] = hashes[i]!;
      this.starts[slot] = starts[i]!;
    }
  }
}

/** Spreads a hash over all its bits, so that sums of several stay distinct and neighbours part. */
export function mixed(h: number): number {
  let x = h | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
