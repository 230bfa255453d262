import { isUtf8 } from 'node:buffer';
import { WeirError } from '../domain/errors.js';
import { type LimitName, type Limits, limitExceeded } from '../domain/limits.js';
import { DuplicateCheck, mixed } from './duplicates.js';
import type { Exposition, FamilyType } from './family.js';
import { FamilyCollector } from './family-collector.js';
import { canonicalNumber, escapeLabelValue, labelSetEnd, readLabels } from './syntax.js';

/** `text` is Prometheus text 0.0.4, `openmetrics` is OpenMetrics 1.0. */
export type Syntax = 'text' | 'openmetrics';

export interface ParseOptions {
  readonly syntax: Syntax;
  /** Labels every series gets; they take the place of labels of the same name in the body. An empty value removes it. */
  readonly labels: readonly (readonly [string, string])[];
  readonly limits: Pick<Limits, 'labels_per_series' | 'name_length_bytes' | 'value_length_bytes'>;
  /** Metric names beginning with this are refused. */
  readonly reservedPrefix: string;
  /** What the same producer pushed before: lines that repeat its series need no second validation. */
  readonly previous?: Exposition | undefined;
}

/**
 * Bytes in, validated families in canonical form out; nothing of a body with a fault comes through.
 * Throws `invalid` naming the line, or `limit_exceeded` naming line, limit and value; never anything else.
 * Grammar: Prometheus exposition formats, text 0.0.4 and OpenMetrics 1.0 (without UTF-8 names). Timestamps on samples
 * are refused, as the Pushgateway does.
 */
export function parseExposition(body: Buffer, options: ParseOptions): Exposition {
  if (!isUtf8(body)) throw invalidUtf8(body);
  const template = usableTemplate(options);
  const repeated = template === undefined ? undefined : new Parser(body, options, template).parse();
  const exposition = repeated ?? new Parser(body, options, undefined).parse()!;
  checkedUnder.set(exposition.bytes, options.limits);
  return exposition;
}

/** The limits that the lines of an exposition have passed; unknown once it was merged or came back from storage. */
const checkedUnder = new WeakMap<Buffer, ParseOptions['limits']>();

/** The previous exposition, unless a limit it was not checked under could refuse one of its series now. */
function usableTemplate({ previous, limits }: ParseOptions): Exposition | undefined {
  const passed = previous && checkedUnder.get(previous.bytes);
  if (passed === undefined) return undefined;
  const names = ['labels_per_series', 'name_length_bytes', 'value_length_bytes'] as const;
  return names.every((name) => limits[name] === 0 || (passed[name] > 0 && passed[name] <= limits[name]))
    ? previous
    : undefined;
}

const tab = 0x09;
const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const quote = 0x22;
const hash = 0x23;
const comma = 0x2c;
const equals = 0x3d;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Character classes: 1 may stand in a label name, 2 may begin one, 4 and 8 the same for metric names. */
const nameClass = new Uint8Array(256);
for (let c = 0; c < 256; c++) {
  const letter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95;
  const digit = c >= 48 && c <= 57;
  nameClass[c] = (letter ? 15 : 0) | (digit ? 5 : 0) | (c === 58 ? 12 : 0);
}
const inLabelName = 1;
const beginsLabelName = 2;
const inMetricName = 4;
const beginsMetricName = 8;

/** OpenMetrics 1.0, "Exemplars": names and values together. Each may take four bytes, a pair four more. */
const mostExemplarCharacters = 128;
const longestExemplarLabels = 8 * mostExemplarCharacters;

/** Reused between calls: parsing is synchronous. */
let scratch: Buffer = Buffer.allocUnsafe(256 * 1024);
const keptScratch = 8 * 1024 * 1024;

const mostListedLabels = 64;

const fnvOffset = 0x811c9dc5;
const fnvPrime = 16777619;

