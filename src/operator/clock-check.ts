import type { Clock } from '../domain/clock.js';
import { formatDuration } from '../domain/duration.js';
import type { FactStore } from '../storage/store.js';

const fact = 'latest_time';
/** Time services step a clock back by less. */
const toleratedMs = 60_000;

/**
 * Notices a clock that stands behind a time this store has seen: tokens and groups would live longer than they say, and
 * what expires would not.
 */
export class ClockCheck {
  private readonly facts: FactStore;
  private readonly clock: Clock;
  private latest = 0;

  constructor(facts: FactStore, clock: Clock) {
    this.facts = facts;
    this.clock = clock;
  }

  async load(): Promise<void> {
    this.latest = Number((await this.facts.get(fact)) ?? 0);
  }

  /** Throws when the clock is behind. */
  check(): void {
    const now = this.clock.now();
    if (now < this.latest - toleratedMs) {
      throw new Error(
        `the clock is ${formatDuration(roundedSeconds(this.latest - now))} behind what this store has seen; set it right`,
      );
    }
    this.latest = Math.max(this.latest, now);
  }

  /** For the next start. */
  async remember(): Promise<void> {
    this.latest = Math.max(this.latest, this.clock.now());
    await this.facts.set(fact, String(this.latest));
  }
}

const roundedSeconds = (ms: number): number => Math.round(ms / 1000) * 1000;
