import { closeBrace, comma, dot, minus, newline, nine, openBrace, quote, space, zero } from '../characters.js';
import { wordsOf } from '../columns.js';
import { type Exposition, type Family, type FamilyHeader, textSampleNames } from '../family.js';
import { escapeHelp } from '../syntax.js';
import type { Transcript } from './transcript.js';

/**
 * The short way for nearly every push: a text body that holds the same series in the same order as the push before,
 * under the same comments, in the spelling most clients write. It is compared and copied four bytes at a time; only the
 * values are read. `undefined` for anything else, faults included: then the body has to be read in full.
 *
 * `suffix` is what follows the pushed labels in every line of `previous`: our labels, the closing brace, a blank.
 */
export function repeatText(t: Transcript, previous: Exposition, suffix: Buffer): Exposition | undefined {
  const { families, lines } = previous;
  if (suffix[0] === closeBrace || !areApart(families)) return undefined;
  const count = lines.length - 1;
  // A line grows by our labels, a brace or comma before them, and ".0" in a bound.
  t.makeRoom(t.body.length + count * (suffix.length + 3));
  const repeat = new Repeat(t, previous.bytes, suffix);
  const starts = new Uint32Array(count + 1);
  for (const family of families) {
    if (!skipComments(t, family)) return undefined;
    const bound = boundOf(family.header);
    for (let line = family.first; line < family.last; line++) {
      starts[line] = t.o;
      if (!repeat.copySeries(lines[line]!, lines[line + 1]!, bound) || !copyValue(t)) return undefined;
    }
  }
  if (t.p < t.body.length) return undefined;
  starts[count] = t.o;
  return { families, bytes: t.finish(), lines: starts };
}

/** Whether every sample name belongs to one family: then each family can be read without looking at the others. */
function areApart(families: readonly Family[]): boolean {
  const names = new Set<string>();
  for (const { header } of families) {
    const claimed = textSampleNames(header);
    if (header.unit !== undefined || claimed === undefined) return false;
    for (const name of claimed) {
      if (names.has(name)) return false;
      names.add(name);
    }
  }
  return true;
}

/** By header, of which there is one for a whole fleet. */
const comments = new WeakMap<FamilyHeader, Buffer>();

/** What a producer says of a family when it writes as most do. */
function commentsOf(header: FamilyHeader): Buffer {
  let bytes = comments.get(header);
  if (bytes === undefined) {
    const { name, type, help } = header;
    const text = `${help === undefined ? '' : `# HELP ${name} ${escapeHelp(help)}\n`}# TYPE ${name} ${type}\n`;
    // Not from Node's pool: it would hold on to a pool's page for as long as the header lives.
    bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
    bytes.write(text);
    comments.set(header, bytes);
  }
  return bytes;
}

function skipComments(t: Transcript, { header }: Family): boolean {
  const text = commentsOf(header);
  const end = t.p + text.length;
  if (end > t.body.length || text.compare(t.body, t.p, end) !== 0) return false;
  t.p = end;
  return true;
}

const boundOf = ({ type }: FamilyHeader): 'le' | 'quantile' | undefined =>
  type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : undefined;

class Repeat {
  private readonly t: Transcript;
  private readonly before: Buffer;
  private readonly beforeWords: DataView;
  private readonly suffix: Buffer;
  private readonly suffixWords: DataView;

  constructor(t: Transcript, before: Buffer, suffix: Buffer) {
    this.t = t;
    this.before = before;
    this.beforeWords = wordsOf(before);
    this.suffix = suffix;
    this.suffixWords = wordsOf(suffix);
  }

