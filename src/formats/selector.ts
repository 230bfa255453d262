import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';
import { compileRegex } from './regex.js';

/** A series as a selector sees it; `__name__` is the metric's name, a label that is not there is empty. */
export type LabelsOf = (name: string) => string;

const longestSelector = 4096;

/**
 * Prometheus' series selectors: `name`, `{label="value"}`, `name{a!="b",c=~"x|y.*"}`, with its three kinds of quotes. The
 * name is looked at first, so that labels need not be read of what has another. Throws `invalid`.
 */
export function parseSelector(text: string, compile = compileRegex): (label: LabelsOf) => boolean {
  const refuse = (): WeirError =>
    new WeirError('invalid', `"${printable(text)}" is not a series selector; write it like name{label="value"}.`, {
      field: 'match',
    });
  if (text.length > longestSelector) throw refuse();
  const [, name = '', braces] = /^([A-Za-z_:][\w:]*)?\s*(\{.*\})?$/s.exec(text.trim()) ?? [];
  if (name === '' && braces === undefined) throw refuse();
  const tests: ((label: LabelsOf) => boolean)[] = [];
  if (name !== '') tests.push((label) => label('__name__') === name);
  let rest = (braces ?? '{}').slice(1, -1).trim();
  while (rest !== '') {
    const matcher = matcherAtStart.exec(rest);
    if (matcher === null) throw refuse();
    const [whole, label, operator, quoted] = matcher as unknown as [string, string, string, string];
    tests.push(matcherOf(label, operator, unquoted(quoted), compile));
    rest = rest.slice(whole.length);
  }
  if (tests.length === 0) throw refuse();
  return (label) => tests.every((test) => test(label));
}

const matcherAtStart =
  /^([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(?:,\s*|$)/;

/** Whether any of the selectors lets the series pass; without selectors every series does. */
export function selects(selectors: readonly string[]): (label: LabelsOf) => boolean {
  const tests = selectors.map((selector) => parseSelector(selector));
  return tests.length === 0 ? () => true : (label) => tests.some((test) => test(label));
}

/** As Go writes strings; a backslash before any other character stands for itself, so that `\d` need not be doubled. */
function unquoted(quoted: string): string {
  const text = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return text;
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(00[01][0-9a-fA-F]{5})|(.))/g,
    (whole, byte, four, eight, one) => {
      const code = byte ?? four ?? eight;
      if (code !== undefined) return codePoint(Number.parseInt(code as string, 16)) ?? whole;
      return escapes[one as string] ?? whole;
    },
  );
}

const codePoint = (code: number): string | undefined => (code > 0x10ffff ? undefined : String.fromCodePoint(code));

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', "'": "'", '\\': '\\' };

function matcherOf(
  label: string,
  operator: string,
  value: string,
  compile: typeof compileRegex,
): (of: LabelsOf) => boolean {
  if (operator === '=') return (of) => of(label) === value;
  if (operator === '!=') return (of) => of(label) !== value;
  const wanted = operator === '=~';
  const regex = compile(value, 'match');
  return (of) => regex.fits(of(label)) === wanted;
}
