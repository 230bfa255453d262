import { spread, withRoom, wordsOf } from '../../formats/columns.js';

const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;
const equals = 0x3d;

/** What a hash is must not be known outside, or names could be made to stand in one heap. */
const seed = Math.floor(Math.random() * 2 ** 32);
const fnvPrime = 16777619;
const isEscaped = 0x8000;
export const longestName = 0x7fff;

/**
 * Label pairs, each kept once: `name="value"` as a page writes it, one after the other in one buffer. A metric's name is
 * the pair whose name is empty, kept as it is.
 */
export class PairTable {
  count = 0;
  private bytes: Buffer = Buffer.allocUnsafeSlow(1024);
  private words = wordsOf(this.bytes);
  private ends = new Uint32Array(64);
  /** With `isEscaped` where the value is not written as it is. */
  private nameLengths = new Uint16Array(64);
  private hashes = new Uint32Array(64);
  /** One more than the id; 0 is free. */
  private slots = new Int32Array(128);

  /** What this weighs, in bytes. */
  get weight(): number {
    const { bytes, ends, nameLengths, hashes, slots } = this;
    return bytes.length + ends.byteLength + nameLengths.byteLength + hashes.byteLength + slots.byteLength;
  }

  private start(id: number): number {
    return id === 0 ? 0 : this.ends[id - 1]!;
  }

  /** The pair as a page writes it. Only to be looked at before the next `intern`. */
  text(id: number): Buffer {
    return this.bytes.subarray(this.start(id), this.ends[id]!);
  }

  length(id: number): number {
    return this.ends[id]! - this.start(id);
  }

  /** Gives where it ends. Writes up to three bytes beyond that. */
  copy(id: number, to: DataView, at: number): number {
    const { words } = this;
    const start = this.start(id);
    const length = this.ends[id]! - start;
    // For a few dozen bytes a loop is cheaper than a call.
    for (let i = 0; i < length; i += 4) to.setUint32(at + i, words.getUint32(start + i));
    return at + length;
  }

  nameLength(id: number): number {
    return this.nameLengths[id]! & longestName;
  }

  name(id: number): string {
    return this.bytes.toString('latin1', this.start(id), this.start(id) + this.nameLength(id));
  }

  /** Whether the pair is this one, told by its bytes alone. False also where the value would have to be escaped first. */
  is(id: number, source: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): boolean {
    const { bytes } = this;
    const nameLength = nameEnd - nameAt;
    const valueLength = valueEnd - valueAt;
    let at = id === 0 ? 0 : this.ends[id - 1]!;
    if (this.nameLengths[id] !== nameLength) return false;
    if (this.ends[id]! - at !== valueLength + (nameLength === 0 ? 0 : nameLength + 3)) return false;
    // From the end: series that follow one another differ there.
    if (nameLength > 0) {
      const shift = at + nameLength + 2 - valueAt;
      for (let i = valueEnd - 1; i >= valueAt; i--) if (bytes[shift + i] !== source[i]) return false;
      for (let i = nameAt; i < nameEnd; i++) if (bytes[at++] !== source[i]) return false;
      return true;
    }
    for (let i = valueAt; i < valueEnd; i++) if (bytes[at++] !== source[i]) return false;
    return true;
  }

  /** The id of the pair, -1 when it is not there. */
  find(source: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): number {
    const hash = hashOf(source, nameAt, nameEnd, valueAt, valueEnd);
    const mask = this.slots.length - 1;
    let escaped: Buffer | undefined;
    for (let slot = spread(hash) & mask; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      const id = this.slots[slot]! - 1;
      if (this.hashes[id] !== hash) continue;
      if (this.is(id, source, nameAt, nameEnd, valueAt, valueEnd)) return id;
      if (this.nameLengths[id] === (isEscaped | (nameEnd - nameAt))) {
        escaped ??= writtenPair(source, nameAt, nameEnd, valueAt, valueEnd);
        if (this.text(id).equals(escaped)) return id;
      }
    }
    return -1;
  }

  intern(source: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): number {
    const known = this.find(source, nameAt, nameEnd, valueAt, valueEnd);
    if (known !== -1) return known;
    const text = writtenPair(source, nameAt, nameEnd, valueAt, valueEnd);
    const nameLength = nameEnd - nameAt;
    const plain = valueEnd - valueAt + (nameLength === 0 ? 0 : nameLength + 3);
    const id = this.append(text, nameLength | (text.length === plain ? 0 : isEscaped));
    this.enter(id, hashOf(source, nameAt, nameEnd, valueAt, valueEnd));
    return id;
  }

