import type { Clock } from '../domain/clock.js';
import { checkMetadata, defaultLifetimeMs, type MetricsEndpoint } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { checkName, checkSuppliedId, newMetricsId, type RandomBytes } from '../domain/ids.js';
import type { Stretch } from '../domain/page.js';
import type { EndpointSettings, Expectation, Managed } from '../storage/store.js';

export interface NewEndpoint extends Partial<Omit<EndpointSettings, 'name'>> {
  readonly name: string;
  readonly projectId: string;
  readonly metricsId?: string | undefined;
}

const longestLifetimeMs = 366 * 86_400_000;

/** What may be done to metrics endpoints. Throws `WeirError` with a sentence for whoever asked. */
export class EndpointAdmin {
  private readonly store: Managed;
  private readonly clock: Clock;
  private readonly random: RandomBytes;

  constructor(store: Managed, clock: Clock, random: RandomBytes) {
    this.store = store;
    this.clock = clock;
    this.random = random;
  }

  create({ name, projectId, metricsId, lifetimeMs, timestamps, metadata }: NewEndpoint): Promise<MetricsEndpoint> {
    return this.store.endpoints.create({
      projectId,
      metricsId: metricsId === undefined ? newMetricsId(this.random) : checkMetricsId(metricsId),
      name: checkName('endpoint', name),
      lifetimeMs: checkLifetime(lifetimeMs ?? defaultLifetimeMs),
      timestamps: timestamps ?? false,
      metadata: checkMetadata(metadata ?? {}),
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
    settings: Partial<EndpointSettings>,
    expect?: Expectation<MetricsEndpoint>,
  ): Promise<MetricsEndpoint> {
    if (Object.keys(settings).length === 0) {
      throw new WeirError('invalid', 'Nothing to set; give a name, a lifetime, timestamps or metadata.');
    }
    if (settings.name !== undefined) checkName('endpoint', settings.name);
    if (settings.lifetimeMs !== undefined) checkLifetime(settings.lifetimeMs);
    if (settings.metadata !== undefined) checkMetadata(settings.metadata);
    return this.store.endpoints.update(projectId, metricsId, settings, expect);
  }

  delete(projectId: string, metricsId: string, expect?: Expectation<MetricsEndpoint>): Promise<void> {
    return this.store.endpoints.delete(projectId, metricsId, expect);
  }
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
