import { instanceLabel, type MetricsEndpoint } from '../domain/endpoint.js';
import type { Limits } from '../domain/limits.js';
import { readWriteRequest1 } from '../formats/remote-write/v1.js';
import { readWriteRequest2 } from '../formats/remote-write/v2.js';
import { SeriesBatch } from '../formats/series-batch.js';
import type { LiveStore } from '../storage/store.js';
import { takeBatch } from './live-series.js';
import type { SampleRate } from './rate.js';

export type RemoteWriteVersion = '1.0' | '2.0';

export interface WriteRequest {
  readonly endpoint: MetricsEndpoint;
  readonly limits: Limits;
  readonly version: RemoteWriteVersion;
  /** Inflated. */
  readonly body: Buffer;
}

/** What was stored of a request. With a reason, the rest was refused, and why. */
export interface Written {
  readonly samples: number;
  readonly reason: string | undefined;
}

const ours = Buffer.from(instanceLabel);
const mostFreeBatches = 16;
const largestKeptBatch = 100_000;

/** Takes Prometheus remote write in; resolves when what was taken is on disk. */
export class RemoteWrite {
  private readonly live: LiveStore;
  private readonly rate: SampleRate;
  private readonly free: SeriesBatch[] = [];

  constructor(live: LiveStore, rate: SampleRate) {
    this.live = live;
    this.rate = rate;
  }

  /** Throws `invalid` for a body that cannot be read and `rate_limited`, having stored nothing. */
  async write({ endpoint, limits, version, body }: WriteRequest): Promise<Written> {
    const batch = this.free.pop() ?? new SeriesBatch();
    try {
      if (version === '1.0') readWriteRequest1(body, batch, ours);
      else readWriteRequest2(body, batch, ours);
      this.rate.take(endpoint.projectId, batch.totalSamples, limits.samples_per_second);
      const { histograms, histogramOf } = batch;
      const taken = await this.live.write(endpoint, (write) => takeBatch(batch, write, endpoint, limits));
      const reasons: string[] = [];
      if (taken.refusedPoints > 0) {
        reasons.push(`${taken.refusedPoints} series were refused, the first is ${taken.reason}.`);
      }
      if (histograms > 0) {
        reasons.push(
          `${histograms} native histograms were refused, the first is of ${histogramOf}; send classic histograms (in Prometheus, set send_native_histograms: false).`,
        );
      }
      return { samples: taken.samples, reason: reasons.length === 0 ? undefined : reasons.join(' ') };
    } finally {
      if (this.free.length < mostFreeBatches && batch.values.length <= largestKeptBatch) {
        batch.clear(Buffer.alloc(0));
        this.free.push(batch);
      }
    }
  }
}
