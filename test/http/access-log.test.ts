import { expect, it } from 'vitest';
import { accessEntriesKept } from '../../src/domain/access.js';
import type { AccessRecord } from '../../src/storage/store.js';
import { boot, closesAfterEach } from '../streams/front-door.js';
import { basic, type Credentials, type TestGateway } from '../support/gateway.js';
import { api } from './management/api.js';
import { send } from './wire.js';

closesAfterEach();

const often = { seams: { writeRecordsEveryMs: 5 } };

const logOf = (gateway: TestGateway, filter: { projectId?: string; clientId?: string; endpointId?: string } = {}) =>
  gateway.admin.accessLog.list({ ...filter, limit: 1000 });
/** `db1 200 null` and the like, newest first. */
const lines = async (gateway: TestGateway, filter = {}): Promise<string[]> =>
  (await logOf(gateway, filter)).map(lineOf);
const lineOf = ({ operation, endpointId, status, reason, proved }: AccessRecord): string =>
  `${operation === 'token' ? 'token' : (endpointId ?? 'all')} ${status} ${reason}${proved ? '' : ' unproved'}`;
const grant = { grant_type: 'client_credentials' };

/** A project with an endpoint, and a client of it that may scrape. */
async function acme(options = {}): Promise<{ gateway: TestGateway; client: Credentials; bearer: string }> {
  const gateway = await boot({ ...often, ...options });
  await gateway.project('acme', 'db1', 'db2');
  const client = await gateway.client('acme', ['read:metrics']);
  return { gateway, client, bearer: await gateway.bearerOf(client) };
}

const scrape = async (gateway: TestGateway, path: string, bearer: string | undefined): Promise<number> => {
  const response = await gateway.fetch(`/api/v1/${path}`, bearer === undefined ? {} : { bearer });
  await response.arrayBuffer();
  return response.status;
};

