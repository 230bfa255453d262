import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';

/**
 * Samples per second of each project, averaged: a push of any size passes while there is no debt, and its samples are
 * then paid off at the limit's rate. A producer that pushes 1,000 samples every 10 s fits into a limit of 100.
 */
export class SampleRate {
  private readonly clock: Clock;
  private readonly projects = new LRUCache<string, { debt: number; at: number }>(atMost(100_000));

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Throws `rate_limited` with the seconds to wait. */
  take(projectId: string, samples: number, perSecond: number): void {
    if (perSecond === 0) return;
    const now = this.clock.monotonic();
    const before = this.projects.get(projectId) ?? { debt: 0, at: now };
    const debt = Math.max(0, before.debt - ((now - before.at) / 1000) * perSecond);
    if (debt > perSecond) {
      const retryAfterSeconds = Math.ceil((debt - perSecond) / perSecond);
      throw new WeirError(
        'rate_limited',
        `Too many samples: the project may push samples_per_second = ${perSecond} on average. Try again in ${retryAfterSeconds} s.`,
        { limit: 'samples_per_second', max: perSecond, retryAfterSeconds },
      );
    }
    this.projects.set(projectId, { debt: debt + samples, at: now });
  }
}
