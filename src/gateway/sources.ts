import type { Envelope } from '../auth/envelope.js';
import type { Ingest } from '../ingest/push.js';
import type { SourceReach } from '../sources/connection.js';
import { Sources } from '../sources/sources.js';
import type { Directory } from '../storage/directory.js';
import type { Store } from '../storage/store.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { UsageMeters } from '../telemetry/usage.js';
import { follow } from './follow.js';
import type { Seams } from './seams.js';

interface Ground {
  readonly seams: Pick<Seams, 'clock' | 'log'>;
  readonly store: Store;
  readonly envelope: Envelope;
  readonly sourceReach: SourceReach;
  readonly directory: Directory;
  readonly ingest: Ingest;
  readonly metrics: GatewayMetrics;
  readonly usage: UsageMeters;
}

/** All whom the gateway asks; what they give goes in where pushes do. */
export async function openSources(ground: Ground): Promise<Sources> {
  const { seams, store, envelope, sourceReach: reach, directory, ingest, metrics, usage } = ground;
  const { clock, log } = seams;
  const sources = new Sources({
    sources: store.sources,
    clock,
    log,
    envelope,
    reach,
    project: (id) => directory.project(id),
    take: async (taking) => {
      const samples = await ingest.pull(taking);
      usage.of(taking.endpoint.projectId).samples(samples, clock.now());
    },
    remove: (endpoint, group) => ingest.delete(endpoint, group),
    report: metrics.sources,
  });
  await sources.reload();
  follow(directory, 'source', sources, log);
  return sources;
}
