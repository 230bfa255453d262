import { expect, it } from 'vitest';
import {
  type AccessEntry,
  type AccessPlace,
  accessEntriesKept,
  accessRingsPerProject,
} from '../../src/domain/access.js';
import { type AccessBatch, AccessLog } from '../../src/telemetry/access-log.js';

const entry = (at: number): AccessEntry => ({
  at,
  operation: 'scrape',
  endpointId: 'db1',
  status: 200,
  reason: null,
  format: 'text',
  bytes: 1,
  durationMs: 0,
  agent: null,
  address: '192.0.2.1',
});
const place = (clientId = 'c', projectId = 'acme'): AccessPlace => ({ projectId, clientId, ring: 'project' });

async function written(log: AccessLog): Promise<AccessBatch[]> {
  const batches: AccessBatch[] = [];
  while (
    await log.write(async (some) => {
      batches.push(...some);
    })
  );
  return batches;
}

it('what could not be written is written with the next, in order, and no more than is kept', async () => {
  const log = new AccessLog();
  for (let at = 0; at < 5; at++) log.note(place(), entry(at));
  await expect(
    log.write(async () => {
      // More comes while it is written.
      for (let at = 5; at < accessEntriesKept + 3; at++) log.note(place(), entry(at));
      throw new Error('full');
    }),
  ).rejects.toThrow('full');
  const [batch, ...others] = await written(log);
  expect(others).toEqual([]);
  expect(batch!.entries.map(({ at }) => at)).toEqual(Array.from({ length: accessEntriesKept }, (_, i) => i + 3));
  expect(await written(log)).toEqual([]);
});

it('one project cannot take the room of the others, and has its own again when it is written', async () => {
  const log = new AccessLog();
  for (let i = 0; i < 2 * accessRingsPerProject; i++) log.note(place(`c${i}`), entry(i));
  log.note(place('theirs', 'rival'), entry(0));
  const first = await written(log);
  expect(first).toHaveLength(accessRingsPerProject + 1);
  expect(first.at(-1)!.projectId).toBe('rival');
  log.note(place('again'), entry(0));
  expect(await written(log)).toHaveLength(1);
});

it('is written a few places at a time, so that no scrape waits for all of it', async () => {
  const log = new AccessLog();
  for (let i = 0; i < 22; i++) log.note(place(`c${i}`), entry(i));
  const sizes: number[] = [];
  while (
    await log.write(async (some) => {
      sizes.push(some.length);
    })
  );
  expect(sizes).toEqual([10, 10, 2]);
});
