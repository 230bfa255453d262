import { LRUCache } from 'lru-cache';
import { atMost } from '../../domain/bounded.js';
import { instanceLabel } from '../../domain/endpoint.js';
import type { StatsdRefusal, StatsdSettings } from '../../domain/statsd.js';
import { labelName } from '../../formats/otlp/names.js';
import {
  type BadLine,
  readStatsd,
  type StatsdHead,
  type StatsdKind,
  type StatsdSink,
} from '../../formats/statsd-lines.js';

/** Names a series, and where it belongs. */
export interface SeriesName {
  readonly project: string;
  readonly endpoint: string;
  readonly name: string;
  readonly kind: StatsdKind;
  readonly labels: [string, string][];
}

/** A series of StatsD, and what has come for it since the last flush. */
export interface Gathered {
  readonly series: SeriesName;
  /** How many it is made of. */
  values: number;
  /** A counter's growth; a gauge's value, or its change; the sum of a histogram. */
  sum: number;
  /** Of a gauge: `sum` is its value and not a change of it. */
  isSet: boolean;
  /** Of a histogram, by bucket, the last without a bound. */
  readonly counts: Float64Array;
  /** Of a set. */
  readonly members: Set<string>;
}

/** A head that was read before. */
interface Known {
  readonly weight: number;
  readonly series: SeriesName;
  /** The same for one series, whatever the order of tags. */
  readonly key: string;
  /** Where in the window it is gathered. By number, so that what was flushed is not kept by whoever remembers it. */
  slot: number;
  window: number;
}

export interface WindowOptions {
  readonly settings: Pick<StatsdSettings, 'target' | 'dialect' | 'timerBounds' | 'histogramBounds'>;
  /** Tags that say where a line belongs. */
  readonly routing: () => { readonly projectLabel: string; readonly endpointLabel: string };
  readonly refused: (reason: StatsdRefusal, values: number) => void;
}

/** Of heads that are remembered, and of what is gathered between two flushes. */
const mostHeadBytes = 32 * 1024 * 1024;
const mostGatheredBytes = 64 * 1024 * 1024;
const mostNames = 100_000;

const noCounts = new Float64Array(0);
const noMembers = new Set<string>();

/**
 * Gathers lines until they are flushed. What it holds is bounded, by bytes and whatever comes: for a series there is no
 * room for, values are refused until the next flush.
 */
export class StatsdWindow implements StatsdSink<Known> {
  private readonly options: WindowOptions;
  private readonly heads = new LRUCache<string, Known | { readonly bad: BadLine }>({
    maxSize: mostHeadBytes,
    sizeCalculation: (_, key) => 2 * key.length + 400,
  });
  /** By sample name, the family that has it. */
  private readonly families = new LRUCache<string, string>(atMost(mostNames));
  private gathered: Gathered[] = [];
  private slots = new Map<string, number>();
  private bytes = 0;
  private window = 0;

  constructor(options: WindowOptions) {
    this.options = options;
  }

  packet(bytes: Buffer): void {
    readStatsd(bytes, this);
  }

  /** What has come since the last time. */
  take(): Gathered[] {
    const all = this.gathered;
    this.gathered = [];
    this.slots = new Map();
    this.bytes = 0;
    this.window++;
    return all;
  }

  known(key: string): Known | BadLine | undefined {
    const head = this.heads.get(key);
    return head === undefined || 'series' in head ? head : head.bad;
  }

  learn(key: string, head: StatsdHead | BadLine): Known | BadLine {
    const known = typeof head === 'string' ? { bad: head } : this.knownOf(head);
    this.heads.set(key, known);
    return 'series' in known ? known : known.bad;
  }

  isSet({ series }: Known): boolean {
    return series.kind === 'set';
  }

  value(head: Known, value: number, signed: boolean): void {
    const gathered = this.gatheredOf(head);
    if (gathered === undefined) return;
    const { kind } = head.series;
    gathered.values++;
    if (kind === 'counter') gathered.sum += value * head.weight;
    else if (kind === 'gauge') {
      const isChange = signed && this.options.settings.dialect === 'statsd';
      gathered.sum = isChange ? gathered.sum + value : value;
      gathered.isSet ||= !isChange;
    } else {
      const measured = kind === 'timer' ? value / 1000 : value;
      const bounds = this.boundsOf(kind);
      let bucket = 0;
      while (bucket < bounds.length && measured > bounds[bucket]!) bucket++;
      gathered.counts[bucket]! += head.weight;
      gathered.sum += measured * head.weight;
    }
  }

