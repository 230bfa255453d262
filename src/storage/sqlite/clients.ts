import { and, asc, desc, eq, gt, isNotNull, isNull, lt, or, sql } from 'drizzle-orm';
import {
  client,
  clientKey,
  clientSecret,
  project,
  revokedToken,
  scrapeToken,
  usedAssertion,
} from '../../../db/schema.js';
import {
  type Client,
  type ClientSecret,
  isSecretAlive,
  type LastUse,
  mostRevokedTokens,
  type ScrapeToken,
} from '../../domain/client.js';
import { WeirError } from '../../domain/errors.js';
import { inOrder } from '../../domain/scopes.js';
import type { ClientStore } from '../store.js';
import type { Db } from './database.js';
import type { Entry, Journal } from './journal.js';
import { noSuchProject } from './projects.js';
import { orUnavailable } from './unavailable.js';

type ClientRow = typeof client.$inferSelect;
type SecretRow = typeof clientSecret.$inferSelect;
type Writer = Pick<Db, 'select' | 'insert' | 'update' | 'delete'>;

export function sqliteClients(db: Db, journal: Journal, now: () => number): ClientStore {
  const read = (reader: Pick<Db, 'select'>, id: string): Client => {
    const row = reader.select().from(client).where(eq(client.id, id)).get();
    if (row === undefined) throw noSuchClient(id);
    return toClient(row);
  };

  /** One transaction on one client that is there, with its entries in the journal. */
  const change = <T>(
    id: string,
    actions: string | readonly string[],
    write: (tx: Writer, before: Client) => T,
    more: Pick<Entry, 'object' | 'actor' | 'ip'> = {},
  ): T =>
    db.transaction(
      (tx) => {
        const before = read(tx, id);
        const result = write(tx, before);
        const { projectId } = before;
        for (const action of [actions].flat()) {
          journal.record(tx, { changed: ['client', id], action: `client.${action}`, projectId, ...more });
        }
        return result;
      },
      { behavior: 'immediate' },
    );

  const secretsOf = (reader: Pick<Db, 'select'>, id: string): ClientSecret[] => {
    const newestFirst = [desc(clientSecret.createdAt), desc(sql`rowid`)];
    const rows = reader
      .select()
      .from(clientSecret)
      .where(eq(clientSecret.clientId, id))
      .orderBy(...newestFirst)
      .all();
    return rows.map(toSecret);
  };

  const put = (tx: Writer, id: string, settings: Partial<ClientRow>): Client =>
    toClient(tx.update(client).set(settings).where(eq(client.id, id)).returning().get()!);

  return {
    create: async (created, secret) => {
      db.transaction(
        (tx) => {
          const { projectId } = created;
          if (projectId !== null && tx.select().from(project).where(eq(project.id, projectId)).get() === undefined) {
            throw noSuchProject(projectId);
          }
          const endpoints = created.endpoints === null ? null : JSON.stringify(created.endpoints);
          tx.insert(client)
            .values({ ...created, scope: created.scopes.join(' '), endpoints })
            .run();
          tx.insert(clientSecret).values(fromSecret(secret)).run();
          journal.record(tx, { changed: ['client', created.id], action: 'client.create', projectId });
        },
        { behavior: 'immediate' },
      );
    },
    list: async (projectId, stretch) => {
      const ofProject = projectId === undefined ? undefined : eq(client.projectId, projectId);
      const after =
        stretch?.after && sql`(${client.createdAt}, ${client.id}) > (${stretch.after[0]}, ${stretch.after[1]})`;
      const rows = db.select().from(client).where(and(ofProject, after)).$dynamic();
      if (stretch !== undefined) rows.limit(stretch.limit);
      return rows.orderBy(asc(client.createdAt), asc(client.id)).all().map(toClient);
    },
    get: async (id) => {
      const row = db.select().from(client).where(eq(client.id, id)).get();
      if (row === undefined) return undefined;
      const keys = db
        .select()
        .from(clientKey)
        .where(eq(clientKey.clientId, id))
        .orderBy(asc(clientKey.createdAt))
        .all();
      const tokens = db
        .select()
        .from(scrapeToken)
        .where(eq(scrapeToken.clientId, id))
        .orderBy(asc(scrapeToken.createdAt));
      return {
        client: toClient(row),
        secrets: secretsOf(db, id),
        keys: keys.map(({ kid, jwk, createdAt }) => ({
          kid,
          createdAt,
          jwk: JSON.parse(jwk) as Record<string, unknown>,
        })),
        scrapeTokens: tokens.all().map(toScrapeToken),
        revokedTokens: new Set(
          db
            .select()
            .from(revokedToken)
            .where(revokedAndLive(id, now()))
            .all()
            .map(({ jti }) => jti),
        ),
      };
    },
    setDisabled: async (id, disabledAt) =>
      change(id, disabledAt === null ? 'enable' : 'disable', (tx) => put(tx, id, { disabledAt })),
    set: async (id, settings, expect) => {
      const { disabledAt, allowBasic, scopes, endpoints, ...others } = settings;
      const actions = [
        ...(disabledAt === undefined ? [] : [disabledAt === null ? 'enable' : 'disable']),
        ...(allowBasic === undefined ? [] : [allowBasic ? 'basic.allow' : 'basic.forbid']),
        ...(scopes === undefined ? [] : ['scopes.set']),
        ...(endpoints === undefined ? [] : ['endpoints.set']),
        ...(Object.keys(others).length === 0 ? [] : ['set']),
      ];
      const { scopes: _, endpoints: __, ...columns } = settings;
      return change(id, actions, (tx, before) => {
        expect?.(before);
        return put(tx, id, {
          ...columns,
          ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
          ...(endpoints === undefined ? {} : { endpoints: endpoints === null ? null : JSON.stringify(endpoints) }),
        });
      });
    },
    delete: async (id, expect) =>
      change(id, 'delete', (tx, before) => {
        expect?.(before);
        tx.delete(client).where(eq(client.id, id)).run();
      }),

    rotate: async (id, secret, previousEndsAt) =>
      change(id, 'rotate', (tx) => {
        const at = now();
        const [previous, ...older] = secretsOf(tx, id).filter((live) => isSecretAlive(live, at));
        const end = (ended: ClientSecret, expiresAt: number) =>
          tx.update(clientSecret).set({ expiresAt }).where(eq(clientSecret.id, ended.id)).run();
        for (const live of older) end(live, at);
        tx.insert(clientSecret).values(fromSecret(secret)).run();
        if (previous === undefined) return null;
        const endsAt = Math.min(previous.expiresAt ?? previousEndsAt, previousEndsAt);
        end(previous, endsAt);
        return endsAt;
      }),
    revokeSecret: async (id, secretId) =>
      change(id, 'secret.revoke', (tx) => {
        const named = and(eq(clientSecret.clientId, id), eq(clientSecret.id, secretId));
        if (tx.update(clientSecret).set({ revokedAt: now() }).where(named).run().changes === 0) {
          throw new WeirError('not_found', `The client "${id}" has no secret "${secretId}".`);
        }
      }),
    revokeTokens: async (id) =>
      change(id, 'tokens.revoke', (tx, before) => {
        tx.delete(scrapeToken).where(eq(scrapeToken.clientId, id)).run();
        tx.delete(revokedToken).where(eq(revokedToken.clientId, id)).run();
        put(tx, id, { tokenGeneration: before.tokenGeneration + 1 });
      }),
    revokeToken: async (id, jti, endsAt, ip) => {
      if (db.select().from(client).where(eq(client.id, id)).get() === undefined) return;
      // Once is enough: a client that repeats itself does not fill the journal.
      if (db.select().from(revokedToken).where(eq(revokedToken.jti, jti)).get() !== undefined) return;
      const insert = (tx: Writer): void => {
        checkRoom(tx, id, now());
        tx.insert(revokedToken).values({ jti, clientId: id, endsAt }).onConflictDoNothing().run();
      };
      orUnavailable(() => change(id, 'token.revoke', insert, { actor: `client:${id}`, ip }));
    },
    addKeys: async (id, keys) =>
      change(id, 'key.add', (tx) => {
        for (const { kid, jwk, createdAt } of keys) {
          const row = { clientId: id, kid, jwk: JSON.stringify(jwk), createdAt };
          if (tx.insert(clientKey).values(row).onConflictDoNothing().run().changes === 0) {
            throw new WeirError('conflict', `The client "${id}" has a key "${kid}" already.`);
          }
        }
      }),
    removeKey: async (id, kid) =>
      change(id, 'key.remove', (tx) => {
        const named = and(eq(clientKey.clientId, id), eq(clientKey.kid, kid));
        if (tx.delete(clientKey).where(named).run().changes === 0) {
          throw new WeirError('not_found', `The client "${id}" has no key "${kid}".`);
        }
      }),
    addScrapeToken: async ({ lastUse: _, ...token }) => {
      const { id, clientId } = token;
      const insert = (tx: Writer) => void tx.insert(scrapeToken).values(token).run();
      change(clientId, 'token.create', insert, { object: `client:${clientId}/${id}` });
    },
    removeScrapeToken: async (id, tokenId, ip) => {
      const remove = (tx: Writer): void => {
        const named = and(eq(scrapeToken.clientId, id), eq(scrapeToken.id, tokenId));
        if (tx.delete(scrapeToken).where(named).run().changes === 0) {
          throw new WeirError('not_found', `The client "${id}" has no scrape token "${tokenId}".`);
        }
      };
      const by = ip === undefined ? {} : { actor: `client:${id}`, ip };
      orUnavailable(() => change(id, 'token.revoke', remove, { object: `client:${id}/${tokenId}`, ...by }));
    },

    noteUses: async (uses) => {
      if (uses.size === 0) return;
      db.transaction(
        (tx) => {
          for (const [id, { at, ip, agent }] of uses) {
            const use = { lastUsedAt: at, lastUsedIp: ip, lastUsedAgent: agent };
            tx.update(clientSecret).set(use).where(eq(clientSecret.id, id)).run();
            tx.update(scrapeToken).set(use).where(eq(scrapeToken.id, id)).run();
          }
        },
        { behavior: 'immediate' },
      );
    },
    wasAssertionTaken: async (clientId, jti) => {
      const same = and(eq(usedAssertion.clientId, clientId), eq(usedAssertion.jti, jti));
      return db.select().from(usedAssertion).where(same).get() !== undefined;
    },
    takeAssertion: async (clientId, jti, endsAt) =>
      orUnavailable(
        () => db.insert(usedAssertion).values({ clientId, jti, endsAt }).onConflictDoNothing().run().changes === 1,
      ),
    prune: async (time) => {
      db.delete(usedAssertion).where(lt(usedAssertion.endsAt, time)).run();
      db.delete(revokedToken).where(lt(revokedToken.endsAt, time)).run();
      const ended = or(
        and(isNotNull(clientSecret.expiresAt), lt(clientSecret.expiresAt, time), isNull(clientSecret.revokedAt)),
        lt(clientSecret.revokedAt, time),
      );
      db.delete(clientSecret).where(ended).run();
      // Whoever wonders why a scraper gets 401 should still find its token in the list.
      db.delete(scrapeToken)
        .where(lt(scrapeToken.expiresAt, time - expiredTokensKeptMs))
        .run();
    },
  };
}

