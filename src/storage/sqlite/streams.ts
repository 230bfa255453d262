import { and, asc, count, eq } from 'drizzle-orm';
import { delivery, metricStream, project, streamState } from '../../../db/schema.js';
import { WeirError } from '../../domain/errors.js';
import { limitExceeded } from '../../domain/limits.js';
import type { Destination, MetricStream, Subscription } from '../../domain/stream.js';
import type { StoredStream, StreamStore } from '../store.js';
import type { Db } from './database.js';
import type { Entry, Journal } from './journal.js';
import { noSuchProject } from './projects.js';

type Row = typeof metricStream.$inferSelect;
type Writer = Pick<Db, 'select' | 'insert' | 'update' | 'delete'>;

export const noSuchStream = (): WeirError => new WeirError('not_found', 'There is no such metric stream.');

export function sqliteStreams(db: Db, journal: Journal, now: () => number): StreamStore {
  const transaction = <T>(work: (tx: Writer) => T): T => db.transaction(work, { behavior: 'immediate' });
  const read = (reader: Pick<Db, 'select'>, id: string): Row => {
    const row = reader.select().from(metricStream).where(eq(metricStream.id, id)).get();
    if (row === undefined) throw noSuchStream();
    return row;
  };
  const entry = ({ id, projectId }: Pick<Row, 'id' | 'projectId'>, action: string): Entry => ({
    changed: ['stream', id],
    action: `stream.${action}`,
    projectId,
  });

  return {
    create: async (created, secrets, mostStreams) =>
      transaction((tx) => {
        const { projectId } = created;
        if (tx.select().from(project).where(eq(project.id, projectId)).get() === undefined) {
          throw noSuchProject(projectId);
        }
        const ofProject = eq(metricStream.projectId, projectId);
        const there = tx.select({ count: count() }).from(metricStream).where(ofProject).get()!.count;
        if (mostStreams > 0 && there >= mostStreams) throw limitExceeded('streams', mostStreams, there + 1);
        const row = tx
          .insert(metricStream)
          .values({
            id: created.id,
            projectId,
            name: created.name,
            status: created.status,
            subscriptions: JSON.stringify(created.subscriptions),
            destinationType: created.destination.type,
            configuration: JSON.stringify(created.destination.configuration),
            secrets,
            createdAt: created.createdAt,
            updatedAt: created.updatedAt,
          })
          .returning()
          .get();
        journal.record(tx, entry(row, 'create'));
        return toStream(row);
      }),
    list: async (projectId) => {
      const rows = db.select().from(metricStream);
      const chosen = projectId === undefined ? rows : rows.where(eq(metricStream.projectId, projectId));
      return chosen.orderBy(asc(metricStream.createdAt), asc(metricStream.id)).all().map(toStream);
    },
    get: async (id) => {
      const row = db.select().from(metricStream).where(eq(metricStream.id, id)).get();
      return row && toStored(row);
    },
    update: async (id, change) =>
      transaction((tx) => {
        const before = read(tx, id);
        const { secrets, ...settings } = change(toStored(before));
        const enabled = settings.status === 'enabled' && before.status !== 'enabled';
        const changed = tx
          .update(metricStream)
          .set({
            ...(settings.name === undefined ? {} : { name: settings.name }),
            ...(settings.status === undefined ? {} : { status: settings.status, statusReason: null }),
            ...fromSettings(settings),
            ...(secrets === undefined ? {} : { secrets }),
            // What was wrong with the former settings need not be wrong with these.
            health: 'ok',
            healthReason: null,
            failures: 0,
            failingSince: null,
            version: before.version + 1,
            updatedAt: now(),
          })
          .where(eq(metricStream.id, id))
          .returning()
          .get()!;
        if (enabled) {
          tx.delete(streamState).where(eq(streamState.streamId, id)).run();
          const waiting = and(eq(delivery.streamId, id), eq(delivery.status, 'pending'));
          tx.update(delivery).set({ status: 'dropped', finishedAt: now() }).where(waiting).run();
        }
        const verb = settings.status === undefined ? 'set' : settings.status === 'enabled' ? 'enable' : 'disable';
        journal.record(tx, entry(before, verb));
        return toStream(changed);
      }),
    delete: async (id) => {
      transaction((tx) => {
        const before = read(tx, id);
        tx.delete(metricStream).where(eq(metricStream.id, id)).run();
        journal.record(tx, entry(before, 'delete'));
      });
    },
    noteHealth: async (id, { health, reason, failures, failingSince }, suspended) => {
      transaction((tx) => {
        const before = tx.select().from(metricStream).where(eq(metricStream.id, id)).get();
        if (before === undefined) return;
        const suspends = suspended !== undefined && before.status === 'enabled';
        tx.update(metricStream)
          .set({
            health,
            healthReason: reason,
            failures,
            failingSince,
            ...(suspends ? { status: 'suspended', statusReason: suspended } : {}),
          })
          .where(eq(metricStream.id, id))
          .run();
        // A destination that is down now and then is no news; one that refuses the credentials is somebody's to mend.
        if (health !== before.health && [health, before.health].includes('credential_error')) {
          journal.record(tx, entry(before, health));
        }
        if (suspends) journal.record(tx, entry(before, 'suspend'));
      });
    },
  };
}

const fromSettings = ({
  subscriptions,
  destination,
}: Partial<Pick<MetricStream, 'subscriptions' | 'destination'>>) => ({
  ...(subscriptions === undefined ? {} : { subscriptions: JSON.stringify(subscriptions) }),
  ...(destination === undefined
    ? {}
    : { destinationType: destination.type, configuration: JSON.stringify(destination.configuration) }),
});

const toStored = (row: Row): StoredStream => ({ stream: toStream(row), secrets: row.secrets });

const toStream = (row: Row): MetricStream => ({
  id: row.id,
  projectId: row.projectId,
  name: row.name,
  status: row.status,
  statusReason: row.statusReason,
  subscriptions: JSON.parse(row.subscriptions) as Subscription[],
  destination: {
    type: row.destinationType,
    configuration: JSON.parse(row.configuration) as object,
  } as Destination,
  health: row.health,
  reason: row.healthReason,
  failures: row.failures,
  failingSince: row.failingSince,
  version: row.version,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
});