class Parser {
  private readonly body: Buffer;
  private readonly openMetrics: boolean;
  private readonly options: ParseOptions;
  private readonly limits: ParseOptions['limits'];
  private readonly previous: Exposition | undefined;
  private readonly exemplarsBefore: boolean;
  /** The labels of ours, in the order they are appended, and as the bytes that follow a pushed label set. */
  private readonly ours: readonly { name: Buffer; text: string }[];
  private readonly suffix: Buffer;
  private out = scratch;
  /** Next free byte of `out`. */
  private o = 0;
  /** Next byte of the body to read. */
  private p = 0;
  private line = 1;
  private readonly families: FamilyCollector;
  private readonly duplicates = new DuplicateCheck();
  /** Of the label set being read: hashes of its names, and where in the body they stand. */
  private readonly labelHashes = new Int32Array(mostListedLabels);
  private readonly labelStarts = new Int32Array(mostListedLabels);
  private listedLabels = 0;
  private manyLabels: Set<string> | undefined;
  private readonly failing = (reason: string): never => this.fail(reason);

  constructor(body: Buffer, options: ParseOptions, previous: Exposition | undefined) {
    this.body = body;
    this.options = options;
    this.openMetrics = options.syntax === 'openmetrics';
    this.limits = options.limits;
    this.previous = previous;
    this.exemplarsBefore = previous?.families.some(({ exemplars }) => exemplars) ?? false;
    this.ours = options.labels.map(([name]) => ({ name: Buffer.from(name), text: name }));
    const text = options.labels.filter(([, value]) => value !== '').map(([k, v]) => `${k}="${escapeLabelValue(v)}"`);
    this.suffix = Buffer.from(`${text.join(',')}} `);
    this.families = new FamilyCollector(this.openMetrics);
  }

  /** `undefined` when the body does not repeat `previous`: then it has to be read without it. */
  parse(): Exposition | undefined {
    const { body, families } = this;
    const end = body.length;
    const template = this.previous;
    let ended = false;
    while (this.p < end) {
      if (ended) this.fail('nothing may follow "# EOF"');
      if (!this.openMetrics) this.skipBlanks();
      if (body[this.p] === hash) {
        ended = this.readComment();
      } else if (body[this.p] === newline || this.p === end) {
        if (this.openMetrics) this.fail('OpenMetrics allows no blank lines');
        this.endLine();
      } else if (!this.readSample(template)) return undefined;
      this.line++;
    }
    if (this.openMetrics && !ended) this.fail('an OpenMetrics body must end with "# EOF"');
    const bytes = Buffer.allocUnsafeSlow(this.o);
    this.out.copy(bytes, 0, 0, this.o);
    if (this.out.length <= keptScratch) scratch = this.out;
    return families.finish(bytes);
  }

  private fail(reason: string): never {
    throw new WeirError('invalid', `Line ${this.line}: ${reason}.`, { line: this.line });
  }

  private refuse(limit: LimitName, actual: number): never {
    throw limitExceeded(limit, this.limits[limit as keyof ParseOptions['limits']], actual, this.line);
  }

  // -- samples

  /** One sample line into `out`. False when a template is followed and the line is not its next one. */
  private readSample(template: Exposition | undefined): boolean {
    const index = this.families.lineCount;
    const start = this.o;
    this.makeRoom(this.suffix.length + 64);
    if (template !== undefined) {
      if (index >= template.lines.length - 1) return false;
      const from = template.lines[index]!;
      if (!this.copyRepeatedSeries(template.bytes, from, template.lines[index + 1]! - 1)) {
        this.readSeries();
        this.families.addLine(start, this.out, this.nameEnd, this.failing);
        this.respellBound();
        if (!sameSeriesText(template.bytes, from, this.out, start, this.o)) return false;
      } else if (!this.families.followLine(template, index, start, this.out, this.failing)) return false;
    } else {
      let seriesHash = this.readSeries();
      this.families.addLine(start, this.out, this.nameEnd, this.failing);
      if (this.respellBound()) seriesHash = this.hashAgain(start);
      if (this.duplicates.isRepeated(this.out, start, seriesHash)) {
        this.fail(`the series ${this.out.toString('utf8', start, Math.min(this.o - 1, start + 200))} appears twice`);
      }
    }
    this.readValue();
    this.out[this.o++] = newline;
    return true;
  }