const expiredTokensKeptMs = 30 * 86_400_000;

const revokedAndLive = (clientId: string, now: number) =>
  and(eq(revokedToken.clientId, clientId), gt(revokedToken.endsAt, now));

/** For one more revoked token. */
function checkRoom(tx: Writer, clientId: string, now: number): void {
  const { count, firstEnd } = tx
    .select({ count: sql<number>`count(*)`, firstEnd: sql<number>`min(${revokedToken.endsAt})` })
    .from(revokedToken)
    .where(revokedAndLive(clientId, now))
    .get()!;
  if (count < mostRevokedTokens) return;
  const retryAfterSeconds = Math.ceil((firstEnd - now) / 1000);
  const sentence =
    `The client has revoked ${mostRevokedTokens} tokens one by one that would not have ended yet. Have all of its tokens ` +
    `revoked ("weir client revoke-tokens ${clientId}"), or try again in ${retryAfterSeconds} s.`;
  throw new WeirError('rate_limited', sentence, { retryAfterSeconds });
}

const noSuchClient = (id: string): WeirError =>
  new WeirError('not_found', `There is no client "${id}"; "weir client list" shows those there are.`);

const toClient = ({ scope, endpoints, ...row }: ClientRow): Client => ({
  ...row,
  scopes: inOrder(scope.split(' ')),
  endpoints: endpoints === null ? null : (JSON.parse(endpoints) as string[]),
});

type UseColumns = Pick<SecretRow, 'lastUsedAt' | 'lastUsedIp' | 'lastUsedAgent'>;

const toLastUse = ({ lastUsedAt: at, lastUsedIp: ip, lastUsedAgent: agent }: UseColumns): LastUse | null =>
  at === null ? null : { at, ip: ip ?? '', agent: agent ?? '' };

const toSecret = (row: SecretRow): ClientSecret => ({
  id: row.id,
  clientId: row.clientId,
  mac: row.mac,
  createdAt: row.createdAt,
  expiresAt: row.expiresAt,
  revokedAt: row.revokedAt,
  lastUse: toLastUse(row),
});

const fromSecret = ({ lastUse: _, ...secret }: ClientSecret) => secret;

const toScrapeToken = (row: typeof scrapeToken.$inferSelect): ScrapeToken => ({
  id: row.id,
  clientId: row.clientId,
  name: row.name,
  mac: row.mac,
  createdAt: row.createdAt,
  expiresAt: row.expiresAt,
  lastUse: toLastUse(row),
});