  member(head: Known, text: string): void {
    const gathered = this.gatheredOf(head);
    if (gathered === undefined) return;
    if (!gathered.members.has(text)) {
      if (!this.hasRoom(2 * text.length + 100)) return;
      gathered.members.add(text);
    }
    gathered.values++;
  }

  bad(reason: BadLine): void {
    this.options.refused(reason, 1);
  }

  boundsOf(kind: StatsdKind): readonly number[] {
    const { timerBounds, histogramBounds } = this.options.settings;
    return kind === 'timer' ? timerBounds : kind === 'histogram' ? histogramBounds : [];
  }

  private gatheredOf(head: Known): Gathered | undefined {
    if (head.window === this.window) return this.gathered[head.slot];
    const slot = this.slots.get(head.key) ?? this.begin(head);
    if (slot === undefined) return undefined;
    head.slot = slot;
    head.window = this.window;
    return this.gathered[slot];
  }

  private begin({ series, key }: Known): number | undefined {
    if (!this.claims(series)) {
      this.options.refused('conflict', 1);
      return undefined;
    }
    const buckets = this.boundsOf(series.kind).length;
    if (!this.hasRoom(2 * key.length + 8 * buckets + 500)) return undefined;
    const gathered: Gathered = {
      series,
      values: 0,
      sum: 0,
      isSet: false,
      counts: buckets === 0 ? noCounts : new Float64Array(buckets + 1),
      members: series.kind === 'set' ? new Set() : noMembers,
    };
    const slot = this.gathered.push(gathered) - 1;
    this.slots.set(key, slot);
    return slot;
  }

  private hasRoom(bytes: number): boolean {
    if (this.bytes + bytes > mostGatheredBytes) {
      this.options.refused('full', 1);
      return false;
    }
    this.bytes += bytes;
    return true;
  }

  /** One name is of one family of an endpoint: of the first that had it. */
  private claims({ project, endpoint, name, kind }: SeriesName): boolean {
    const family = `${name} ${kind === 'set' ? 'gauge' : kind}`;
    const names = isBucketed(kind) ? ['', '_bucket', '_sum', '_count'].map((end) => name + end) : [name];
    const keys = names.map((each) => JSON.stringify([project, endpoint, each]));
    if (keys.some((key) => (this.families.get(key) ?? family) !== family)) return false;
    for (const key of keys) this.families.set(key, family);
    return true;
  }

  private knownOf({ name: sent, kind, weight, tags }: StatsdHead): Known {
    const { target } = this.options.settings;
    const { projectLabel, endpointLabel } = this.options.routing();
    const [project, own] = target === undefined ? routeOf(tags, projectLabel) : [target.projectId, tags];
    const [endpoint, rest] = target === undefined ? routeOf(own, endpointLabel) : [target.metricsId, own];
    const series = { project, endpoint, kind, name: nameOf(sent, kind), labels: labelsOf(rest) };
    return { weight, series, key: JSON.stringify(series), slot: -1, window: -1 };
  }
}

export const isBucketed = (kind: StatsdKind): boolean => kind === 'timer' || kind === 'histogram';

type Tags = StatsdHead['tags'];

/** The value of the one tag of this name, and the tags without it; empty when it is not there, or there twice. */
function routeOf(tags: Tags, label: string): [value: string, rest: Tags] {
  const named = tags.filter(([name]) => name === label);
  const value = named.length === 1 ? (named[0]![1] ?? '') : '';
  return [value, tags.filter(([name]) => name !== label)];
}

/** A tag without a value is true; where several become one label, their values in the order of names and values. */
function labelsOf(tags: Tags): [string, string][] {
  const byName = new Map<string, string[]>();
  const sorted = tags.map(([name, value]) => [name, value ?? 'true'] as const);
  sorted.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
  for (const [tag, value] of sorted) {
    const name = labelName(tag);
    if (name === instanceLabel || name.startsWith('__')) continue;
    const values = byName.get(name);
    if (values === undefined) byName.set(name, [value]);
    else if (!values.includes(value)) values.push(value);
  }
  const labels = [...byName].map(([name, values]): [string, string] => [name, values.join(';')]);
  return labels.sort(([a], [b]) => compare(a, b));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Dots and all that no name may have become underscores; units and `_total` as Prometheus names them. */
function nameOf(sent: string, kind: StatsdKind): string {
  const clean = sent.replace(/[^a-zA-Z0-9_:]/g, '_').replace(/^(?=\d)/, '_');
  const ending = kind === 'counter' ? '_total' : kind === 'timer' ? '_seconds' : '';
  return clean.endsWith(ending) ? clean : clean + ending;
}
