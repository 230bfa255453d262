import { asc, desc, gte, sql } from 'drizzle-orm';
import { issuer, signingKey } from '../../../db/schema.js';
import type { IssuerStore, KeyStore } from '../store.js';
import type { Db } from './database.js';
import type { Journal } from './journal.js';

export function sqliteKeys(db: Db, journal: Journal): KeyStore {
  const list = (reader: Pick<Db, 'select'>) =>
    reader.select().from(signingKey).orderBy(asc(signingKey.createdAt), asc(signingKey.kid)).all();
  return {
    list: async () => list(db),
    update: async (action, change) =>
      db.transaction(
        (tx) => {
          const before = list(tx);
          const after = change(before);
          if (after === before) return before;
          tx.delete(signingKey).run();
          for (const key of after) tx.insert(signingKey).values(key).run();
          const current = after.find(({ state }) => state === 'current');
          journal.record(tx, { changed: ['key', current?.kid ?? ''], action: `key.${action}`, projectId: null });
          return list(tx);
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
