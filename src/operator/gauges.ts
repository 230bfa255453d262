import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../domain/clock.js';
import type { Limits } from '../domain/limits.js';
import { type SourceType, sourceTypes } from '../domain/source.js';
import { type DestinationType, destinationTypes } from '../domain/stream.js';
import type { Store } from '../storage/store.js';
import { watchEventLoop } from '../telemetry/event-loop.js';
import { sourceStates } from '../telemetry/gateway-definitions.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import { failing, type ReadyCheck } from './ready.js';

export interface GaugesOptions {
  readonly metrics: GatewayMetrics;
  readonly store: Store;
  /** Of the configuration; a project may have its own. */
  readonly limits: () => Limits;
  readonly clock: Clock;
  /** Bytes of bodies that are not read yet. */
  readonly heldByBodies: () => number;
  /** When the key that signs was made. */
  readonly signingKeySince: () => number;
  /** Per type of destination: how many streams there are, and how long the oldest window waits. */
  readonly streams: () => ReadonlyMap<DestinationType, { readonly streams: number; readonly lagSeconds: number }>;
  /** Per type of source: how many are in which state, and how long ago the oldest gave something. */
  readonly sources: () => ReadonlyMap<
    SourceType,
    { readonly states: ReadonlyMap<(typeof sourceStates)[number], number>; readonly ageSeconds: number }
  >;
  /** Whether the operator wants each project by its id. */
  readonly projectLabel: boolean;
  readonly readyChecks: readonly ReadyCheck[];
}

/** Sets what is only measured when somebody reads it; gives what stops the watching. */
export function startGauges(options: GaugesOptions) {
  const { metrics, store, limits, clock, heldByBodies, signingKeySince, streams, sources, projectLabel, readyChecks } =
    options;
  const { facade } = metrics;
  const eventLoop = watchEventLoop(clock);
  const keyAge = facade.level('signing_key.age').with({});
  const bodies = facade.level('bodies.held').with({});
  const wal = facade.level('storage.wal').with({});
  const [all, used] = [facade.level('series').with({}), facade.level('series.limit_used').with({})];
  const delay = facade.level('event_loop.delay');
  const delays = (['p50', 'p99', 'max'] as const).map((stat) => [stat, delay.with({ stat })] as const);

  let stopped = false;
  facade.onCollect(() => {
    if (stopped) return;
    keyAge(Math.max(0, clock.now() - signingKeySince()) / 1000);
    bodies(heldByBodies());
    wal(store.walBytes());
    const lags = streams();
    for (const type of destinationTypes) {
      const { streams: enabled, lagSeconds } = lags.get(type) ?? { streams: 0, lagSeconds: 0 };
      facade.level('streams').with({ type })(enabled);
      facade.level('stream.lag').with({ type })(lagSeconds);
    }
    const levels = sources();
    for (const type of sourceTypes) {
      const { states, ageSeconds } = levels.get(type) ?? { states: undefined, ageSeconds: 0 };
      for (const state of sourceStates) facade.level('sources').with({ type, state })(states?.get(state) ?? 0);
      facade.level('source.age').with({ type })(ageSeconds);
    }
    const now = eventLoop.delay();
    for (const [stat, set] of delays) set(now[stat]);
  });
  facade.onCollect(async () => {
    // The page may be asked for until the very end, the store not.
    if (stopped) return;
    const reasons = await failing(readyChecks);
    for (const { name } of readyChecks) facade.level('ready').with({ check: name })(reasons.has(name) ? 0 : 1);
  });
  facade.onCollect(async () => {
    if (stopped) return;
    let [sum, fullest] = [0, 0];
    const projects = await store.projects.list();
    // Deleted ones do not stay on the page.
    facade.clear('project.series');
    facade.clear('project.series_limit');
    for (const { id, limits: own } of projects) {
      const series = await store.groups.seriesOf(id);
      const limit = own.series ?? limits().series;
      sum += series;
      if (limit > 0) fullest = Math.max(fullest, series / limit);
      if (projectLabel) {
        facade.level('project.series').with({ project: id })(series);
        if (limit > 0) facade.level('project.series_limit').with({ project: id })(limit);
      }
      // The first time, each project is read from disk.
      await setImmediate();
      if (stopped) return;
    }
    all(sum);
    used(fullest);
  });
  return (): void => {
    stopped = true;
    eventLoop.stop();
  };
}