  /**
   * The repeat path: compares the body with a canonical line while copying it, up to the end of the series. The labels
   * of ours stand at the end of each canonical label set, so a match means the same pushed series, label for label.
   */
  private copyRepeatedSeries(canonical: Buffer, from: number, lineEnd: number): boolean {
    const { body, suffix } = this;
    // No more is copied than the canonical line holds.
    this.makeRoom(lineEnd - from + suffix.length + 64);
    const out = this.out;
    let p = this.p;
    let c = from;
    let o = this.o;
    let byte = body[p];
    while (byte === canonical[c] && byte !== newline) {
      out[o++] = byte!;
      byte = body[++p];
      c++;
    }
    // Where the two part, the body closes its labels (or has none) and the canonical line goes on with ours.
    const lead = canonical[c];
    if (byte === closeBrace && lead === comma) p++;
    else if (byte === closeBrace && canonical[c - 1] === openBrace) {
      p++;
      c--;
      o--;
    } else if (byte !== space || lead !== openBrace || startsLabels(body[p + 1])) return false;
    out[o++] = canonical[c]!;
    c++;
    for (let i = 0; i < suffix.length; i++) {
      if (canonical[c + i] !== suffix[i]) return false;
      out[o++] = suffix[i]!;
    }
    // A label value or an exemplar may hold what looks like our labels: only before the value they are.
    if (c + suffix.length !== this.valueStart(canonical, from, lineEnd)) return false;
    this.p = p;
    this.o = o;
    return true;
  }

  /** Where the value of a canonical line begins. Without an exemplar that is after its last blank. */
  private valueStart(canonical: Buffer, from: number, lineEnd: number): number {
    if (this.exemplarsBefore) return labelSetEnd(canonical, from) + 1;
    let at = lineEnd;
    while (canonical[at - 1] !== space) at--;
    return at;
  }

  /** Where in `out` the opening brace of the current line stands. */
  private nameEnd = 0;

  /** Name and labels into `out`, validated, ours appended, with the blank before the value. Gives the series' hash. */
  private readSeries(): number {
    const { body } = this;
    const nameStart = this.p;
    let p = nameStart;
    if (!(nameClass[body[p]!]! & beginsMetricName)) this.failAtName();
    let h = fnvOffset;
    while (nameClass[body[p]!]! & inMetricName) h = Math.imul(h ^ body[p++]!, fnvPrime);
    const nameLength = p - nameStart;
    this.checkNameLength(nameLength);
    this.checkReserved(nameStart, nameLength);
    this.makeRoom(nameLength + 2);
    this.copyBody(nameStart, p);
    this.nameEnd = this.o;
    this.out[this.o++] = openBrace;
    this.p = p;
    if (!this.openMetrics) this.skipBlanks();
    let sum = 0;
    if (body[this.p] === openBrace) sum = this.readLabels();
    else if (this.p === p && body[p] !== space && body[p] !== tab) this.failAtName();
    // The suffix begins with our first label, or with the closing brace when all of ours are empty.
    if (this.out[this.o - 1] !== openBrace && this.suffix[0] !== closeBrace) this.out[this.o++] = comma;
    this.makeRoom(this.suffix.length + 64);
    for (let i = 0; i < this.suffix.length; i++) this.out[this.o++] = this.suffix[i]!;
    return mixed(Math.imul(h, fnvPrime) + sum);
  }