it('tells of each page when, how, how much, how fast, who and from where', async () => {
  const { gateway, client, bearer } = await acme({ trustedProxies: ['127.0.0.1'] });
  const sizes: number[] = [];
  for (const [path, from] of [
    ['acme/db1/metrics', '192.0.2.1'],
    ['acme/db1/metrics', '192.0.2.1'],
    ['acme/metrics', '192.0.2.2'],
    ['acme/db1/metrics', '192.0.2.3'],
  ]) {
    gateway.clock.advance(15_000);
    const headers = ['Authorization', bearer, 'User-Agent', `agent of ${from}`, 'X-Forwarded-For', from!];
    sizes.push((await send(gateway.url, `/api/v1/${path}`, { headers })).body.length);
  }
  await expect.poll(() => lines(gateway)).toHaveLength(5);
  const log = await logOf(gateway);
  const begun = Date.UTC(2026, 0, 1, 12);
  const page = { operation: 'scrape', status: 200, reason: null, format: 'text', projectId: 'acme', proved: true };
  expect(log).toEqual(
    [
      { ...page, at: begun + 60_000, endpointId: 'db1', bytes: sizes[3], intervalMs: 30_000, address: '192.0.2.3' },
      { ...page, at: begun + 45_000, endpointId: null, bytes: sizes[2], intervalMs: null, address: '192.0.2.2' },
      { ...page, at: begun + 30_000, endpointId: 'db1', bytes: sizes[1], intervalMs: 15_000, address: '192.0.2.1' },
      { ...page, at: begun + 15_000, endpointId: 'db1', bytes: sizes[0], intervalMs: null, address: '192.0.2.1' },
      { ...page, at: begun, endpointId: null, bytes: null, intervalMs: null, operation: 'token', format: null },
    ].map((entry) => expect.objectContaining({ ...entry, clientId: client.clientId, durationMs: 0 })),
  );
  expect(log.slice(0, 4).map(({ agent, address }) => agent === `agent of ${address}`)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(await lines(gateway, { endpointId: 'db1' })).toEqual(['db1 200 null', 'db1 200 null', 'db1 200 null']);
});

it.each<[string, (gateway: TestGateway, client: Credentials, bearer: string) => Promise<unknown>]>([
  [
    'db1 401 expired_token',
    async (gateway, _, bearer) => {
      gateway.clock.advance(961_000);
      return scrape(gateway, 'acme/db1/metrics', bearer);
    },
  ],
  [
    'db1 401 revoked_token',
    async (gateway, client, bearer) => {
      await gateway.admin.clients.revokeTokens(client.clientId);
      return scrape(gateway, 'acme/db1/metrics', bearer);
    },
  ],
  [
    'db1 401 disabled_client',
    async (gateway, client, bearer) => {
      await gateway.admin.clients.disable(client.clientId);
      await expect.poll(() => scrape(gateway, 'acme/db1/metrics', bearer)).toBe(401);
    },
  ],
  ['nothing 404 unknown_endpoint', (gateway, _, bearer) => scrape(gateway, 'acme/nothing/metrics', bearer)],
  ['db1 404 other_project', (gateway, _, bearer) => scrape(gateway, 'other/db1/metrics', bearer)],
  [
    'db1 429 rate_limited',
    async (gateway, _, bearer) => {
      await gateway.admin.projects.setLimits('acme', { scrapes_per_minute: 1 });
      await expect.poll(() => scrape(gateway, 'acme/db1/metrics', bearer)).toBe(429);
    },
  ],
  [
    'all 401 expired_token',
    async (gateway, client) => {
      const token = await gateway.scrapeToken(client, 86_400_000);
      gateway.clock.advance(86_400_000);
      return scrape(gateway, 'acme/metrics', token);
    },
  ],
  [
    'db1 401 unknown_token unproved',
    async (gateway, client) => {
      const token = await gateway.scrapeToken(client);
      return scrape(gateway, 'acme/db1/metrics', `${token.slice(0, -4)}AAAA`);
    },
  ],
  [
    'db1 401 basic_not_allowed unproved',
    (gateway, { clientId, clientSecret }) => scrape(gateway, 'acme/db1/metrics', basic(clientId, clientSecret)),
  ],
  [
    'db1 401 wrong_credentials unproved',
    async (gateway, { clientId }) => {
      await gateway.admin.clients.setAllowBasic(clientId, true);
      return scrape(gateway, 'acme/db1/metrics', basic(clientId, 'wrong'));
    },
  ],
  ['token 401 wrong_credentials unproved', (gateway, { clientId }) => gateway.token(grant, basic(clientId, 'wrong'))],
  [
    'token 401 wrong_credentials unproved',
    (gateway, { clientId }) => gateway.token({ ...grant, client_id: clientId, client_secret: 'wrong' }),
  ],
  [
    'token 401 disabled_client unproved',
    async (gateway, { clientId, clientSecret }) => {
      await gateway.admin.clients.disable(clientId);
      return gateway.token(grant, basic(clientId, clientSecret));
    },
  ],
  [
    'token 400 invalid_scope',
    (gateway, { clientId, clientSecret }) =>
      gateway.token({ ...grant, scope: 'write:metrics' }, basic(clientId, clientSecret)),
  ],
  [
    'token 400 invalid_request',
    (gateway, { clientId, clientSecret }) => gateway.token({ grant_type: 'password' }, basic(clientId, clientSecret)),
  ],
  [
    'token 429 guessing unproved',
    async (gateway, { clientId }) => {
      for (let i = 0; i < 25; i++) await (await gateway.token(grant, basic(clientId, `wrong ${i}`))).arrayBuffer();
    },
  ],
])('says %s', async (expected, fail) => {
  const { gateway, client, bearer } = await acme();
  await fail(gateway, client, bearer);
  await expect.poll(async () => (await lines(gateway, { clientId: client.clientId })).includes(expected)).toBe(true);
});

it('says when a scope is missing', async () => {
  const { gateway } = await acme();
  const writer = await gateway.bearer('acme', ['write:metrics']);
  expect(await scrape(gateway, 'acme/db1/metrics', writer)).toBe(403);
  await expect.poll(() => lines(gateway)).toContain('db1 403 insufficient_scope');
});

it('is always of the client that asked or was named, never of the project in the path', async () => {
  const { gateway, client, bearer } = await acme();
  await gateway.project('rival', 'db1');
  const theirs = await gateway.client('rival', ['read:metrics', 'read:access_log']);
  const rival = await gateway.bearerOf(theirs);
  for (const path of ['rival/db1/metrics', 'rival/metrics', 'rival/nothing/metrics']) {
    expect(await scrape(gateway, path, bearer)).toBe(404);
    expect(await scrape(gateway, path, basic(client.clientId, 'wrong'))).toBe(401);
  }
  gateway.clock.advance(961_000);
  expect(await scrape(gateway, 'rival/db1/metrics', bearer)).toBe(401);
  await expect.poll(() => lines(gateway, { projectId: 'acme' })).toHaveLength(8);
  expect(await lines(gateway, { projectId: 'rival' })).toEqual(['token 200 null']);
  // Nor can one tell whether the other is there.
  const answers = (await logOf(gateway, { projectId: 'acme' })).map(({ reason }) => reason);
  expect(answers.filter((reason) => reason === 'other_project')).toHaveLength(3);

  const fresh = await gateway.bearerOf(theirs);
  const own = await api(gateway, fresh, 'GET /access-log');
  for (const { project_id } of own.body.access_log) expect(project_id).toBe('rival');
  expect((await api(gateway, fresh, `GET /access-log?client_id=${client.clientId}`)).body.access_log).toEqual([]);
  const [foreign, absent] = await Promise.all(
    ['acme', 'nothing'].map((id) => api(gateway, fresh, `GET /access-log?project_id=${id}`)),
  );
  expect([foreign!.status, foreign!.body]).toEqual([404, absent!.body]);
  expect(rival).not.toBe(fresh);
});

it('has nothing of whom nobody knows, nor of operators', async () => {
  const { gateway, client } = await acme();
  const operator = await gateway.client(null, ['read:usage']);
  const bearer = await gateway.bearerOf(operator);
  const unknown = 'weir_cid_AAAAAAAAAAAAAAAAAAAAAA';
  for (const authorization of [undefined, 'Bearer garbage', 'Basic !', basic(unknown, 'x'), bearer, 'Bearer a.b.c']) {
    expect(await scrape(gateway, 'acme/db1/metrics', authorization)).toBeGreaterThanOrEqual(400);
  }
  await gateway.token(grant, basic(operator.clientId, 'wrong'));
  await gateway.token(grant, basic(unknown, 'wrong'));
  await gateway.token({ ...grant, client_assertion: 'x', client_assertion_type: 'y' });
  // The last one is noted, and what came before it was before it.
  await gateway.token(grant, basic(client.clientId, 'wrong-secret-canary'));
  await expect.poll(() => lines(gateway)).toContain('token 401 wrong_credentials unproved');
  expect(await lines(gateway)).toHaveLength(2);
  expect(JSON.stringify(await logOf(gateway))).not.toContain('canary');
});

it('keeps the last 20 of each endpoint, and invented names and guesses push none of them out', async () => {
  const { gateway, client, bearer } = await acme();
  for (let i = 0; i < accessEntriesKept + 5; i++) {
    gateway.clock.advance(1000);
    await scrape(gateway, 'acme/db1/metrics', bearer);
  }
  for (let i = 0; i < accessEntriesKept + 5; i++) {
    await scrape(gateway, `acme/invented${i}/metrics`, bearer);
    await scrape(gateway, `acme/db1/metrics`, basic(client.clientId, `guess ${i}`));
  }
  await expect.poll(() => lines(gateway)).toHaveLength(3 * accessEntriesKept + 1);
  const kept = (await logOf(gateway, { endpointId: 'db1' })).filter(({ proved }) => proved);
  expect(kept.map(({ at }) => (gateway.clock.now() - at) / 1000)).toEqual([...Array(accessEntriesKept).keys()]);
});

it('survives a restart and goes on', async () => {
  const { gateway, bearer } = await acme({ seams: {} });
  await scrape(gateway, 'acme/db1/metrics', bearer);
  await gateway.restart();
  gateway.clock.advance(1000);
  await scrape(gateway, 'acme/db1/metrics', bearer);
  await gateway.restart();
  const log = await logOf(gateway, { endpointId: 'db1' });
  expect(log.map(({ intervalMs }) => intervalMs)).toEqual([1000, null]);
});

it('ends with its project: one of the same id begins anew', async () => {
  const { gateway, bearer } = await acme({ seams: {} });
  await scrape(gateway, 'acme/db1/metrics', bearer);
  await gateway.admin.projects.delete('acme');
  await gateway.project('acme', 'db1');
  await gateway.restart();
  expect(await logOf(gateway)).toEqual([]);
});
