import { and, asc, eq, isNotNull, lte, max, min, sql } from 'drizzle-orm';
import { endpoint, pushGroup } from '../../../db/schema.js';
import type { Db } from './database.js';

/** All that is asked of the table of groups. */
export function prepareGroups(db: Db) {
  const value = sql.placeholder;
  const columns = {
    labels: value('labels'),
    families: value('families'),
    samples: value('samples'),
    series: value('series'),
    pushedAt: value('pushedAt'),
    expiresAt: value('expiresAt'),
    version: value('version'),
  };
  const isOne = and(eq(pushGroup.endpointId, value('endpointId')), eq(pushGroup.key, value('key')));
  const dead = and(isNotNull(pushGroup.expiresAt), lte(pushGroup.expiresAt, value('now')));
  return {
    put: db
      .insert(pushGroup)
      .values({ endpointId: value('endpointId'), key: value('key'), ...columns })
      .onConflictDoUpdate({
        target: [pushGroup.endpointId, pushGroup.key],
        set: {
          labels: sql`excluded.labels`,
          families: sql`excluded.families`,
          samples: sql`excluded.samples`,
          series: sql`excluded.series`,
          pushedAt: sql`excluded.pushed_at`,
          expiresAt: sql`excluded.expires_at`,
          version: sql`excluded.version`,
        },
      })
      .prepare(),
    putSamples: db
      .update(pushGroup)
      .set({
        samples: sql`${value('samples')}`,
        series: sql`${value('series')}`,
        pushedAt: sql`${value('pushedAt')}`,
        expiresAt: sql`${value('expiresAt')}`,
        version: sql`${value('version')}`,
      })
      .where(isOne)
      .prepare(),
    remove: db.delete(pushGroup).where(isOne).prepare(),
    removeExpired: db
      .delete(pushGroup)
      .where(dead)
      .returning({ endpointId: pushGroup.endpointId, key: pushGroup.key })
      .prepare(),
    ofEndpoint: db
      .select()
      .from(pushGroup)
      .where(eq(pushGroup.endpointId, value('endpointId')))
      .orderBy(asc(pushGroup.key))
      .prepare(),
    seriesOfProject: db
      .select({ series: sql<number>`coalesce(sum(max(${pushGroup.series}, 1)), 0)` })
      .from(pushGroup)
      .innerJoin(endpoint, eq(endpoint.id, pushGroup.endpointId))
      .where(
        and(
          eq(endpoint.projectId, value('projectId')),
          sql`(${pushGroup.expiresAt} IS NULL OR ${pushGroup.expiresAt} > ${value('now')})`,
        ),
      )
      .prepare(),
    lastVersion: db
      .select({ version: max(pushGroup.version) })
      .from(pushGroup)
      .prepare(),
    nextExpiry: db
      .select({ at: min(pushGroup.expiresAt) })
      .from(pushGroup)
      .prepare(),
  };
}
