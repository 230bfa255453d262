import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { basic, type Credentials, samples, TestGateway } from '../support/gateway.js';
import { type Answer, send, telling } from './wire.js';

/** What scrapers send that cannot do OAuth2: scrape tokens, and id and secret by HTTP Basic. */

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
  client = await gateway.client(project, ['read:metrics', 'write:metrics']);
});

const path = (): string => `/api/v1/${project}/db1/metrics`;
const get = (authorization: string, ...headers: string[]): Promise<Answer> =>
  send(gateway.url, path(), { headers: ['Authorization', authorization, ...headers] });
const put = (authorization: string): Promise<Answer> =>
  send(gateway.url, path(), { method: 'PUT', headers: ['Authorization', authorization], body: 'a 1\n' });
const status = async (authorization: string): Promise<number> => (await get(authorization)).status;
const byBasic = ({ clientId, clientSecret }: Credentials): string => basic(clientId, clientSecret);
const seen = (answer: Answer): unknown => [answer.status, telling(answer), answer.text];
/** By the clock of the machine: what is taken away bites within a second. */
const soon = { timeout: 1000, interval: 20 };
const hour = 3_600_000;

const kinds: [string, () => Promise<string>][] = [
  ['a scrape token', () => gateway.scrapeToken(client)],
  [
    'HTTP Basic',
    async () => {
      await gateway.admin.clients.setAllowBasic(client.clientId, true);
      return byBasic(client);
    },
  ],
];

describe.each(kinds)('%s', (_, grant) => {
  it('pushes and scrapes in the first request after it was granted, and over a restart', async () => {
    expect(await status(byBasic(client))).toBe(401);
    const authorization = await grant();
    expect((await put(authorization)).status).toBe(200);
    const page = await get(authorization);
    expect([page.status, samples(page.text)]).toEqual([200, ['a{instance_id="db1"} 1']]);
    await gateway.restart();
    expect(await status(authorization)).toBe(200);
  });

  it('does what its client may do, no more', async () => {
    client = await gateway.client(project, ['read:metrics'], ['db1']);
    const authorization = await grant();
    expect(await status(authorization)).toBe(200);
    const refused = await put(authorization);
    expect([refused.status, JSON.parse(refused.text)]).toEqual([
      403,
      expect.objectContaining({ scope: 'write:metrics' }),
    ]);
    expect(refused.headers['www-authenticate']).toMatch(/^Bearer .*error="insufficient_scope", scope="write:metrics"/);
    await gateway.admin.endpoints.create({ name: 'db2', projectId: project, metricsId: 'db2' });
    const other = await send(gateway.url, `/api/v1/${project}/db2/metrics`, {
      headers: ['Authorization', authorization],
    });
    expect(other.status).toBe(404);
  });

  it('ends within a second of its client being disabled, comes back when it is enabled, ends when it is deleted', async () => {
    const authorization = await grant();
    expect(await status(authorization)).toBe(200);
    await gateway.admin.clients.disable(client.clientId);
    await expect.poll(() => status(authorization), soon).toBe(401);
    await gateway.admin.clients.enable(client.clientId);
    expect(await status(authorization)).toBe(200);
    await gateway.admin.clients.delete(client.clientId);
    await expect.poll(() => status(authorization), soon).toBe(401);
  });

  it('ends within a second of its project being deleted', async () => {
    const authorization = await grant();
    expect(await status(authorization)).toBe(200);
    await gateway.admin.projects.delete(project);
    await expect.poll(() => status(authorization), soon).toBe(401);
  });

  it('shows when, from where and with what it was used last, a minute late at most', async () => {
    const authorization = await grant();
    const lastUse = async () => {
      const { clients } = gateway.admin;
      const [token] = await clients.scrapeTokens(client.clientId);
      const [secret] = await clients.secrets(client.clientId);
      return (token ?? secret)!.lastUse;
    };
    const use = async (agent: string) => expect((await get(authorization, 'User-Agent', agent)).status).toBe(200);
    const from = gateway.clock.now();
    await use('nri-prometheus/2');
    gateway.clock.advance(59_999);
    await use('in between');
    // What is noted is written down at the end of a process, too.
    await gateway.restart();
    expect(await lastUse()).toEqual({ at: from, ip: '127.0.0.1', agent: 'nri-prometheus/2' });
    await use('again');
    gateway.clock.advance(60_000);
    await use('later');
    await gateway.restart();
    expect(await lastUse()).toEqual({ at: from + 119_999, ip: '127.0.0.1', agent: 'later' });
  });
});

