import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { OAuthError } from './oauth-error.js';

/** How the check of a client's proof ended, by secret or assertion. */
export interface ProofOutcome {
  readonly success: boolean;
  /** Refused because of too many wrong ones. */
  readonly banned: boolean;
  readonly ms: number;
}

/** Tells of every check of a proof. A request that brought none that could be checked is not told of. */
export class Proofs {
  private readonly clock: Clock;
  private readonly report: (outcome: ProofOutcome) => void;

  constructor(clock: Clock, report: (outcome: ProofOutcome) => void) {
    this.clock = clock;
    this.report = report;
  }

  async checked<T>(check: () => Promise<T>): Promise<T> {
    const begun = this.clock.monotonic();
    try {
      const proved = await check();
      this.good(begun);
      return proved;
    } catch (error) {
      // It came after the proof.
      if (error instanceof WeirError && error.code === 'rate_limited') this.good(begun);
      else this.bad(begun, error);
      throw error;
    }
  }

  /** A check that began at `begun` (monotonic) has ended well. */
  good(begun: number): void {
    this.report({ success: true, banned: false, ms: this.clock.monotonic() - begun });
  }

  /** It has ended with this error. */
  bad(begun: number, error: unknown): void {
    if (!(error instanceof OAuthError)) return;
    const banned = error.status === 429;
    if (!banned && !['invalid_client', 'invalid_grant'].includes(error.code)) return;
    this.report({ success: false, banned, ms: this.clock.monotonic() - begun });
  }
}
