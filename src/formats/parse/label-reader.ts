import {
  backslash,
  beginsLabelName,
  closeBrace,
  comma,
  equals,
  inLabelName,
  nameClass,
  newline,
  quote,
  underscore,
} from '../characters.js';
import { mixed } from '../duplicates.js';
import { fnvOffset, fnvPrime, hashOfValue, withWord } from './label-hash.js';
import type { Transcript } from './transcript.js';

const mostListedLabels = 64;

const fourQuotes = 0x22222222;
const fourNewlines = 0x0a0a0a0a;
const fourBackslashes = 0x5c5c5c5c;

/** Whether one of the four bytes of `word` is the one that `four` has four times. */
function holds(word: number, four: number): boolean {
  const x = word ^ four;
  return ((x - 0x01010101) & ~x & 0x80808080) !== 0;
}

/**
 * Label sets, validated. Nearly every line has the label names of the line before, in the same order: those are compared
 * with it and only the values are read. Everything else is read label by label.
 */
export class LabelReader {
  private readonly t: Transcript;
  private readonly openMetrics: boolean;
  /** Names of labels that are dropped: ours take their place. */
  private readonly ours: readonly Buffer[];
  private readonly hasEscapes: boolean;
  /** Of the label set being read: how many names are listed, their hashes, where in the body they stand. */
  private listed = 0;
  private readonly hashes = new Int32Array(mostListedLabels);
  private readonly starts = new Int32Array(mostListedLabels);
  private many: Set<string> | undefined;
  /** Of the label set before: how many labels, where in the body each `name="` stands, its length, its name's hash. */
  private shapeLabels = 0;
  private readonly shapeStarts = new Int32Array(mostListedLabels);
  private readonly shapeLengths = new Int32Array(mostListedLabels);
  private readonly shapeHashes = new Int32Array(mostListedLabels);
  private alikeSum = 0;

  constructor(t: Transcript, openMetrics: boolean, ours: readonly string[]) {
    this.t = t;
    this.openMetrics = openMetrics;
    this.ours = ours.map((name) => Buffer.from(name));
    this.hasEscapes = t.body.includes(backslash);
  }

  /**
   * From the opening brace to after the closing one, without the braces into `out`. There must be room for the rest of
   * the body. Gives a hash that does not depend on the labels' order.
   */
  read(): number {
    const { t } = this;
    const { p, o } = t;
    if (this.shapeLabels > 0 && this.readAlike()) return this.alikeSum;
    t.p = p;
    t.o = o;
    return this.readEach();
  }

  /** False, with nothing decided, when the names are not those of the line before or a value needs care. */
  private readAlike(): boolean {
    const { t, hasEscapes, shapeLabels } = this;
    const { body, bodyWords, out, outWords } = t;
    const { shapeStarts, shapeLengths, shapeHashes } = this;
    const max = t.limits.value_length_bytes;
    const last = body.length - 4;
    let p = t.p + 1;
    let o = t.o;
    let sum = 0;
    for (let k = 0; k < shapeLabels; k++) {
      const length = shapeLengths[k]!;
      if (!copyIfSame(t, shapeStarts[k]!, p, o, length)) return false;
      shapeStarts[k] = p;
      p += length;
      o += length;
      const valueStart = p;
      let h = fnvOffset;
      for (; p <= last; p += 4, o += 4) {
        const word = bodyWords.getInt32(p, true);
        if (holds(word, fourQuotes) || holds(word, fourNewlines)) break;
        if (hasEscapes && holds(word, fourBackslashes)) break;
        h = withWord(h, word);
        outWords.setInt32(o, word, true);
      }
      let byte = body[p];
      while (byte !== quote) {
        if (byte === newline || byte === backslash || byte === undefined) return false;
        h = Math.imul(h ^ byte, fnvPrime);
        out[o++] = byte;
        byte = body[++p];
      }
      if (max > 0 && p - valueStart > max) return false;
      if (p > valueStart) sum = (sum + hashOfPair(shapeHashes[k]!, h)) | 0;
      out[o++] = quote;
      p++;
      if (k < shapeLabels - 1) {
        if (body[p++] !== comma) return false;
        out[o++] = comma;
      }
    }
    if (body[p++] !== closeBrace) return false;
    this.alikeSum = sum;
    t.p = p;
    t.o = o;
    return true;
  }

