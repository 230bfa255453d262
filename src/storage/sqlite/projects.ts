import { asc, eq } from 'drizzle-orm';
import { project } from '../../../db/schema.js';
import { WeirError } from '../../domain/errors.js';
import type { Limits } from '../../domain/limits.js';
import type { Project } from '../../domain/project.js';
import type { ProjectStore } from '../store.js';
import type { Db } from './database.js';
import type { Journal } from './journal.js';

type Row = typeof project.$inferSelect;

const fromRow = (row: Row): Project => ({
  id: row.id,
  name: row.name,
  createdAt: row.createdAt,
  limits: JSON.parse(row.limits) as Partial<Limits>,
});

export const noSuchProject = (id: string): WeirError =>
  new WeirError('not_found', `There is no project "${id}"; "weir project list" shows those there are.`);

export function sqliteProjects(db: Db, journal: Journal): ProjectStore {
  const get = (id: string): Project | undefined => {
    const row = db.select().from(project).where(eq(project.id, id)).get();
    return row && fromRow(row);
  };
  return {
    create: async (created) => {
      db.transaction(
        (tx) => {
          const row = { ...created, limits: JSON.stringify(created.limits) };
          if (tx.insert(project).values(row).onConflictDoNothing().run().changes === 0) {
            throw new WeirError('conflict', `There is a project "${created.id}" already; choose another --id.`);
          }
          journal.record(tx, { changed: ['project', created.id], action: 'project.create', projectId: created.id });
        },
        { behavior: 'immediate' },
      );
    },
    list: async () => db.select().from(project).orderBy(asc(project.createdAt), asc(project.id)).all().map(fromRow),
    get: async (id) => get(id),
    setLimits: async (id, limits) =>
      db.transaction(
        (tx) => {
          const before = get(id);
          if (before === undefined) throw noSuchProject(id);
          const after = { ...before.limits, ...limits };
          tx.update(project)
            .set({ limits: JSON.stringify(after) })
            .where(eq(project.id, id))
            .run();
          journal.record(tx, { changed: ['project', id], action: 'project.set', projectId: id });
          return { ...before, limits: after };
        },
        { behavior: 'immediate' },
      ),
    delete: async (id) => {
      db.transaction(
        (tx) => {
          if (tx.delete(project).where(eq(project.id, id)).run().changes === 0) throw noSuchProject(id);
          journal.record(tx, { changed: ['project', id], action: 'project.delete', projectId: id });
        },
        { behavior: 'immediate' },
      );
    },
  };
}
