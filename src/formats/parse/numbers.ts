import { dot } from '../characters.js';
import { canonicalNumber } from '../syntax.js';

/** Digits with at most one dot between or around them, when it is known that there is nothing else. */
export function isPlainDecimal(body: Buffer, start: number, end: number): boolean {
  let dots = 0;
  for (let i = start; i < end; i++) if (body[i] === dot) dots++;
  return dots === 0 || (dots === 1 && end - start > 1);
}

/** Go's ParseFloat without hexadecimal and underscores, which is what Prometheus' own parsers take. */
export const isNumber = (text: string): boolean =>
  /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i.test(text);

/** Whether a number is written in digits, and not as one of the words. */
export const isDecimal = (text: string): boolean => /^[+-]?[\d.]/.test(text);

export function parseNumber(text: string): number {
  const word = /^([+-]?)(inf|nan)/i.exec(text);
  if (word === null) return Number(text);
  if (word[2]!.toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** What is no number, for an error message. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
export const printableNumber = (text: string): string => text.slice(0, 40).replace(/[\u0000-\u001f\u007f]/g, '?');

/** Producers share a few dozen bounds, and to spell a number is dear. */
const knownBounds = new Map<string, string>();
const mostKnownBounds = 1000;
const longestKnownBound = 40;

/** How the value of `le` or `quantile` is spelled; what is wrong with it otherwise. */
export function spelledBound(text: string): { spelled: string } | { wrong: string } {
  const known = knownBounds.get(text);
  if (known !== undefined) return { spelled: known };
  if (!isNumber(text)) return { wrong: 'is not a number' };
  const value = parseNumber(text);
  if (!Number.isFinite(value) && isDecimal(text)) return { wrong: 'is out of range' };
  const spelled = canonicalNumber(value);
  if (knownBounds.size < mostKnownBounds && text.length <= longestKnownBound) knownBounds.set(text, spelled);
  return { spelled };
}