  private readEach(): number {
    const { t, openMetrics } = this;
    const { body } = t;
    const first = t.o;
    let sum = 0;
    let count = 0;
    const max = t.limits.labels_per_series;
    this.listed = 0;
    this.many = undefined;
    this.shapeLabels = 0;
    let shaped = true;
    t.p++;
    for (;;) {
      if (!openMetrics) t.skipBlanks();
      if (body[t.p] === closeBrace) break;
      const pair = t.o;
      if (pair > first) t.out[t.o++] = comma;
      const nameStart = t.p;
      if (!(nameClass[body[nameStart]!]! & beginsLabelName)) this.failAtLabel();
      let h = fnvOffset;
      let p = nameStart;
      while (nameClass[body[p]!]! & inLabelName) h = Math.imul(h ^ body[p++]!, fnvPrime);
      const nameLength = p - nameStart;
      t.p = p;
      t.checkNameLength(nameLength);
      if (body[nameStart] === underscore && body[nameStart + 1] === underscore) {
        t.fail(`the label name "${t.bodyText(nameStart, p)}" is reserved: names must not begin with "__"`);
      }
      // Too many are counted to the end, for the refusal, but not compared.
      if (max === 0 || count <= max) this.checkNotRepeated(h, nameStart, p);
      if (!openMetrics) t.skipBlanks();
      if (body[t.p] !== equals) t.fail(`"=" is missing after the label name "${t.bodyText(nameStart, p)}"`);
      t.p++;
      if (!openMetrics) t.skipBlanks();
      if (body[t.p] !== quote) t.fail('a label value must begin with a quote');
      t.copyBody(nameStart, p);
      t.out[t.o++] = equals;
      const valueStart = t.p;
      const valueHash = this.readValue();
      if (this.isOurs(nameStart, nameLength)) {
        t.o = pair;
        shaped = false;
      } else {
        if (count < mostListedLabels && valueStart === p + 1) {
          this.shapeStarts[count] = nameStart;
          this.shapeLengths[count] = nameLength + 2;
          this.shapeHashes[count] = h;
        } else shaped = false;
        count++;
        // An empty value is no label at all: it must not tell two series apart.
        if (t.p - valueStart > 2) sum = (sum + hashOfPair(h, valueHash)) | 0;
      }
      if (!openMetrics) t.skipBlanks();
      if (body[t.p] === comma) {
        t.p++;
        if (openMetrics && body[t.p] === closeBrace) break;
      } else if (body[t.p] !== closeBrace) t.fail('a label must be followed by "," or "}"');
    }
    t.p++;
    if (max > 0 && count > max) t.refuse('labels_per_series', count);
    if (shaped) this.shapeLabels = count;
    return sum;
  }

  /** From quote to quote, copied as it stands: its escapes are the same in both formats. Gives its hash. */
  private readValue(): number {
    const { t } = this;
    const { body } = t;
    const start = t.p;
    let p = start + 1;
    let escapes = 0;
    for (;;) {
      const byte = body[p];
      if (byte === quote) break;
      if (byte === newline || byte === undefined) t.fail('a label value has no closing quote');
      p++;
      if (byte === backslash) {
        const escaped = body[p];
        if (escaped !== backslash && escaped !== quote && escaped !== 0x6e) {
          t.fail('in a label value a backslash must be followed by a backslash, a quote or "n"');
        }
        p++;
        escapes++;
      }
    }
    p++;
    const length = p - start - 2 - escapes;
    const max = t.limits.value_length_bytes;
    if (max > 0 && length > max) t.refuse('value_length_bytes', length);
    t.copyBody(start, p);
    t.p = p;
    return hashOfValue(body, t.bodyWords, start + 1, p - 1);
  }

  /** A short list is faster than a set for the few labels a series has, and a set keeps thousands linear. */
  private checkNotRepeated(hash: number, from: number, to: number): void {
    const { t, listed } = this;
    const { hashes, starts } = this;
    if (listed < mostListedLabels) {
      for (let i = 0; i < listed; i++) {
        if (hashes[i] === hash && this.nameAt(starts[i]!) === t.bodyText(from, to)) this.failTwice(from, to);
      }
      hashes[listed] = hash;
      starts[listed] = from;
      this.listed++;
      return;
    }
    this.many ??= new Set(Array.from(starts, (start) => this.nameAt(start)));
    const { size } = this.many;
    if (this.many.add(t.bodyText(from, to)).size === size) this.failTwice(from, to);
  }

  private nameAt(start: number): string {
    let end = start;
    while (nameClass[this.t.body[end]!]! & inLabelName) end++;
    return this.t.bodyText(start, end);
  }

  private failTwice(from: number, to: number): never {
    this.t.fail(`the label name "${this.t.bodyText(from, to)}" appears twice`);
  }

  private isOurs(start: number, length: number): boolean {
    const { body } = this.t;
    next: for (const name of this.ours) {
      if (name.length !== length) continue;
      for (let i = 0; i < length; i++) if (name[i] !== body[start + i]) continue next;
      return true;
    }
    return false;
  }

  private failAtLabel(): never {
    return this.t.fail(
      this.t.body[this.t.p] === quote
        ? 'quoted UTF-8 label names are not supported; names must match [a-zA-Z_][a-zA-Z0-9_]*'
        : 'a label name ([a-zA-Z_][a-zA-Z0-9_]*) is expected',
    );
  }
}

/** What a label adds to the hash of its set. */
export const hashOfPair = (nameHash: number, valueHash: number): number =>
  mixed(Math.imul(nameHash, fnvPrime) ^ valueHash);

/** Copies `length` bytes of the body from `p` to `o` of `out` for as long as they are those from `before`. */
export function copyIfSame(t: Transcript, before: number, p: number, o: number, length: number): boolean {
  const { body, bodyWords, out, outWords } = t;
  if (p + length > body.length) return false;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const word = bodyWords.getInt32(p + i, true);
    if (word !== bodyWords.getInt32(before + i, true)) return false;
    outWords.setInt32(o + i, word, true);
  }
  for (; i < length; i++) {
    const byte = body[p + i]!;
    if (byte !== body[before + i]) return false;
    out[o + i] = byte;
  }
  return true;
}
