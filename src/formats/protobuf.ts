import { Buffer } from 'node:buffer';

/** Writes protobuf wire format (protobuf.dev, "Encoding") into one growing buffer; zero values are the caller's to leave out. */
export class ProtobufWriter {
  private bytes: Buffer;
  private length = 0;
  private lastMs = 0;
  private lastNanos: readonly [low: number, high: number] = [0, 0];

  constructor(size = 64 * 1024) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length));
  }

  /** Unsigned, up to 2^53. */
  varint(field: number, value: number): this {
    this.tag(field, 0);
    this.rawVarint(value);
    return this;
  }

  /** Two's complement in 64 bits: ten bytes when negative. */
  int64(field: number, value: number): this {
    if (value >= 0) return this.varint(field, value);
    this.tag(field, 0);
    let rest = BigInt.asUintN(64, BigInt(value));
    this.reserve(10);
    while (rest > 127n) {
      this.bytes[this.length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest);
    return this;
  }

  double(field: number, value: number): this {
    this.tag(field, 1);
    this.reserve(8);
    this.length = this.bytes.writeDoubleLE(value, this.length);
    return this;
  }

  /** A time in milliseconds, written in nanoseconds (`fixed64`). Most are that of the one before. */
  nanoseconds(field: number, ms: number): this {
    if (this.lastMs !== ms) {
      const nanos = BigInt(Math.round(ms)) * 1_000_000n;
      this.lastMs = ms;
      this.lastNanos = [Number(nanos & 0xffffffffn), Number(nanos >> 32n)];
    }
    const [low, high] = this.lastNanos;
    return this.doubleBits(field, low, high);
  }

  /** A double given by its two halves: JavaScript may change the bits of a NaN once it is a number. */
  doubleBits(field: number, low: number, high: number): this {
    this.tag(field, 1);
    this.reserve(8);
    this.length = this.bytes.writeUInt32LE(low, this.length);
    this.length = this.bytes.writeUInt32LE(high, this.length);
    return this;
  }

  fixed64(field: number, value: bigint): this {
    this.tag(field, 1);
    this.rawFixed64(value);
    return this;
  }

  string(field: number, text: string): this {
    if (text.length < 128 && this.shortAscii(field, text)) return this;
    const size = Buffer.byteLength(text);
    this.tag(field, 2);
    this.rawVarint(size);
    this.reserve(size);
    this.length += this.bytes.write(text, this.length, 'utf8');
    return this;
  }

  raw(field: number, content: Uint8Array): this {
    this.tag(field, 2);
    this.rawVarint(content.length);
    return this.append(content);
  }

  append(content: Uint8Array): this {
    this.reserve(content.length);
    this.bytes.set(content, this.length);
    this.length += content.length;
    return this;
  }

  /** What `write` writes, as a message within this one. */
  message(field: number, write: () => unknown): this {
    this.tag(field, 2);
    const at = this.length;
    // Most are shorter than 128 bytes; longer ones are moved to make room for their length.
    this.reserve(1);
    this.length++;
    write();
    const size = this.length - at - 1;
    const extra = varintSize(size) - 1;
    if (extra > 0) {
      this.reserve(extra);
      this.bytes.copyWithin(at + 1 + extra, at + 1, this.length);
      this.length += extra;
    }
    const end = this.length;
    this.length = at;
    this.rawVarint(size);
    this.length = end;
    return this;
  }

  packedVarints(field: number, values: readonly number[]): this {
    return this.message(field, () => {
      for (const value of values) this.rawVarint(value);
    });
  }

  packedFixed64(field: number, values: readonly bigint[]): this {
    return this.message(field, () => {
      for (const value of values) this.rawFixed64(value);
    });
  }

  packedDoubles(field: number, values: readonly number[]): this {
    return this.message(field, () => {
      for (const value of values) {
        this.reserve(8);
        this.length = this.bytes.writeDoubleLE(value, this.length);
      }
    });
  }

  /** Most texts are short, and cheaper to copy here than to hand to Node. */
  private shortAscii(field: number, text: string): boolean {
    const before = this.length;
    this.tag(field, 2);
    this.reserve(1 + text.length);
    const { bytes } = this;
    bytes[this.length++] = text.length;
    for (let at = 0; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c > 127) {
        this.length = before;
        return false;
      }
      bytes[this.length++] = c;
    }
    return true;
  }

  private tag(field: number, wireType: 0 | 1 | 2): void {
    const tag = field * 8 + wireType;
    if (tag > 127) {
      this.rawVarint(tag);
      return;
    }
    this.reserve(1);
    this.bytes[this.length++] = tag;
  }

  private rawFixed64(value: bigint): void {
    this.reserve(8);
    this.length = this.bytes.writeBigUInt64LE(value, this.length);
  }

  private rawVarint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  private reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + size));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}
