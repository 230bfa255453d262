import {
  type Definitions,
  defaultBuckets,
  type MetricDefinition,
  type MetricType,
  pageLabel,
  pageName,
} from './definition.js';

/** One series of a counter or gauge. */
export class NumberSeries {
  readonly labels: Readonly<Record<string, string>>;
  value = 0;

  constructor(labels: Readonly<Record<string, string>>) {
    this.labels = labels;
  }
}

/** One series of a timing (in seconds) or distribution. */
export class HistogramSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly bounds: readonly number[];
  /** How many lie within each bound and above the one before; the last, above all bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    counts[at]!++;
    this.sum += value;
  }

  get count(): number {
    let count = 0;
    for (const each of this.counts) count += each;
    return count;
  }
}

/** A metric and its series, by their labels. */
export interface Family<Series = NumberSeries | HistogramSeries> {
  readonly key: string;
  /** On the page. */
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string | undefined;
  /** undefined: whatever tags come. */
  readonly labels: readonly string[] | undefined;
  readonly buckets: readonly number[];
  readonly series: Map<string, Series>;
}

const mostSeries = 2000;
const mostFamilies = 2000;
const longestLabelValue = 200;

/**
 * Counts in memory: what a page shows and what is sent as a sum. Bounded, so that no caller can grow it without end; a
 * series or family too many is refused with `undefined`.
 */
export class Registry {
  /** When counting began, in milliseconds since the epoch. */
  readonly since: number;
  private readonly prefix: string;
  private readonly definitions: Definitions;
  private readonly byName = new Map<string, Family>();
  private readonly byUse = new Map<string, Family>();

  constructor({ prefix, definitions, since }: { prefix: string; definitions: Definitions; since: number }) {
    this.prefix = prefix;
    this.definitions = definitions;
    this.since = since;
    for (const [key, { type, known }] of Object.entries(definitions)) {
      const labelSets = known ?? (definitions[key]!.labels === undefined ? [{}] : []);
      for (const labels of labelSets) this.series(type, key, undefined, labels);
    }
  }

  /** In the order in which they came; one that has no series yet is left out. */
  families(): Family[] {
    return [...this.byName.values()].filter(({ series }) => series.size > 0);
  }

  counter(key: string, unit: string | undefined, tags: Readonly<Record<string, string>>): NumberSeries | undefined {
    return this.series('counter', key, unit, tags) as NumberSeries | undefined;
  }

  gauge(key: string, unit: string | undefined, tags: Readonly<Record<string, string>>): NumberSeries | undefined {
    return this.series('gauge', key, unit, tags) as NumberSeries | undefined;
  }

  histogram(
    type: 'timing' | 'distribution',
    key: string,
    unit: string | undefined,
    tags: Readonly<Record<string, string>>,
  ): HistogramSeries | undefined {
    return this.series(type, key, unit, tags) as HistogramSeries | undefined;
  }

  /** Forgets the series of a gauge, when those it tells of may be gone. */
  clear(key: string): void {
    for (const family of this.byName.values()) if (family.key === key) family.series.clear();
  }

  /** Throws when the key is in use for something else. */
  private series(
    type: MetricType,
    key: string,
    unit: string | undefined,
    tags: Readonly<Record<string, string>>,
  ): NumberSeries | HistogramSeries | undefined {
    const family = this.family(type, key, unit);
    if (family === undefined) return undefined;
    const labels = labelsOf(family, tags);
    const id = Object.entries(labels).flat().join('\n');
    const known = family.series.get(id);
    if (known !== undefined) return known;
    if (family.series.size >= mostSeries) return undefined;
    const isHistogram = type === 'timing' || type === 'distribution';
    const made = isHistogram ? new HistogramSeries(labels, family.buckets) : new NumberSeries(labels);
    family.series.set(id, made);
    return made;
  }

  private family(type: MetricType, key: string, unit: string | undefined): Family | undefined {
    const use = `${type} ${key} ${unit ?? ''}`;
    const known = this.byUse.get(use);
    if (known !== undefined) return known;
    const defined = Object.hasOwn(this.definitions, key) ? this.definitions[key] : undefined;
    if (defined !== undefined && defined.type !== type) {
      throw new Error(`the metric ${key} is a ${defined.type}, not a ${type}`);
    }
    const definition: MetricDefinition = defined ?? { type, help: `${key}.`, ...(unit === undefined ? {} : { unit }) };
    const name = pageName(this.prefix, key, definition);
    const there = this.byName.get(name);
    if (there !== undefined && (there.type !== type || there.key !== key)) {
      throw new Error(`${key} (${type}) and ${there.key} (${there.type}) would both be ${name} on the page`);
    }
    if (this.byUse.size >= mostFamilies) return undefined;
    const family = there ?? {
      key,
      name,
      type,
      help: definition.help,
      unit: type === 'timing' ? 'seconds' : definition.unit,
      labels: defined === undefined ? undefined : (defined.labels ?? []),
      buckets: definition.buckets ?? (type === 'timing' ? defaultBuckets.timing : defaultBuckets.distribution),
      series: new Map(),
    };
    this.byName.set(name, family);
    this.byUse.set(use, family);
    return family;
  }
}

/** In the order of the definition, or of their names: the same labels are the same series. */
function labelsOf({ labels }: Family, tags: Readonly<Record<string, string>>): Record<string, string> {
  const names = labels ?? Object.keys(tags).sort();
  const made: Record<string, string> = {};
  for (const name of names) {
    const value = tags[name];
    if (value !== undefined) made[pageLabel(name)] = value.slice(0, longestLabelValue);
  }
  return made;
}
