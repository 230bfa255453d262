import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Admin } from '../../src/admin/admin.js';
import { asCommand } from '../storage/second-store.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let client: Credentials;
let bystander: string;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  bystander = await gateway.bearer('acme');
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  client = await gateway.client('acme', ['read:metrics']);
});

const soon = { timeout: 1000, interval: 20 };
const hour = 3_600_000;

const command = <T>(work: (admin: Admin) => Promise<T>): Promise<T> => asCommand(gateway, work);

const scrape = async (bearer: string): Promise<number> => {
  const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer });
  await response.text();
  return response.status;
};

/** A token that the gateway has served before, so that it is remembered as good. */
const served = async (of = client): Promise<string> => {
  const bearer = await gateway.bearerOf(of);
  expect(await scrape(bearer)).toBe(200);
  return bearer;
};

const tokenStatus = async (of = client): Promise<number> => {
  const form = { grant_type: 'client_credentials' };
  const response = await gateway.token(form, basic(of.clientId, of.clientSecret));
  await response.text();
  return response.status;
};

/** The client with a second secret, and the id of each. */
async function withTwoSecrets() {
  const { secret } = await command(({ clients }) => clients.rotate(client.clientId, hour));
  const [second, first] = await gateway.admin.clients.secrets(client.clientId);
  const [older, newer] = [client, { ...client, clientSecret: secret }];
  return { older, newer, olderId: first!.id, newerId: second!.id };
}

describe('revoking a secret', () => {
  it.each(['older', 'newer'] as const)(
    'that is the %s ends it and its tokens within a second, the other goes on',
    async (which) => {
      const two = await withTwoSecrets();
      const [gone, kept] = which === 'older' ? [two.older, two.newer] : [two.newer, two.older];
      const [dead, alive] = [await served(gone), await served(kept)];
      await command(({ clients }) => clients.revokeSecret(client.clientId, two[`${which}Id`]));
      await expect.poll(() => scrape(dead), soon).toBe(401);
      expect(await tokenStatus(gone)).toBe(401);
      expect([await scrape(alive), await tokenStatus(kept), await scrape(bystander)]).toEqual([200, 200, 200]);
      await gateway.restart();
      expect([await scrape(dead), await tokenStatus(gone)]).toEqual([401, 401]);
      expect([await scrape(alive), await tokenStatus(kept)]).toEqual([200, 200]);
    },
  );

  it('that has ended already still ends the tokens it obtained', async () => {
    const { older, olderId, newer } = await withTwoSecrets();
    gateway.clock.advance(hour - 1);
    const [dead, alive] = [await served(older), await served(newer)];
    gateway.clock.advance(1);
    expect([await tokenStatus(older), await scrape(dead)]).toEqual([401, 200]);
    await command(({ clients }) => clients.revokeSecret(client.clientId, olderId));
    await expect.poll(() => scrape(dead), soon).toBe(401);
    expect(await scrape(alive)).toBe(200);
    bystander = await gateway.bearer('acme');
  });

  it('that is unknown, or of another client, is refused and ends nothing', async () => {
    const other = await gateway.client('acme', ['read:metrics']);
    const [theirs] = await gateway.admin.clients.secrets(other.clientId);
    const bearer = await served(other);
    for (const id of [theirs!.id, 'none']) {
      await expect(command(({ clients }) => clients.revokeSecret(client.clientId, id))).rejects.toThrow(
        `The client "${client.clientId}" has no secret "${id}".`,
      );
    }
    await gateway.restart();
    expect([await scrape(bearer), await tokenStatus(other)]).toEqual([200, 200]);
  });

  it('is not undone by a rotation', async () => {
    const bearer = await served();
    const [only] = await gateway.admin.clients.secrets(client.clientId);
    await command(({ clients }) => clients.revokeSecret(client.clientId, only!.id));
    const { secret, previousEndsAt } = await command(({ clients }) => clients.rotate(client.clientId, hour));
    expect(previousEndsAt).toBeNull();
    await expect.poll(() => scrape(bearer), soon).toBe(401);
    expect(await tokenStatus()).toBe(401);
    expect(await tokenStatus({ ...client, clientSecret: secret })).toBe(200);
  });
});

