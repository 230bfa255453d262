import type { Envelope } from '../auth/envelope.js';
import type { Clock } from '../domain/clock.js';
import { type LimitsAt, limitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import { newSourceId, type RandomBytes } from '../domain/ids.js';
import type { Limits } from '../domain/limits.js';
import type { Source } from '../domain/source.js';
import type { SourceTarget } from '../sources/open.js';
import type { SourceProbe } from '../sources/probe.js';
import { openSourceSecrets, sealSourceSecrets } from '../sources/secrets.js';
import type { Expectation, Managed, StoredSource } from '../storage/store.js';
import { changedSource, newSourceSchema, type SplitSource, sourcePatchSchema } from './source-shape.js';
import { readBody } from './stream-shape.js';

/** Asks a source once; gives what came of it. */
export type SourceTest = (
  target: SourceTarget & { readonly metricsId: string; readonly limits: Limits },
) => Promise<SourceProbe>;

export interface SourceAdminOptions {
  readonly store: Managed;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly envelope: Envelope;
  /** Those of the configuration as it is now. */
  readonly limits: () => Limits;
  readonly test: SourceTest;
}

/** What may be done to sources. Bodies are those of the API. Throws `WeirError` with a sentence for whoever asked. */
export class SourceAdmin {
  private readonly options: SourceAdminOptions;

  constructor(options: SourceAdminOptions) {
    this.options = options;
  }

  async create(projectId: string, body: unknown): Promise<Source> {
    const { store, clock, random, envelope } = this.options;
    const { metrics_id: metricsId, type, ...given } = readBody(newSourceSchema, body);
    const { settings, secrets } = changedSource(type, given);
    const id = newSourceId(random);
    const sealed = sealSourceSecrets(envelope, id, secrets);
    return store.sources.create({ ...settings, id, projectId, metricsId, type, createdAt: clock.now() }, sealed);
  }

  /** Oldest first. */
  list(projectId?: string): Promise<Source[]> {
    return this.options.store.sources.list(projectId);
  }

  async get(id: string): Promise<Source> {
    return (await this.stored(id)).source;
  }

  /** Fields that are there, and no others. Only if `expect` does not throw at what is there. */
  async update(id: string, body: unknown, expect?: Expectation<Source>): Promise<Source> {
    const { store, envelope } = this.options;
    const patch = readBody(sourcePatchSchema, body);
    if (Object.keys(patch).length === 0) throw new WeirError('invalid', 'There is nothing to change.');
    return store.sources.update(id, (before) => {
      expect?.(before.source);
      const { settings, secrets } = changedSource(before.source.type, patch, this.splitOf(before));
      return { ...settings, secrets: sealSourceSecrets(envelope, id, secrets) };
    });
  }

  /** With the series that came from it. */
  delete(id: string): Promise<void> {
    return this.options.store.sources.delete(id);
  }

  /** Asks it now, whatever its status, and stores nothing. */
  async test(id: string): Promise<SourceProbe> {
    const stored = await this.stored(id);
    const { type, projectId, metricsId } = stored.source;
    return this.options.test({
      ...this.splitOf(stored),
      type,
      metricsId,
      limits: await this.limitsOf(projectId, metricsId),
    });
  }

  /** The same before anything is saved: the body is that of `create`. */
  async testNew(projectId: string, body: unknown): Promise<SourceProbe> {
    const { metrics_id: metricsId, type, ...given } = readBody(newSourceSchema, body);
    return this.options.test({
      ...changedSource(type, given),
      type,
      metricsId,
      limits: await this.limitsOf(projectId, metricsId),
    });
  }

  private async stored(id: string): Promise<StoredSource> {
    const stored = await this.options.store.sources.get(id);
    if (stored === undefined) throw new WeirError('not_found', 'There is no such source.');
    return stored;
  }

  private splitOf({ source, secrets }: StoredSource): SplitSource {
    return { settings: source, secrets: openSourceSecrets(this.options.envelope, source.id, secrets) };
  }

  private async limitsOf(projectId: string, metricsId: string): Promise<LimitsAt> {
    const { store, limits } = this.options;
    const project = await store.projects.get(projectId);
    const endpoint = (await store.endpoints.list(projectId)).find((each) => each.metricsId === metricsId);
    return limitsAt({ ...limits(), ...project?.limits }, endpoint?.limits ?? {});
  }
}
