import type { Metric } from './request.js';

/** How names of OpenTelemetry become names of Prometheus; the settings bear Prometheus' own names. */
export const translationStrategies = ['UnderscoreEscapingWithSuffixes', 'UnderscoreEscapingWithoutSuffixes'] as const;
export type TranslationStrategy = (typeof translationStrategies)[number];

/** UCUM to words, as OpenTelemetry's "Prometheus and OpenMetrics Compatibility" has them. */
const units: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
  '1': '',
};
const perUnits: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

/** The family's name; empty when nothing of the name is left. */
export function metricName(
  metric: Pick<Metric, 'name' | 'unit' | 'kind' | 'monotonic'>,
  strategy: TranslationStrategy,
): string {
  if (strategy === 'UnderscoreEscapingWithoutSuffixes') {
    const name = tokensOf(metric.name, /[^a-zA-Z0-9:_]+/).join('_');
    // Prometheus takes nothing but underscores as the whole of a name, not as the rest of one.
    return name !== metric.name && /^_+$/.test(name) ? '' : withoutLeadingDigit(name);
  }
  let tokens = tokensOf(metric.name, /[^a-zA-Z0-9:]+/);
  if (tokens.length === 0) return '';
  const [main = '', per = ''] = splitUnit(metric.unit);
  const mainUnit = unitWord(main, units);
  if (mainUnit !== '' && !tokens.includes(mainUnit)) tokens.push(mainUnit);
  const perUnit = unitWord(per, perUnits);
  if (perUnit !== '' && !tokens.includes(perUnit)) tokens.push('per', perUnit);
  if (metric.kind === 'sum' && metric.monotonic) tokens = [...tokens.filter((token) => token !== 'total'), 'total'];
  if (metric.kind === 'gauge' && metric.unit.trim() === '1') {
    tokens = [...tokens.filter((token) => token !== 'ratio'), 'ratio'];
  }
  return withoutLeadingDigit(tokens.join('_'));
}

const tokensOf = (text: string, between: RegExp): string[] => text.split(between).filter((token) => token !== '');

function splitUnit(unit: string): string[] {
  const slash = unit.indexOf('/');
  return slash === -1 ? [unit] : [unit.slice(0, slash), unit.slice(slash + 1)];
}

/** Annotations in braces say nothing of the unit. */
function unitWord(unit: string, words: Readonly<Record<string, string>>): string {
  const trimmed = unit.trim();
  if (trimmed === '' || /[{}]/.test(trimmed)) return '';
  const word = Object.hasOwn(words, trimmed) ? words[trimmed]! : trimmed;
  return tokensOf(word, /[^a-zA-Z0-9]+/).join('_');
}

const withoutLeadingDigit = (name: string): string => (/^\d/.test(name) ? `_${name}` : name);

export function labelName(key: string): string {
  const name = key.replace(/[^a-zA-Z0-9_]/g, '_');
  return /^\d/.test(name) ? `key_${name}` : name;
}
