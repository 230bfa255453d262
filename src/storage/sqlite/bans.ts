import { and, asc, eq, gt, lte } from 'drizzle-orm';
import { ban } from '../../../db/schema.js';
import type { BanStore } from '../store.js';
import type { Db } from './database.js';
import type { Journal } from './journal.js';

export function sqliteBans(db: Db, journal: Journal): BanStore {
  return {
    list: async (now) => db.select().from(ban).where(gt(ban.endsAt, now)).orderBy(asc(ban.createdAt)).all(),
    add: async (added) => {
      db.transaction(
        (tx) => {
          tx.delete(ban).where(lte(ban.endsAt, added.createdAt)).run();
          const { createdAt, endsAt } = added;
          tx.insert(ban)
            .values(added)
            .onConflictDoUpdate({ target: [ban.clientId, ban.address], set: { createdAt, endsAt } })
            .run();
          journal.record(tx, entry('ban.add', added.clientId));
        },
        { behavior: 'immediate' },
      );
    },
    lift: async (clientId, address) =>
      db.transaction(
        (tx) => {
          const from = address === undefined ? undefined : eq(ban.address, address);
          const lifted = tx
            .delete(ban)
            .where(and(eq(ban.clientId, clientId), from))
            .run().changes;
          if (lifted > 0) journal.record(tx, entry('ban.lift', clientId));
          return lifted;
        },
        { behavior: 'immediate' },
      ),
  };
}

const entry = (action: string, clientId: string) => ({
  changed: ['ban', clientId] as const,
  action,
  object: `client:${clientId}`,
  projectId: null,
});