  /** Takes over a pair that is not here yet from another table. */
  adopt(other: PairTable, otherId: number): number {
    const id = this.append(other.text(otherId), other.nameLengths[otherId]!);
    this.enter(id, other.hashes[otherId]!);
    return id;
  }

  private append(text: Uint8Array, nameLength: number): number {
    const id = this.count++;
    const at = this.start(id);
    // Copies read up to three bytes beyond the last pair.
    if (at + text.length + 3 > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.ceil((at + text.length) * 1.25) + 256);
      this.bytes.copy(larger, 0, 0, at);
      this.bytes = larger;
      this.words = wordsOf(larger);
    }
    this.bytes.set(text, at);
    this.ends = withRoom(this.ends, this.count);
    this.nameLengths = withRoom(this.nameLengths, this.count);
    this.hashes = withRoom(this.hashes, this.count);
    this.ends[id] = at + text.length;
    this.nameLengths[id] = nameLength;
    return id;
  }

  private enter(id: number, hash: number): void {
    this.hashes[id] = hash;
    if (this.count * 1.5 > this.slots.length) {
      this.slots = new Int32Array(this.slots.length * 2);
      for (let each = 0; each < this.count; each++) this.place(each);
    } else this.place(id);
  }

  private place(id: number): void {
    const mask = this.slots.length - 1;
    let slot = spread(this.hashes[id]!) & mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = id + 1;
  }

  /** The pairs from `first` on, for `read`. */
  written(first: number): { nameLengths: Uint16Array; lengths: Uint32Array; bytes: Buffer } {
    const lengths = new Uint32Array(this.count - first);
    for (let i = 0; i < lengths.length; i++) lengths[i] = this.length(first + i);
    const nameLengths = this.nameLengths.slice(first, this.count);
    return { nameLengths, lengths, bytes: this.bytes.subarray(this.start(first), this.start(this.count)) };
  }

  /** Appends what `written` gave. */
  read({ nameLengths, lengths, bytes }: ReturnType<PairTable['written']>): void {
    let at = 0;
    for (let i = 0; i < lengths.length; i++) {
      const text = bytes.subarray(at, at + lengths[i]!);
      at += lengths[i]!;
      const id = this.append(text, nameLengths[i]!);
      this.enter(id, this.hashOfWritten(id));
    }
  }

  private hashOfWritten(id: number): number {
    const nameLength = this.nameLength(id);
    const text = this.text(id);
    if (nameLength === 0) return hashOf(text, 0, 0, 0, text.length);
    if ((this.nameLengths[id]! & isEscaped) === 0) {
      return hashOf(text, 0, nameLength, nameLength + 2, text.length - 1);
    }
    const raw: number[] = [...text.subarray(0, nameLength)];
    for (let i = nameLength + 2; i < text.length - 1; i++) {
      if (text[i] === backslash) raw.push(text[++i] === 0x6e ? newline : text[i]!);
      else raw.push(text[i]!);
    }
    return hashOf(Uint8Array.from(raw), 0, nameLength, nameLength, raw.length);
  }
}

/** FNV-1a from a secret start. */
function hashOf(source: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): number {
  let hash = seed;
  for (let i = nameAt; i < nameEnd; i++) hash = Math.imul(hash ^ source[i]!, fnvPrime);
  hash = Math.imul(hash ^ equals, fnvPrime);
  for (let i = valueAt; i < valueEnd; i++) hash = Math.imul(hash ^ source[i]!, fnvPrime);
  return hash >>> 0;
}

function writtenPair(source: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): Buffer {
  if (nameAt === nameEnd) return Buffer.from(source.subarray(valueAt, valueEnd));
  let escapes = 0;
  for (let i = valueAt; i < valueEnd; i++) if (needsEscape(source[i]!)) escapes++;
  const text = Buffer.allocUnsafe(nameEnd - nameAt + valueEnd - valueAt + escapes + 3);
  text.set(source.subarray(nameAt, nameEnd));
  let o = nameEnd - nameAt;
  text[o++] = equals;
  text[o++] = quote;
  for (let i = valueAt; i < valueEnd; i++) {
    const byte = source[i]!;
    if (needsEscape(byte)) text[o++] = backslash;
    text[o++] = byte === newline ? 0x6e : byte;
  }
  text[o] = quote;
  return text;
}

const needsEscape = (byte: number): boolean => byte === quote || byte === backslash || byte === newline;
