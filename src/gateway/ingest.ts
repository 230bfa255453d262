import type { Admin } from '../admin/admin.js';
import type { Config } from '../config.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import type { Turns } from '../domain/turns.js';
import { Otlp } from '../ingest/otlp.js';
import { Ingest } from '../ingest/push.js';
import { SampleRate } from '../ingest/rate.js';
import { RemoteWrite } from '../ingest/remote-write.js';
import { Routed } from '../ingest/routed.js';
import { Router } from '../ingest/router.js';
import { StatsdReceiver } from '../ingest/statsd/receiver.js';
import type { Directory } from '../storage/directory.js';
import type { Doer, Store } from '../storage/store.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { Log } from '../telemetry/log.js';
import type { UsageMeters } from '../telemetry/usage.js';

interface Ground {
  readonly config: Config;
  readonly store: Store;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly metrics: GatewayMetrics;
  readonly usage: UsageMeters;
  readonly log: Log;
  readonly adminFor: (by: Doer) => Admin;
}

/** All the ways in. */
export interface WaysIn {
  readonly ingest: Ingest;
  readonly remoteWrite: RemoteWrite;
  readonly otlp: Otlp;
  /** Opens the sockets of StatsD; gives where they are. Rejects with an `OperatorError` when one cannot be opened. */
  listen(): Promise<readonly string[]>;
  /** Closes them, when what has come is stored. */
  close(): Promise<void>;
  /** Takes up what a reload may change. */
  apply(config: Config): void;
}

export function openIngest({ config, store, directory, clock, turns, metrics, usage, log, adminFor }: Ground): WaysIn {
  let settings = config.ingest;
  const rate = new SampleRate(clock);
  const router = new Router({
    directory,
    settings: () => settings.routing,
    create: async (projectId, metricsId, by) => {
      const admin = adminFor(by);
      await unlessThere(admin.projects.create({ name: projectId, id: projectId }));
      await unlessThere(admin.endpoints.create({ name: metricsId, projectId, metricsId }));
    },
  });
  const unrouted = metrics.unrouted.bind(metrics);
  const stored = (projectId: string, samples: number) => usage.of(projectId).samples(samples, clock.now());
  const routed = new Routed({ live: store.live, rate, router, stored, unrouted });
  const receivers: StatsdReceiver[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
  };
  return {
    listen: async () => {
      try {
        for (const statsd of config.ingest.statsd) {
          const receiver = await StatsdReceiver.open({
            settings: statsd,
            routed,
            clock,
            taken: metrics.statsdTaken,
            refused: metrics.statsdRefused.bind(metrics),
            fault: (error) => log.error({ err: error, address: statsd.listen }, 'StatsD could not be taken'),
          });
          receivers.push(receiver);
          log.info({ listener: 'statsd', address: receiver.address }, 'listening');
        }
      } catch (error) {
        await close();
        throw error;
      }
      return receivers.map(({ address }) => address);
    },
    close,
    ingest: new Ingest(store.groups, rate, turns),
    remoteWrite: new RemoteWrite(store.live, rate, routed, turns, () => settings.otlp.bounds),
    otlp: new Otlp({ live: store.live, rate, clock, routed, turns, settings: () => settings.otlp }),
    apply: (next) => {
      settings = next.ingest;
    },
  };
}

/** Somebody else may have created it a moment ago. */
async function unlessThere(created: Promise<unknown>): Promise<void> {
  try {
    await created;
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'conflict') throw error;
  }
}
