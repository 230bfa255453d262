import { WeirError } from '../domain/errors.js';

/** What the bodies of one owner hold together. */
interface Share {
  readonly owner: string;
  bytes: number;
  bodies: number;
}

/** All that is held of one budget. */
interface Pot {
  readonly mostBytes: number;
  readonly shares: Map<string, Share>;
  bytes: number;
}

/**
 * The memory that bodies hold from their first byte until they are read: as they came, and inflated. No owner (a project, or a
 * client of the operator) holds more than it leaves for all others, so that there is room for the next one, however much
 * the first send. A body that nothing else is there with is taken whatever its size.
 */
export class BodyBudget {
  private readonly pot: Pot;

  constructor(mostBytes: number) {
    this.pot = { mostBytes, shares: new Map(), bytes: 0 };
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.pot.bytes;
  }

  /** For one body; to be ended, whatever becomes of it. */
  open(owner: string): BodyLoan {
    const { shares } = this.pot;
    let share = shares.get(owner);
    if (share === undefined) {
      share = { owner, bytes: 0, bodies: 0 };
      shares.set(owner, share);
    }
    share.bodies++;
    return new BodyLoan(this.pot, share);
  }
}

/** What one body holds of a budget. Numbers alone: it stands in the way of every push. */
export class BodyLoan {
  private readonly pot: Pot;
  private readonly share: Share;
  private bytes = 0;
  private isOpen = true;

  constructor(pot: Pot, share: Share) {
    this.pot = pot;
    this.share = share;
  }

  /** Throws `unavailable` when there is no room for so many bytes more. */
  check(more: number): void {
    const { pot, share, bytes } = this;
    if (share.bytes + more > pot.mostBytes - pot.bytes - more && pot.bytes !== bytes) throw noRoom();
  }

  /** Throws `unavailable`, having taken nothing, when there is no room for them. */
  take(more: number): void {
    this.check(more);
    this.change(more);
  }

  giveBack(bytes: number): void {
    this.change(-Math.min(bytes, this.bytes));
  }

  /** Gives back all. A second time says nothing new. */
  end(): void {
    if (!this.isOpen) return;
    this.change(-this.bytes);
    this.isOpen = false;
    if (--this.share.bodies === 0) this.pot.shares.delete(this.share.owner);
  }

  private change(by: number): void {
    if (!this.isOpen) return;
    this.bytes += by;
    this.share.bytes += by;
    this.pot.bytes += by;
  }
}

const noRoom = (): WeirError =>
  new WeirError('unavailable', 'The memory for bodies that wait to be read is in use. Send it again.', {
    retryAfterSeconds: 5,
  });
