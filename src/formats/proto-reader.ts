import { WeirError } from '../domain/errors.js';

/** What a field of a message is encoded as; groups are long deprecated and refused. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Numbers in one list, in JSON, too: those of a histogram are read in one go. */
export const mostListed = 16 * 1024;

/** Fields of a message that is read in one go, with those of the messages within. */
const mostFields = 64 * 1024;
/** Of the smallest, which have two that anyone knows: their readers count for themselves. */
export const mostSmallFields = 64;

/**
 * Reads protobuf's wire format in place (https://protobuf.dev/programming-guides/encoding). Throws `invalid` naming the
 * byte; never reads past its end.
 */
export class ProtoReader {
  readonly bytes: Buffer;
  /** Next byte to read. */
  at: number;
  private readonly what: string;
  private fields = 0;

  /** `what` names the message in error sentences. */
  constructor(bytes: Buffer, what: string) {
    this.bytes = bytes;
    this.at = 0;
    this.what = what;
  }

  fail(reason: string): never {
    throw new WeirError('invalid', `The body is not a valid ${this.what}: ${reason} at byte ${this.at}.`);
  }

  /** What follows, up to the next call, is read in one go. */
  begin(): void {
    this.fields = 0;
  }

  /** Said of each field that follows: what is read in one go has no more of them than others can wait for. */
  count(): void {
    if (++this.fields > mostFields) this.fail(`more than ${mostFields} fields of one message`);
  }

  failSmall(): never {
    return this.fail(`more than ${mostSmallFields} fields of one small message`);
  }

  /** An unsigned number; above 2^53 to the nearest one. `end` is where the message ends. */
  varint(end: number): number {
    const { bytes } = this;
    let at = this.at;
    if (at < end) {
      const first = bytes[at++]!;
      if (first < 0x80) {
        this.at = at;
        return first;
      }
      let value = first & 0x7f;
      for (let factor = 0x80; at < end && factor <= 2 ** 63; factor *= 0x80) {
        const byte = bytes[at++]!;
        value += (byte & 0x7f) * factor;
        if (byte < 0x80) {
          this.at = at;
          return value;
        }
      }
    }
    return this.fail('a number that does not end');
  }

  /** A signed number of 64 bits, to the nearest one. */
  int64(end: number): number {
    const start = this.at;
    const value = this.varint(end);
    return value <= Number.MAX_SAFE_INTEGER ? value : Number(this.signed(start));
  }

  /** The same to the last digit. */
  wholeNumber(end: number): number | bigint {
    const start = this.at;
    const value = this.varint(end);
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    const exact = this.signed(start);
    const nearest = Number(exact);
    return Number.isSafeInteger(nearest) ? nearest : exact;
  }

  /** The number that was read from `start` on. */
  private signed(start: number): bigint {
    let exact = 0n;
    for (let at = start, shift = 0n; at < this.at; at++, shift += 7n) exact |= BigInt(this.bytes[at]! & 0x7f) << shift;
    return BigInt.asIntN(64, exact);
  }

  /** ZigZag, 32 bits. */
  sint32(end: number): number {
    const value = this.varint(end) >>> 0;
    return (value >>> 1) ^ -(value & 1);
  }

  /** ZigZag, 64 bits; beyond 2^53 to the nearest number. */
  sint64(end: number): number {
    const value = this.varint(end);
    if (value <= Number.MAX_SAFE_INTEGER) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    // An even number of that size is as near as the odd one.
    return value / 2;
  }

  int32(end: number): number {
    return this.int64(end) | 0;
  }

  double(end: number): number {
    const at = this.skipBytes(8, end);
    return this.bytes.readDoubleLE(at);
  }

  /** Unsigned, to the nearest number. */
  fixed64(end: number): number {
    const at = this.skipBytes(8, end);
    return this.bytes.readUInt32LE(at) + this.bytes.readUInt32LE(at + 4) * 2 ** 32;
  }

  sfixed64(end: number): number {
    const at = this.skipBytes(8, end);
    return Number(this.bytes.readBigInt64LE(at));
  }

  /** Reads a length; gives where what has that length ends. */
  block(end: number): number {
    const length = this.varint(end);
    if (length > end - this.at) this.fail('a field that is longer than what it stands in');
    return this.at + length;
  }

  /** UTF-8 text. */
  string(end: number): string {
    const stop = this.block(end);
    const text = this.bytes.toString('utf8', this.at, stop);
    this.at = stop;
    return text;
  }

  /** The doubles of a packed field, or one that stands alone. */
  doubles(to: number[], type: number, end: number): void {
    if (type === wire.fixed64) this.add(to, this.double(end));
    else for (const stop = this.packed(type, end); this.at < stop; ) this.add(to, this.double(stop));
  }

  fixed64s(to: number[], type: number, end: number): void {
    if (type === wire.fixed64) this.add(to, this.fixed64(end));
    else for (const stop = this.packed(type, end); this.at < stop; ) this.add(to, this.fixed64(stop));
  }

  varints(to: number[], type: number, end: number): void {
    if (type === wire.varint) this.add(to, this.varint(end));
    else for (const stop = this.packed(type, end); this.at < stop; ) this.add(to, this.varint(stop));
  }

  sint64s(to: number[], type: number, end: number): void {
    if (type === wire.varint) this.add(to, this.sint64(end));
    else for (const stop = this.packed(type, end); this.at < stop; ) this.add(to, this.sint64(stop));
  }

  private packed(type: number, end: number): number {
    if (type !== wire.bytes) this.fail('a list of another type');
    return this.block(end);
  }

  private add(to: number[], value: number): void {
    this.countListed(to);
    to.push(value);
  }

  /** Said before something is added to a list. */
  countListed({ length }: readonly unknown[]): void {
    if (length === mostListed) this.fail(`a list of more than ${mostListed} numbers`);
  }

  skip(type: number, end: number): void {
    if (type === wire.varint) this.varint(end);
    else if (type === wire.fixed64) this.skipBytes(8, end);
    else if (type === wire.bytes) this.at = this.block(end);
    else if (type === wire.fixed32) this.skipBytes(4, end);
    else this.fail(`a field of the unknown wire type ${type}`);
  }

  private skipBytes(count: number, end: number): number {
    const { at } = this;
    if (count > end - at) this.fail('a field that is longer than what it stands in');
    this.at = at + count;
    return at;
  }
}
