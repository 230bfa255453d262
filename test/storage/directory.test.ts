import { expect, it } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import { Directory } from '../../src/storage/directory.js';
import type { Change, ClientRecord, Store } from '../../src/storage/store.js';

/** More clients than the directory keeps in memory. */
const many = 60_000;

it('whoever keeps a client learns of its end, even when memory had no room left for it', async () => {
  const log: Change[] = [];
  const client = (id: string) => ({ client: { id, projectId: 'acme' } }) as ClientRecord;
  const store = {
    changes: {
      latest: async () => log.length,
      since: async (seq: number) => log.slice(seq),
    },
    clients: { get: async (id: string) => client(id) },
  } as unknown as Store;
  const directory = new Directory(store, defaultLimits);

  // What an authenticated token keeps as long as it lives.
  const kept = await directory.client('first');
  for (let index = 0; index < many; index++) await directory.client(`other-${index}`);
  log.push({ seq: 1, noun: 'client', id: 'first' });
  await directory.sync();
  expect(kept!.stale).toBe(true);
});
