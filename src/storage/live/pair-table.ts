import { newSeed, spread, withRoom, wordsOf } from '../../formats/columns.js';

const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;
const equals = 0x3d;

const seed = newSeed();
const fnvPrime = 16777619;
const isEscaped = 0x8000;
/** Copies go in words of four bytes, and read and write up to three beyond the last pair. */
const copiesBeyond = 3;
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
  /** Of the longest pair. */
  private longest = 0;

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

  /** The value as it is; of a metric's name, the name. */
  value(id: number): string {
    const text = this.text(id);
    const nameLength = this.nameLength(id);
    if (nameLength === 0) return text.toString('utf8');
    const written = text.toString('utf8', nameLength + 2, text.length - 1);
    return written.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }

  /** Where the label ends that stands at `at` as protobuf writes it, if it is this pair; -1 if not. */
  matchLabel(source: DataView, at: number, end: number, id: number): number {
    const nameLength = this.nameLengths[id]!;
    const start = id === 0 ? 0 : this.ends[id - 1]!;
    const length = this.ends[id]! - start;
    if (length > longestShort || nameLength === 0 || nameLength > longestShort) {
      return this.matchLongLabel(source, at, end, id);
    }
    const valueLength = length - nameLength - 3;
    // Tag and length of the label, tag and length of its name.
    const to = at + length + 3;
    if (to > end || source.getInt32(at, true) !== (0x000a000a | ((length + 1) << 8) | (nameLength << 24))) return -1;
    const valueAt = at + nameLength + 6;
    if (source.getInt16(valueAt - 2, true) !== (0x12 | (valueLength << 8))) return -1;
    const { words } = this;
    if (!areSame(source, valueAt, words, start + nameLength + 2, valueLength)) return -1;
    return areSame(source, at + 4, words, start, nameLength) ? to : -1;
  }

  /** The same where a length does not fit into a byte. */
  private matchLongLabel(source: DataView, at: number, end: number, id: number): number {
    const nameLength = this.nameLengths[id]!;
    if (nameLength === 0 || nameLength > longestShort) return -1;
    const start = this.start(id);
    const valueLength = this.length(id) - nameLength - 3;
    if (valueLength > longestTwoBytes) return -1;
    const inner = 2 + nameLength + 1 + lengthBytes(valueLength) + valueLength;
    if (inner > longestTwoBytes || at + 1 + lengthBytes(inner) + inner > end || source.getUint8(at) !== 0x0a) return -1;
    let to = matchLength(source, at + 1, inner);
    if (to === -1 || source.getUint8(to) !== 0x0a || source.getUint8(to + 1) !== nameLength) return -1;
    to += 2;
    if (!areSame(source, to, this.words, start, nameLength)) return -1;
    to += nameLength;
    if (source.getUint8(to) !== 0x12) return -1;
    to = matchLength(source, to + 1, valueLength);
    if (to === -1 || !areSame(source, to, this.words, start + nameLength + 2, valueLength)) return -1;
    return to + valueLength;
  }

  /** The same for a metric's name, as the label it is there. */
  matchName(source: DataView, at: number, end: number, id: number): number {
    const start = id === 0 ? 0 : this.ends[id - 1]!;
    const length = this.ends[id]! - start;
    const to = at + length + nameLead;
    if (length > longestShort - nameLead || to > end) return -1;
    if (source.getInt32(at, true) !== (0x080a000a | ((length + nameLead - 2) << 8))) return -1;
    if (source.getInt32(at + 4, true) !== nameLow || source.getInt32(at + 8, true) !== nameHigh) return -1;
    if (source.getInt16(at + 12, true) !== (0x12 | (length << 8))) return -1;
    return areSame(source, at + nameLead, this.words, start, length) ? to : -1;
  }

  /** The id of the pair, -1 when it is not there. */
  find(source: Uint8Array, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): number {
    // Whoever sends what no series may have, as often as there are series, is not to have it hashed each time.
    if (nameEnd - nameAt + valueEnd - valueAt > this.longest) return -1;
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
    const id = this.appendRoom(other.length(otherId), other.nameLengths[otherId]!);
    other.copy(otherId, this.words, this.start(id));
    this.enter(id, other.hashes[otherId]!);
    return id;
  }

  /** How many pairs have this mark, and how long they are together. */
  bytesOf(marks: Int32Array, mark: number): { count: number; bytes: number } {
    let count = 0;
    let bytes = 0;
    for (let id = 0; id < this.count; id++) {
      if (marks[id] !== mark) continue;
      count++;
      bytes += this.length(id);
    }
    return { count, bytes };
  }

  get size(): { count: number; bytes: number } {
    return { count: this.count, bytes: this.start(this.count) };
  }

  /** Of a table that is empty. */
  makeRoom(count: number, bytes: number): void {
    this.makeBytes(bytes + copiesBeyond);
    this.ends = withRoom(this.ends, count);
    this.nameLengths = withRoom(this.nameLengths, count);
    this.hashes = withRoom(this.hashes, count);
    while (this.slots.length < count * 1.5) this.slots = new Int32Array(this.slots.length * 2);
  }

  private makeBytes(length: number): void {
    if (length <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(length);
    this.bytes.copy(larger, 0, 0, this.start(this.count));
    this.bytes = larger;
    this.words = wordsOf(larger);
  }

  private append(text: Uint8Array, nameLength: number): number {
    const id = this.appendRoom(text.length, nameLength);
    this.bytes.set(text, this.start(id));
    return id;
  }

  /** A new pair, whose bytes are still to come. */
  private appendRoom(length: number, nameLength: number): number {
    const end = this.start(this.count) + length;
    if (end + copiesBeyond > this.bytes.length) this.makeBytes(Math.ceil(end * 1.25) + 256);
    const id = this.count++;
    this.ends = withRoom(this.ends, this.count);
    this.nameLengths = withRoom(this.nameLengths, this.count);
    this.hashes = withRoom(this.hashes, this.count);
    this.ends[id] = end;
    this.nameLengths[id] = nameLength;
    if (length > this.longest) this.longest = length;
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

/** `__name__` by its halves, and what stands before its value: two tags and lengths, itself, a tag and a length. */
const nameLow = 0x616e5f5f;
const nameHigh = 0x5f5f656d;
const nameLead = 4 + 8 + 2;
/** The longest pair, as a page writes it, whose lengths protobuf writes as one byte each. */
const longestShort = 126;
const longestTwoBytes = 0x3fff;
const lengthBytes = (length: number): number => (length < 0x80 ? 1 : 2);

/** Where what follows begins, if this length stands at `at`; -1 if not. */
function matchLength(source: DataView, at: number, length: number): number {
  if (length < 0x80) return source.getUint8(at) === length ? at + 1 : -1;
  return source.getUint16(at, true) === ((length & 0x7f) | 0x80 | ((length >> 7) << 8)) ? at + 2 : -1;
}

/** Four bytes at a time; the last four once more. */
function areSame(a: DataView, aAt: number, b: DataView, bAt: number, length: number): boolean {
  if (length < 4) {
    for (let i = 0; i < length; i++) if (a.getUint8(aAt + i) !== b.getUint8(bAt + i)) return false;
    return true;
  }
  const last = length - 4;
  for (let i = 0; i < last; i += 4) if (a.getInt32(aAt + i, true) !== b.getInt32(bAt + i, true)) return false;
  return a.getInt32(aAt + last, true) === b.getInt32(bAt + last, true);
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
