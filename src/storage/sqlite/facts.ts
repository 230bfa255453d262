import { eq } from 'drizzle-orm';
import { meta } from '../../../db/schema.js';
import type { FactStore } from '../store.js';
import type { Db } from './database.js';

export function sqliteFacts(db: Db): FactStore & { touch(): void } {
  return {
    establish: async (key, value) => {
      db.insert(meta).values({ key, value }).onConflictDoNothing().run();
      return db.select().from(meta).where(eq(meta.key, key)).get()!.value;
    },
    get: async (key) => db.select().from(meta).where(eq(meta.key, key)).get()?.value,
    set: async (key, value) => {
      db.insert(meta).values({ key, value }).onConflictDoUpdate({ target: meta.key, set: { value } }).run();
    },
    /** A write that is taken back: finds out whether the disk and the lock allow one. */
    touch: () => {
      db.$client.exec('BEGIN IMMEDIATE');
      try {
        db.insert(meta).values({ key: 'touch', value: '' }).onConflictDoNothing().run();
      } finally {
        if (db.$client.inTransaction) db.$client.exec('ROLLBACK');
      }
    },
  };
}
