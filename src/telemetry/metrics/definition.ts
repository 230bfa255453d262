/** A counter rises; a gauge is set; a timing is given in milliseconds; a distribution is of any other size. */
export type MetricType = 'counter' | 'gauge' | 'timing' | 'distribution';

/** One line of a table of metrics: what pages, documents and encoders know of a metric comes from here. */
export interface MetricDefinition {
  readonly type: MetricType;
  /** A sentence for the page. */
  readonly help: string;
  /** The tags that become labels on the page; all others stay off it. */
  readonly labels?: readonly string[];
  /** Base unit of gauges and distributions, which ends the page's name: `bytes`, `ratio`. Timings are in seconds there. */
  readonly unit?: string;
  /** Upper bounds of a timing (in seconds) or distribution, rising. */
  readonly buckets?: readonly number[];
  /** Series that are there from the start, at zero. */
  readonly known?: readonly Readonly<Record<string, string>>[];
}

/** By key: `storage.commit`. */
export type Definitions = Readonly<Record<string, MetricDefinition>>;

/** Keeps the keys and label names as types, so that a slip of the pen does not compile. */
export const defineMetrics = <const T extends Definitions>(table: T): T => table;

export type LabelsOf<D extends MetricDefinition> = D['labels'] extends readonly (infer Label extends string)[]
  ? Label
  : never;

/** Keys of the table with one of these types. */
export type KeysOf<T extends Definitions, Type extends MetricType> = {
  [Key in keyof T & string]: T[Key]['type'] extends Type ? Key : never;
}[keyof T & string];

export const defaultBuckets: Readonly<Record<'timing' | 'distribution', readonly number[]>> = {
  timing: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  distribution: [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000],
};

/** `weir.` and `storage.commit`, a timing: `weir_storage_commit_seconds`. A counter `weir.request`: `weir_request_total`. */
export function pageName(prefix: string, key: string, { type, unit }: Pick<MetricDefinition, 'type' | 'unit'>): string {
  const base = `${prefix}${key}`.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
  const ending = type === 'timing' ? 'seconds' : unit?.replace(/[^A-Za-z0-9_]/g, '_');
  const named = ending === undefined || ending === '' || base.endsWith(`_${ending}`) ? base : `${base}_${ending}`;
  return type === 'counter' && !named.endsWith('_total') ? `${named}_total` : named;
}

/**
 * The label a tag becomes on the page. `instance` and `job` are the scraper's own: it would rename ours to
 * `exported_…`, or with `honor_labels` let them replace its own. `le` and `quantile` belong to the format.
 */
export function pageLabel(tag: string): string {
  const name = tag.replace(/[^A-Za-z0-9_]/g, '_').replace(/^_*(?=\d)|^__+/, '_');
  return ['instance', 'job', 'le', 'quantile'].includes(name) ? `exported_${name}` : name;
}

/** What the facade tells of itself. */
export const ownDefinitions = defineMetrics({
  'telemetry.dropped': {
    type: 'counter',
    help: 'Measurements that were not kept or sent: a backend was down or slow, or there were too many series.',
    labels: ['backend'],
  },
});