  /** From the opening brace to after the closing one. Gives a hash that does not depend on the labels' order. */
  private readLabels(): number {
    const { body, openMetrics } = this;
    const first = this.o;
    let sum = 0;
    let count = 0;
    const max = this.limits.labels_per_series;
    this.listedLabels = 0;
    this.manyLabels = undefined;
    this.p++;
    for (;;) {
      if (!openMetrics) this.skipBlanks();
      if (body[this.p] === closeBrace) break;
      const pair = this.o;
      if (pair > first) this.out[this.o++] = comma;
      const nameStart = this.p;
      if (!(nameClass[body[nameStart]!]! & beginsLabelName)) this.failAtLabel();
      let h = fnvOffset;
      let p = nameStart;
      while (nameClass[body[p]!]! & inLabelName) h = Math.imul(h ^ body[p++]!, fnvPrime);
      const nameLength = p - nameStart;
      this.p = p;
      this.checkNameLength(nameLength);
      if (body[nameStart] === 95 && body[nameStart + 1] === 95) {
        this.fail(`the label name "${this.bodyText(nameStart, p)}" is reserved: names must not begin with "__"`);
      }
      // Too many are counted to the end, for the refusal, but not compared.
      if (max === 0 || count <= max) this.checkNotRepeated(h, nameStart, p);
      if (!openMetrics) this.skipBlanks();
      if (body[this.p] !== equals) this.fail(`"=" is missing after the label name "${this.bodyText(nameStart, p)}"`);
      this.p++;
      if (!openMetrics) this.skipBlanks();
      if (body[this.p] !== quote) this.fail('a label value must begin with a quote');
      this.makeRoom(nameLength + 4);
      this.copyBody(nameStart, p);
      this.out[this.o++] = equals;
      const valueStart = this.p;
      const valueHash = this.readLabelValue();
      if (this.isOurs(nameStart, nameLength)) this.o = pair;
      else {
        count++;
        // An empty value is no label at all: it must not tell two series apart.
        if (this.p - valueStart > 2) sum = (sum + mixed(Math.imul(h, fnvPrime) ^ valueHash)) | 0;
      }
      if (!openMetrics) this.skipBlanks();
      if (body[this.p] === comma) {
        this.p++;
        if (openMetrics && body[this.p] === closeBrace) break;
      } else if (body[this.p] !== closeBrace) this.fail('a label must be followed by "," or "}"');
    }
    this.p++;
    if (max > 0 && count > max) this.refuse('labels_per_series', count);
    return sum;
  }

  /** From quote to quote, copied as it stands: its escapes are the same in both formats. Gives its hash. */
  private readLabelValue(): number {
    const { body } = this;
    const start = this.p;
    let p = start + 1;
    let h = fnvOffset;
    let escapes = 0;
    for (;;) {
      const byte = body[p];
      if (byte === quote) break;
      if (byte === newline || byte === undefined) this.fail('a label value has no closing quote');
      h = Math.imul(h ^ byte!, fnvPrime);
      p++;
      if (byte === backslash) {
        const escaped = body[p];
        if (escaped !== backslash && escaped !== quote && escaped !== 0x6e) {
          this.fail('in a label value a backslash must be followed by a backslash, a quote or "n"');
        }
        h = Math.imul(h ^ escaped!, fnvPrime);
        p++;
        escapes++;
      }
    }
    p++;
    const length = p - start - 2 - escapes;
    const max = this.limits.value_length_bytes;
    if (max > 0 && length > max) this.refuse('value_length_bytes', length);
    this.makeRoom(p - start + 2);
    this.copyBody(start, p);
    this.p = p;
    return h;
  }

  /**
   * `le="1"` becomes `le="1.0"`: OpenMetrics asks for it and Prometheus 3 does it, and a series must not change its
   * name with the format. True when the line was changed.
   */
  private respellBound(): boolean {
    const bound = this.families.boundLabel;
    if (bound === undefined) return false;
    const from = findLabel(this.out, this.nameEnd + 1, bound);
    if (from < 0) {
      return this.families.needsBound ? this.fail('a histogram bucket needs the label "le"') : false;
    }
    const to = valueEndOf(this.out, from);
    const text = this.out.toString('latin1', from, to);
    if (!isNumber(text)) this.fail(`the label ${bound}="${text.slice(0, 40)}" is not a number`);
    const value = parseNumber(text);
    if (!Number.isFinite(value) && isDecimal(text))
      this.fail(`the label ${bound}="${text.slice(0, 40)}" is out of range`);
    const spelled = canonicalNumber(value);
    if (spelled === text) return false;
    this.makeRoom(spelled.length + 64);
    this.out.copyWithin(from + spelled.length, to, this.o);
    this.out.write(spelled, from, 'latin1');
    this.o += spelled.length - (to - from);
    return true;
  }