describe('a scrape token', () => {
  it('has a prefix for secret scanners, and only characters that bearer tokens may have', async () => {
    expect(await gateway.scrapeToken(client)).toMatch(/^Bearer weir_st_[A-Za-z0-9_-]{65}$/);
  });

  it('ends at its millisecond, whether it was used before or not', async () => {
    const [used, unused] = [await gateway.scrapeToken(client, hour), await gateway.scrapeToken(client, hour)];
    gateway.clock.advance(hour - 1);
    expect(await status(used)).toBe(200);
    gateway.clock.advance(1);
    expect([await status(used), await status(unused)]).toEqual([401, 401]);
  });

  it('that is wrong is an invalid token like any other', async () => {
    const good = await gateway.scrapeToken(client);
    const other = await gateway.client(project, ['read:metrics']);
    const othersId = `Bearer weir_st_${other.clientId.slice('weir_cid_'.length)}${good.slice(-43)}`;
    const unknownId = `Bearer weir_st_${'A'.repeat(22)}${good.slice(-43)}`;
    const last = good.at(-1) === 'A' ? 'B' : 'A';
    const garbage = await get('Bearer garbage');
    expect(garbage.headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/);
    expect(garbage.headers['www-authenticate']).not.toContain('Basic');
    for (const wrong of [
      othersId,
      unknownId,
      `${good.slice(0, -1)}${last}`,
      `${good}=`,
      good.slice(0, -1),
      `${good}A`,
    ]) {
      expect(seen(await get(wrong))).toEqual(seen(garbage));
    }
    expect(await status(good)).toBe(200);
  });

  it('that is wrong is 401 however often, and a right one works between', async () => {
    const good = await gateway.scrapeToken(client);
    const wrong = `${good.slice(0, -4)}AAAA`;
    for (let i = 0; i < 30; i++) expect(await status(wrong)).toBe(401);
    expect(await status(good)).toBe(200);
  });

  it('is revoked within a second, for good, and leaves the others', async () => {
    const [dead, alive] = [await gateway.scrapeToken(client), await gateway.scrapeToken(client)];
    expect([await status(dead), await status(alive)]).toEqual([200, 200]);
    const [first] = await gateway.admin.clients.scrapeTokens(client.clientId);
    await gateway.admin.clients.revokeScrapeToken(client.clientId, first!.id);
    await expect.poll(() => status(dead), soon).toBe(401);
    await gateway.restart();
    expect([await status(dead), await status(alive)]).toEqual([401, 200]);
  });

  it('cannot be revoked through another client', async () => {
    const token = await gateway.scrapeToken(client);
    const other = await gateway.client(project, ['read:metrics']);
    const [mine] = await gateway.admin.clients.scrapeTokens(client.clientId);
    await expect(gateway.admin.clients.revokeScrapeToken(other.clientId, mine!.id)).rejects.toThrow(
      'has no scrape token',
    );
    expect(await status(token)).toBe(200);
  });

  it('ends with "revoke-tokens", and not with a new secret', async () => {
    const token = await gateway.scrapeToken(client);
    await gateway.admin.clients.rotate(client.clientId, 0);
    expect(await status(token)).toBe(200);
    await gateway.admin.clients.revokeTokens(client.clientId);
    await expect.poll(() => status(token), soon).toBe(401);
  });

  it.each([
    [999, 'must live 1s to 366d'],
    [367 * 24 * hour, 'must live 1s to 366d'],
    [Number.NaN, 'must live 1s to 366d'],
  ])('is not made for %d ms', async (lifetimeMs, sentence) => {
    await expect(gateway.scrapeToken(client, lifetimeMs)).rejects.toThrow(sentence);
  });

  it('is not made for a client that is not there, nor without end', async () => {
    await expect(gateway.scrapeToken({ clientId: 'weir_cid_none' })).rejects.toThrow('There is no client');
    for (let i = 0; i < 20; i++) await gateway.scrapeToken(client, hour);
    await expect(gateway.scrapeToken(client)).rejects.toThrow('has 20 scrape tokens already');
    gateway.clock.advance(hour);
    expect(await status(await gateway.scrapeToken(client))).toBe(200);
  });

  it('is good at the metrics routes only: it is no client assertion, and no way to another token', async () => {
    const token = (await gateway.scrapeToken(client)).slice('Bearer '.length);
    const form = { grant_type: 'client_credentials' };
    const answers = [
      await gateway.token(form, `Bearer ${token}`),
      await gateway.token(form, basic(client.clientId, token)),
      await gateway.token({ ...form, client_id: client.clientId, client_secret: token }),
    ];
    for (const answer of answers) {
      expect([answer.status, await answer.json()]).toEqual([401, expect.objectContaining({ error: 'invalid_client' })]);
    }
  });
});

