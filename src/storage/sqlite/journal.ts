import { desc, eq } from 'drizzle-orm';
import { auditEvent, change } from '../../../db/schema.js';
import type { AuditLog, Change } from '../store.js';
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
  private readonly actor: string;

  constructor(now: () => number, actor: string) {
    this.now = now;
    this.actor = actor;
  }

  record(db: Pick<Db, 'insert'>, { changed: [noun, id], action, object, projectId, actor, ip }: Entry): void {
    const at = this.now();
    db.insert(change).values({ noun, id, at }).run();
    const event = {
      at,
      actor: actor ?? this.actor,
      action,
      object: object ?? `${noun}:${id}`,
      projectId,
      ip: ip ?? null,
    };
    db.insert(auditEvent).values(event).run();
  }
}

export function sqliteAudit(db: Db): AuditLog {
  return {
    record: async (event) => {
      db.insert(auditEvent).values(event).run();
    },
    list: async ({ projectId, limit }) => {
      const newest = db.select().from(auditEvent).$dynamic();
      if (projectId !== undefined) newest.where(eq(auditEvent.projectId, projectId));
      const chosen = newest.orderBy(desc(auditEvent.id)).limit(limit).all();
      return chosen.reverse().map(({ id: _, ...event }) => event);
    },
  };
}
