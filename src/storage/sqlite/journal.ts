import { and, desc, eq, gte, lt } from 'drizzle-orm';
import { auditEvent, change, idempotencyKey } from '../../../db/schema.js';
import { type AuditLog, type Change, type Doer, RepeatedRequest } from '../store.js';
import type { Db } from './database.js';

/** What is written down about a change, beside the change itself. */
export interface Entry {
  /** What other processes must read again. */
  readonly changed: readonly [noun: Change['noun'], id: string];
  /** Noun and verb: `client.rotate`. */
  readonly action: string;
  /** `client:<id>`, where it is more than what has changed. */
  readonly object?: string;
  readonly projectId: string | null;
  /** Where it is not whoever opened the store. */
  readonly actor?: string;
  readonly ip?: string;
}

/** Writes the change log and the audit log, in the transaction that makes the change. */
export class Journal {
  private readonly now: () => number;
  private readonly by: Doer;

  constructor(now: () => number, by: Doer) {
    this.now = now;
    this.by = by;
  }

  /** Gives the number of the change and the id of the event. */
  record(
    db: Pick<Db, 'insert' | 'delete'>,
    { changed: [noun, id], action, object, projectId, actor, ip }: Entry,
  ): { readonly seq: number; readonly eventId: number } {
    const at = this.now();
    const seq = Number(db.insert(change).values({ noun, id, at }).run().lastInsertRowid);
    const event = {
      at,
      actor: actor ?? this.by.actor,
      action,
      object: object ?? `${noun}:${id}`,
      projectId,
      ip: ip ?? this.by.ip,
    };
    const eventId = Number(db.insert(auditEvent).values(event).run().lastInsertRowid);
    const { once } = this.by;
    if (once === undefined) return { seq, eventId };
    db.delete(idempotencyKey)
      .where(
        and(
          eq(idempotencyKey.clientId, once.clientId),
          eq(idempotencyKey.key, once.key),
          lt(idempotencyKey.endsAt, at),
        ),
      )
      .run();
    const done = { ...once, object: event.object };
    if (db.insert(idempotencyKey).values(done).onConflictDoNothing().run().changes === 0) throw new RepeatedRequest();
    return { seq, eventId };
  }
}

export function sqliteAudit(db: Db): AuditLog {
  return {
    record: async (event) => {
      db.insert(auditEvent).values(event).run();
    },
    list: async ({ limit, after, since, until, ...exact }) => {
      const columns = ['projectId', 'actor', 'action', 'object'] as const;
      const conditions = columns.flatMap((name) => {
        const wanted = exact[name];
        return wanted === undefined ? [] : [eq(auditEvent[name], wanted)];
      });
      if (since !== undefined) conditions.push(gte(auditEvent.at, since));
      if (until !== undefined) conditions.push(lt(auditEvent.at, until));
      if (after !== undefined) conditions.push(lt(auditEvent.id, after));
      return db
        .select()
        .from(auditEvent)
        .where(and(...conditions))
        .orderBy(desc(auditEvent.id))
        .limit(limit)
        .all();
    },
  };
}
