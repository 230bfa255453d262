import type { EventOptions, Facts, MeasureOptions, MetricsBackend, MetricsPage, Recorder, Tags } from './backend.js';
import type { Definitions, KeysOf, LabelsOf } from './definition.js';
import type { Registry } from './registry.js';
import { GlobalTags, mergeTags } from './tags.js';

/** A backend that was opened, with what the configuration says of it. */
export interface Outlet {
  readonly type: string;
  readonly backend: MetricsBackend;
  readonly readsRegistry: boolean;
  readonly sampleRate: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly wants: (key: string) => boolean;
}

export interface MetricsParts<T extends Definitions> {
  readonly definitions: T;
  readonly registry: Registry;
  readonly outlets: readonly Outlet[];
  readonly sampleRate: number;
  readonly denied: (tag: string) => boolean;
  readonly skipInternalPrefixes: readonly string[];
  readonly collect: () => Promise<void>;
  readonly collectors: (() => void | Promise<void>)[];
  readonly dropped: (backend: string, measurements: number) => void;
  readonly complain: (error: unknown, message: string) => void;
  readonly monotonic: () => number;
  readonly random: () => number;
}

type Measure = 'incr' | 'gauge' | 'timing' | 'distribution';
type TagsOf<T extends Definitions, Key extends keyof T> = Readonly<Record<LabelsOf<T[Key]>, string>>;

/** Counts, sets or observes one series; a timing in milliseconds. */
export type Handle = (value: number) => void;
/** Counts one series; by one, unless told otherwise. */
export type CounterHandle = (amount?: number) => void;

interface Bound<Tags, H> {
  /** The same series each time it is called with the same tags; to be called once and kept. */
  with(tags: Tags): H;
}

const nothing = {} as const;

/**
 * Counts, measures and tells of events, for whoever wants to know (see `openMetrics`). Nothing here ever throws because
 * of telemetry or waits for it: what goes wrong is logged. Arguments are key, value, options, in this order.
 */
export class Metrics<T extends Definitions = Definitions> implements Recorder<MeasureOptions, EventOptions> {
  private readonly parts: MetricsParts<T>;
  private readonly streams: readonly Outlet[];
  private readonly keeps: boolean;
  private readonly globals = new GlobalTags();

  constructor(parts: MetricsParts<T>) {
    this.parts = parts;
    const takes = ({ backend }: Outlet) => backend.incr !== undefined || backend.event !== undefined;
    this.streams = parts.outlets.filter(takes);
    this.keeps = parts.outlets.some(({ readsRegistry }) => readsRegistry);
  }

  /** Counts: `incr('login.failed', 1, { tags: { reason: 'password' } })`. */
  incr(key: string, amount = 1, options: MeasureOptions = nothing): void {
    this.measure('incr', key, amount, options);
  }

  /** What is so now, whatever it was: a queue's length. */
  gauge(key: string, value: number, options: MeasureOptions = nothing): void {
    this.measure('gauge', key, value, options);
  }

  /** How long something took, in milliseconds. */
  timing(key: string, ms: number, options: MeasureOptions = nothing): void {
    this.measure('timing', key, ms, options);
  }

  /** Of any other size, of which the spread matters: `distribution('upload', 4096, { unit: 'bytes' })`. */
  distribution(key: string, value: number, options: MeasureOptions = nothing): void {
    this.measure('distribution', key, value, options);
  }

  /** Times `run`, which may be async and may add to the tags it is given, with the tag `result`: success or failure. */
  timer<R>(
    key: string,
    run: (tags: Record<string, string | number | boolean>) => R,
    options: MeasureOptions = nothing,
  ): R {
    const started = this.parts.monotonic();
    const tags = { ...options.tags };
    const ended = (result: 'success' | 'failure'): void =>
      this.timing(key, this.parts.monotonic() - started, { ...options, tags: { ...tags, result } });
    let outcome: R;
    try {
      outcome = run(tags);
    } catch (error) {
      ended('failure');
      throw error;
    }
    if (!(outcome instanceof Promise)) {
      ended('success');
      return outcome;
    }
    return outcome.then(
      (value) => {
        ended('success');
        return value;
      },
      (error: unknown) => {
        ended('failure');
        throw error;
      },
    ) as R;
  }

