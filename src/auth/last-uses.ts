import type { LastUse } from '../domain/client.js';
import type { ClientStore } from '../storage/store.js';

/**
 * When each secret and scrape token was used last. Kept in memory and written now and then: a row per token would cost
 * more than the token.
 */
export class LastUses {
  private pending = new Map<string, LastUse>();

  note(id: string, use: LastUse): void {
    this.pending.set(id, use);
  }

  async write(store: Pick<ClientStore, 'noteUses'>): Promise<void> {
    const uses = this.pending;
    if (uses.size === 0) return;
    this.pending = new Map();
    try {
      await store.noteUses(uses);
    } catch (error) {
      // Later ones win; these are tried again with them.
      this.pending = new Map([...uses, ...this.pending]);
      throw error;
    }
  }
}
