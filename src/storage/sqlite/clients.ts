import { asc, eq } from 'drizzle-orm';
import { client, clientSecret, project } from '../../../db/schema.js';
import { type Client, checkScopes } from '../../domain/client.js';
import { WeirError } from '../../domain/errors.js';
import type { ClientStore } from '../store.js';
import { logChange } from './changes.js';
import type { Db } from './database.js';
import { noSuchProject } from './projects.js';

const fromRow = (row: typeof client.$inferSelect): Client => ({
  id: row.id,
  projectId: row.projectId,
  name: row.name,
  scopes: checkScopes(row.scope.split(' ')),
  endpoints: row.endpoints === null ? null : (JSON.parse(row.endpoints) as string[]),
  createdAt: row.createdAt,
  disabledAt: row.disabledAt,
});

const noSuchClient = (id: string): WeirError =>
  new WeirError('not_found', `There is no client "${id}"; "weir client list" shows those there are.`);

export function sqliteClients(db: Db, now: () => number): ClientStore {
  return {
    create: async (created, secret) => {
      db.transaction(
        (tx) => {
          if (tx.select().from(project).where(eq(project.id, created.projectId)).get() === undefined) {
            throw noSuchProject(created.projectId);
          }
          tx.insert(client)
            .values({
              id: created.id,
              projectId: created.projectId,
              name: created.name,
              scope: created.scopes.join(' '),
              endpoints: created.endpoints === null ? null : JSON.stringify(created.endpoints),
              createdAt: created.createdAt,
              disabledAt: created.disabledAt,
            })
            .run();
          tx.insert(clientSecret).values(secret).run();
          logChange(tx, 'client', created.id, now());
        },
        { behavior: 'immediate' },
      );
    },
    list: async (projectId) => {
      const rows = db.select().from(client);
      const chosen = projectId === undefined ? rows : rows.where(eq(client.projectId, projectId));
      return chosen.orderBy(asc(client.createdAt), asc(client.id)).all().map(fromRow);
    },
    get: async (id) => {
      const row = db.select().from(client).where(eq(client.id, id)).get();
      if (row === undefined) return undefined;
      return {
        client: fromRow(row),
        secrets: db.select().from(clientSecret).where(eq(clientSecret.clientId, id)).all(),
      };
    },
    setDisabled: async (id, disabledAt) =>
      db.transaction(
        (tx) => {
          const row = tx.update(client).set({ disabledAt }).where(eq(client.id, id)).returning().get();
          if (row === undefined) throw noSuchClient(id);
          logChange(tx, 'client', id, now());
          return fromRow(row);
        },
        { behavior: 'immediate' },
      ),
    delete: async (id) => {
      db.transaction(
        (tx) => {
          if (tx.delete(client).where(eq(client.id, id)).run().changes === 0) throw noSuchClient(id);
          logChange(tx, 'client', id, now());
        },
        { behavior: 'immediate' },
      );
    },
  };
}