describe('revoking all tokens of a client', () => {
  it('ends each within a second, by whichever secret; new ones work at once; a restart changes nothing', async () => {
    const { older, newer } = await withTwoSecrets();
    const dead = [await served(older), await served(newer), await served(newer)];
    await command(({ clients }) => clients.revokeTokens(client.clientId));
    const statuses = (): Promise<number[]> => Promise.all(dead.map(scrape));
    await expect.poll(statuses, soon).toEqual([401, 401, 401]);
    const fresh = [await served(older), await served(newer)];
    expect(await scrape(bystander)).toBe(200);
    await gateway.restart();
    expect(await statuses()).toEqual([401, 401, 401]);
    expect(await Promise.all(fresh.map(scrape))).toEqual([200, 200]);
  });

  it('lets the very next token work, however soon it was asked for', async () => {
    await served();
    await command(({ clients }) => clients.revokeTokens(client.clientId));
    const fresh = await gateway.bearerOf(client);
    await expect.poll(async () => (await gateway.admin.clients.secrets(client.clientId)).length, soon).toBe(1);
    const statuses = [];
    // Longer than the gateway takes to learn of it.
    for (const until = performance.now() + 500; performance.now() < until; ) statuses.push(await scrape(fresh));
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});

describe('disabling a client', () => {
  it('ends its 50 live tokens within a second and nobody else, over a restart, until it is enabled', async () => {
    const bearers = await Promise.all(Array.from({ length: 50 }, () => gateway.bearerOf(client)));
    const statuses = async (): Promise<number[]> => [...new Set(await Promise.all(bearers.map(scrape)))];
    expect(await statuses()).toEqual([200]);
    await command(({ clients }) => clients.disable(client.clientId));
    await expect.poll(statuses, soon).toEqual([401]);
    expect([await tokenStatus(), await scrape(bystander)]).toEqual([401, 200]);
    await gateway.restart();
    expect([await statuses(), await tokenStatus()]).toEqual([[401], 401]);
    await command(({ clients }) => clients.enable(client.clientId));
    expect([await statuses(), await tokenStatus()]).toEqual([[200], 200]);
  });

  it('does not bring back what was revoked before, when it is enabled', async () => {
    const bearer = await served();
    await command(async ({ clients }) => {
      await clients.revokeTokens(client.clientId);
      await clients.disable(client.clientId);
      await clients.enable(client.clientId);
    });
    await expect.poll(() => scrape(bearer), soon).toBe(401);
    expect(await tokenStatus()).toBe(200);
  });
});

describe('what is taken from a client', () => {
  it('is gone from the tokens it has within a second: a scope, or an endpoint; given back, it is there again', async () => {
    await gateway.admin.endpoints.create({ name: 'Two', projectId: 'acme', metricsId: 'db2' }).catch(() => {});
    const both = await gateway.client('acme', ['read:metrics', 'write:metrics']);
    const bearers = [await gateway.bearerOf(both), await gateway.scrapeToken(both)];
    const push = async (bearer: string): Promise<number> => {
      const response = await gateway.fetch('/api/v1/acme/db1/metrics', { method: 'PUT', body: 'up 1\n', bearer });
      await response.text();
      return response.status;
    };
    const statuses = () => Promise.all(bearers.flatMap((bearer) => [scrape(bearer), push(bearer)]));
    const set = (changes: Parameters<Admin['clients']['update']>[1]) =>
      command(({ clients }) => clients.update(both.clientId, changes));
    expect(await statuses()).toEqual([200, 200, 200, 200]);

    await set({ scopes: ['read:metrics'] });
    await expect.poll(statuses, soon).toEqual([200, 403, 200, 403]);
    const form = { token: bearers[0]!.slice('Bearer '.length) };
    const told = await fetch(`${gateway.url}/oauth/introspect`, {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: { authorization: basic(both.clientId, both.clientSecret) },
    });
    expect(await told.json()).toMatchObject({ active: true, scope: 'read:metrics' });
    await gateway.restart();
    expect(await statuses()).toEqual([200, 403, 200, 403]);

    await set({ scopes: ['write:metrics'], endpoints: ['db2'] });
    await expect.poll(statuses, soon).toEqual([403, 404, 403, 404]);
    await set({ scopes: ['read:metrics', 'write:metrics'], endpoints: null });
    await expect.poll(statuses, soon).toEqual([200, 200, 200, 200]);
    bystander = await gateway.bearer('acme');
  });

  it('what is given comes with the next token, and not with those it was not granted to', async () => {
    const bearer = await served();
    await command(({ clients }) => clients.update(client.clientId, { scopes: ['read:metrics', 'write:metrics'] }));
    const push = async (by: string): Promise<number> =>
      (await gateway.fetch('/api/v1/acme/db1/metrics', { method: 'PUT', body: 'up 1\n', bearer: by })).status;
    await expect.poll(async () => push(await gateway.bearerOf(client)), soon).toBe(200);
    expect(await push(bearer)).toBe(403);
  });
});