  /** Something that happened once, for backends that know events. */
  event(title: string, message: string, options: EventOptions = nothing): void {
    const { complain, denied } = this.parts;
    for (const { backend, tags } of this.streams) {
      try {
        const all = mergeTags([this.globals.current(), options.tags], (tag) => !denied(tag));
        backend.event?.(title, message, { ...options, tags: { ...all, ...tags } });
      } catch (error) {
        complain(error, 'an event could not be recorded');
      }
    }
  }

  /** Adds these tags to all that is measured by `body` and by what it starts or waits for. */
  globalTags<R>(tags: Tags, body: () => R): R {
    return this.globals.run(tags, body);
  }

  /** Adds to the tags of the `globalTags` around the call, until that ends; without one, they go nowhere. */
  addGlobalTags(tags: Tags): void {
    if (this.globals.add(tags)) return;
    this.parts.complain(undefined, 'addGlobalTags was called outside of globalTags; the tags were not added');
  }

  /** A counter of the table, for paths where each microsecond matters: global tags do not reach it. */
  counter<Key extends KeysOf<T, 'counter'>>(key: Key): Bound<TagsOf<T, Key>, CounterHandle> {
    return {
      with: (tags) => {
        const series = this.keeps ? this.parts.registry.counter(key, undefined, tags) : undefined;
        const stream = this.bindStreams('incr', key, tags);
        if (stream === undefined) {
          if (series === undefined) return () => {};
          return (amount = 1) => {
            series.value += amount;
          };
        }
        return (amount = 1) => {
          if (series !== undefined) series.value += amount;
          stream(amount);
        };
      },
    };
  }

  /** A gauge of the table. */
  level<Key extends KeysOf<T, 'gauge'>>(key: Key): Bound<TagsOf<T, Key>, Handle> {
    return {
      with: (tags) => {
        const series = this.keeps ? this.parts.registry.gauge(key, undefined, tags) : undefined;
        const stream = this.bindStreams('gauge', key, tags);
        return (value) => {
          if (series !== undefined) series.value = value;
          stream?.(value);
        };
      },
    };
  }

  /** A timing (its handle takes milliseconds) or distribution of the table. */
  histogram<Key extends KeysOf<T, 'timing' | 'distribution'>>(key: Key): Bound<TagsOf<T, Key>, Handle> {
    const { type } = this.parts.definitions[key]!;
    const scale = type === 'timing' ? 1000 : 1;
    return {
      with: (tags) => {
        const series = this.keeps
          ? this.parts.registry.histogram(type as 'timing' | 'distribution', key, undefined, tags)
          : undefined;
        const stream = this.bindStreams(type as 'timing' | 'distribution', key, tags);
        if (stream === undefined && series === undefined) return () => {};
        return (value) => {
          series?.observe(value / scale);
          stream?.(value);
        };
      },
    };
  }

  /** Called before anything is read or sent, to set gauges that nobody needs to keep up to date meanwhile. */
  onCollect(measure: () => void | Promise<void>): void {
    this.parts.collectors.push(measure);
  }

  /** Forgets the series of a gauge: of things that may be gone by the next `onCollect`. */
  clear<Key extends KeysOf<T, 'gauge'>>(key: Key): void {
    this.parts.registry.clear(key);
  }

  /** What a Prometheus scrapes; undefined without the backend `prometheus`. */
  get page(): (() => Promise<MetricsPage>) | undefined {
    const asked = this.parts.outlets.find(({ backend }) => backend.page !== undefined)?.backend;
    return asked && (() => asked.page!());
  }

  /** Resolves when all that was measured so far has been sent or given up. */
  async flush(): Promise<void> {
    await Promise.all(this.parts.outlets.map((outlet) => this.guarded(outlet, () => outlet.backend.flush?.())));
  }

