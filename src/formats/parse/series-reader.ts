import {
  beginsMetricName,
  carriageReturn,
  closeBrace,
  comma,
  equals,
  inMetricName,
  nameClass,
  newline,
  openBrace,
  space,
  tab,
} from '../characters.js';
import { wordsOf } from '../columns.js';
import { mixed } from '../duplicates.js';
import { findLabel, labelValueEnd } from '../syntax.js';
import { fnvOffset, fnvPrime, hashOfValue } from './label-hash.js';
import { copyIfSame, hashOfPair, LabelReader } from './label-reader.js';
import { printableNumber, spelledBound } from './numbers.js';
import type { Transcript } from './transcript.js';

export interface SeriesReaderOptions {
  readonly openMetrics: boolean;
  /** Names of labels that are dropped: ours take their place. */
  readonly ours: readonly string[];
  /** What follows the pushed labels in every line: ours, the closing brace, a blank. */
  readonly suffix: Buffer;
  /** Throws for a metric name that is not accepted. */
  readonly checkName: (name: string) => void;
}

/** Metric name and labels of sample lines, from the body into the canonical form. */
export class SeriesReader {
  /** The metric name of the line that was read. */
  name = '';
  /** Whether the line before it had the same. */
  sameName = false;
  private readonly t: Transcript;
  private readonly openMetrics: boolean;
  private readonly labels: LabelReader;
  private readonly suffix: Buffer;
  private readonly suffixWords: DataView;
  private readonly checkName: (name: string) => void;
  /** Where in the body the name stands, and its hash. */
  private nameStart = 0;
  private nameHash = 0;
  /** Where in `out` the line begins, and its opening brace stands. */
  private start = 0;
  private brace = 0;

  constructor(t: Transcript, { openMetrics, ours, suffix, checkName }: SeriesReaderOptions) {
    this.t = t;
    this.openMetrics = openMetrics;
    this.labels = new LabelReader(t, openMetrics, ours);
    this.suffix = suffix;
    this.suffixWords = wordsOf(suffix);
    this.checkName = checkName;
  }

  /** Name and labels into `out`, ours appended, with the blank before the value. Gives the series' hash. */
  read(): number {
    const { t } = this;
    const { body } = t;
    // What is left of the body fits from here on, so that nothing below needs to ask.
    t.makeRoom(body.length - t.p + this.suffix.length + 64);
    this.start = t.o;
    this.sameName = this.readSameName();
    if (!this.sameName) this.readName();
    this.brace = t.o;
    t.out[t.o++] = openBrace;
    const afterName = t.p;
    if (!this.openMetrics) t.skipBlanks();
    let sum = 0;
    if (body[t.p] === openBrace) sum = this.labels.read();
    else if (t.p === afterName && body[afterName] !== space && body[afterName] !== tab) this.failAtName();
    this.appendSuffix();
    return mixed(Math.imul(this.nameHash, fnvPrime) + sum);
  }

  /**
   * `le="1"` becomes `le="1.0"`: OpenMetrics asks for it and Prometheus 3 does it, and a series must not change its
   * name with the format. True when the line was changed, and with it its hash.
   */
  respellBound(bound: 'le' | 'quantile', isNeeded: boolean): boolean {
    const { t } = this;
    const from = findLabel(t.out, this.brace + 1, bound);
    if (from < 0) return isNeeded ? t.fail('a histogram bucket needs the label "le"') : false;
    const to = labelValueEnd(t.out, from);
    const text = t.out.toString('latin1', from, to);
    const bounded = spelledBound(text);
    if ('wrong' in bounded) return t.fail(`the label ${bound}="${text.slice(0, 40)}" ${bounded.wrong}`);
    const { spelled } = bounded;
    if (spelled === text) return false;
    t.makeRoom(spelled.length + 64);
    t.out.copyWithin(from + spelled.length, to, t.o);
    t.out.write(spelled, from, 'latin1');
    t.o += spelled.length - (to - from);
    return true;
  }

  /** The hash that `read` gives, from the canonical line: for one that was changed after it was read. */
  hashAgain(): number {
    const { out, outWords } = this.t;
    let sum = 0;
    const end = this.t.o - this.suffix.length;
    for (let at = this.brace + 1; at < end; ) {
      let nameHash = fnvOffset;
      for (; out[at] !== equals; at++) nameHash = Math.imul(nameHash ^ out[at]!, fnvPrime);
      const close = labelValueEnd(out, at + 2);
      if (close > at + 2) sum = (sum + hashOfPair(nameHash, hashOfValue(out, outWords, at + 2, close))) | 0;
      at = close + 2;
    }
    return mixed(Math.imul(this.nameHash, fnvPrime) + sum);
  }

  /** What was written of the line, for an error message. */
  get text(): string {
    const { out, o } = this.t;
    return out.toString('utf8', this.start, Math.min(o - 1, this.start + 200));
  }

  /** True when the name is that of the line before, which most are. */
  private readSameName(): boolean {
    const { t } = this;
    const { length } = this.name;
    if (length === 0 || !copyIfSame(t, this.nameStart, t.p, t.o, length)) return false;
    const end = t.p + length;
    if (end === t.body.length || nameClass[t.body[end]!]! & inMetricName) return false;
    this.nameStart = t.p;
    t.p = end;
    t.o += length;
    return true;
  }

  private readName(): void {
    const { t } = this;
    const { body } = t;
    const start = t.p;
    let p = start;
    if (!(nameClass[body[p]!]! & beginsMetricName)) this.failAtName();
    let h = fnvOffset;
    while (nameClass[body[p]!]! & inMetricName) h = Math.imul(h ^ body[p++]!, fnvPrime);
    t.checkNameLength(p - start);
    this.name = body.toString('latin1', start, p);
    this.checkName(this.name);
    t.copyBody(start, p);
    this.nameStart = start;
    this.nameHash = h;
    t.p = p;
  }

  private appendSuffix(): void {
    const { t, suffix, suffixWords } = this;
    const { length } = suffix;
    // It begins with our first label, or with the closing brace when all of ours are empty.
    if (t.o > this.brace + 1 && suffix[0] !== closeBrace) t.out[t.o++] = comma;
    const { out, outWords, o } = t;
    let i = 0;
    for (; i + 4 <= length; i += 4) outWords.setInt32(o + i, suffixWords.getInt32(i, true), true);
    for (; i < length; i++) out[o + i] = suffix[i]!;
    t.o = o + length;
  }

  private failAtName(): never {
    const { t } = this;
    if (t.body[t.p] === carriageReturn) t.failAtReturn();
    const end = t.body.indexOf(newline, t.p);
    const text = t.bodyText(t.p, Math.min(end < 0 ? t.body.length : end, t.p + 40));
    return t.fail(
      text.startsWith('{"')
        ? 'quoted UTF-8 names are not supported; names must match [a-zA-Z_:][a-zA-Z0-9_:]*'
        : `a metric name ([a-zA-Z_:][a-zA-Z0-9_:]*) followed by labels or a value is expected at "${printableNumber(text)}"`,
    );
  }
}
