import type { FamilyHeader, FamilyType } from './family.js';
import { type SampleLine, sampleValue } from './syntax.js';

/**
 * What OpenMetrics 1.0 asks beyond the text format. A family that does not meet it is served there as `unknown`, with
 * its samples unchanged, so that no series changes its name with the format and no page is refused by a strict parser.
 */

/** The name after `# TYPE` in OpenMetrics; `undefined` when the family's name cannot be one of its type. */
export function openMetricsName({ name, type }: FamilyHeader): string | undefined {
  if (type === 'counter') return name.endsWith('_total') && name.length > 6 ? name.slice(0, -6) : undefined;
  if (type === 'info') return name.endsWith('_info') && name.length > 5 ? name.slice(0, -5) : undefined;
  return name;
}

/** Every name a family lays claim to, its own included: no other family may use one of them. */
export function claimedNames(base: string, type: FamilyType): string[] {
  return [base, ...suffixes[type].map((suffix) => base + suffix)];
}

const suffixes: Record<FamilyType, readonly string[]> = {
  counter: ['_total', '_created'],
  gauge: [],
  histogram: ['_bucket', '_sum', '_count', '_created'],
  summary: ['_sum', '_count', '_created'],
  untyped: [],
  info: ['_info'],
  stateset: [],
  gaugehistogram: ['_bucket', '_gsum', '_gcount'],
};

/** The labels of a line that make it one metric of its family: without the one that tells its samples apart. */
export function metricKey(line: SampleLine, family: FamilyHeader): string {
  const apart = labelApart(line.name, family);
  return JSON.stringify(line.labels.filter(([name]) => name !== apart).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function labelApart(sampleName: string, { name, type }: FamilyHeader): string | undefined {
  if (type === 'summary') return sampleName === name ? 'quantile' : undefined;
  if (type === 'histogram' || type === 'gaugehistogram') return sampleName === `${name}_bucket` ? 'le' : undefined;
  return type === 'stateset' ? name : undefined;
}

/** Whether the samples of one metric (same labels) are what OpenMetrics allows for the type. */
export function isLegalMetric(base: string, type: FamilyType, lines: readonly SampleLine[]): boolean {
  switch (type) {
    case 'counter':
      return lines.every((line) => isCount(sampleValue(line.value)));
    case 'histogram':
      return isLegalHistogram(base, lines, '_sum', '_count');
    case 'gaugehistogram':
      return isLegalHistogram(base, lines, '_gsum', '_gcount');
    case 'summary':
      return lines.every((line) => isLegalSummaryLine(base, line));
    case 'info':
      return lines.every((line) => Number(line.value) === 1);
    case 'stateset':
      return lines.every(
        (line) => ['0', '1'].includes(String(Number(line.value))) && labelOf(line, base) !== undefined,
      );
    default:
      return true;
  }
}

const isCount = (value: number): boolean => value >= 0;
const isWhole = (value: number): boolean => Number.isInteger(value) && value >= 0;
const labelOf = (line: SampleLine, name: string): string | undefined =>
  line.labels.find(([label]) => label === name)?.[1];

function isLegalHistogram(base: string, lines: readonly SampleLine[], sum: string, count: string): boolean {
  let bound = Number.NEGATIVE_INFINITY;
  let inBucket = 0;
  let negative = false;
  let total: number | undefined;
  let hasSum = false;
  let negativeSum = false;
  for (const line of lines) {
    const value = sampleValue(line.value);
    if (line.name === `${base}_bucket`) {
      const le = sampleValue(labelOf(line, 'le') ?? 'NaN');
      if (!(le > bound) || !isWhole(value) || value < inBucket) return false;
      if (le < 0) negative = true;
      bound = le;
      inBucket = value;
    } else if (line.name === base + count) {
      if (!isWhole(value)) return false;
      total = value;
    } else if (line.name === base + sum) {
      if (Number.isNaN(value)) return false;
      hasSum = true;
      if (value < 0) negativeSum = true;
    } else return false;
  }
  if (bound !== Number.POSITIVE_INFINITY) return false;
  // With a negative bound a histogram can have no sum; only a gauge histogram's may be negative, and only then.
  if (negative ? hasSum && sum === '_sum' : negativeSum) return false;
  return hasSum === (total !== undefined) && (total === undefined || total === inBucket);
}

function isLegalSummaryLine(base: string, line: SampleLine): boolean {
  const value = sampleValue(line.value);
  if (line.name === base) {
    const quantile = sampleValue(labelOf(line, 'quantile') ?? 'NaN');
    return quantile >= 0 && quantile <= 1 && !(value < 0);
  }
  if (labelOf(line, 'quantile') !== undefined) return false;
  return line.name === `${base}_count` ? isWhole(value) : isCount(value);
}
