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

/** What became of a part: taken as far as it could be, refused and counted as a whole, or not stored. */
export type PartOutcome = { readonly isRouted: boolean; readonly taken: Taken } | { readonly error: unknown };

/** Endpoints that are written at once: their writes wait in one queue with the pushes of others. */
const endpointsAtOnce = 1000;

/**
 * Takes the parts of one request to the endpoints they belong to. Each part is judged by itself: by the limits of its
 * project and endpoint, and as if it had come alone. One customer at its limit costs no other a sample.
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
    const total = {
      samples: 0,
      histograms: 0,
      refusedPoints: 0,
      refusedSamples: 0,
      reason: undefined as string | undefined,
    };
    for (const outcome of await this.takeEach(parts, by)) {
      if ('error' in outcome) throw outcome.error;
      const { taken } = outcome;
      total.samples += taken.samples;
      total.histograms += taken.histograms;
      total.refusedPoints += taken.refusedPoints;
      total.refusedSamples += taken.refusedSamples;
      total.reason ??= taken.reason;
    }
    return total;
  }

  /** The same, and tells of each part what became of it. After the first that could not be stored no more are tried. */
  async takeEach(parts: readonly Part[], by: Doer): Promise<PartOutcome[]> {
    const find = this.options.router.begin(by);
    const outcomes: PartOutcome[] = [];
    for (let from = 0; from < parts.length; from += endpointsAtOnce) {
      const wave = parts.slice(from, from + endpointsAtOnce);
      const failed = outcomes.find((outcome) => 'error' in outcome);
      if (failed !== undefined) {
        outcomes.push(...wave.map(() => failed));
        continue;
      }
      const targets: (Target | NoTarget)[] = [];
      for (const part of wave) targets.push(await find(part));
      outcomes.push(...(await Promise.all(wave.map((part, i) => this.tryPart(part, targets[i]!)))));
    }
    return outcomes;
  }

  private async tryPart(part: Part, target: Target | NoTarget): Promise<PartOutcome> {
    try {
      return await this.takePart(part, target);
    } catch (error) {
      return { error };
    }
  }

  private async takePart({ batch, unfit = 0 }: Part, target: Target | NoTarget): Promise<PartOutcome> {
    const { live, rate, stored, unrouted } = this.options;
    const refuse = (reason: UnroutedReason, sentence: string): PartOutcome => {
      const { totalSamples } = batch;
      unrouted(reason, totalSamples);
      const refusedPoints = batch.points === undefined ? batch.series : batch.points.length - 1;
      const taken = { samples: 0, histograms: 0, refusedPoints, refusedSamples: totalSamples, reason: sentence };
      return { isRouted: false, taken };
    };
    if ('reason' in target) return refuse(target.reason, target.sentence);
    const { endpoint, limits } = target;
    try {
      rate.take(endpoint, batch.totalSamples, limits);
      const { taken, news } = await live.write(endpoint, (write) => {
        // Of parts that belong nowhere, or come too fast, no page says anything.
        if (unfit > 0) write.refuse('invalid', unfit);
        const taken = takeBatch(batch, write, endpoint, limits);
        const news = this.descriptions.newsFor(endpoint.id, write.table);
        if (news !== undefined) describe(news.metadata, write, limits);
        return { taken, news };
      });
      if (news !== undefined) this.descriptions.noteTold(endpoint.id, news);
      stored(endpoint.projectId, taken.samples);
      return { isRouted: true, taken };
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      if (error.code === 'rate_limited') return refuse('rate_limited', error.message);
      // The endpoint was deleted a moment ago.
      if (error.code === 'not_found') return refuse('unknown', 'the endpoint they belong to was deleted');
      throw error;
    }
  }
}
