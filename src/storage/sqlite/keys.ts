import { asc, desc, eq, gte, sql } from 'drizzle-orm';
import { issuer, metricStream, signingKey, source } from '../../../db/schema.js';
import type { IssuerStore, KeyStore } from '../store.js';
import type { Db } from './database.js';
import type { Journal } from './journal.js';

export function sqliteKeys(db: Db, journal: Journal): KeyStore {
  const list = (reader: Pick<Db, 'select'>) =>
    reader.select().from(signingKey).orderBy(asc(signingKey.createdAt), asc(signingKey.kid)).all();
  return {
    list: async () => list(db),
    update: async (decide) =>
      db.transaction(
        (tx) => {
          const before = list(tx);
          const change = decide(before);
          if (change === undefined) return before;
          tx.delete(signingKey).run();
          for (const key of change.keys) tx.insert(signingKey).values(key).run();
          journal.record(tx, { changed: ['key', change.kid], action: `key.${change.action}`, projectId: null });
          return list(tx);
        },
        { behavior: 'immediate' },
      ),
    reseal: async (reseal) =>
      db.transaction(
        (tx) => {
          const { name, keys, streams, sources } = reseal({
            keys: list(tx),
            streams: tx.select({ id: metricStream.id, secrets: metricStream.secrets }).from(metricStream).all(),
            sources: tx.select({ id: source.id, secrets: source.secrets }).from(source).all(),
          });
          for (const { kid, privateJwk } of keys) {
            tx.update(signingKey).set({ privateJwk }).where(eq(signingKey.kid, kid)).run();
          }
          for (const { id, secrets: sealed } of streams) {
            tx.update(metricStream).set({ secrets: sealed }).where(eq(metricStream.id, id)).run();
          }
          for (const { id, secrets: sealed } of sources) {
            tx.update(source).set({ secrets: sealed }).where(eq(source.id, id)).run();
          }
          const object = `encryption_key:${name}`;
          journal.record(tx, { changed: ['key', name], action: 'encryption.rotate', object, projectId: null });
        },
        { behavior: 'immediate' },
      ),
  };
}

export function sqliteIssuers(db: Db): IssuerStore {
  return {
    use: async (url, now, since) => {
      db.insert(issuer)
        .values({ url, lastUsedAt: now })
        .onConflictDoUpdate({ target: issuer.url, set: { lastUsedAt: sql`max(${issuer.lastUsedAt}, ${now})` } })
        .run();
      const used = db.select({ url: issuer.url }).from(issuer).where(gte(issuer.lastUsedAt, since)).all();
      return used.map((row) => row.url);
    },
    latest: async () => db.select().from(issuer).orderBy(desc(issuer.lastUsedAt)).limit(1).get()?.url,
  };
}
