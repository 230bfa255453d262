import type { Clock } from '../domain/clock.js';
import { instanceLabel, type MetricsEndpoint } from '../domain/endpoint.js';
import type { Limits } from '../domain/limits.js';
import { convertOtlp } from '../formats/otlp/convert.js';
import { readOtlpJson } from '../formats/otlp/json.js';
import type { TranslationStrategy } from '../formats/otlp/names.js';
import { readOtlpProtobuf } from '../formats/otlp/protobuf.js';
import type { OtlpEncoding } from '../formats/otlp/response.js';
import { SeriesBatch } from '../formats/series-batch.js';
import type { LiveStore } from '../storage/store.js';
import { takeBatch } from './live-series.js';
import type { SampleRate } from './rate.js';

export interface OtlpSettings {
  readonly strategy: TranslationStrategy;
  /** Resource attributes that become labels of every series. */
  readonly promoted: readonly string[];
}

export interface OtlpExport {
  readonly endpoint: MetricsEndpoint;
  readonly limits: Limits;
  readonly encoding: OtlpEncoding;
  /** Inflated. */
  readonly body: Buffer;
}

export interface Exported {
  readonly points: number;
  readonly rejectedPoints: number;
  /** Why the first of them was; empty when none was. */
  readonly message: string;
}

/** Takes OTLP metrics in; resolves when what was taken is on disk. */
export class Otlp {
  private readonly live: LiveStore;
  private readonly rate: SampleRate;
  private readonly clock: Clock;
  private readonly settings: OtlpSettings;

  constructor(live: LiveStore, rate: SampleRate, clock: Clock, settings: OtlpSettings) {
    this.live = live;
    this.rate = rate;
    this.clock = clock;
    this.settings = settings;
  }

  /** Throws `invalid` for a body that cannot be read and `rate_limited`, having stored nothing. */
  async export({ endpoint, limits, encoding, body }: OtlpExport): Promise<Exported> {
    const request = encoding === 'json' ? readOtlpJson(body) : readOtlpProtobuf(body);
    const batch = new SeriesBatch();
    const converted = convertOtlp(request, batch, { ...this.settings, ours: instanceLabel, now: this.clock.now() });
    this.rate.take(endpoint.projectId, batch.totalSamples, limits.samples_per_second);
    if (batch.series === 0 && batch.metadata.length === 0) return outcome(0, converted.refused, converted.reason);
    const taken = await this.live.write(endpoint, (write) => takeBatch(batch, write, endpoint, limits));
    return outcome(taken.samples, converted.refused + taken.refusedSamples, converted.reason ?? taken.reason);
  }
}

const outcome = (points: number, rejectedPoints: number, reason: string | undefined): Exported => ({
  points,
  rejectedPoints,
  message: reason === undefined ? '' : `${rejectedPoints} points were refused, the first because ${reason}.`,
});
