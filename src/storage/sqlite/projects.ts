import { asc, eq, sql } from 'drizzle-orm';
import { project } from '../../../db/schema.js';
import { WeirError } from '../../domain/errors.js';
import type { Limits } from '../../domain/limits.js';
import type { Project } from '../../domain/project.js';
import type { ProjectChanges, ProjectStore } from '../store.js';
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
            throw new WeirError('conflict', `There is a project "${created.id}" already; choose another --id.`, {
              field: 'id',
            });
          }
          journal.record(tx, { changed: ['project', created.id], action: 'project.create', projectId: created.id });
        },
        { behavior: 'immediate' },
      );
    },
    list: async (stretch) => {
      const rows = db.select().from(project).orderBy(asc(project.createdAt), asc(project.id)).$dynamic();
      if (stretch?.after !== undefined) {
        const [createdAt, id] = stretch.after;
        rows.where(sql`(${project.createdAt}, ${project.id}) > (${createdAt}, ${id})`);
      }
      if (stretch !== undefined) rows.limit(stretch.limit);
      return rows.all().map(fromRow);
    },
    get: async (id) => get(id),
    update: async (id, { name, limits }, expect) =>
      db.transaction(
        (tx) => {
          const before = get(id);
          if (before === undefined) throw noSuchProject(id);
          expect?.(before);
          const after = { ...before, name: name ?? before.name, limits: merged(before.limits, limits) };
          tx.update(project)
            .set({ name: after.name, limits: JSON.stringify(after.limits) })
            .where(eq(project.id, id))
            .run();
          journal.record(tx, { changed: ['project', id], action: 'project.set', projectId: id });
          return after;
        },
        { behavior: 'immediate' },
      ),
    delete: async (id, expect) => {
      db.transaction(
        (tx) => {
          const before = get(id);
          if (before !== undefined) expect?.(before);
          if (tx.delete(project).where(eq(project.id, id)).run().changes === 0) throw noSuchProject(id);
          journal.record(tx, { changed: ['project', id], action: 'project.delete', projectId: id });
        },
        { behavior: 'immediate' },
      );
    },
  };
}

function merged(before: Partial<Limits>, changes: ProjectChanges['limits'] = {}): Partial<Limits> {
  const after = Object.entries({ ...before, ...changes });
  return Object.fromEntries(after.filter(([, value]) => typeof value === 'number'));
}
