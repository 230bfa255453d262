import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Limits } from '../../src/domain/limits.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';
import { type Answer, send } from './wire.js';

let gateway: TestGateway;
let count = 0;
let project: string;
let client: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot();
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  project = `acme-${++count}`;
  await gateway.project(project, 'db1');
  client = await gateway.client(project, ['read:metrics']);
});

const limit = (limits: Partial<Limits>) => gateway.admin.projects.setLimits(project, limits);
const scrape = (authorization: string, path = `${project}/db1`, method = 'GET'): Promise<Answer> =>
  send(gateway.url, `/api/v1/${path}/metrics`, { method, headers: ['Authorization', authorization] });
const ask = (credentials: Credentials, more = ''): Promise<Answer> =>
  send(gateway.url, '/oauth/token', {
    method: 'POST',
    headers: [
      ...['Authorization', basic(credentials.clientId, credentials.clientSecret)],
      ...['Content-Type', 'application/x-www-form-urlencoded'],
    ],
    body: `grant_type=client_credentials${more}`,
  });
/** The statuses of so many, one after the other. */
async function statuses(times: number, request: () => Promise<Answer>): Promise<number[]> {
  const all = [];
  for (let i = 0; i < times; i++) all.push((await request()).status);
  return all;
}
const soon = { timeout: 1000, interval: 20 };

/** What a 429 says in all the ways that clients read. */
const comeBack = (policy: string, perMinute: number, seconds: number) => ({
  'retry-after': String(seconds),
  'ratelimit-policy': `"${policy}";q=${perMinute};w=60`,
  ratelimit: `"${policy}";r=0;t=${seconds}`,
  'ratelimit-limit': String(perMinute),
  'ratelimit-remaining': '0',
  'ratelimit-reset': String(seconds),
});

describe('scrapes_per_minute', () => {
  it('lets so many pass, cached or not, and says when to come back, as a problem document', async () => {
    const bearer = await gateway.bearerOf(client);
    await limit({ scrapes_per_minute: 3 });
    expect(await statuses(3, () => scrape(bearer))).toEqual([200, 200, 200]);
    const refused = await scrape(bearer);
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({
      ...comeBack('scrapes', 3, 20),
      'content-type': 'application/problem+json',
    });
    expect(refused.headers['www-authenticate']).toBeUndefined();
    expect(JSON.parse(refused.text)).toEqual({
      type: `${gateway.url}/docs/errors#rate_limited`,
      title: 'Too Many Requests',
      status: 429,
      detail: 'The client scrapes too often: scrapes_per_minute = 3. Try again in 20 s.',
      limit: 'scrapes_per_minute',
      max: 3,
    });
    // Not in the cache: it is refused before it is rendered.
    expect((await scrape(bearer, project)).status).toBe(429);
    gateway.clock.advance(20_000);
    expect(await statuses(2, () => scrape(bearer))).toEqual([200, 429]);
  });

  it('counts all tokens of a client together, HEAD too, whatever they are, and no other client', async () => {
    const tokens = [await gateway.bearerOf(client), await gateway.bearerOf(client), await gateway.scrapeToken(client)];
    const other = await gateway.bearer(project, ['read:metrics']);
    await limit({ scrapes_per_minute: 3 });
    for (const token of tokens) expect((await scrape(token, undefined, 'HEAD')).status).toBe(200);
    for (const token of tokens) expect((await scrape(token)).status).toBe(429);
    expect((await scrape(other)).status).toBe(200);
  });

  it('does not count what is refused for another reason', async () => {
    const [bearer, writer] = [await gateway.bearerOf(client), await gateway.bearer(project, ['write:metrics'])];
    await limit({ scrapes_per_minute: 1 });
    expect(await statuses(3, () => scrape(bearer, `${project}/nothing`))).toEqual([404, 404, 404]);
    expect(await statuses(3, () => scrape(bearer, 'nothing/db1'))).toEqual([404, 404, 404]);
    expect(await statuses(3, () => scrape(writer))).toEqual([403, 403, 403]);
    expect(await statuses(3, () => scrape('Bearer garbage'))).toEqual([401, 401, 401]);
    expect(await statuses(2, () => scrape(bearer))).toEqual([200, 429]);
  });

  it('does not touch pushes', async () => {
    const bearer = await gateway.bearer(project);
    await limit({ scrapes_per_minute: 1 });
    expect(await statuses(2, () => scrape(bearer))).toEqual([200, 429]);
    for (let i = 0; i < 3; i++) await gateway.push(`${project}/db1/metrics`, 'a 1\n', bearer);
  });

  it('is off unless set; a change, and 0, hold within a second', async () => {
    const bearer = await gateway.bearerOf(client);
    expect(new Set(await statuses(30, () => scrape(bearer)))).toEqual(new Set([200]));
    await limit({ scrapes_per_minute: 1 });
    await expect.poll(async () => (await scrape(bearer)).status, soon).toBe(429);
    await limit({ scrapes_per_minute: 0 });
    await expect.poll(async () => (await scrape(bearer)).status, soon).toBe(200);
  });
});

