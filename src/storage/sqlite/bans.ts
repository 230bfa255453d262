import { and, asc, eq, gt, lte, sql } from 'drizzle-orm';
import { auditEvent, ban, client } from '../../../db/schema.js';
import type { BanStore } from '../store.js';
import type { Db } from './database.js';
import type { Journal } from './journal.js';

export function sqliteBans(db: Db, journal: Journal): BanStore {
  return {
    list: async (now, stretch) => {
      const [createdAt, clientId, address] = stretch?.after ?? [];
      const place = sql`(${ban.createdAt}, ${ban.clientId}, ${ban.address})`;
      const after = stretch?.after && sql`${place} > (${createdAt}, ${clientId}, ${address})`;
      const rows = db
        .select()
        .from(ban)
        .where(and(gt(ban.endsAt, now), after))
        .orderBy(asc(ban.createdAt), asc(ban.clientId), asc(ban.address));
      return stretch === undefined ? rows.all() : rows.limit(stretch.limit).all();
    },
    add: async (added) =>
      db.transaction(
        (tx) => {
          tx.delete(ban).where(lte(ban.endsAt, added.createdAt)).run();
          const { createdAt, endsAt } = added;
          tx.insert(ban)
            .values(added)
            .onConflictDoUpdate({ target: [ban.clientId, ban.address], set: { createdAt, endsAt } })
            .run();
          const named = tx.select({ id: client.id }).from(client).where(eq(client.id, added.clientId)).get();
          const { seq, eventId } = journal.record(tx, entry('ban.add', added.clientId));
          // The audit log is kept for good: who invents ids must not fill it. Written and taken back with the same statements
          // for all, or the next request would wait longer when the client exists. No event has the id 0.
          tx.delete(auditEvent)
            .where(eq(auditEvent.id, named === undefined ? eventId : 0))
            .run();
          return seq;
        },
        { behavior: 'immediate' },
      ),
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
