import { asc, desc, gt, lt, sql } from 'drizzle-orm';
import { change } from '../../../db/schema.js';
import type { ChangeLog } from '../store.js';
import type { Db } from './database.js';

export function sqliteChanges(db: Db): ChangeLog {
  const newest = db.select({ seq: change.seq }).from(change).orderBy(desc(change.seq)).limit(1).prepare();
  const oldest = db.select({ seq: change.seq }).from(change).orderBy(asc(change.seq)).limit(1).prepare();
  const after = db
    .select({ seq: change.seq, noun: change.noun, id: change.id })
    .from(change)
    .where(gt(change.seq, sql.placeholder('seq')))
    .orderBy(asc(change.seq))
    .prepare();
  return {
    latest: async () => newest.get()?.seq ?? 0,
    since: async (seq) => {
      const first = oldest.get()?.seq;
      // The log begins after what the caller has seen: something in between may be gone.
      if (first !== undefined && first > seq + 1) return undefined;
      return after.all({ seq });
    },
    prune: async (time) => {
      const last = newest.get()?.seq ?? 0;
      db.delete(change)
        .where(sql`${lt(change.at, time)} AND ${lt(change.seq, last)}`)
        .run();
    },
  };
}
