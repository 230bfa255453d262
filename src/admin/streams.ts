import type { Envelope } from '../auth/envelope.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { checkName, newStreamId, type RandomBytes } from '../domain/ids.js';
import type { Limits } from '../domain/limits.js';
import {
  type Attempt,
  type Delivery,
  type DestinationSecrets,
  type Estimate,
  type MetricStream,
  type Subscription,
  windowAgeLimitMs,
} from '../domain/stream.js';
import type { DeliveryFilter, Expectation, Managed, StoredStream } from '../storage/store.js';
import { type Choice, estimate } from '../streams/estimate.js';
import { openSecrets, sealSecrets } from '../streams/secrets.js';
import {
  destinationSchema,
  newStreamSchema,
  readBody,
  readDestination,
  readSubscriptions,
  type SplitDestination,
  streamPatchSchema,
  subscriptionsSchema,
} from './stream-shape.js';

/** Sends one recognisable point to a destination; gives what came of it. */
export type DestinationTest = (
  target: SplitDestination & { readonly projectId: string },
) => Promise<Attempt & { readonly delivered: boolean }>;

export interface StreamAdminOptions {
  readonly store: Managed;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly envelope: Envelope;
  /** Those of the configuration as it is now. */
  readonly limits: () => Limits;
  readonly test: DestinationTest;
  /** What a subscription of the project can choose from now. */
  readonly choice: (projectId: string) => Promise<Choice>;
}

/** What may be done to metric streams. Bodies are those of the API. Throws `WeirError` with a sentence for whoever asked. */
export class StreamAdmin {
  private readonly options: StreamAdminOptions;

  constructor(options: StreamAdminOptions) {
    this.options = options;
  }

  async create(projectId: string, body: unknown): Promise<MetricStream> {
    const { store, clock, random, envelope } = this.options;
    const { name, subscriptions, destination: given, status } = readBody(newStreamSchema, body);
    const { destination, secrets } = readDestination(given);
    const now = clock.now();
    const stream: MetricStream = {
      id: newStreamId(random),
      projectId,
      name: checkName('stream', name),
      status,
      statusReason: null,
      subscriptions: readSubscriptions(subscriptions),
      destination,
      health: 'ok',
      reason: null,
      failures: 0,
      failingSince: null,
      version: 1,
      createdAt: now,
      updatedAt: now,
    };
    const sealed = sealSecrets(envelope, stream.id, secrets);
    return store.streams.create(stream, sealed, await this.mostStreams(projectId));
  }

  list(projectId?: string): Promise<MetricStream[]> {
    return this.options.store.streams.list(projectId);
  }

  /** Of the project, where one is given: another's looks like none. */
  async get(id: string, projectId?: string): Promise<MetricStream> {
    return (await this.stored(id, projectId)).stream;
  }

  /**
   * Fields that are there, and no others. `{"status":"enabled"}` lifts a suspension, too. Only if `expect` does not throw
   * at what is there.
   */
  async update(
    id: string,
    body: unknown,
    { projectId, expect }: { projectId?: string | undefined; expect?: Expectation<MetricStream> | undefined } = {},
  ): Promise<MetricStream> {
    const { store, envelope } = this.options;
    const patch = readBody(streamPatchSchema, body);
    if (Object.keys(patch).length === 0) throw new WeirError('invalid', 'There is nothing to change.');
    await this.stored(id, projectId);
    return store.streams.update(id, (before) => {
      expect?.(before.stream);
      const split =
        patch.destination === undefined ? undefined : readDestination(patch.destination, this.splitOf(before));
      return {
        ...(patch.name === undefined ? {} : { name: checkName('stream', patch.name) }),
        ...(patch.status === undefined ? {} : { status: patch.status }),
        ...(patch.subscriptions === undefined ? {} : { subscriptions: readSubscriptions(patch.subscriptions) }),
        ...(split === undefined
          ? {}
          : { destination: split.destination, secrets: sealSecrets(envelope, id, split.secrets) }),
      };
    });
  }

  async delete(id: string, projectId?: string): Promise<void> {
    await this.stored(id, projectId);
    await this.options.store.streams.delete(id);
  }

  /** Sends a point now, whatever the stream's status. */
  async test(id: string, projectId?: string) {
    const stored = await this.stored(id, projectId);
    return this.options.test({ ...this.splitOf(stored), projectId: stored.stream.projectId });
  }

  /** The same before anything is saved: `destination` as in the body of `create`. */
  async testDestination(projectId: string, body: unknown) {
    return this.options.test({ ...readDestination(readBody(destinationSchema, body)), projectId });
  }

  /** How many series each of the subscriptions would send; bodies as in `create`. */
  async estimate(projectId: string, bodies: unknown): Promise<Estimate[]> {
    return this.estimates(projectId, readSubscriptions(readBody(subscriptionsSchema, bodies)));
  }

  /** The same of a stream there is. */
  async estimateOf(id: string, projectId?: string): Promise<Estimate[]> {
    const { stream } = await this.stored(id, projectId);
    return this.estimates(stream.projectId, stream.subscriptions);
  }

  private async estimates(projectId: string, subscriptions: readonly Subscription[]): Promise<Estimate[]> {
    const choice = await this.options.choice(projectId);
    return subscriptions.map((each) => estimate(each, projectId, choice));
  }

  async deliveries(id: string, filter: DeliveryFilter, projectId?: string): Promise<Delivery[]> {
    await this.stored(id, projectId);
    return this.options.store.deliveries.list(id, filter);
  }

  /**
   * Sends windows again: one by its id, or all that end within a range (milliseconds). Those that the destination would
   * find too old stay what they are. Gives how many.
   */
  async redeliver(
    id: string,
    which: { id?: string | undefined; from?: number | undefined; to?: number | undefined },
    projectId?: string,
  ): Promise<number> {
    const { stream } = await this.stored(id, projectId);
    if (stream.status !== 'enabled') {
      throw new WeirError('conflict', `The stream is ${stream.status}; enable it first.`);
    }
    const since = this.options.clock.now() - windowAgeLimitMs[stream.destination.type];
    const count = await this.options.store.deliveries.redeliver(id, { ...which, since });
    if (count === 0 && which.id !== undefined) {
      throw new WeirError(
        'not_found',
        'There is no such delivery, it is under way, or it is too old to be sent again.',
      );
    }
    return count;
  }

  private async stored(id: string, projectId: string | undefined): Promise<StoredStream> {
    const stored = await this.options.store.streams.get(id);
    if (stored === undefined || (projectId !== undefined && stored.stream.projectId !== projectId)) {
      throw new WeirError('not_found', 'There is no such metric stream.');
    }
    return stored;
  }

  private splitOf({ stream, secrets }: StoredStream): SplitDestination & { readonly secrets: DestinationSecrets } {
    return { destination: stream.destination, secrets: openSecrets(this.options.envelope, stream.id, secrets) };
  }

  private async mostStreams(projectId: string): Promise<number> {
    const project = await this.options.store.projects.get(projectId);
    return { ...this.options.limits(), ...project?.limits }.streams;
  }
}
