import type { Admin } from '../admin/admin.js';
import type { Config } from '../config.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { Otlp } from '../ingest/otlp.js';
import { Ingest } from '../ingest/push.js';
import { SampleRate } from '../ingest/rate.js';
import { RemoteWrite } from '../ingest/remote-write.js';
import { Routed } from '../ingest/routed.js';
import { Router } from '../ingest/router.js';
import type { Directory } from '../storage/directory.js';
import type { Doer, Store } from '../storage/store.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { UsageMeters } from '../telemetry/usage.js';

interface Ground {
  readonly config: Config;
  readonly store: Store;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly metrics: GatewayMetrics;
  readonly usage: UsageMeters;
  readonly adminFor: (by: Doer) => Admin;
}

/** All the ways in. */
export interface WaysIn {
  readonly ingest: Ingest;
  readonly remoteWrite: RemoteWrite;
  readonly otlp: Otlp;
  /** Takes up what a reload may change. */
  apply(config: Config): void;
}

export function openIngest({ config, store, directory, clock, metrics, usage, adminFor }: Ground): WaysIn {
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
  return {
    ingest: new Ingest(store.groups, rate),
    remoteWrite: new RemoteWrite(store.live, rate, routed, () => settings.otlp.bounds),
    otlp: new Otlp({ live: store.live, rate, clock, routed, settings: () => settings.otlp }),
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
