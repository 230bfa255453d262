import { stat } from 'node:fs';
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

const turns: readonly (readonly [string, (work: () => void) => void])[] = [
  ['in a timer', (work) => setTimeout(work, 1)],
  ['after a setImmediate', (work) => setImmediate(work)],
];

it.each(turns)('a request sent after a change meets it, although the log was read %s just before', async (_, later) => {
  const log: Change[] = [];
  const store = storeOf(log);
  const directory = new Directory(store, defaultLimits);
  const before = await directory.client('first');
  const after = new Promise((resolve) => {
    later(() => {
      void directory.client('first');
      log.push({ seq: 1, noun: 'client', id: 'first' });
      // Its answer is there when connections are read next, which is before this turn's end.
      stat('.', () => {
        resolve(directory.client('first'));
      });
      const until = performance.now() + 20;
      while (performance.now() < until);
    });
  });
  expect(await after).not.toBe(before);
});

it('whoever is not there is looked for by an id of the same form each time, and never by the one before', async () => {
  const asked: string[] = [];
  const store = storeOf([], (id) => asked.push(id));
  const directory = new Directory(store, defaultLimits);
  for (let turn = 0; turn < 3; turn++) await directory.missClient();
  expect(new Set(asked).size).toBe(3);
  for (const id of asked) expect(id).toMatch(/^weir_cid_[\w-]{22}$/);
});

function storeOf(log: readonly Change[], onGet: (id: string) => void = () => {}): Store {
  return {
    changes: {
      latest: () => log.length,
      since: async (seq: number) => log.slice(seq),
    },
    clients: {
      get: async (id: string) => {
        onGet(id);
        return { client: { id, projectId: 'acme' } };
      },
    },
  } as unknown as Store;
}
