import type { Clock } from '../domain/clock.js';
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
    const started = this.clock.monotonic();
    const ended = (success: boolean, banned: boolean): void =>
      this.report({ success, banned, ms: this.clock.monotonic() - started });
    try {
      const proved = await check();
      ended(true, false);
      return proved;
    } catch (error) {
      if (error instanceof OAuthError) {
        if (error.status === 429) ended(false, true);
        else if (['invalid_client', 'invalid_grant'].includes(error.code)) ended(false, false);
      }
      throw error;
    }
  }
}
