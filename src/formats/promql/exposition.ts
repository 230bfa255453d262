import { escapeHelp, escapeLabelValue } from '../syntax.js';
import { isValue, type MetricMetadata, type QueriedSeries } from './answer.js';

interface TextFamily {
  readonly name: string;
  readonly metadata: MetricMetadata | undefined;
  readonly series: QueriedSeries[];
}

const untyped: MetricMetadata = { type: 'untyped' };

/**
 * Series and what is known of their metrics as a body in text format 0.0.4, to be parsed like any other. A family whose
 * series do not fit its type goes untyped.
 */
export function textOf(series: readonly QueriedSeries[], metadata: ReadonlyMap<string, MetricMetadata>): Buffer {
  const families = new Map<string, TextFamily>();
  const put = (name: string, known: MetricMetadata | undefined, each: QueriedSeries): void => {
    const family = families.get(name) ?? { name, metadata: known, series: [] };
    family.series.push(each);
    families.set(name, family);
  };
  for (const each of series) {
    const name = familyOf(each.name, metadata);
    put(name, metadataOf(name, metadata), each);
  }
  const clashing = [...families.values()].filter((family) => !fits(family) || clashes(family, families));
  for (const family of clashing) families.delete(family.name);
  for (const { name, metadata: known, series: some } of clashing) {
    for (const each of some) put(each.name, each.name === name && known ? { ...known, ...untyped } : untyped, each);
  }
  const chunks: string[] = [];
  for (const { name, metadata: known, series: some } of families.values()) {
    if (known?.help !== undefined) chunks.push(`# HELP ${name} ${escapeHelp(withoutReturn(known.help))}\n`);
    chunks.push(`# TYPE ${name} ${known?.type ?? 'untyped'}\n`);
    for (const each of some) chunks.push(lineOf(each));
  }
  return Buffer.from(chunks.join(''));
}

/** A line that ends with a carriage return is refused. */
const withoutReturn = (help: string): string => help.replace(/\r+$/, '');

const lineOf = ({ name, labels, value }: QueriedSeries): string =>
  `${name}{${labels.map(([label, text]) => `${label}="${escapeLabelValue(text)}"`).join(',')}} ${value}\n`;

/** Counters that came in as OpenMetrics are known without `_total`. */
const metadataOf = (name: string, metadata: ReadonlyMap<string, MetricMetadata>): MetricMetadata | undefined => {
  const exact = metadata.get(name);
  if (exact !== undefined || !name.endsWith('_total')) return exact;
  const counter = metadata.get(name.slice(0, -'_total'.length));
  return counter?.type === 'counter' ? counter : undefined;
};

/** The family a sample is a part of: `foo` for `foo_bucket` when `foo` is a histogram. */
function familyOf(name: string, metadata: ReadonlyMap<string, MetricMetadata>): string {
  if (metadata.has(name)) return name;
  const [, base = '', suffix] = /^(.+)_(bucket|sum|count)$/.exec(name) ?? [];
  const type = metadata.get(base)?.type;
  return type === 'histogram' || (type === 'summary' && suffix !== 'bucket') ? base : name;
}

/** Whether every bucket has its bound and every quantile its number, as readers of the format insist. */
function fits({ name, metadata, series }: TextFamily): boolean {
  const type = metadata?.type;
  if (type !== 'histogram' && type !== 'summary') return true;
  const bound = type === 'histogram' ? 'le' : 'quantile';
  const bounded = type === 'histogram' ? `${name}_bucket` : name;
  return series.every(({ name: sample, labels }) => {
    if (type === 'histogram' && sample === name) return false;
    const value = labels.find(([label]) => label === bound)?.[1];
    return sample === bounded ? value !== undefined && isValue(value) : value === undefined;
  });
}

/** Whether a metric of its own has the name of one of its parts. */
const clashes = ({ name, metadata }: TextFamily, families: ReadonlyMap<string, TextFamily>): boolean => {
  const type = metadata?.type;
  if (type !== 'histogram' && type !== 'summary') return false;
  return ['_bucket', '_sum', '_count'].some((suffix) => families.has(name + suffix));
};
