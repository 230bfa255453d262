import { asc, desc, gte, sql } from 'drizzle-orm';
import { issuer, signingKey } from '../../../db/schema.js';
import type { IssuerStore, KeyStore } from '../store.js';
import { logChange } from './changes.js';
import type { Db } from './database.js';

export function sqliteKeys(db: Db, now: () => number): KeyStore {
  const list = () => db.select().from(signingKey).orderBy(asc(signingKey.createdAt), asc(signingKey.kid)).all();
  return {
    list: async () => list(),
    addFirst: async (keys) =>
      db.transaction(
        (tx) => {
          if (list().length > 0) return list();
          for (const key of keys) {
            tx.insert(signingKey).values(key).run();
            logChange(tx, 'key', key.kid, now());
          }
          return list();
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
      return db
        .select({ url: issuer.url })
        .from(issuer)
        .where(gte(issuer.lastUsedAt, since))
        .all()
        .map((row) => row.url);
    },
    latest: async () => db.select().from(issuer).orderBy(desc(issuer.lastUsedAt)).limit(1).get()?.url,
  };
}
