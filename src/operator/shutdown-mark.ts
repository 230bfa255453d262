import type { FactStore } from '../storage/store.js';

const fact = 'serving';

/** Leaves a mark in the store while a server runs: one that is found at the start was left by a crash, kill or power cut. */
export class ShutdownMark {
  private readonly facts: FactStore;

  constructor(facts: FactStore) {
    this.facts = facts;
  }

  /** Whether the run before ended without closing the store. */
  async find(): Promise<boolean> {
    return (await this.facts.get(fact)) === 'yes';
  }

  async set(serving: boolean): Promise<void> {
    await this.facts.set(fact, serving ? 'yes' : 'no');
  }
}
