import { and, asc, eq } from 'drizzle-orm';
import { endpoint, pushGroup, source } from '../../../db/schema.js';
import { WeirError } from '../../domain/errors.js';
import { type Source, type SourceSettings, sourceGroupText } from '../../domain/source.js';
import type { SourceChange, SourceStore } from '../store.js';
import type { Db } from './database.js';
import { noSuchEndpoint } from './endpoints.js';
import type { Entry, Journal } from './journal.js';

interface Joined {
  readonly source: typeof source.$inferSelect;
  readonly endpoint: Pick<typeof endpoint.$inferSelect, 'projectId' | 'metricsId'>;
}

/** Settings that have no column of their own. */
type Configuration = Pick<
  SourceSettings,
  'matchers' | 'tenant' | 'tenantHeader' | 'labels' | 'auth' | 'relabelConfigs' | 'sampleLimit' | 'bodyLimit'
>;

export const noSuchSource = (): WeirError => new WeirError('not_found', 'There is no such source.');

export function sqliteSources(db: Db, journal: Journal, now: () => number): SourceStore {
  const transaction = <T>(work: (tx: Db) => T): T =>
    db.transaction((tx) => work(tx as unknown as Db), { behavior: 'immediate' });
  const joined = (reader: Pick<Db, 'select'>) =>
    reader
      .select({ source, endpoint: { projectId: endpoint.projectId, metricsId: endpoint.metricsId } })
      .from(source)
      .innerJoin(endpoint, eq(endpoint.id, source.endpointId));
  const read = (reader: Pick<Db, 'select'>, id: string): Joined => {
    const row = joined(reader).where(eq(source.id, id)).get();
    if (row === undefined) throw noSuchSource();
    return row;
  };
  const entry = (id: string, projectId: string, action: string): Entry => ({
    changed: ['source', id],
    action: `source.${action}`,
    projectId,
  });

  return {
    create: async (created, secrets) =>
      transaction((tx) => {
        const { projectId, metricsId } = created;
        const at = tx
          .select()
          .from(endpoint)
          .where(and(eq(endpoint.projectId, projectId), eq(endpoint.metricsId, metricsId)))
          .get();
        if (at === undefined) throw noSuchEndpoint(projectId, metricsId);
        const { id, type, createdAt } = created;
        naming(created.name, () =>
          tx
            .insert(source)
            .values({
              id,
              endpointId: at.id,
              type,
              ...columnsOf(created),
              secrets,
              health: 'pending',
              version: 1,
              createdAt,
              updatedAt: createdAt,
            })
            .run(),
        );
        journal.record(tx, entry(id, projectId, 'create'));
        return toSource(read(tx, id));
      }),
    list: async (projectId) => {
      const rows = joined(db);
      const chosen = projectId === undefined ? rows : rows.where(eq(endpoint.projectId, projectId));
      return chosen.orderBy(asc(source.createdAt), asc(source.id)).all().map(toSource);
    },
    get: async (id) => {
      const row = joined(db).where(eq(source.id, id)).get();
      return row && { source: toSource(row), secrets: row.source.secrets };
    },
    update: async (id, change) =>
      transaction((tx) => {
        const before = read(tx, id);
        const stored = { source: toSource(before), secrets: before.source.secrets };
        const { secrets, ...settings }: SourceChange = change(stored);
        const changed = { ...stored.source, ...settings };
        naming(changed.name, () =>
          tx
            .update(source)
            .set({
              ...columnsOf(changed),
              ...(secrets === undefined ? {} : { secrets }),
              // What was wrong with the former settings need not be wrong with these.
              health: 'pending',
              healthReason: null,
              healthSince: null,
              version: before.source.version + 1,
              updatedAt: now(),
            })
            .where(eq(source.id, id))
            .run(),
        );
        const { status } = settings;
        const verb =
          status === undefined || status === stored.source.status ? 'set' : status === 'enabled' ? 'enable' : 'disable';
        journal.record(tx, entry(id, before.endpoint.projectId, verb));
        return toSource(read(tx, id));
      }),
    delete: async (id) => {
      transaction((tx) => {
        const { endpoint: at, source: row } = read(tx, id);
        tx.delete(source).where(eq(source.id, id)).run();
        tx.delete(pushGroup)
          .where(and(eq(pushGroup.endpointId, row.endpointId), eq(pushGroup.key, sourceGroupText(id))))
          .run();
        journal.record(tx, entry(id, at.projectId, 'delete'));
      });
    },
    noteCondition: async (id, version, { health, reason, since }) => {
      transaction((tx) => {
        const before = joined(tx)
          .where(and(eq(source.id, id), eq(source.version, version)))
          .get();
        if (before === undefined) return;
        tx.update(source).set({ health, healthReason: reason, healthSince: since }).where(eq(source.id, id)).run();
        if (health === 'guard' && before.source.health !== 'guard') {
          journal.record(tx, entry(id, before.endpoint.projectId, 'guard'));
        }
      });
    },
  };
}

/** Throws `conflict` when the endpoint has a source of that name. */
function naming(name: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
    throw new WeirError('conflict', `The endpoint has a source "${name}" already; choose another name.`, {
      field: 'name',
    });
  }
}

const columnsOf = ({ name, status, url, intervalMs, timeoutMs, staleMs, ...rest }: SourceSettings) => {
  const { matchers, tenant, tenantHeader, labels, auth, relabelConfigs, sampleLimit, bodyLimit } = rest;
  const more = { relabelConfigs, sampleLimit, bodyLimit };
  const configuration: Configuration = { matchers, tenant, tenantHeader, labels, auth, ...more };
  return { name, status, url, intervalMs, timeoutMs, staleMs, configuration: JSON.stringify(configuration) };
};

const toSource = ({ source: row, endpoint: at }: Joined): Source => {
  const { configuration, secrets: _, health, healthReason: reason, healthSince: since, ...columns } = row;
  return {
    ...columns,
    ...(JSON.parse(configuration) as Configuration),
    ...at,
    health,
    reason,
    since,
  };
};