  /** Sends what is left, for at most `withinMs`, and lets go of everything. What comes later is not sent. */
  async close(withinMs = 2000): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    // Whatever a backend makes of the signal.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs + 100);
    });
    const closed = this.parts.outlets.map((outlet) => this.guarded(outlet, () => outlet.backend.close?.(signal)));
    await Promise.race([Promise.all(closed), late]);
    clearTimeout(timer);
  }

  private async guarded({ type }: Outlet, run: () => Promise<void> | undefined): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.parts.complain(error, `the metrics backend ${type} failed`);
    }
  }

  private measure(method: Measure, key: string, value: number, options: MeasureOptions): void {
    const { complain } = this.parts;
    try {
      if (!Number.isFinite(value) || (method === 'incr' && value < 0)) {
        throw new RangeError(`${value} is no value for ${method}`);
      }
      const passes = (tag: string): boolean => this.isDeclared(key, tag) || !this.parts.denied(tag);
      const tags = mergeTags([this.globals.current(), options.tags], passes);
      if (this.keeps && !this.skipsInternal(key, options)) this.keep(method, key, value, options, tags);
      for (const outlet of this.streams) {
        if (outlet.wants(key)) this.send(outlet, method, key, value, this.factsFor(outlet, method, tags, options));
      }
    } catch (error) {
      complain(error, `${key} could not be measured`);
    }
  }

  private isDeclared(key: string, tag: string): boolean {
    const { definitions } = this.parts;
    return Object.hasOwn(definitions, key) && (definitions[key]!.labels?.includes(tag) ?? false);
  }

  private skipsInternal(key: string, { skipInternal }: MeasureOptions): boolean {
    return skipInternal === true || this.parts.skipInternalPrefixes.some((prefix) => key.startsWith(prefix));
  }

  private keep(
    method: Measure,
    key: string,
    value: number,
    { instance, unit }: MeasureOptions,
    tags: Readonly<Record<string, string>>,
  ): void {
    const { registry, dropped } = this.parts;
    const all = instance === undefined ? tags : { ...tags, instance };
    if (method === 'incr' || method === 'gauge') {
      const series = method === 'incr' ? registry.counter(key, unit, all) : registry.gauge(key, unit, all);
      if (series === undefined) dropped('registry', 1);
      else series.value = method === 'incr' ? series.value + value : value;
    } else {
      const series = registry.histogram(method, key, unit, all);
      if (series === undefined) dropped('registry', 1);
      else series.observe(method === 'timing' ? value / 1000 : value);
    }
  }

  private factsFor(outlet: Outlet, method: Measure, tags: Readonly<Record<string, string>>, options: MeasureOptions) {
    const asked = method === 'gauge' ? 1 : (options.sampleRate ?? this.parts.sampleRate) * outlet.sampleRate;
    const facts: Facts = {
      instance: options.instance,
      tags: { ...tags, ...outlet.tags },
      sampleRate: Math.min(1, Math.max(0, asked)),
      unit: options.unit,
    };
    return facts;
  }

  /** What a bound series sends, with all that can be settled beforehand; undefined when nobody wants it. */
  private bindStreams(method: Measure, key: string, tags: Readonly<Record<string, string>>): Handle | undefined {
    const bound = this.streams
      .filter(({ wants, backend }) => wants(key) && backend[method] !== undefined)
      .map((outlet) => ({ outlet, facts: this.factsFor(outlet, method, tags, nothing) }));
    if (bound.length === 0) return undefined;
    return (value) => {
      for (const { outlet, facts } of bound) this.send(outlet, method, key, value, facts);
    };
  }

  private send({ type, backend }: Outlet, method: Measure, key: string, value: number, facts: Facts): void {
    if (facts.sampleRate < 1 && this.parts.random() >= facts.sampleRate) return;
    try {
      backend[method]?.(key, value, facts);
    } catch (error) {
      this.parts.complain(error, `the metrics backend ${type} failed`);
    }
  }
}
