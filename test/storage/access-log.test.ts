import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AccessEntry, type AccessRing, accessKeptMs, accessRingsPerProject } from '../../src/domain/access.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import type { AccessRecord, Store } from '../../src/storage/store.js';

let folder: string;
let store: Store;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  store = openSqliteStore({ path: join(folder, 'weir.db'), now: () => 0, exclusive: false });
  for (const id of ['acme', 'rival']) await store.projects.create({ id, name: id, createdAt: 0, limits: {} });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Of another issuer, so that there need be no client. */
const client = (name: string): string => `https://issuer.example#${name}`;

const entry = (at: number, endpointId: string | null = null): AccessEntry => ({
  at,
  operation: 'scrape',
  endpointId,
  status: 200,
  reason: null,
  format: 'text',
  bytes: 10,
  durationMs: 0.25,
  agent: 'agent',
  address: '192.0.2.1',
});

async function add(projectId: string, name: string, ring: AccessRing, entries: AccessEntry[]): Promise<void> {
  await store.accessLog.append([{ projectId, clientId: client(name), ring, entries }]);
}

it('pages of any size have every entry once, newest first, whatever came when and where', async () => {
  const written = fc.record({
    project: fc.constantFrom('acme', 'rival'),
    client: fc.nat(60),
    endpoint: fc.constantFrom('db1', 'db2'),
    ats: fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(written, { maxLength: 200 }), fc.integer({ min: 1, max: 7 }), async (writes, size) => {
      await store.accessLog.prune(Number.MAX_SAFE_INTEGER);
      for (const { project, client: name, endpoint, ats } of writes) {
        await add(
          project,
          String(name),
          `endpoint:${endpoint}`,
          ats.map((at) => entry(at, endpoint)),
        );
      }
      for (const filter of [{}, { projectId: 'acme' }, { endpointId: 'db2' }]) {
        const whole = await store.accessLog.list({ ...filter, limit: 10_000 });
        const paged: AccessRecord[] = [];
        for (;;) {
          const page = await store.accessLog.list({ ...filter, after: paged.at(-1)?.place, limit: size });
          paged.push(...page);
          if (page.length < size) break;
        }
        expect(paged).toEqual(whole);
        expect(new Set(whole.map(({ place }) => place.join())).size).toBe(whole.length);
        const isSorted = whole.every(({ at }, i) => i === 0 || at <= whole[i - 1]!.at);
        expect(isSorted).toBe(true);
      }
      const counted = (await store.accessLog.list({ limit: 10_000 })).length;
      const byRing = new Map<string, number>();
      for (const { project, client: name, endpoint, ats } of writes) {
        const ring = `${project} ${name} ${endpoint}`;
        byRing.set(ring, Math.min(20, (byRing.get(ring) ?? 0) + ats.length));
      }
      expect(counted).toBe([...byRing.values()].reduce((sum, count) => sum + count, 0));
    }),
    { numRuns: 10 },
  );
});

it('a project has a bounded number of places, and the oldest give way', async () => {
  await add('rival', 'theirs', 'token', [entry(0)]);
  for (let i = 0; i <= accessRingsPerProject; i++) await add('acme', `c${i}`, 'token', [entry(i)]);
  const kept = await store.accessLog.list({ projectId: 'acme', limit: 10_000 });
  expect(kept).toHaveLength(accessRingsPerProject);
  expect(kept.at(-1)!.at).toBe(1);
  expect(await store.accessLog.list({ projectId: 'rival', limit: 10 })).toHaveLength(1);
});

it('what had no entry for 30 days is forgotten', async () => {
  await add('acme', 'old', 'token', [entry(999)]);
  await add('acme', 'new', 'token', [entry(1000)]);
  await store.accessLog.prune(accessKeptMs + 1000 - accessKeptMs);
  expect((await store.accessLog.list({ limit: 10 })).map(({ at }) => at)).toEqual([1000]);
});

it('nothing is kept of a client or a project that is not there', async () => {
  await store.accessLog.append([
    { projectId: 'nothing', clientId: client('a'), ring: 'token', entries: [entry(0)] },
    { projectId: 'acme', clientId: 'weir_cid_nobody', ring: 'token', entries: [entry(0)] },
  ]);
  expect(await store.accessLog.list({ limit: 10 })).toEqual([]);
});