  /** The hash of `readSeries`, from the canonical line: for one that was changed after it was read. */
  private hashAgain(start: number): number {
    const { out } = this;
    let h = fnvOffset;
    for (let i = start; i < this.nameEnd; i++) h = Math.imul(h ^ out[i]!, fnvPrime);
    let sum = 0;
    const end = this.o - this.suffix.length;
    for (let at = this.nameEnd + 1; at < end; ) {
      let nameHash = fnvOffset;
      for (; out[at] !== equals; at++) nameHash = Math.imul(nameHash ^ out[at]!, fnvPrime);
      const close = valueEndOf(out, at + 2);
      let valueHash = fnvOffset;
      for (let i = at + 2; i < close; i++) valueHash = Math.imul(valueHash ^ out[i]!, fnvPrime);
      if (close > at + 2) sum = (sum + mixed(Math.imul(nameHash, fnvPrime) ^ valueHash)) | 0;
      at = close + 2;
    }
    return mixed(Math.imul(h, fnvPrime) + sum);
  }

  // -- values

  /** The value and what may follow it, to the end of the line. */
  private readValue(): void {
    const { body } = this;
    if (this.openMetrics) {
      if (body[this.p] !== space) this.fail('one blank must stand before the value');
      this.p++;
    } else this.skipBlanks();
    this.copyNumber('the value');
    if (this.openMetrics) {
      if (body[this.p] === space && body[this.p + 1] === hash) this.readExemplar();
      else if (body[this.p] === space)
        this.fail('timestamps are not accepted in pushes: a sample is as old as its push');
    } else {
      this.skipBlanks();
      const byte = body[this.p];
      if (byte !== undefined && byte !== newline && byte !== carriageReturn) {
        this.fail(
          (byte >= 48 && byte <= 57) || byte === 45
            ? 'timestamps are not accepted in pushes: a sample is as old as its push'
            : 'nothing may follow the value (exemplars need the OpenMetrics content type)',
        );
      }
    }
    this.endLine();
  }

  /** A number as it stands when it is a plain decimal; NaN and infinities in the one spelling both formats share. */
  private copyNumber(what: string): void {
    const { body } = this;
    const start = this.p;
    let p = start;
    let plain = true;
    for (;;) {
      const byte = body[p];
      if (byte === undefined || byte === newline || byte === space || byte === tab || byte === carriageReturn) break;
      // Digits and the dot need no second look when they come alone.
      if (!((byte >= 48 && byte <= 57) || byte === 46)) plain = false;
      p++;
    }
    if (p === start) this.fail(`${what} is missing`);
    this.makeRoom(p - start + 16);
    if (plain && p - start < 200 && isPlainDecimal(body, start, p)) this.copyBody(start, p);
    else {
      const text = body.toString('latin1', start, p);
      if (!isNumber(text)) this.fail(`"${printableNumber(text)}" is not a number`);
      const value = parseNumber(text);
      if (Number.isFinite(value)) this.copyBody(start, p);
      else if (isDecimal(text)) this.fail(`"${printableNumber(text)}" is out of range`);
      else this.o += this.out.write(canonicalNumber(value), this.o, 'latin1');
    }
    this.p = p;
  }

