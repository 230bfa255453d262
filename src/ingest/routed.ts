import { WeirError } from '../domain/errors.js';
import type { UnroutedReason } from '../domain/routing.js';
import type { Part } from '../formats/routes.js';
import type { Metadata } from '../formats/series-batch.js';
import type { Doer, LiveStore } from '../storage/store.js';
import { Descriptions } from './descriptions.js';
import { describe, type Taken, takeBatch } from './live-series.js';
import type { SampleRate } from './rate.js';
import type { NoTarget, Router, Target } from './router.js';

export interface RoutedOptions {
  readonly live: LiveStore;
  readonly rate: SampleRate;
  readonly router: Router;
  /** Told of what a project got. */
  readonly stored: (projectId: string, samples: number) => void;
  /** Told of samples that belong nowhere. */
  readonly unrouted: (reason: UnroutedReason, samples: number) => void;
}

/** Endpoints that are written at once: their writes wait in one queue with the pushes of others. */
const endpointsAtOnce = 1000;

/**
 * Takes the parts of one request to the endpoints they belong to. Each part is judged by itself: by the limits of its
 * project, and as if it had come alone. One customer at its limit costs no other a sample.
 */
export class Routed {
  private readonly options: RoutedOptions;
  private readonly descriptions = new Descriptions();

  constructor(options: RoutedOptions) {
    this.options = options;
  }

  get router(): Router {
    return this.options.router;
  }

  /**
   * Resolves when what was taken is on disk. What was said of metrics goes to the endpoints that have them. Throws
   * `unavailable` when the disk refuses: then some parts may be stored, and the request may be sent again.
   */
  async take(parts: readonly Part[], said: readonly Metadata[], by: Doer): Promise<Taken> {
    this.descriptions.learn(said);
    const find = this.options.router.begin(by);
    const total = {
      samples: 0,
      histograms: 0,
      refusedPoints: 0,
      refusedSamples: 0,
      reason: undefined as string | undefined,
    };
    for (let from = 0; from < parts.length; from += endpointsAtOnce) {
      const targets: (Target | NoTarget)[] = [];
      const wave = parts.slice(from, from + endpointsAtOnce);
      for (const { project, endpoint } of wave) targets.push(await find(project, endpoint));
      const outcomes = await Promise.allSettled(wave.map((part, i) => this.takePart(part, targets[i]!)));
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') throw outcome.reason;
        total.samples += outcome.value.samples;
        total.histograms += outcome.value.histograms;
        total.refusedPoints += outcome.value.refusedPoints;
        total.refusedSamples += outcome.value.refusedSamples;
        total.reason ??= outcome.value.reason;
      }
    }
    return total;
  }

  private async takePart({ batch }: Part, target: Target | NoTarget): Promise<Taken> {
    const { live, rate, stored, unrouted } = this.options;
    const refuse = (reason: UnroutedReason, sentence: string): Taken => {
      unrouted(reason, batch.totalSamples);
      const points = batch.points === undefined ? batch.series : batch.points.length - 1;
      return { samples: 0, histograms: 0, refusedPoints: points, refusedSamples: batch.totalSamples, reason: sentence };
    };
    if ('reason' in target) return refuse(target.reason, target.sentence);
    const { endpoint, limits } = target;
    try {
      rate.take(endpoint.projectId, batch.totalSamples, limits.samples_per_second);
      const taken = await live.write(endpoint, (write) => {
        const result = takeBatch(batch, write, endpoint, limits);
        describe(this.descriptions.newsFor(endpoint.id, write.table), write, limits);
        return result;
      });
      stored(endpoint.projectId, taken.samples);
      return taken;
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      if (error.code === 'rate_limited') return refuse('rate_limited', error.message);
      // The endpoint was deleted a moment ago.
      if (error.code === 'not_found') return refuse('unknown', 'the endpoint they belong to was deleted');
      throw error;
    }
  }
}
