import { and, eq, gte, lt } from 'drizzle-orm';
import { idempotencyKey } from '../../../db/schema.js';
import type { IdempotencyStore } from '../store.js';
import type { Db } from './database.js';

/** The rows are written by the journal, in the transaction of what they stand for. */
export function sqliteIdempotency(db: Db, now: () => number): IdempotencyStore {
  const named = (clientId: string, key: string) =>
    and(eq(idempotencyKey.clientId, clientId), eq(idempotencyKey.key, key));
  return {
    find: async (clientId, key) =>
      db
        .select({ digest: idempotencyKey.digest, object: idempotencyKey.object, answer: idempotencyKey.answer })
        .from(idempotencyKey)
        .where(and(named(clientId, key), gte(idempotencyKey.endsAt, now())))
        .get(),
    note: async (clientId, key, answer) => {
      db.update(idempotencyKey).set({ answer }).where(named(clientId, key)).run();
    },
    prune: async (time) => {
      db.delete(idempotencyKey).where(lt(idempotencyKey.endsAt, time)).run();
    },
  };
}
