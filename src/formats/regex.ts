import { RE2JS } from 're2js';
import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';

/** A regular expression in RE2's syntax that must fit the whole text, line breaks being characters like any other. */
export interface Regex {
  readonly source: string;
  fits(text: string): boolean;
  /** What the template becomes, `$1`, `${1}` and `${name}` standing for groups; `undefined` when the text does not fit. */
  expand(text: string, templates: readonly string[]): string[] | undefined;
}

/** What is compared grows with the text times this at the worst. */
const largestProgram = 1000;
const longestSource = 4096;

/**
 * Anchored as Prometheus does. RE2 has no backtracking: time grows with the text, never faster. Throws `invalid` with
 * what is wrong, naming `field`.
 */
export function compileRegex(source: string, field: string): Regex {
  const refuse = (why: string): WeirError => refusal(source, why, field);
  if (source.length > longestSource) throw refuse(`it is longer than ${longestSource} characters`);
  const simple = alternatives(source);
  let compiled: RE2JS | undefined;
  const whole = (): RE2JS => {
    compiled ??= RE2JS.compile(source, RE2JS.DOTALL);
    return compiled;
  };
  if (simple === undefined) {
    try {
      if (whole().programSize() > largestProgram) throw refuse('it is too large; write fewer or smaller repetitions');
    } catch (error) {
      if (error instanceof WeirError) throw error;
      throw refuse(reasonOf(error));
    }
  }
  return {
    source,
    fits: (text) => (simple === undefined ? whole().matches(text) : simple.some((pattern) => fits(text, pattern))),
    expand: (text, templates) => {
      if (simple !== undefined && !simple.some((pattern) => fits(text, pattern))) return undefined;
      const matcher = whole().matcher(text);
      if (!matcher.matches()) return undefined;
      const named = whole().namedGroups();
      const group = (name: string): string => {
        const index = /^(0|[1-9]\d*)$/.test(name) ? Number(name) : named[name];
        return index === undefined || index > matcher.groupCount() ? '' : (matcher.group(index) ?? '');
      };
      return templates.map((template) => expandTemplate(template, group));
    },
  };
}

/** As `compileRegex`, for what is matched where nobody looks at the time it takes. */
export function compileSimpleRegex(source: string, field: string): Regex {
  if (alternatives(source) === undefined) {
    throw refusal(source, 'only letters, .*, .+, | and escaped characters are taken', field);
  }
  return compileRegex(source, field);
}

const refusal = (source: string, why: string, field: string): WeirError =>
  new WeirError('invalid', `"${printable(source)}" is no regular expression that can be used here: ${why}.`, { field });

const reasonOf = (error: unknown): string =>
  printable((error as Error).message.replace(/^error parsing regexp: /, '').replace(/: `.*$/s, ''), 120);

/** Go's `Regexp.Expand`: a name is as long as can be, `$$` is a dollar, what is no reference stays out or as it is. */
export function expandTemplate(template: string, group: (name: string) => string): string {
  return template.replace(/\$(?:(\$)|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})/g, (_, dollar, bare, braced) =>
    dollar === undefined ? group((bare ?? braced) as string) : '$',
  );
}

/** A pattern is literals with gaps between; a gap may demand one character at least. */
type Pattern = readonly (string | { readonly atLeast: 0 | 1 })[];

/**
 * Most expressions are alternatives of letters, `.*` and `.+`. Those need no machine: `undefined` for all others.
 */
function alternatives(expression: string): Pattern[] | undefined {
  const patterns: Pattern[] = [];
  for (const text of splitTop(expression)) {
    const parts: (string | { atLeast: 0 | 1 })[] = [];
    let literal = '';
    for (let at = 0; at < text.length; at++) {
      const c = text[at]!;
      if (c === '\\' && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? '')) literal += text[++at];
      else if (c === '.' && (text[at + 1] === '*' || text[at + 1] === '+') && !/[?*+{]/.test(text[at + 2] ?? '')) {
        parts.push(literal, { atLeast: text[++at] === '+' ? 1 : 0 });
        literal = '';
      } else if (/[\\.*+?()[\]{}^$]/.test(c)) return undefined;
      else literal += c;
    }
    patterns.push([...parts, literal]);
  }
  return patterns;
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
