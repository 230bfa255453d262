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
          const named = clientOf(tx, added.clientId);
          const { seq, eventId } = journal.record(tx, {
            changed: ['ban', added.clientId],
            action: 'ban.add',
            object: `client:${added.clientId}`,
            projectId: named?.projectId ?? null,
            ip: added.address,
          });
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
            .returning({ address: ban.address })
            .all();
          const [first, ...others] = lifted;
          if (first === undefined) return 0;
          journal.record(tx, {
            changed: ['ban', clientId],
            action: 'ban.lift',
            // Of one, its address, too; where the request came from is the lifter's.
            object: others.length === 0 ? `client:${clientId}/${first.address}` : `client:${clientId}`,
            projectId: clientOf(tx, clientId)?.projectId ?? null,
          });
          return lifted.length;
        },
        { behavior: 'immediate' },
      ),
  };
}

const clientOf = (reader: Pick<Db, 'select'>, id: string) =>
  reader.select({ projectId: client.projectId }).from(client).where(eq(client.id, id)).get();
