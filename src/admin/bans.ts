import { banAddress } from '../auth/regulation.js';
import type { Clock } from '../domain/clock.js';
import type { Stretch } from '../domain/page.js';
import type { Ban, BanPlace, Managed } from '../storage/store.js';

/** What may be done to bans. A running server follows within a second. */
export class BanAdmin {
  private readonly store: Managed;
  private readonly clock: Clock;

  constructor(store: Managed, clock: Clock) {
    this.store = store;
    this.clock = clock;
  }

  /** Those that last, oldest first. */
  list(stretch?: Stretch<BanPlace>): Promise<Ban[]> {
    return this.store.bans.list(this.clock.now(), stretch);
  }

  /** Of the client id, from one address or from all; gives how many. */
  lift(clientId: string, address?: string): Promise<number> {
    return this.store.bans.lift(clientId, address === undefined ? undefined : banAddress(address));
  }
}
