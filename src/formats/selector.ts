import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';

/** A series as a selector sees it; `__name__` is the metric's name. */
export type LabelsOf = (name: string) => string;

/**
 * Prometheus' series selectors: `name`, `{label="value"}`, `name{a!="b",c=~"x|y.*"}`. Of regular expressions those that
 * are made of letters, `.*`, `.+`, `|` and escaped characters: what is compared grows with the text, never faster.
 * Throws `invalid`.
 */
export function parseSelector(text: string): (label: LabelsOf) => boolean {
  const refuse = (): WeirError =>
    new WeirError('invalid', `"${printable(text)}" is not a series selector; write it like name{label="value"}.`, {
      field: 'match',
    });
  const [, name = '', braces] = /^\s*([A-Za-z_:][\w:]*)?\s*(\{.*\})?\s*$/s.exec(text) ?? [];
  if (text.length > 4096 || (name === '' && braces === undefined)) throw refuse();
  const tests: ((label: LabelsOf) => boolean)[] = [];
  if (name !== '') tests.push((label) => label('__name__') === name);
  let rest = (braces ?? '{}').slice(1, -1).trim();
  while (rest !== '') {
    const matcher = /^([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*(?:,\s*|$)/.exec(rest);
    if (matcher === null) throw refuse();
    const [whole, label, operator, quoted] = matcher as unknown as [string, string, string, string];
    tests.push(matcherOf(label, operator, unescaped(quoted), refuse));
    rest = rest.slice(whole.length);
  }
  if (tests.length === 0) throw refuse();
  return (label) => tests.every((test) => test(label));
}

/** Whether any of the selectors lets the series pass; without selectors every series does. */
export function selects(selectors: readonly string[]): (label: LabelsOf) => boolean {
  const tests = selectors.map(parseSelector);
  return tests.length === 0 ? () => true : (label) => tests.some((test) => test(label));
}

const unescaped = (text: string): string =>
  text.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === '"' || c === '\\' ? c : `\\${c}`));

function matcherOf(label: string, operator: string, value: string, refuse: () => WeirError) {
  if (operator === '=') return (of: LabelsOf) => of(label) === value;
  if (operator === '!=') return (of: LabelsOf) => of(label) !== value;
  const wanted = operator === '=~';
  const patterns = alternatives(value, refuse);
  return (of: LabelsOf) => patterns.some((pattern) => fits(of(label), pattern)) === wanted;
}

/** A pattern is literals with gaps between; a gap may demand one character at least. */
type Pattern = readonly (string | { readonly atLeast: 0 | 1 })[];

function alternatives(expression: string, refuse: () => WeirError): Pattern[] {
  return splitTop(expression).map((text) => {
    const parts: (string | { atLeast: 0 | 1 })[] = [];
    let literal = '';
    for (let at = 0; at < text.length; at++) {
      const c = text[at]!;
      if (c === '\\' && /[^A-Za-z0-9]/.test(text[at + 1] ?? '')) literal += text[++at];
      else if (c === '.' && (text[at + 1] === '*' || text[at + 1] === '+')) {
        parts.push(literal, { atLeast: text[++at] === '+' ? 1 : 0 });
        literal = '';
      } else if (/[\\.*+?()[\]{}^$]/.test(c)) throw refuse();
      else literal += c;
    }
    return [...parts, literal];
  });
}

function splitTop(expression: string): string[] {
  const parts = [''];
  for (let at = 0; at < expression.length; at++) {
    const c = expression[at]!;
    if (c === '\\') parts[parts.length - 1] += c + (expression[++at] ?? '');
    else if (c === '|') parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts;
}

/** The first literal at the start, the last at the end, those between at the earliest place: no way back is needed. */
function fits(text: string, pattern: Pattern): boolean {
  const first = pattern[0] as string;
  if (pattern.length === 1) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  let atLeast = 0;
  for (const [index, part] of pattern.entries()) {
    if (index === 0) continue;
    if (typeof part !== 'string') {
      atLeast += part.atLeast;
      continue;
    }
    if (index === pattern.length - 1) return text.length - part.length >= at + atLeast && text.endsWith(part);
    if (part === '') continue;
    const found = text.indexOf(part, at + atLeast);
    if (found === -1) return false;
    at = found + part.length;
    atLeast = 0;
  }
  return false;
}
