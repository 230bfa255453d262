import { WeirError } from '../../domain/errors.js';
import { type LimitName, type Limits, limitExceeded } from '../../domain/limits.js';
import { carriageReturn, newline, space, tab } from '../characters.js';
import { wordsOf } from '../columns.js';

/** The limits a body is read under. */
export type ReadLimits = Pick<Limits, 'labels_per_series' | 'name_length_bytes' | 'value_length_bytes'>;

/** Room to write in that nobody uses now: bodies are read in steps, several at a time. */
const free: Buffer[] = [];
const mostFree = 4;
const roomBytes = 256 * 1024;
const largestKeptBytes = 8 * 1024 * 1024;

/** A pushed body while it is read, and the canonical lines that are written of it. */
export class Transcript {
  readonly body: Buffer;
  readonly bodyWords: DataView;
  readonly limits: ReadLimits;
  /** Next byte of the body to read. */
  p = 0;
  /** Of the body, from one. */
  line = 1;
  /** Whether samples may carry a time, which is read over. */
  passesTimestamps = false;
  out: Buffer;
  outWords: DataView;
  /** Next free byte of `out`. */
  o = 0;

  constructor(body: Buffer, limits: ReadLimits) {
    this.body = body;
    this.bodyWords = wordsOf(body);
    this.limits = limits;
    this.out = free.pop() ?? Buffer.allocUnsafeSlow(roomBytes);
    this.outWords = wordsOf(this.out);
  }

  /** What was written, in a buffer of its own. */
  finish(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.o);
    this.out.copy(bytes, 0, 0, this.o);
    return bytes;
  }

  /** Says that nothing more will be written or read: the room becomes another's. */
  release(): void {
    if (free.length < mostFree && this.out.length <= largestKeptBytes) free.push(this.out);
    this.out = Buffer.alloc(0);
  }

  fail(reason: string): never {
    throw new WeirError('invalid', `Line ${this.line}: ${reason}.`, { line: this.line });
  }

  refuse(limit: LimitName & keyof ReadLimits, actual: number): never {
    throw limitExceeded(limit, this.limits[limit], actual, { line: this.line });
  }

  makeRoom(size: number): void {
    if (this.o + size <= this.out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.out.length * 2, this.o + size));
    this.out.copy(larger, 0, 0, this.o);
    this.out = larger;
    this.outWords = wordsOf(larger);
  }

  copyBody(from: number, to: number): void {
    const { body, out } = this;
    let o = this.o;
    for (let i = from; i < to; i++) out[o++] = body[i]!;
    this.o = o;
  }

  bodyText(from: number, to: number): string {
    return this.body.toString('utf8', from, to);
  }

  skipBlanks(): void {
    while (this.body[this.p] === space || this.body[this.p] === tab) this.p++;
  }

  endLine(): void {
    if (this.p >= this.body.length) return;
    if (this.body[this.p] === carriageReturn) this.failAtReturn();
    if (this.body[this.p] !== newline) this.fail('nothing may follow the value');
    this.p++;
  }

  /** Reads over what is left of the line, and its end. */
  skipLine(): void {
    const { body } = this;
    // Short ones are many, and a search costs more than they are long.
    const near = Math.min(this.p + 32, body.length);
    while (this.p < near && body[this.p] !== newline) this.p++;
    if (this.p === near) {
      const end = body.indexOf(newline, near);
      this.p = end < 0 ? body.length : end;
    }
    this.p = Math.min(this.p + 1, body.length);
  }

  failAtReturn(): never {
    this.fail('the line ends with a carriage return; lines must end with a line feed alone');
  }

  checkNameLength(length: number): void {
    const max = this.limits.name_length_bytes;
    if (max > 0 && length > max) this.refuse('name_length_bytes', length);
  }
}