  /** ` # {labels} value [timestamp]`, copied as it stands. OpenMetrics 1.0, "Exemplars". */
  private readExemplar(): void {
    const { body } = this;
    if (!this.families.mayCarryExemplar) this.fail('exemplars may stand only on counters and histogram buckets');
    const start = this.p;
    if (body[start + 2] !== space || body[start + 3] !== openBrace) this.fail('an exemplar must begin with " # {"');
    this.p = start + 3;
    const kept = this.o;
    this.makeRoom(8);
    this.readExemplarLabels();
    this.o = kept;
    if (body[this.p] !== space) this.fail('one blank must stand before the value of an exemplar');
    this.p++;
    this.copyNumber('the value of the exemplar');
    if (body[this.p] === space) {
      this.p++;
      const time = this.p;
      this.copyNumber('the timestamp of the exemplar');
      if (!isDecimal(body.toString('latin1', time, this.p))) this.fail('the timestamp of an exemplar must be a number');
    }
    this.o = kept;
    this.makeRoom(this.p - start + 2);
    this.copyBody(start, this.p);
    this.families.noteExemplar();
  }

  private readExemplarLabels(): void {
    const { body } = this;
    const start = this.p + 1;
    let quoted = false;
    let p = start;
    for (; quoted || body[p] !== closeBrace; p++) {
      if (body[p] === undefined || body[p] === newline) this.fail('the label set of an exemplar has no end');
      if (quoted && body[p] === backslash) p++;
      else if (body[p] === quote) quoted = !quoted;
    }
    this.p = p + 1;
    if (p - start > longestExemplarLabels) this.failLongExemplar();
    const text = this.bodyText(start, p);
    if (text === '') return;
    const pair = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\]|\\\\[\\\\"n])*"';
    if (!new RegExp(`^${pair}(?:,${pair})*$`, 's').test(text)) this.fail('the label set of an exemplar is malformed');
    const labels = readLabels(text);
    if (new Set(labels.map(([name]) => name)).size < labels.length)
      this.fail('a label name of an exemplar appears twice');
    const characters = labels.reduce((sum, [name, value]) => sum + name.length + [...value].length, 0);
    if (characters > mostExemplarCharacters) this.failLongExemplar();
  }

  private failLongExemplar(): never {
    this.fail(`the labels of an exemplar may hold ${mostExemplarCharacters} characters at most`);
  }

  // -- comments

