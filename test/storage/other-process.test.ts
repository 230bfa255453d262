import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Admin } from '../../src/admin/admin.js';
import { type Credentials, samples, TestGateway } from '../support/gateway.js';
import { asCommand } from './second-store.js';

const bothScopes = ['read:metrics', 'write:metrics'];
/** What a command takes away bites within this time. */
const withinASecond = { timeout: 1000, interval: 10 };

let gateway: TestGateway;
let credentials: Credentials;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1', 'db2');
  credentials = await gateway.client('acme', bothScopes);
  bearer = await gateway.bearerOf(credentials);
  // From here on the server has project, endpoints and client in memory.
  await gateway.push('acme/db1/metrics', 'old 1\n', bearer);
  await gateway.page('acme/db1/metrics', bearer);
  await gateway.page('acme/metrics', bearer);
});
afterEach(() => gateway.stop());

const statusOf = async (path: string, init: RequestInit = {}): Promise<number> =>
  (await gateway.fetch(`/api/v1/${path}`, { bearer, ...init })).status;

describe('what a command grants works in the first request after it returns:', () => {
  it('a project with an endpoint and a client', async () => {
    const made = await asCommand(gateway, async (admin) => {
      await admin.projects.create({ name: 'New', id: 'new' });
      await admin.endpoints.create({ name: 'db', projectId: 'new', metricsId: 'db' });
      const { client, secret } = await admin.clients.create({ name: 'c', projectId: 'new', scopes: bothScopes });
      return { clientId: client.id, clientSecret: secret };
    });
    const theirs = await gateway.bearerOf(made);
    await gateway.push('new/db/metrics', 'a 1\n', theirs);
    expect(samples(await gateway.page('new/db/metrics', theirs))).toEqual(['a{instance_id="db"} 1']);
  });

  it('an endpoint, for a push', async () => {
    await createEndpoint('db3');
    await gateway.push('acme/db3/metrics', 'a 1\n', bearer);
  });

  it('an endpoint, for a scrape', async () => {
    await createEndpoint('db3');
    expect(samples(await gateway.page('acme/db3/metrics', bearer))).toEqual([]);
  });

  it('a client that was refused and is enabled again', async () => {
    await asCommand(gateway, (admin) => admin.clients.disable(credentials.clientId));
    await vi.waitFor(async () => expect(await statusOf('acme/db1/metrics')).toBe(401), withinASecond);
    await asCommand(gateway, (admin) => admin.clients.enable(credentials.clientId));
    expect(await statusOf('acme/db1/metrics')).toBe(200);
    await gateway.bearerOf(credentials);
  });

  it('a raised limit', async () => {
    await setLimit(1);
    await refusedForSeries();
    await setLimit(0);
    expect(await pushMore()).toBe(200);
  });

  it('a longer lifetime, for whoever pushes once', async () => {
    await asCommand(gateway, (admin) => admin.endpoints.set('acme', 'db2', { lifetimeMs: 0 }));
    expect(await push('db2', 'a 1\n')).toBe(200);
    gateway.clock.advance(10 * 60_000);
    expect(samples(await gateway.page('acme/db2/metrics', bearer))).toEqual(['a{instance_id="db2",job="test"} 1']);
  });
});

describe('what a command takes away bites within a second:', () => {
  const refusedClient: [string, (admin: Admin) => Promise<unknown>][] = [
    ['a disabled client', (admin) => admin.clients.disable(credentials.clientId)],
    ['a deleted client', (admin) => admin.clients.delete(credentials.clientId)],
    ['a deleted project', (admin) => admin.projects.delete('acme')],
  ];
  it.each(refusedClient)('%s, whose page is cached', async (_what, takeAway) => {
    await asCommand(gateway, takeAway);
    await vi.waitFor(async () => expect(await statusOf('acme/db1/metrics')).toBe(401), withinASecond);
    expect(await statusOf('acme/metrics')).toBe(401);
    expect(await push('db1', 'a 1\n')).toBe(401);
    await expect(gateway.bearerOf(credentials)).rejects.toThrow('401');
  });

  it('a deleted endpoint, whose page is cached, while the others go on', async () => {
    await deleteEndpoint('db1');
    await vi.waitFor(async () => expect(await statusOf('acme/db1/metrics')).toBe(404), withinASecond);
    expect(await push('db1', 'a 1\n')).toBe(404);
    expect(samples(await gateway.page('acme/metrics', bearer))).toEqual([]);
    expect(await push('db2', 'a 1\n')).toBe(200);
  });

  it('a deleted endpoint refuses even the push that is on its way', async () => {
    await deleteEndpoint('db1');
    // The server may not know yet; the database does.
    expect(await push('db1', 'a 1\n')).toBe(404);
  });

  it('a lowered limit', async () => {
    await setLimit(1);
    await refusedForSeries();
  });

  it('changed settings of an endpoint, whose page is cached', async () => {
    await asCommand(gateway, (admin) => admin.endpoints.set('acme', 'db1', { timestamps: true }));
    const timestamped = [`old{instance_id="db1"} 1 ${gateway.clock.now()}`];
    await vi.waitFor(
      async () => expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual(timestamped),
      withinASecond,
    );
    expect(samples(await gateway.page('acme/metrics', bearer))).toEqual(timestamped);
  });
});

describe('an endpoint deleted and made again under its name', () => {
  it('shows nothing of the old one', async () => {
    await deleteEndpoint('db1');
    await createEndpoint('db1');
    await vi.waitFor(
      async () => expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual([]),
      withinASecond,
    );
    expect(samples(await gateway.page('acme/metrics', bearer))).toEqual([]);
    // POST adds to what the group holds: nothing may be there to be added to.
    const response = await gateway.fetch('/api/v1/acme/db1/metrics', { method: 'POST', body: 'new 1\n', bearer });
    expect(response.status).toBe(200);
    await gateway.restart();
    bearer = await gateway.bearerOf(credentials);
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual(['new{instance_id="db1"} 1']);
  });

  it('keeps what is pushed to it at once, and none of what the old one held', async () => {
    await deleteEndpoint('db1');
    await createEndpoint('db1');
    const response = await gateway.fetch('/api/v1/acme/db1/metrics', { method: 'POST', body: 'new 1\n', bearer });
    expect(response.status).toBe(200);
    await vi.waitFor(
      async () => expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual(['new{instance_id="db1"} 1']),
      withinASecond,
    );
  });
});

const createEndpoint = (metricsId: string) =>
  asCommand(gateway, (admin) => admin.endpoints.create({ name: metricsId, projectId: 'acme', metricsId }));

const deleteEndpoint = (metricsId: string) => asCommand(gateway, (admin) => admin.endpoints.delete('acme', metricsId));

const setLimit = (series: number) => asCommand(gateway, (admin) => admin.projects.setLimits('acme', { series }));

let pushed = 0;

/** A push of a new series each time: one that adds none passes even over a limit. */
const pushMore = (): Promise<number> => statusOf(`acme/db2/metrics/job/${++pushed}`, { method: 'PUT', body: 'a 1\n' });

const refusedForSeries = () => vi.waitFor(async () => expect(await pushMore()).toBe(422), withinASecond);

const push = (metricsId: string, body: string): Promise<number> =>
  statusOf(`acme/${metricsId}/metrics/job/test`, { method: 'PUT', body });
