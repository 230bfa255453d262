import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import type { Clock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { LimitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import type { LimitOwner } from '../domain/limits.js';

interface Account {
  readonly debt: number;
  readonly at: number;
}

/**
 * Samples per second of each project, and of each endpoint with a limit of its own, averaged: a push of any size passes
 * while there is no debt, and its samples are then paid off at the limit's rate. A producer that pushes 1,000 samples
 * every 10 s fits into a limit of 100.
 */
export class SampleRate {
  private readonly clock: Clock;
  /** By the project's id, which is a text, or the endpoint's, which is a number. */
  private readonly accounts = new LRUCache<string | number, Account>(atMost(100_000));

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Throws `rate_limited` with the seconds to wait, having counted nothing. */
  take({ id, projectId }: Pick<MetricsEndpoint, 'id' | 'projectId'>, samples: number, limits: LimitsAt): void {
    const now = this.clock.monotonic();
    const own = this.debtOf(id, limits.own?.samples_per_second ?? 0, 'endpoint', now);
    const projects = this.debtOf(projectId, limits.samples_per_second, 'project', now);
    if (own !== undefined) this.accounts.set(id, { debt: own + samples, at: now });
    if (projects !== undefined) this.accounts.set(projectId, { debt: projects + samples, at: now });
  }

  /** What is owed now; `undefined` without a limit. */
  private debtOf(who: string | number, perSecond: number, of: LimitOwner, now: number): number | undefined {
    if (perSecond === 0) return undefined;
    const before = this.accounts.get(who) ?? { debt: 0, at: now };
    const debt = Math.max(0, before.debt - ((now - before.at) / 1000) * perSecond);
    if (debt <= perSecond) return debt;
    const retryAfterSeconds = Math.ceil((debt - perSecond) / perSecond);
    throw new WeirError(
      'rate_limited',
      `Too many samples: the ${of} may push samples_per_second = ${perSecond} on average. Try again in ${retryAfterSeconds} s.`,
      {
        limit: 'samples_per_second',
        ...(of === 'endpoint' ? { limit_of: of } : {}),
        max: perSecond,
        retryAfterSeconds,
      },
    );
  }
}
