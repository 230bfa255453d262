import { WeirError } from '../../domain/errors.js';
import { printable } from '../../domain/ids.js';
import type { Matcher } from '../../domain/source.js';
import { compileSimpleRegex } from '../regex.js';
import type { LabelsOf } from '../selector.js';

/**
 * `label="value"` with `=`, `!=`, `=~` or `!~`, quoted as in PromQL (`\\`, `\"`, `\n` and `\x1f` are escapes). Regular
 * expressions are simple ones. Throws `invalid`.
 */
export function parseMatcher(text: string): Matcher {
  const [, label, operator, quoted] =
    /^\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\(?:[\\"n]|x[0-7][0-9a-f]))*)"\s*$/.exec(text) ?? [];
  const refused = new WeirError(
    'invalid',
    `"${printable(text)}" is not a matcher; write it like project="acme", with =, !=, =~ or !~.`,
    { field: 'matchers' },
  );
  if (label === undefined || text.length > 4096 || /\p{Surrogate}/u.test(text)) throw refused;
  const matcher = { label, operator: operator as Matcher['operator'], value: unescaped(quoted!) };
  // Refuses expressions that cannot be checked on what comes back.
  matcherTest(matcher);
  return matcher;
}

const unescaped = (text: string): string =>
  text.replace(/\\(?:x(..)|(.))/g, (_, code: string | undefined, c: string) =>
    code !== undefined ? String.fromCharCode(Number.parseInt(code, 16)) : c === 'n' ? '\n' : c,
  );

/** The selector of all of them; whatever stands in a value, it stays a value. */
export const selectorOf = (matchers: readonly Matcher[]): string => `{${matchers.map(formatMatcher).join(',')}}`;

export const formatMatcher = ({ label, operator, value }: Matcher): string => `${label}${operator}${quote(value)}`;

/** A PromQL string of the text: Go's rules for a double-quoted string. */
export function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped here
  const escaped = text.replace(/[\\"\u0000-\u001f\u007f]/g, (c) => {
    if (c === '\\' || c === '"') return `\\${c}`;
    if (c === '\n') return '\\n';
    return `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** Whether a series satisfies it; a label that is not there is empty. */
export function matcherTest(matcher: Matcher): (label: LabelsOf) => boolean {
  const { label, operator, value } = matcher;
  if (operator === '=') return (of) => of(label) === value;
  if (operator === '!=') return (of) => of(label) !== value;
  // Only simple ones mean the same to every TSDB, and cost next to nothing on each series that comes back.
  const regex = compileSimpleRegex(value, 'matchers');
  return (of) => regex.fits(of(label)) === (operator === '=~');
}

/** Names what keeps customers apart: a label with one value, that is neither the metric's name nor nothing. */
export const isEquality = ({ label, operator, value }: Matcher): boolean =>
  operator === '=' && label !== '__name__' && value !== '';
