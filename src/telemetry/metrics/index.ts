import { z } from 'zod';
import { type Clock, systemClock } from '../../domain/clock.js';
import { OperatorError } from '../../domain/errors.js';
import type { BackendContext, MetricsLog, Tags } from './backend.js';
import { type BackendConfig, backendKinds } from './backends/index.js';
import { type Definitions, ownDefinitions } from './definition.js';
import { Metrics, type Outlet } from './metrics.js';
import { Registry } from './registry.js';
import { defaultDenyTags, denyList, mergeTags } from './tags.js';

export type { EventOptions, MeasureOptions, MetricsLog, MetricsPage, Tags } from './backend.js';
export type { BackendConfig } from './backends/index.js';
export { type Definitions, defineMetrics, type MetricDefinition, type MetricType } from './definition.js';
export type { CounterHandle, Handle, Metrics } from './metrics.js';
export { defaultDenyTags } from './tags.js';

export interface MetricsOptions<T extends Definitions = Definitions> {
  /** Before every key, with its dot: `shop.`. */
  readonly prefix?: string | undefined;
  /** Of everything that can be sampled and has no rate of its own; 1. */
  readonly sampleRate?: number | undefined;
  /** As in the configuration file of Weir; none at all when left out. */
  readonly backends?: readonly BackendConfig[] | undefined;
  /** Metrics that are known beforehand: with help, labels, buckets, and at zero from the start. */
  readonly definitions?: T | undefined;
  /** Tags that are dropped, in place of `defaultDenyTags`; `*_id` stands for every ending. */
  readonly denyTags?: readonly string[] | undefined;
  /** Keys that begin so are not kept in memory (see `skipInternal`). */
  readonly skipInternalPrefixes?: readonly string[] | undefined;
  /** Where failures of telemetry are told; the console when left out. */
  readonly log?: MetricsLog | undefined;
  // What tests replace.
  readonly clock?: Clock | undefined;
  readonly random?: (() => number) | undefined;
  readonly fetch?: typeof fetch | undefined;
}

export type WithOwn<T extends Definitions> = T & typeof ownDefinitions;

const complainEveryMs = 60_000;

/**
 * Opens the backends and gives the facade. Nothing leaves the process unless a backend says so. Throws `OperatorError`
 * when a backend cannot work as configured; later, nothing throws.
 */
export function openMetrics<const T extends Definitions>(options: MetricsOptions<T> = {}): Metrics<WithOwn<T>> {
  const { prefix = '', sampleRate = 1, backends = [], clock = systemClock, log = consoleLog } = options;
  const definitions = { ...options.definitions, ...ownDefinitions } as WithOwn<T>;
  const registry = new Registry({ prefix, definitions, since: clock.now() });
  const complain = complainer(log, clock);
  const dropped = (backend: string, measurements: number): void => {
    const series = registry.counter('telemetry.dropped', undefined, { backend });
    if (series !== undefined) series.value += measurements;
  };
  const collectors: (() => void | Promise<void>)[] = [];
  const collect = collector(collectors, complain);
  dropped('registry', 0);
  const outlets = backends.map((config): Outlet => {
    const kind = backendKinds.find(({ type }) => type === config.type);
    if (kind === undefined) throw new OperatorError(`There is no metrics backend "${config.type}".`);
    const read = kind.options.safeParse(config.options ?? {});
    if (!read.success) {
      throw new OperatorError(`The metrics backend ${config.type}: ${z.prettifyError(read.error)}`);
    }
    const { tags: configured, ...own } = read.data as { tags?: Tags };
    const tags = mergeTags([configured], () => true);
    const prefixes = config.prefixes ?? [];
    const wants = (key: string): boolean => prefixes.length === 0 || prefixes.some((each) => key.startsWith(each));
    const context: BackendContext = {
      prefix,
      tags,
      wants,
      registry,
      collect,
      dropped: (measurements) => dropped(config.type, measurements),
      complain,
      log,
      clock,
      random: options.random ?? Math.random,
      fetch: options.fetch ?? fetch,
    };
    if (kind.sends) dropped(config.type, 0);
    const backend = kind.open(own as never, context);
    const { readsRegistry } = kind;
    return { type: config.type, backend, readsRegistry, sampleRate: config.sampleRate ?? 1, tags, wants };
  });
  return new Metrics<WithOwn<T>>({
    definitions,
    registry,
    outlets,
    sampleRate,
    denied: denyList(options.denyTags ?? defaultDenyTags),
    skipInternalPrefixes: options.skipInternalPrefixes ?? [],
    collect,
    collectors,
    dropped,
    complain,
    monotonic: () => clock.monotonic(),
    random: options.random ?? Math.random,
  });
}

/** Those who ask meanwhile share one round. */
function collector(
  collectors: readonly (() => void | Promise<void>)[],
  complain: BackendContext['complain'],
): () => Promise<void> {
  let underWay: Promise<void> | undefined;
  const round = async (): Promise<void> => {
    for (const measure of collectors) {
      try {
        await measure();
      } catch (error) {
        complain(error, 'a gauge could not be measured');
      }
    }
  };
  return () => {
    underWay ??= round().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}

/** A failure that repeats is told once a minute; of very many different ones, only the first. */
function complainer(log: MetricsLog, clock: Clock): BackendContext['complain'] {
  const told = new Map<string, number>();
  return (error, message) => {
    const now = clock.monotonic();
    const last = told.get(message);
    if (last !== undefined && now - last < complainEveryMs) return;
    if (last === undefined && told.size >= 1000) return;
    told.set(message, now);
    try {
      log.warn(error === undefined ? {} : { err: error }, `telemetry: ${message}`);
    } catch {
      // A logger that fails must not break whoever measures.
    }
  };
}

const consoleLog: MetricsLog = {
  debug: (facts, message) => console.debug(message, facts),
  info: (facts, message) => console.info(message, facts),
  warn: (facts, message) => console.warn(message, facts),
};
