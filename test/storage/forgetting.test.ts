import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Client, ClientSecret, ScrapeToken } from '../../src/domain/client.js';
import { usageKeptMs } from '../../src/domain/usage.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import type { Store } from '../../src/storage/store.js';

const day = 86_400_000;
const clientId = 'weir_cid_a';
const mac = Buffer.alloc(32);
let now = 0;
let folder: string;
let store: Store;

beforeEach(async () => {
  now = 1000 * day;
  folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  store = openSqliteStore({ path: join(folder, 'weir.db'), now: () => now, exclusive: false });
  await store.projects.create({ id: 'acme', name: 'acme', createdAt: now, limits: {} });
  const client: Client = {
    id: clientId,
    projectId: 'acme',
    name: 'a',
    scopes: ['read:metrics'],
    endpoints: null,
    createdAt: now,
    disabledAt: null,
    allowBasic: false,
    jwksUrl: null,
    tokenGeneration: 1,
  };
  await store.clients.create(client, secret('weir_sec_first'));
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const secret = (id: string): ClientSecret => ({
  id,
  clientId,
  mac,
  createdAt: now,
  expiresAt: null,
  revokedAt: null,
  lastUse: null,
});
const scrapeToken = (id: string, expiresAt: number): ScrapeToken => ({
  id,
  clientId,
  name: null,
  mac,
  createdAt: now,
  expiresAt,
  lastUse: null,
});

it('a scrape token that has ended is listed for 30 days more, one that lives for as long as it does', async () => {
  await store.clients.addScrapeToken(scrapeToken('short', now + day));
  await store.clients.addScrapeToken(scrapeToken('long', now + 90 * day));
  const listed = async () => {
    await store.clients.prune(now);
    return (await store.clients.get(clientId))!.scrapeTokens.map(({ id }) => id);
  };
  now += 31 * day;
  expect(await listed()).toEqual(['short', 'long']);
  now += 1;
  expect(await listed()).toEqual(['long']);
});

it('a secret that has ended is forgotten, the one in use never', async () => {
  await store.clients.rotate(clientId, secret('weir_sec_second'), now + day);
  const listed = async () => {
    await store.clients.prune(now);
    return (await store.clients.get(clientId))!.secrets.map(({ id }) => id);
  };
  now += day;
  expect(await listed()).toEqual(['weir_sec_second', 'weir_sec_first']);
  now += 1000 * day;
  expect(await listed()).toEqual(['weir_sec_second']);
});

it('an assertion is taken once until it has ended, and no row of it stays', async () => {
  const take = () => store.clients.takeAssertion(clientId, 'jti', now + day);
  expect([await take(), await take()]).toEqual([true, false]);
  await store.clients.prune(now);
  expect(await take()).toBe(false);
  now += day + 1;
  await store.clients.prune(now);
  expect(await take()).toBe(true);
});

it('usage is kept for 400 days, and of no project that is not there', async () => {
  const counts = { scrapes: 1, bytesServed: 2, samplesIn: 3, pointsStreamed: 4, tokensIssued: 5 };
  const at = (day: number) => ({ projectId: 'acme', day: day * 86_400_000, ...counts });
  await store.usage.add([at(599), at(600), at(1000), at(1000), { ...at(1000), projectId: 'nothing' }]);
  await store.usage.prune(now - usageKeptMs);
  const twice = { scrapes: 2, bytesServed: 4, samplesIn: 6, pointsStreamed: 8, tokensIssued: 10 };
  expect(await store.usage.list({ limit: 10 })).toEqual([{ ...at(1000), ...twice }, at(600)]);
});