describe('token_requests_per_minute', () => {
  it('lets so many pass and says when to come back, as an OAuth error, and the operator sees it', async () => {
    await limit({ token_requests_per_minute: 2 });
    expect(await statuses(2, () => ask(client))).toEqual([200, 200]);
    const before = await gateway.operatorValue('weir_tokens_refused_total{error="temporarily_unavailable"}');
    const refused = await ask(client);
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({
      ...comeBack('token-requests', 2, 30),
      'content-type': 'application/json;charset=UTF-8',
      'cache-control': 'no-store',
    });
    expect(JSON.parse(refused.text)).toEqual({
      error: 'temporarily_unavailable',
      error_description:
        'The client asks for or revokes too many tokens; one serves until it expires: token_requests_per_minute = 2. Try again in 30 s.',
      error_uri: `${gateway.url}/docs/errors#rate_limited`,
    });
    expect(await gateway.operatorValue('weir_tokens_refused_total{error="temporarily_unavailable"}')).toBe(before + 1);
    gateway.clock.advance(30_000);
    expect(await statuses(2, () => ask(client))).toEqual([200, 429]);
  });

  it('cannot be used up by who does not know the secret, nor by another client', async () => {
    const other = await gateway.client(project, ['read:metrics']);
    await limit({ token_requests_per_minute: 1 });
    expect(await statuses(3, () => ask({ ...client, clientSecret: 'wrong' }))).toEqual([401, 401, 401]);
    expect(await statuses(2, () => ask(other))).toEqual([200, 429]);
    expect(await statuses(2, () => ask(client))).toEqual([200, 429]);
    expect((await ask({ ...client, clientSecret: 'wrong' })).status).toBe(401);
  });

  it('counts requests that were refused after the proof, and leaves scrapes and introspection alone', async () => {
    const bearer = await gateway.bearerOf(client);
    gateway.clock.advance(60_000);
    await limit({ token_requests_per_minute: 1 });
    expect((await ask(client, '&scope=write:metrics')).status).toBe(400);
    expect((await ask(client)).status).toBe(429);
    expect(await statuses(3, () => scrape(bearer))).toEqual([200, 200, 200]);
    const answer = await fetch(`${gateway.url}/oauth/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ token: bearer.slice('Bearer '.length) }),
      headers: { authorization: basic(client.clientId, client.clientSecret) },
    });
    expect(await answer.json()).toMatchObject({ active: true });
  });

  it('counts revocations, too, which each write', async () => {
    const bearers = [await gateway.bearerOf(client), await gateway.bearerOf(client)];
    gateway.clock.advance(60_000);
    await limit({ token_requests_per_minute: 2 });
    const revoke = (bearer: string): Promise<Answer> =>
      send(gateway.url, '/oauth/revoke', {
        method: 'POST',
        headers: [
          ...['Authorization', basic(client.clientId, client.clientSecret)],
          ...['Content-Type', 'application/x-www-form-urlencoded'],
        ],
        body: `token=${bearer.slice('Bearer '.length)}`,
      });
    expect([(await ask(client)).status, (await revoke(bearers[0]!)).status]).toEqual([200, 200]);
    const refused = await revoke(bearers[1]!);
    expect([refused.status, JSON.parse(refused.text).error]).toEqual([429, 'temporarily_unavailable']);
    expect(refused.headers).toMatchObject(comeBack('token-requests', 2, 30));
    expect([(await scrape(bearers[0]!)).status, (await scrape(bearers[1]!)).status]).toEqual([401, 200]);
    gateway.clock.advance(30_000);
    expect([(await revoke(bearers[1]!)).status, (await scrape(bearers[1]!)).status]).toEqual([200, 401]);
  });

  it('is off unless set, and may be set for all projects in the configuration', async () => {
    expect(new Set(await statuses(30, () => ask(client)))).toEqual(new Set([200]));
    const strict = await TestGateway.boot({ limits: { token_requests_per_minute: 1 } });
    await strict.project('acme', 'db1');
    const one = await strict.client('acme', ['read:metrics']);
    await strict.bearerOf(one);
    await expect(strict.bearerOf(one)).rejects.toThrow('429');
    await strict.stop();
  });
});
