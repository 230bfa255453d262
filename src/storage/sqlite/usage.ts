import { and, asc, desc, eq, gte, lt, lte, sql } from 'drizzle-orm';
import { usage } from '../../../db/schema.js';
import type { UsageStore } from '../store.js';
import { commitUnsynced, type Db } from './database.js';

export function sqliteUsage(db: Db): UsageStore {
  return {
    add: async (rows) => {
      const add = db.$client.prepare(addSql);
      commitUnsynced(db, () => {
        for (const row of rows) add.run(row);
      });
    },
    list: async ({ projectId, from, to, after, limit }) =>
      db
        .select()
        .from(usage)
        .where(
          and(
            projectId === undefined ? undefined : eq(usage.projectId, projectId),
            from === undefined ? undefined : gte(usage.day, from),
            to === undefined ? undefined : lte(usage.day, to),
            // Newest day first, then by project: a row value cannot say that.
            after &&
              sql`(${usage.day} < ${after[0]} OR (${usage.day} = ${after[0]} AND ${usage.projectId} > ${after[1]}))`,
          ),
        )
        .orderBy(desc(usage.day), asc(usage.projectId))
        .limit(limit)
        .all(),
    prune: async (time) => {
      db.delete(usage).where(lt(usage.day, time)).run();
    },
  };
}

/** What a project used that is gone meanwhile is nobody's. */
const addSql = `
  INSERT INTO usage (project_id, day, scrapes, bytes_served, samples_in, points_streamed, tokens_issued)
  SELECT @projectId, @day, @scrapes, @bytesServed, @samplesIn, @pointsStreamed, @tokensIssued
  WHERE EXISTS (SELECT 1 FROM project WHERE id = @projectId)
  ON CONFLICT (project_id, day) DO UPDATE SET
    scrapes = scrapes + excluded.scrapes,
    bytes_served = bytes_served + excluded.bytes_served,
    samples_in = samples_in + excluded.samples_in,
    points_streamed = points_streamed + excluded.points_streamed,
    tokens_issued = tokens_issued + excluded.tokens_issued`;