  /** The series of the line from `from` to `to` of the exposition before. False when the body has another. */
  copySeries(from: number, to: number, bound: string | undefined): boolean {
    const { t, before, beforeWords } = this;
    const { body, bodyWords, out, outWords } = t;
    const end = body.length;
    let { p, o } = t;
    let c = from;
    for (;;) {
      for (const last = Math.min(to, c + end - p) - 4; c <= last; p += 4, c += 4, o += 4) {
        const word = bodyWords.getUint32(p, true);
        if (word !== beforeWords.getUint32(c, true)) break;
        outWords.setUint32(o, word, true);
      }
      while (c < to && p < end && body[p] === before[c]) {
        out[o++] = body[p++]!;
        c++;
      }
      if (c >= to || p >= end) return false;
      // A bound that was pushed as "1" is kept as "1.0".
      if (body[p] !== quote || bound === undefined || !endsWholeBound(before, c, bound)) break;
      out[o++] = dot;
      out[o++] = zero;
      c += 2;
    }
    // Where the two part, the body closes its labels (or has none) and the line before goes on with ours.
    const byte = body[p];
    const lead = before[c];
    if (byte === closeBrace && lead === comma) {
      p++;
      out[o++] = comma;
      c++;
    } else if (byte === closeBrace && before[c - 1] === openBrace) p++;
    else if (byte === space && lead === openBrace && body[p + 1] !== openBrace && body[p + 1] !== space) {
      out[o++] = openBrace;
      c++;
    } else return false;
    t.p = p;
    t.o = o;
    return this.copySuffix(c, to);
  }

  /** Our labels. No blank may follow but that before the value: label values and exemplars may hold what looks like them. */
  private copySuffix(c: number, to: number): boolean {
    const { t, before, beforeWords, suffix, suffixWords } = this;
    const { out, outWords, o } = t;
    const { length } = suffix;
    if (c + length >= to) return false;
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      const word = suffixWords.getUint32(i, true);
      if (word !== beforeWords.getUint32(c + i, true)) return false;
      outWords.setUint32(o + i, word, true);
    }
    for (; i < length; i++) {
      if (suffix[i] !== before[c + i]) return false;
      out[o + i] = suffix[i]!;
    }
    for (let at = c + length; at < to; at++) if (before[at] === space) return false;
    t.o = o + length;
    return true;
  }
}

/** Whether ".0" and a quote at `c` end a whole number that is the value of the label `bound`. */
function endsWholeBound(line: Buffer, c: number, bound: string): boolean {
  if (line[c] !== dot || line[c + 1] !== zero || line[c + 2] !== quote) return false;
  let at = c;
  while (line[at - 1]! >= zero && line[at - 1]! <= nine) at--;
  const label = `${bound}="`;
  const lead = line[at - label.length - 1];
  return at < c && (lead === openBrace || lead === comma) && line.toString('latin1', at - label.length, at) === label;
}

const longestPlainNumber = 100;

/** A decimal number after one blank (or none, after a brace), to the end of the line. */
function copyValue(t: Transcript): boolean {
  const { body, out } = t;
  let { p, o } = t;
  if (body[p] === space) p++;
  const start = p;
  if (body[p] === minus) out[o++] = body[p++]!;
  const first = p;
  let dots = 0;
  let byte = body[p];
  while (byte !== undefined && ((byte >= zero && byte <= nine) || byte === dot)) {
    if (byte === dot) dots++;
    out[o++] = byte;
    byte = body[++p];
  }
  if (byte !== newline || dots > 1 || p - first <= dots || p - start > longestPlainNumber) return copyOtherValue(t);
  out[o++] = newline;
  t.p = p + 1;
  t.o = o;
  return true;
}

/** A number with an exponent, or one that is not finite in the spelling that is kept. */
function copyOtherValue(t: Transcript): boolean {
  const { body } = t;
  const start = body[t.p] === space ? t.p + 1 : t.p;
  const end = body.indexOf(newline, start);
  if (end < 0 || end - start > longestPlainNumber) return false;
  const text = body.toString('latin1', start, end);
  const finite = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)[eE][+-]?\d+$/.test(text) && Number.isFinite(Number(text));
  if (!finite && text !== 'NaN' && text !== '+Inf' && text !== '-Inf') return false;
  t.copyBody(start, end + 1);
  t.p = end + 1;
  return true;
}