  /** A line beginning with `#`. True when it is OpenMetrics' end mark. */
  private readComment(): boolean {
    const { body } = this;
    let end = body.indexOf(newline, this.p);
    if (end < 0) end = body.length;
    const text = body.toString('utf8', this.p, end);
    this.p = Math.min(end + 1, body.length);
    if (this.openMetrics) {
      if (text === '# EOF') return true;
      if (text.endsWith('\r')) this.failAtReturn();
      const match = /^# (TYPE|HELP|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*)(?: (.*))?$/s.exec(text);
      if (match === null) {
        return this.fail(
          'OpenMetrics allows only "# TYPE", "# HELP" and "# UNIT", each with a name and its text, and "# EOF" lines',
        );
      }
      this.declare(match[1]!, match[2]!, match[3] ?? '');
      return false;
    }
    const keyword = /^#[ \t]*(TYPE|HELP)(?:[ \t]+|$)/.exec(text);
    if (keyword === null) return false;
    if (text.endsWith('\r')) this.failAtReturn();
    const rest = text.slice(keyword[0].length);
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]+(.*))?$/s.exec(rest);
    if (match === null) return this.fail(`"# ${keyword[1]}" needs a metric name`);
    this.declare(keyword[1]!, match[1]!, match[2] ?? '');
    return false;
  }

  private declare(keyword: string, name: string, value: string): void {
    this.checkNameLength(name.length);
    if (name.startsWith(this.options.reservedPrefix)) this.failReserved(name);
    if (keyword === 'TYPE') this.families.declareType(name, this.readType(value), this.failing);
    else if (keyword === 'HELP') this.families.declareHelp(name, this.unescapeHelp(value), this.failing);
    else this.families.declareUnit(name, value, this.failing);
  }

  private readType(text: string): FamilyType {
    const name = this.openMetrics ? text : (/^([a-z]*)[ \t]*$/.exec(text)?.[1] ?? text);
    const known = this.openMetrics ? openMetricsTypes : textTypes;
    return (
      known.get(name) ?? this.fail(`"${printableNumber(name)}" is not a metric type (${[...known.keys()].join(', ')})`)
    );
  }

  private unescapeHelp(text: string): string {
    if (!text.includes('\\')) return text;
    return text.replace(/\\(.?)/gs, (whole, c: string) => {
      if (c === 'n') return '\n';
      if (c === '\\') return '\\';
      if (c === '"' && this.openMetrics) return '"';
      // The reference parser of the text format keeps what it does not know; OpenMetrics forbids it.
      return this.openMetrics
        ? this.fail('in a help text a backslash must be followed by a backslash, a quote or "n"')
        : whole;
    });
  }

  // -- small steps

  private skipBlanks(): void {
    while (this.body[this.p] === space || this.body[this.p] === tab) this.p++;
  }

  private endLine(): void {
    if (this.p >= this.body.length) return;
    if (this.body[this.p] === carriageReturn) this.failAtReturn();
    if (this.body[this.p] !== newline) this.fail('nothing may follow the value');
    this.p++;
  }

  private copyBody(from: number, to: number): void {
    const { body, out } = this;
    let o = this.o;
    for (let i = from; i < to; i++) out[o++] = body[i]!;
    this.o = o;
  }

  private makeRoom(size: number): void {
    if (this.o + size <= this.out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.out.length * 2, this.o + size));
    this.out.copy(larger, 0, 0, this.o);
    this.out = larger;
  }

  private bodyText(from: number, to: number): string {
    return this.body.toString('utf8', from, to);
  }

  private checkNameLength(length: number): void {
    const max = this.limits.name_length_bytes;
    if (max > 0 && length > max) this.refuse('name_length_bytes', length);
  }

  private checkReserved(start: number, length: number): void {
    const prefix = this.options.reservedPrefix;
    if (length < prefix.length || this.body[start] !== prefix.charCodeAt(0)) return;
    if (this.body.toString('latin1', start, start + prefix.length) === prefix) {
      this.failReserved(this.body.toString('latin1', start, start + length));
    }
  }

  private failReserved(name: string): never {
    this.fail(
      `the metric name "${name}" is refused: names beginning with "${this.options.reservedPrefix}" are the gateway's own`,
    );
  }

  /** A short list is faster than a set for the few labels a series has, and a set keeps thousands linear. */
  private checkNotRepeated(hash: number, from: number, to: number): void {
    const { labelHashes: hashes, labelStarts: starts } = this;
    const listed = this.listedLabels;
    if (listed < mostListedLabels) {
      for (let i = 0; i < listed; i++) {
        if (hashes[i] === hash && this.labelNameAt(starts[i]!) === this.bodyText(from, to)) this.failTwice(from, to);
      }
      hashes[listed] = hash;
      starts[listed] = from;
      this.listedLabels++;
      return;
    }
    this.manyLabels ??= new Set(Array.from(starts, (start) => this.labelNameAt(start)));
    const { size } = this.manyLabels;
    if (this.manyLabels.add(this.bodyText(from, to)).size === size) this.failTwice(from, to);
  }

  private labelNameAt(start: number): string {
    let end = start;
    while (nameClass[this.body[end]!]! & inLabelName) end++;
    return this.bodyText(start, end);
  }

  private failTwice(from: number, to: number): never {
    this.fail(`the label name "${this.bodyText(from, to)}" appears twice`);
  }

  private isOurs(start: number, length: number): boolean {
    const { body, ours } = this;
    next: for (const { name } of ours) {
      if (name.length !== length) continue;
      for (let i = 0; i < length; i++) if (name[i] !== body[start + i]) continue next;
      return true;
    }
    return false;
  }

  private failAtReturn(): never {
    this.fail('the line ends with a carriage return; lines must end with a line feed alone');
  }

  private failAtName(): never {
    if (this.body[this.p] === carriageReturn) this.failAtReturn();
    const end = this.body.indexOf(newline, this.p);
    const text = this.bodyText(this.p, Math.min(end < 0 ? this.body.length : end, this.p + 40));
    return this.fail(
      text.startsWith('{"')
        ? 'quoted UTF-8 names are not supported; names must match [a-zA-Z_:][a-zA-Z0-9_:]*'
        : `a metric name ([a-zA-Z_:][a-zA-Z0-9_:]*) followed by labels or a value is expected at "${printableNumber(text)}"`,
    );
  }

  private failAtLabel(): never {
    return this.fail(
      this.body[this.p] === quote
        ? 'quoted UTF-8 label names are not supported; names must match [a-zA-Z_][a-zA-Z0-9_]*'
        : 'a label name ([a-zA-Z_][a-zA-Z0-9_]*) is expected',
    );
  }
}