describe('introspection and revocation of a scrape token', () => {
  const ask = async (what: 'introspect' | 'revoke', token: string, by: Credentials) => {
    const answer = await fetch(`${gateway.url}/oauth/${what}`, {
      method: 'POST',
      body: new URLSearchParams({ token }),
      headers: { authorization: byBasic(by) },
    });
    return [answer.status, await answer.text()] as const;
  };
  const introspected = async (token: string, by: Credentials): Promise<unknown> =>
    JSON.parse((await ask('introspect', token, by))[1]);

  it('tells its own project about it as about any token, and others nothing', async () => {
    const bearer = await gateway.scrapeToken(client, hour);
    const token = bearer.slice('Bearer '.length);
    const [made] = await gateway.admin.clients.scrapeTokens(client.clientId);
    const iat = Math.floor(gateway.clock.now() / 1000);
    expect(await introspected(token, await gateway.client(project, ['read:metrics']))).toEqual({
      active: true,
      scope: 'read:metrics write:metrics',
      client_id: client.clientId,
      sub: client.clientId,
      project,
      token_type: 'Bearer',
      iss: gateway.url,
      aud: gateway.url,
      iat,
      exp: iat + 3600,
      jti: made!.id,
    });
    await gateway.project(`${project}-rival`);
    const rival = await gateway.client(`${project}-rival`, ['read:metrics']);
    expect(await introspected(token, rival)).toEqual({ active: false });
    gateway.clock.advance(hour);
    expect(await introspected(token, client)).toEqual({ active: false });
  });

  it('lets its client revoke it, from the next request on; to others it is 200 without effect', async () => {
    const bearer = await gateway.scrapeToken(client);
    const token = bearer.slice('Bearer '.length);
    const other = await gateway.client(project, ['read:metrics']);
    expect(await ask('revoke', token, other)).toEqual([200, '']);
    expect(await status(bearer)).toBe(200);
    expect(await ask('revoke', token, client)).toEqual([200, '']);
    expect(await status(bearer)).toBe(401);
    expect(await ask('revoke', token, client)).toEqual([200, '']);
    expect(await introspected(token, client)).toEqual({ active: false });
  });
});

describe('HTTP Basic', () => {
  beforeEach(() => gateway.admin.clients.setAllowBasic(client.clientId, true));

  it('is off unless allowed, and its secret still opens the token endpoint', async () => {
    const plain = await gateway.client(project, ['read:metrics']);
    expect(await status(byBasic(plain))).toBe(401);
    expect(await status(await gateway.bearerOf(plain))).toBe(200);
  });

  it('can be allowed from the beginning', async () => {
    const { client: made, secret } = await gateway.admin.clients.create({
      name: 'c',
      projectId: project,
      scopes: ['read:metrics'],
      allowBasic: true,
    });
    expect(await status(basic(made.id, secret))).toBe(200);
  });

  it('ends within a second of being forbidden, and its tokens go on', async () => {
    const bearer = await gateway.bearerOf(client);
    expect(await status(byBasic(client))).toBe(200);
    await gateway.admin.clients.setAllowBasic(client.clientId, false);
    await expect.poll(() => status(byBasic(client)), soon).toBe(401);
    expect(await status(bearer)).toBe(200);
  });

  it('takes both secrets of a rotation; the older one ends at its millisecond, though it was remembered', async () => {
    const { secret } = await gateway.admin.clients.rotate(client.clientId, hour);
    const newer = basic(client.clientId, secret);
    gateway.clock.advance(hour - 1);
    expect([await status(byBasic(client)), await status(newer)]).toEqual([200, 200]);
    gateway.clock.advance(1);
    expect([await status(byBasic(client)), await status(newer)]).toEqual([401, 200]);
  });

  it('ends within a second of its secret being revoked', async () => {
    expect(await status(byBasic(client))).toBe(200);
    const [secret] = await gateway.admin.clients.secrets(client.clientId);
    await gateway.admin.clients.revokeSecret(client.clientId, secret!.id);
    await expect.poll(() => status(byBasic(client)), soon).toBe(401);
  });

  it('does not tell an unknown client, one that may not use it and a wrong secret apart, before and after the ban', async () => {
    const plain = await gateway.client(project, ['read:metrics']);
    const unknown = `weir_cid_${'A'.repeat(22)}`;
    const tries = [
      basic(unknown, client.clientSecret),
      basic(plain.clientId, plain.clientSecret),
      basic(client.clientId, `${client.clientSecret.slice(0, -1)}.`),
    ];
    for (let i = 1; i <= 22; i++) {
      const answers = [];
      for (const authorization of tries) answers.push(seen(await get(authorization)));
      expect((answers[0] as unknown[])[0]).toBe(i <= 20 ? 401 : 429);
      expect(answers).toEqual([answers[0], answers[0], answers[0]]);
    }
    const banned = await get(tries[2]!);
    expect([banned.headers['content-type'], banned.headers['retry-after']]).toEqual([
      'application/problem+json',
      '300',
    ]);
    // Right ones always work, and a guess at one door counts at the other.
    expect(await status(byBasic(client))).toBe(200);
    expect((await gateway.token({ grant_type: 'client_credentials' }, tries[2])).status).toBe(429);
    expect(await status(await gateway.bearerOf(plain))).toBe(200);
  });

  it('sent twice in one request is refused, even when both are good', async () => {
    const headers = ['Authorization', byBasic(client), 'Authorization', byBasic(client)];
    expect((await send(gateway.url, path(), { headers })).status).toBe(401);
  });
});
