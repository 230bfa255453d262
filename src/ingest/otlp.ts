import type { Clock } from '../domain/clock.js';
import { instanceLabel, type MetricsEndpoint } from '../domain/endpoint.js';
import type { LimitsAt } from '../domain/endpoint-limits.js';
import type { Steps, Turns } from '../domain/turns.js';
import { type Converted, type ConvertOptions, convertSteps } from '../formats/otlp/convert.js';
import { otlpJsonSteps } from '../formats/otlp/json.js';
import type { TranslationStrategy } from '../formats/otlp/names.js';
import { otlpProtobufSteps } from '../formats/otlp/protobuf.js';
import type { OtlpEncoding } from '../formats/otlp/response.js';
import { RoutingConverter } from '../formats/otlp/routes.js';
import type { Part } from '../formats/routes.js';
import { type KnownSeries, notLookedUp, type SeriesBatch } from '../formats/series-batch.js';
import type { Doer, LiveStore } from '../storage/store.js';
import { BatchPool } from './batch-pool.js';
import { lookUp, takeBatch } from './live-series.js';
import type { SampleRate } from './rate.js';
import type { Routed } from './routed.js';

export interface OtlpSettings {
  readonly strategy: TranslationStrategy;
  /** Resource attributes that become labels of every series. */
  readonly promoted: readonly string[];
  /** Buckets of exponential histograms. */
  readonly bounds: readonly number[];
}

export interface OtlpExport {
  readonly endpoint: MetricsEndpoint;
  readonly limits: LimitsAt;
  readonly encoding: OtlpEncoding;
  /** Inflated. */
  readonly body: Buffer;
  /** Told when the body was read, or refused: its bytes may be used for something else then. */
  readonly onRead?: () => void;
}

/** An export with the metrics of many customers. */
export interface RoutedExport extends Pick<OtlpExport, 'encoding' | 'body' | 'onRead'> {
  readonly by: Doer;
}

export interface Exported {
  readonly points: number;
  readonly rejectedPoints: number;
  /** Why the first of them was; empty when none was. */
  readonly message: string;
}

export interface OtlpOptions {
  readonly live: LiveStore;
  readonly rate: SampleRate;
  readonly clock: Clock;
  readonly routed: Routed;
  readonly turns: Turns;
  /** Changes with a reload. */
  readonly settings: () => OtlpSettings;
}

/** Takes OTLP metrics in; resolves when what was taken is on disk. */
export class Otlp {
  private readonly options: OtlpOptions;
  private readonly batches = new BatchPool();

  constructor(options: OtlpOptions) {
    this.options = options;
  }

  /** Throws `invalid` for a body that cannot be read and `rate_limited`, having stored nothing. */
  export({ endpoint, limits, encoding, body, onRead }: OtlpExport): Promise<Exported> {
    return this.batches.lend(async (batch) => {
      const { live, rate, turns } = this.options;
      const known = live.peekTable(endpoint.id);
      const converted = await turns.do(this.reading(encoding, body, batch, known), endpoint.id).finally(onRead);
      rate.take(endpoint, batch.totalSamples, limits);
      // Where nothing is left, what was refused is still counted.
      if (batch.series === 0 && batch.metadata.length === 0 && converted.refused === 0) return outcome(0, 0, undefined);
      const taken = await live.write(endpoint, (write) => {
        // Numbers of series hold for one table; after a fold, or for one that came back from disk, they mean nothing.
        if (known !== undefined && known !== write.table) batch.numbers.fill(notLookedUp);
        if (converted.refused > 0) write.refuse('invalid', converted.refused);
        return takeBatch(batch, write, endpoint, limits);
      });
      return outcome(taken.samples, converted.refused + taken.refusedSamples, converted.reason ?? taken.reason);
    });
  }

  /** The same for many endpoints, by the attributes of a resource that say where its metrics belong. */
  async exportRouted({ encoding, body, onRead, by }: RoutedExport): Promise<Exported> {
    const { routed, turns } = this.options;
    const { parts, refused, reason } = await turns.do(this.readingRouted(encoding, body), by.actor).finally(onRead);
    const taken = await routed.take(parts, [], by);
    return outcome(taken.samples, refused + taken.refusedSamples, reason ?? taken.reason);
  }

  private *readingRouted(encoding: OtlpEncoding, body: Buffer): Steps<Converted & { parts: readonly Part[] }> {
    const { projectAttribute, endpointAttribute } = this.options.routed.router.settings;
    const routing = { project: projectAttribute, endpoint: endpointAttribute };
    const converter = new RoutingConverter(routing, this.converting());
    yield* readers[encoding](body, converter);
    return converter.end();
  }

  private *reading(
    encoding: OtlpEncoding,
    body: Buffer,
    batch: SeriesBatch,
    known: KnownSeries | undefined,
  ): Steps<Converted> {
    const converted = yield* convertSteps((sink) => readers[encoding](body, sink), batch, this.converting());
    if (known !== undefined) yield* lookUp(batch, known);
    return converted;
  }

  private converting(): ConvertOptions {
    const { settings, clock } = this.options;
    return { ...settings(), ours: instanceLabel, now: clock.now() };
  }
}

const readers = { json: otlpJsonSteps, protobuf: otlpProtobufSteps };

const outcome = (points: number, rejectedPoints: number, reason: string | undefined): Exported => ({
  points,
  rejectedPoints,
  message:
    reason === undefined
      ? ''
      : `${rejectedPoints} points were refused, the first because ${reason.replace(/\.$/, '')}.`,
});
