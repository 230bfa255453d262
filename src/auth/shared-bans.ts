import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../domain/clock.js';
import type { Ban, BanStore, Change } from '../storage/store.js';

export interface SharedBansOptions {
  readonly store: BanStore;
  readonly clock: Clock;
  /** Is given all that are stored, and the time (wall clock) they were asked for. */
  readonly takeOver: (listed: readonly Ban[], asked: number) => void;
}

/** The bans of all processes on the store: this one's are written there, the others' are read. */
export class SharedBans {
  private readonly options: SharedBansOptions;
  /** One use of the store at a time: what is not listed although it was stored has then been lifted. */
  private turn: Promise<void> = Promise.resolve();
  /** A reading that has not begun. */
  private waiting: Promise<void> | undefined;
  /** Numbers of changes that this process made and the change log has yet to tell. */
  private readonly own = new Set<number>();

  constructor(options: SharedBansOptions) {
    this.options = options;
  }

  /** Stores the ban once what is under way is answered: writing may take longer for some clients than for others. */
  add(ban: Ban): Promise<void> {
    return this.inTurn(async () => {
      await setImmediate();
      this.own.add(await this.options.store.add(ban));
    });
  }

  /** Reads them all. Who asks while another reading waits for its turn shares it: a flood of changes costs no queue of readings. */
  read(): Promise<void> {
    this.waiting ??= this.inTurn(async () => {
      this.waiting = undefined;
      const asked = this.options.clock.now();
      this.options.takeOver(await this.options.store.list(asked), asked);
    });
    return this.waiting;
  }

  /** Reads them if others than this process changed any; `undefined` means anything may have changed. */
  async follow(changes: readonly Change[] | undefined): Promise<void> {
    const isOthers = changes?.some(({ noun, seq }) => noun === 'ban' && !this.own.has(seq)) ?? true;
    const told = changes?.at(-1)?.seq ?? 0;
    for (const seq of this.own) if (seq <= told) this.own.delete(seq);
    if (isOthers) await this.read();
  }

  /** Resolves when all that was begun is done, or has failed. */
  settled(): Promise<void> {
    return this.turn;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }
}
