import { compressSync } from 'snappy';
import type { Family } from './series.js';

/** Six bytes of varint hold every millisecond from 2004 to 2109. */
const timeBytes = 6;

/** A remote write 1.0 request whose values, times and new label values are written in place; compressed anew each time. */
export class WriteRequestBody {
  private readonly bytes: Buffer;
  private readonly values: number[] = [];
  private readonly times: number[] = [];
  private readonly marks: number[] = [];
  private value: number;

  constructor(families: readonly Family[], seed: number, mark: string) {
    this.value = seed;
    const parts: Buffer[] = [];
    let length = 0;
    const push = (part: Buffer): void => {
      parts.push(part);
      length += part.length;
    };
    for (const { series } of families) {
      for (const { name, labels } of series) {
        const pairs = [
          ['__name__', name],
          ...labels,
          ['connection', `${mark}-${String(seed).padStart(2, '0')}`],
        ] as const;
        const sorted = [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
        const encoded = sorted.map(([label, text]) =>
          field(0x0a, Buffer.concat([field(0x0a, label), field(0x12, text)])),
        );
        const sample = Buffer.concat([
          Buffer.from([0x09]),
          Buffer.alloc(8),
          Buffer.from([0x10]),
          Buffer.alloc(timeBytes),
        ]);
        const body = Buffer.concat([...encoded, field(0x12, sample)]);
        push(Buffer.concat([Buffer.from([0x0a]), varint(body.length)]));
        push(body);
        this.values.push(length - timeBytes - 1 - 8);
        this.times.push(length - timeBytes);
      }
    }
    this.bytes = Buffer.concat(parts);
    for (let at = this.bytes.indexOf(mark); at !== -1; at = this.bytes.indexOf(mark, at + 1)) this.marks.push(at);
  }

  /** The next request: other values, now. */
  next(): Buffer {
    const time = Date.now();
    this.value++;
    for (let i = 0; i < this.values.length; i++) {
      this.bytes.writeDoubleLE(this.value + i / 4, this.values[i]!);
      let left = time;
      for (let byte = 0; byte < timeBytes; byte++) {
        this.bytes[this.times[i]! + byte] = (left % 128) + (byte < timeBytes - 1 ? 128 : 0);
        left = Math.floor(left / 128);
      }
    }
    return compressSync(this.bytes);
  }

  /** Makes all of them series that were never there; `mark` as long as the one before. */
  renew(mark: string): void {
    for (const at of this.marks) this.bytes.write(mark, at, 'latin1');
  }
}

function field(tag: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([tag]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    bytes.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    if (left <= 0x7f) return Buffer.from(bytes);
  }
}
