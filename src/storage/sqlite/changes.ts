import { asc, gt, lt, sql } from 'drizzle-orm';
import { change } from '../../../db/schema.js';
import type { ChangeLog } from '../store.js';
import type { Db } from './database.js';

export function sqliteChanges(db: Db): ChangeLog {
  // Asked before every token and every refusal; the query builder would triple the time.
  const newest = db.$client.prepare<[], number | null>('SELECT max(seq) FROM change').pluck();
  const oldest = db.select({ seq: change.seq }).from(change).orderBy(asc(change.seq)).limit(1).prepare();
  const after = db
    .select({ seq: change.seq, noun: change.noun, id: change.id })
    .from(change)
    .where(gt(change.seq, sql.placeholder('seq')))
    .orderBy(asc(change.seq))
    .prepare();
  return {
    latest: () => newest.get() ?? 0,
    since: async (seq) => {
      const first = oldest.get()?.seq;
      // The log begins after what the caller has seen: something in between may be gone.
      if (first !== undefined && first > seq + 1) return undefined;
      return after.all({ seq });
    },
    prune: async (time) => {
      const last = newest.get() ?? 0;
      db.delete(change)
        .where(sql`${lt(change.at, time)} AND ${lt(change.seq, last)}`)
        .run();
    },
  };
}
