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
export function metricKey(line: SampleLine, type: FamilyType): string {
  const apart = type === 'summary' ? 'quantile' : type === 'histogram' || type === 'gaugehistogram' ? 'le' : undefined;
  return JSON.stringify(line.labels.filter(([name]) => name !== apart).sort(([a], [b]) => (a < b ? -1 : 1)));
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
      if (!(value >= 0) && sum === '_sum') return false;
      hasSum = true;
    } else return false;
  }
  if (bound !== Number.POSITIVE_INFINITY || negative) return false;
  return hasSum === (total !== undefined) && (total === undefined || total === inBucket);
}

function isLegalSummaryLine(base: string, line: SampleLine): boolean {
  const value = sampleValue(line.value);
  if (line.name === base) {
    const quantile = sampleValue(labelOf(line, 'quantile') ?? 'NaN');
    return quantile >= 0 && quantile <= 1 && !(value < 0);
  }
  return line.name.endsWith('_count') ? isWhole(value) : isCount(value);
}