const textTypes: ReadonlyMap<string, FamilyType> = new Map(
  (['counter', 'gauge', 'histogram', 'summary', 'untyped'] as const).map((type) => [type, type]),
);
const openMetricsTypes: ReadonlyMap<string, FamilyType> = new Map<string, FamilyType>([
  ...(['counter', 'gauge', 'histogram', 'summary', 'info', 'stateset', 'gaugehistogram'] as const).map(
    (type) => [type, type] as const,
  ),
  ['unknown', 'untyped'],
]);

/** Digits with at most one dot between or around them. */
function isPlainDecimal(body: Buffer, start: number, end: number): boolean {
  let dots = 0;
  for (let i = start; i < end; i++) if (body[i] === 46) dots++;
  return dots === 0 || (dots === 1 && end - start > 1);
}

/** Go's ParseFloat without hexadecimal and underscores, which is what Prometheus' own parsers take. */
const isNumber = (text: string): boolean =>
  /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i.test(text);

/** Whether a number is written in digits, and not as one of the words. */
const isDecimal = (text: string): boolean => /^[+-]?[\d.]/.test(text);

function parseNumber(text: string): number {
  const word = /^([+-]?)(inf|nan)/i.exec(text);
  if (word === null) return Number(text);
  if (word[2]!.toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
const printableNumber = (text: string): string => text.slice(0, 40).replace(/[\u0000-\u001f\u007f]/g, '?');

/** Where the value of label `name` begins in the canonical label set whose first label is at `start`, or -1. */
function findLabel(out: Buffer, start: number, name: string): number {
  let at = start;
  while (out[at] !== closeBrace) {
    const labelStart = at;
    while (out[at] !== equals) at++;
    const valueStart = at + 2;
    if (at - labelStart === name.length && out.toString('latin1', labelStart, at) === name) return valueStart;
    at = valueEndOf(out, valueStart) + 1;
    if (out[at] === comma) at++;
  }
  return -1;
}

/** The closing quote of the label value whose text begins at `start`. */
function valueEndOf(out: Buffer, start: number): number {
  let at = start;
  while (out[at] !== quote) at += out[at] === backslash ? 2 : 1;
  return at;
}

/** Whether what follows the blank after a metric name may still be its labels. */
const startsLabels = (byte: number | undefined): boolean => byte === openBrace || byte === space || byte === tab;

function sameSeriesText(canonical: Buffer, from: number, out: Buffer, start: number, end: number): boolean {
  const length = labelSetEnd(canonical, from) + 1 - from;
  return length === end - start && canonical.compare(out, start, end, from, from + length) === 0;
}

function invalidUtf8(body: Buffer): WeirError {
  let line = 1;
  let start = 0;
  for (let end = body.indexOf(newline); end >= 0; end = body.indexOf(newline, start)) {
    if (!isUtf8(body.subarray(start, end))) break;
    start = end + 1;
    line++;
  }
  return new WeirError('invalid', `Line ${line}: the body is not valid UTF-8.`, { line });
}
