import { WeirError } from '../../domain/errors.js';
import type { FamilyType } from '../family.js';
import type { LabelsOf } from '../selector.js';
import { isDecimalNumber } from '../syntax.js';

/** One series of an instant query. */
export interface QueriedSeries {
  readonly name: string;
  /** Without `__name__`, in the order of the answer. */
  readonly labels: readonly (readonly [string, string])[];
  /** As the TSDB spells it. */
  readonly value: string;
}

export interface QueryAnswer {
  readonly series: readonly QueriedSeries[];
  /** Why it is not all there is: what the TSDB said, and what a page cannot carry. */
  readonly warnings: readonly string[];
}

/** What the TSDB says of a metric. */
export interface MetricMetadata {
  readonly type: FamilyType;
  readonly help?: string;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const unreadable = (what: string): WeirError =>
  new WeirError('invalid', `The answer is not that of Prometheus' query API: ${what}.`);

/**
 * The answer to `/api/v1/query` of Prometheus' HTTP API, an instant vector. Every text in it that could be more than one
 * thing on a page is checked. Throws `invalid`. `check` is shown the labels of each series before anything else is asked of
 * it, also of those that are left out; what it throws ends the reading.
 */
export function readQueryAnswer(body: Buffer, check: (labelsOf: LabelsOf) => void): QueryAnswer {
  const answer = parseJson(body);
  const { data } = answer;
  if (!isObject(data) || data.resultType !== 'vector' || !Array.isArray(data.result)) {
    throw unreadable('it is no instant vector');
  }
  const warnings = Array.isArray(answer.warnings) ? answer.warnings.map(String) : [];
  // VictoriaMetrics says it in a word of its own.
  if (answer.isPartial === true) warnings.push('the answer is partial');
  const series: QueriedSeries[] = [];
  let histograms = 0;
  let names = 0;
  for (const each of data.result as unknown[]) {
    if (!isObject(each) || !isObject(each.metric)) throw unreadable('a series has no labels');
    const pairs = Object.entries(each.metric);
    if (pairs.some(([, text]) => typeof text !== 'string')) throw unreadable('a label is no text');
    const all = new Map(pairs as [string, string][]);
    check((label) => all.get(label) ?? '');
    if (each.value === undefined && each.histogram !== undefined) {
      histograms++;
      continue;
    }
    const value = Array.isArray(each.value) ? (each.value[1] as unknown) : undefined;
    if (typeof value !== 'string' || !isValue(value)) throw unreadable('a value is no number');
    const name = all.get('__name__') ?? '';
    const labels = (pairs as [string, string][]).filter(([label]) => label !== '__name__');
    if (!metricName.test(name) || labels.some(([label]) => !labelName.test(label))) names++;
    else series.push({ name, labels, value });
  }
  if (histograms > 0) warnings.push(`${histograms} series are native histograms, which are left out`);
  if (names > 0) warnings.push(`${names} series have names the text format cannot carry, and are left out`);
  return { series, warnings };
}

/** As Prometheus writes a value. */
export const isValue = (text: string): boolean => /^(?:NaN|[+-]?Inf)$/.test(text) || isDecimalNumber(text);

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * The answer to `/api/v1/metadata`: only what is said of a metric in one voice, since others' texts are there, too.
 * Throws `invalid`.
 */
export function readMetadata(body: Buffer): Map<string, MetricMetadata> {
  const { data } = parseJson(body);
  if (!isObject(data)) throw unreadable('it has no metadata');
  const metadata = new Map<string, MetricMetadata>();
  for (const [name, all] of Object.entries(data)) {
    if (!Array.isArray(all) || !all.every(isObject)) continue;
    const types = new Set(all.map(({ type }) => type));
    const helps = new Set(all.map(({ help }) => help).filter((help) => typeof help === 'string' && help !== ''));
    const type = types.size === 1 ? textTypes.get([...types][0] as string) : undefined;
    const [help] = helps as Set<string>;
    metadata.set(name, { type: type ?? 'untyped', ...(helps.size === 1 ? { help: help! } : {}) });
  }
  return metadata;
}

/** The types of the text format; others go untyped. */
const textTypes = new Map<string, FamilyType>(
  (['counter', 'gauge', 'histogram', 'summary'] as const).map((type) => [type, type]),
);

function parseJson(body: Buffer): Record<string, unknown> {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    throw unreadable('it is no JSON');
  }
  if (!isObject(answer) || answer.status !== 'success') throw unreadable('its status is not "success"');
  return answer;
}
