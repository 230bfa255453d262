import { seriesIdentity } from './syntax.js';

/**
 * Whether a series came before in this body, its labels in whatever order. A table of 32-bit hashes answers for nearly
 * every line; only lines that share a hash are taken apart and compared, through a set, so that hashes made to collide
 * cost a constant each.
 */
export class DuplicateCheck {
  private hashes = new Int32Array(1024);
  private starts = new Int32Array(1024);
  private used = 0;
  private readonly collided = new Set<string>();
  private readonly collidedHashes = new Set<number>();

  /** Notes the canonical line from `start`; `key` must not depend on label order. True when it repeats one. */
  isRepeated(out: Buffer, start: number, key: number): boolean {
    if (this.used * 2 >= this.hashes.length) this.grow();
    const mask = this.hashes.length - 1;
    let slot = key & mask;
    while (this.starts[slot] !== 0) {
      if (this.hashes[slot] === key) return this.compare(key, out, this.starts[slot]! - 1, start);
      slot = (slot + 1) & mask;
    }
    this.hashes[slot] = key;
    this.starts[slot] = start + 1;
    this.used++;
    return false;
  }

  private compare(key: number, out: Buffer, earlier: number, start: number): boolean {
    if (!this.collidedHashes.has(key)) {
      this.collidedHashes.add(key);
      this.collided.add(seriesIdentity(out, earlier));
    }
    const identity = seriesIdentity(out, start);
    if (this.collided.has(identity)) return true;
    this.collided.add(identity);
    return false;
  }

  private grow(): void {
    const { hashes, starts } = this;
    this.hashes = new Int32Array(hashes.length * 2);
    this.starts = new Int32Array(starts.length * 2);
    const mask = this.hashes.length - 1;
    for (let i = 0; i < hashes.length; i++) {
      if (starts[i] === 0) continue;
      let slot = hashes[i]! & mask;
      while (this.starts[slot] !== 0) slot = (slot + 1) & mask;
      this.hashes[slot] = hashes[i]!;
      this.starts[slot] = starts[i]!;
    }
  }
}
