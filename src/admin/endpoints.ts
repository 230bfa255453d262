import type { Clock } from '../domain/clock.js';
import { checkMetadata, defaultLifetimeMs, type MetricsEndpoint } from '../domain/endpoint.js';
import { changedLimits } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import { checkName, checkSuppliedId, newMetricsId, type RandomBytes } from '../domain/ids.js';
import type { Stretch } from '../domain/page.js';
import { noRelabeling, type Relabeling } from '../domain/relabel.js';
import { checkDroppedLabels, checkDroppedMetrics, readRelabelConfigs } from '../formats/relabel/config.js';
import type { Preview } from '../scrape/preview.js';
import type { EndpointChanges, Expectation, Managed } from '../storage/store.js';

export interface NewEndpoint extends Omit<EndpointChanges, 'name'> {
  readonly name: string;
  readonly projectId: string;
  readonly metricsId?: string | undefined;
}

const longestLifetimeMs = 366 * 86_400_000;

/** What the endpoint, as it is given, would serve now. */
export type LookAtEndpoint = (endpoint: MetricsEndpoint) => Promise<Preview>;

/** What may be done to metrics endpoints. Throws `WeirError` with a sentence for whoever asked. */
export class EndpointAdmin {
  private readonly store: Managed;
  private readonly clock: Clock;
  private readonly random: RandomBytes;
  private readonly look: LookAtEndpoint;

  constructor(store: Managed, clock: Clock, random: RandomBytes, look: LookAtEndpoint) {
    this.look = look;
    this.store = store;
    this.clock = clock;
    this.random = random;
  }

  create({
    name,
    projectId,
    metricsId,
    lifetimeMs,
    timestamps,
    metadata,
    limits,
    ...relabeling
  }: NewEndpoint): Promise<MetricsEndpoint> {
    return this.store.endpoints.create({
      projectId,
      metricsId: metricsId === undefined ? newMetricsId(this.random) : checkMetricsId(metricsId),
      name: checkName('endpoint', name),
      lifetimeMs: checkLifetime(lifetimeMs ?? defaultLifetimeMs),
      timestamps: timestamps ?? false,
      metadata: checkMetadata(metadata ?? {}),
      limits: changedLimits({}, limits ?? {}),
      ...noRelabeling,
      ...checkRelabeling(relabeling),
      createdAt: this.clock.now(),
    });
  }

  /** Oldest first. */
  async list(
    projectId: string,
    stretch?: Stretch<readonly [createdAt: number, id: number]>,
  ): Promise<MetricsEndpoint[]> {
    if ((await this.store.projects.get(projectId)) === undefined) {
      throw new WeirError('not_found', `There is no project "${projectId}".`);
    }
    return this.store.endpoints.list(projectId, stretch);
  }

  async get(projectId: string, metricsId: string): Promise<MetricsEndpoint> {
    const found = (await this.list(projectId)).find((endpoint) => endpoint.metricsId === metricsId);
    if (found === undefined) {
      throw new WeirError('not_found', `There is no endpoint "${metricsId}" in project "${projectId}".`);
    }
    return found;
  }

  set(
    projectId: string,
    metricsId: string,
    settings: EndpointChanges,
    expect?: Expectation<MetricsEndpoint>,
  ): Promise<MetricsEndpoint> {
    if (Object.keys(settings).length === 0) {
      throw new WeirError(
        'invalid',
        'Nothing to set; give a name, a lifetime, timestamps, metadata, limits or relabeling.',
      );
    }
    if (settings.name !== undefined) checkName('endpoint', settings.name);
    if (settings.lifetimeMs !== undefined) checkLifetime(settings.lifetimeMs);
    if (settings.metadata !== undefined) checkMetadata(settings.metadata);
    const checked = { ...settings, ...checkRelabeling(settings) };
    return this.store.endpoints.update(projectId, metricsId, checked, expect);
  }

  /** What the endpoint would serve now, with other relabeling if some is given; nothing is changed. */
  async preview(projectId: string, metricsId: string, relabeling: Partial<Relabeling> = {}): Promise<Preview> {
    const checked = checkRelabeling(relabeling);
    return this.look({ ...(await this.get(projectId, metricsId)), ...checked });
  }

  delete(projectId: string, metricsId: string, expect?: Expectation<MetricsEndpoint>): Promise<void> {
    return this.store.endpoints.delete(projectId, metricsId, expect);
  }
}

/** What is given of it; throws `invalid`. */
function checkRelabeling({ droppedMetrics, relabelConfigs, droppedLabels }: Partial<Relabeling>): Partial<Relabeling> {
  return {
    ...(droppedMetrics === undefined ? {} : { droppedMetrics: checkDroppedMetrics(droppedMetrics) }),
    ...(relabelConfigs === undefined ? {} : { relabelConfigs: readRelabelConfigs(relabelConfigs) }),
    ...(droppedLabels === undefined ? {} : { droppedLabels: checkDroppedLabels(droppedLabels) }),
  };
}

/** A metricsId stands where the project page has the word `metrics`, so it cannot be that. */
export function checkMetricsId(metricsId: string): string {
  if (metricsId === 'metrics') throw new WeirError('invalid', 'The metricsId "metrics" is taken by the project page.');
  return checkSuppliedId('metricsId', metricsId);
}

export function checkLifetime(lifetimeMs: number): number {
  if (lifetimeMs !== 0 && (lifetimeMs < 1000 || lifetimeMs > longestLifetimeMs)) {
    throw new WeirError(
      'invalid',
      'The lifetime must be 1s to 366d, or 0 for groups that live until they are deleted.',
    );
  }
  return lifetimeMs;
}
