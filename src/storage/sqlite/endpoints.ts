import { and, asc, eq, gt, isNull, notLike, or, sql } from 'drizzle-orm';
import { endpoint, project, pushGroup } from '../../../db/schema.js';
import type { MetricsEndpoint } from '../../domain/endpoint.js';
import { changedLimits } from '../../domain/endpoint-limits.js';
import { WeirError } from '../../domain/errors.js';
import { groupPrefix } from '../../domain/source.js';
import type { EndpointStore } from '../store.js';
import type { Db } from './database.js';
import type { Entry, Journal } from './journal.js';
import { noSuchProject } from './projects.js';

export const noSuchEndpoint = (projectId: string, metricsId: string): WeirError =>
  new WeirError(
    'not_found',
    `There is no endpoint "${metricsId}" in project "${projectId}"; "weir endpoint list --project ${projectId}" shows those there are.`,
  );

export function sqliteEndpoints(db: Db, journal: Journal, now: () => number): EndpointStore {
  const entry = (action: string, projectId: string, metricsId: string): Entry => ({
    changed: ['project', projectId],
    action: `endpoint.${action}`,
    object: `endpoint:${projectId}/${metricsId}`,
    projectId,
  });
  const named = (projectId: string, metricsId: string) =>
    and(eq(endpoint.projectId, projectId), eq(endpoint.metricsId, metricsId));
  const existing = (reader: Pick<Db, 'select'>, projectId: string, metricsId: string): MetricsEndpoint => {
    const row = reader.select().from(endpoint).where(named(projectId, metricsId)).get();
    if (row === undefined) throw noSuchEndpoint(projectId, metricsId);
    return row;
  };
  return {
    create: async (created) =>
      db.transaction(
        (tx): MetricsEndpoint => {
          if (tx.select().from(project).where(eq(project.id, created.projectId)).get() === undefined) {
            throw noSuchProject(created.projectId);
          }
          const row = tx.insert(endpoint).values(created).onConflictDoNothing().returning().get();
          if (row === undefined) {
            throw new WeirError(
              'conflict',
              `Project "${created.projectId}" has an endpoint "${created.metricsId}" already; choose another --metrics-id.`,
              { field: 'metrics_id' },
            );
          }
          journal.record(tx, entry('create', created.projectId, created.metricsId));
          return row;
        },
        { behavior: 'immediate' },
      ),
    list: async (projectId, stretch) => {
      const after =
        stretch?.after && sql`(${endpoint.createdAt}, ${endpoint.id}) > (${stretch.after[0]}, ${stretch.after[1]})`;
      const rows = db
        .select()
        .from(endpoint)
        .where(and(eq(endpoint.projectId, projectId), after))
        .orderBy(asc(endpoint.createdAt), asc(endpoint.id));
      return stretch === undefined ? rows.all() : rows.limit(stretch.limit).all();
    },
    update: async (projectId, metricsId, { limits, ...settings }, expect) =>
      db.transaction(
        (tx): MetricsEndpoint => {
          const before = existing(tx, projectId, metricsId);
          expect?.(before);
          const row = tx
            .update(endpoint)
            .set({
              ...settings,
              limits: changedLimits(before.limits, limits ?? {}),
              version: sql`${endpoint.version} + 1`,
            })
            .where(named(projectId, metricsId))
            .returning()
            .get()!;
          if (settings.lifetimeMs !== undefined) {
            const end = settings.lifetimeMs === 0 ? null : sql`${pushGroup.pushedAt} + ${settings.lifetimeMs}`;
            const alive = or(isNull(pushGroup.expiresAt), gt(pushGroup.expiresAt, now()));
            tx.update(pushGroup)
              .set({ expiresAt: end })
              .where(and(eq(pushGroup.endpointId, row.id), alive, notLike(pushGroup.key, `${groupPrefix}%`)))
              .run();
          }
          journal.record(tx, entry('set', projectId, metricsId));
          return row;
        },
        { behavior: 'immediate' },
      ),
    delete: async (projectId, metricsId, expect) => {
      db.transaction(
        (tx) => {
          if (expect !== undefined) expect(existing(tx, projectId, metricsId));
          if (tx.delete(endpoint).where(named(projectId, metricsId)).run().changes === 0) {
            throw noSuchEndpoint(projectId, metricsId);
          }
          journal.record(tx, entry('delete', projectId, metricsId));
        },
        { behavior: 'immediate' },
      );
    },
  };
}
