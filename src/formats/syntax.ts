import { backslash, closeBrace, comma, equals, newline, openBrace, quote, space } from './characters.js';

/** What both text formats share: escapes, number spellings, and the cutting of a canonical line. */

export const escapeLabelValue = (value: string): string =>
  value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));

export const unescapeLabelValue = (text: string): string =>
  text.replace(/\\([\\"n])/g, (_, c: string) => (c === 'n' ? '\n' : c));

export const escapeHelp = (help: string): string => help.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'));

export const escapeOpenMetricsHelp = escapeLabelValue;

/**
 * A number for `le` and `quantile` as OpenMetrics spells it ("canonical numbers"), which is also how Prometheus 3
 * normalises them: `1.0`, `0.5`, `1e+06`, `+Inf`. It is Go's `FormatFloat(f, 'g', -1, 64)` with `.0` for whole numbers.
 */
export function canonicalNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 6) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  const plain = value.toFixed(Math.max(0, mantissa.replace(/[-.]/g, '').length - 1 - exponent));
  return plain.includes('.') ? plain : `${plain}.0`;
}

/** Parses a sample value that has already been validated (`NaN`, `+Inf` and `-Inf` as we spell them). */
export function sampleValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/** Seconds with milliseconds, as gauge values and OpenMetrics timestamps are written: `1711462853.123`. */
export const secondsOf = (ms: number): string => (ms / 1000).toFixed(3);

/** Where the label set of the canonical line at `start` ends: the index just after its closing brace. */
export function labelSetEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] !== openBrace) at++;
  let quoted = false;
  for (at++; ; at++) {
    const byte = bytes[at]!;
    if (quoted) {
      if (byte === backslash) at++;
      else if (byte === quote) quoted = false;
    } else if (byte === quote) quoted = true;
    else if (byte === closeBrace) return at + 1;
  }
}

/** Where the value of the canonical line starting at `start` ends (exclusive): before its exemplar or newline. */
export function valueEnd(bytes: Uint8Array, start: number): number {
  let at = labelSetEnd(bytes, start) + 1;
  while (bytes[at] !== space && bytes[at] !== newline) at++;
  return at;
}

/** Where the value of label `name` begins in the canonical label set whose first label is at `start`, or -1. */
export function findLabel(bytes: Buffer, start: number, name: string): number {
  let at = start;
  while (bytes[at] !== closeBrace) {
    const labelStart = at;
    while (bytes[at] !== equals) at++;
    const valueStart = at + 2;
    if (at - labelStart === name.length && bytes.toString('latin1', labelStart, at) === name) return valueStart;
    at = labelValueEnd(bytes, valueStart) + 1;
    if (bytes[at] === comma) at++;
  }
  return -1;
}

/** The closing quote of the label value whose text begins at `start`. */
export function labelValueEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

/** One canonical line taken apart; labels in the order of the line, unescaped. */
export interface SampleLine {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: string;
  /** ` # {…} value` with its leading blank, or empty. */
  readonly exemplar: string;
}

export function readLine(bytes: Buffer, start: number, end: number): SampleLine {
  const setEnd = labelSetEnd(bytes, start);
  const stop = valueEnd(bytes, start);
  const series = bytes.toString('utf8', start, setEnd);
  const brace = series.indexOf('{');
  return {
    name: series.slice(0, brace),
    labels: readLabels(series.slice(brace + 1, -1)),
    value: bytes.toString('latin1', setEnd + 1, stop),
    exemplar: bytes.toString('utf8', stop, end - 1),
  };
}

/** The labels of a well-formed label set, without its braces. Regular expressions run out of stack on long values. */
export function readLabels(text: string): [string, string][] {
  return labelPairs(text).map((pair) => {
    const name = pair.slice(0, pair.indexOf('='));
    return [name, unescapeLabelValue(pair.slice(name.length + 2, -1))];
  });
}

/** The `name="value"` pairs of a label set, as they stand. */
function labelPairs(text: string): string[] {
  const pairs: string[] = [];
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf('"', at) + 1;
    while (text.charCodeAt(end) !== quote) end += text.charCodeAt(end) === backslash ? 2 : 1;
    pairs.push(text.slice(at, end + 1));
    at = end + 2;
  }
  return pairs;
}

/**
 * What makes two lines the same series to Prometheus: name and labels, their order aside; a label with an empty value
 * is no label.
 */
export function seriesIdentity(bytes: Buffer, start: number): string {
  const series = bytes.toString('utf8', start, labelSetEnd(bytes, start));
  const brace = series.indexOf('{');
  const pairs = labelPairs(series.slice(brace + 1, -1)).filter((pair) => !pair.endsWith('=""'));
  return `${series.slice(0, brace)}{${pairs.sort().join(',')}}`;
}

/**
 * Digits with a point and an exponent, if any. A run of digits can be read in one way only: with `\d+\.?\d*` in as many ways
 * as it is long, which are all tried when something else follows.
 */
export const isDecimalNumber = (text: string): boolean => /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text);
