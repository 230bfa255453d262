import { instanceLabel, type MetricsEndpoint } from '../domain/endpoint.js';
import type { LimitsAt } from '../domain/endpoint-limits.js';
import { atOnce, type Steps, type Turns } from '../domain/turns.js';
import { expandHistograms, type Unfit } from '../formats/remote-write/native-histogram.js';
import { writeRequest1Steps } from '../formats/remote-write/v1.js';
import { writeRequest2Steps } from '../formats/remote-write/v2.js';
import { partsOf } from '../formats/routes.js';
import type { SeriesBatch } from '../formats/series-batch.js';
import type { Doer, LiveStore } from '../storage/store.js';
import { BatchPool } from './batch-pool.js';
import { type Taken, takeBatch } from './live-series.js';
import type { SampleRate } from './rate.js';
import { RepeatedRequests } from './repeated-requests.js';
import type { Routed } from './routed.js';

export type RemoteWriteVersion = '1.0' | '2.0';

export interface WriteRequest {
  readonly endpoint: MetricsEndpoint;
  readonly limits: LimitsAt;
  readonly version: RemoteWriteVersion;
  /** Inflated. */
  readonly body: Buffer;
}

/** A request with the samples of many customers. */
export interface RoutedWriteRequest extends Pick<WriteRequest, 'version' | 'body'> {
  readonly by: Doer;
}

/** What was stored of a request. With a reason, the rest was refused, and why. */
export interface Written {
  readonly samples: number;
  readonly histograms: number;
  readonly reason: string | undefined;
}

const ours = Buffer.from(instanceLabel);

/** Takes Prometheus remote write in; resolves when what was taken is on disk. */
export class RemoteWrite {
  private readonly live: LiveStore;
  private readonly rate: SampleRate;
  private readonly routed: Routed;
  private readonly turns: Turns;
  private readonly bounds: () => readonly number[];
  private readonly batches = new BatchPool();
  private readonly repeated = new RepeatedRequests();

  /** `bounds` are the buckets of exponential histograms; they change with a reload. */
  constructor(live: LiveStore, rate: SampleRate, routed: Routed, turns: Turns, bounds: () => readonly number[]) {
    this.turns = turns;
    this.live = live;
    this.rate = rate;
    this.routed = routed;
    this.bounds = bounds;
  }

  /** Throws `invalid` for a body that cannot be read and `rate_limited`, having stored nothing. */
  write({ endpoint, limits, version, body }: WriteRequest): Promise<Written> {
    return this.batches.lend(async (batch) => {
      const known = this.live.peekTable(endpoint.id);
      const steps: Steps<unknown> =
        known !== undefined && version === '1.0'
          ? this.repeated.read(body, batch, ours, known)
          : reading[version](body, batch, ours);
      const natives = await this.turns.do(this.withClassic(steps, batch), endpoint.id);
      this.rate.take(endpoint, batch.totalSamples, limits);
      const taken = await this.live.write(endpoint, (write) => {
        // Numbers of series hold for one table; after a fold, or for one that came back from disk, they mean nothing.
        if (known !== undefined && known !== write.table) {
          atOnce(this.withClassic(reading[version](body, batch, ours), batch));
        }
        if (natives.unfit > 0) write.refuse('invalid', natives.unfit);
        return takeBatch(batch, write, endpoint, limits);
      });
      return outcome(taken, natives);
    });
  }

  /** The same for many endpoints, by the labels that say where each series belongs. */
  writeRouted({ version, body, by }: RoutedWriteRequest): Promise<Written> {
    return this.batches.lend(async (batch) => {
      const { projectLabel, endpointLabel } = this.routed.router.settings;
      const routing = { project: Buffer.from(projectLabel), endpoint: Buffer.from(endpointLabel) };
      const steps = reading[version](body, batch, ours, routing);
      const natives = await this.turns.do(this.withClassic(steps, batch), by.actor);
      const taken = await this.routed.take(partsOf(batch, natives.bySeries), batch.metadata, by);
      return outcome(taken, natives);
    });
  }

  /** The reading, and its native histograms made classic ones. */
  private *withClassic(reading: Steps<unknown>, batch: SeriesBatch): Steps<Unfit> {
    yield* reading;
    return yield* expandHistograms(batch, this.bounds());
  }
}

const reading = { '1.0': writeRequest1Steps, '2.0': writeRequest2Steps } as const;

/** Some reasons are sentences already. */
const sentence = (reason: string): string => (reason.endsWith('.') ? reason : `${reason}.`);

function outcome(taken: Taken, { unfit, unfitOf }: Unfit): Written {
  const reasons: string[] = [];
  if (taken.refusedPoints > 0)
    reasons.push(`${taken.refusedPoints} series were refused, the first: ${sentence(taken.reason!)}`);
  if (unfit > 0) {
    const why = 'their buckets are of a schema that is not known, or do not fit together';
    reasons.push(`${unfit} native histograms were refused, the first is of ${unfitOf}: ${why}.`);
  }
  const { samples, histograms } = taken;
  return { samples, histograms, reason: reasons.length === 0 ? undefined : reasons.join(' ') };
}
