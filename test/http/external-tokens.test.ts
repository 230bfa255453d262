import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ExternalIssuer } from '../../src/auth/external-issuers.js';
import { externalIssuersSchema } from '../../src/auth/external-issuers-schema.js';
import type { Config } from '../../src/config.js';
import { basic, TestGateway } from '../support/gateway.js';
import { type Answer, send, telling } from './wire.js';

type Json = Record<string, unknown>;

const auth0 = 'https://acme.eu.auth0.com/';
const keycloak = 'https://login.acme.example/realms/metrics';
const entra = 'https://login.microsoftonline.com/7c1f/v2.0';
const okta = 'https://acme.okta.com/oauth2/default';
const unreachable = 'https://unreachable.example';
const internal = 'https://internal.example';

const rsaPair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const keys = {
  auth0: rsaPair(),
  keycloak: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  entra: rsaPair(),
  okta: rsaPair(),
};
const jwk = (key: KeyObject, kid: string): Json => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' });

/** Where all of them publish their keys, on this machine; what it was asked, and whether it answers. */
let server: Server;
let asked: string[];
let down: boolean;
const published: Record<string, Json[]> = {
  '/auth0': [jwk(keys.auth0.publicKey, 'k1')],
  '/keycloak': [jwk(keys.keycloak.publicKey, 'k1')],
  '/entra': [jwk(keys.entra.publicKey, 'k1')],
  '/okta': [jwk(keys.okta.publicKey, 'k1')],
};

let gateway: TestGateway;
/** What a reload finds in the configuration file. */
let configured: readonly ExternalIssuer[];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url!);
    if (down) response.writeHead(500).end();
    else response.end(JSON.stringify({ keys: published[request.url!] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const claims = { project: 'project', scope: 'scp' };
  configured = externalIssuersSchema.parse([
    {
      issuer: auth0,
      jwks_url: `${origin}/auth0`,
      audience: 'https://metrics.acme.example',
      typ: ['at+jwt', 'JWT'],
      claims: { project: 'https://acme.example/project', scope: 'scope' },
    },
    {
      issuer: keycloak,
      jwks_url: `${origin}/keycloak`,
      audience: 'weir',
      typ: 'JWT',
      algorithms: 'ES256',
      claims: {
        project: 'tenant.id',
        endpoints: 'tenant.instances',
        scope: 'resource_access.weir.roles',
        scope_map: { reader: 'read:metrics', admin: ['read:metrics', 'write:metrics'] },
      },
    },
    {
      issuer: entra,
      jwks_url: `${origin}/entra`,
      audience: 'api://weir',
      typ: 'JWT',
      claims: {
        project: 'azp',
        scope: 'roles',
        scope_map: { 'Metrics.Read': 'read:metrics' },
        project_map: { 'app-1': 'acme', 'app-2': 'nowhere' },
      },
    },
    { issuer: okta, jwks_url: `${origin}/okta`, audience: 'weir', claims },
    { issuer: unreachable, jwks_url: 'http://127.0.0.1:1/keys', audience: 'weir', claims },
    // Not allowed by `jwks_networks`: the guard must not connect.
    { issuer: internal, jwks_url: 'https://10.255.255.1:8443/keys', audience: 'weir', claims },
  ]);
  const reread = (config: Config): Config => ({ ...config, externalIssuers: configured });
  gateway = await TestGateway.boot({ externalIssuers: configured, reread });
  await gateway.project('acme', 'db1', 'db2');
  await gateway.project('rival', 'db1');
  const bearer = await gateway.bearer('acme');
  for (const metricsId of ['db1', 'db2']) await gateway.push(`acme/${metricsId}/metrics`, 'shared 1\n', bearer);
  await gateway.push('rival/db1/metrics', 'RIVAL_OWN 1\n', await gateway.bearer('rival'));
});
afterAll(async () => {
  await gateway.stop();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  asked = [];
  down = false;
  // So old that keys are waited for: no test has to do with what an earlier one fetched.
  gateway.clock.advance(1_200_000);
});

const now = (): number => Math.floor(gateway.clock.now() / 1000);
const times = () => ({ iat: now(), exp: now() + 3600 });
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const signed = (header: Json, claims: Json, key: KeyObject): string => {
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
};
const head = (typ: string, more: Json = {}): Json => ({ alg: 'RS256', typ, kid: 'k1', ...more });

const tokens = {
  auth0: (more: Json = {}, header: Json = {}) =>
    signed(
      head('JWT', header),
      {
        ...times(),
        iss: auth0,
        aud: ['https://metrics.acme.example', `${auth0}userinfo`],
        sub: 'abc@clients',
        azp: 'abc',
        gty: 'client-credentials',
        scope: 'openid read:metrics write:metrics',
        'https://acme.example/project': 'acme',
        ...more,
      },
      keys.auth0.privateKey,
    ),
  keycloak: (more: Json = {}, header: Json = {}) =>
    signed(
      head('JWT', { alg: 'ES256', ...header }),
      {
        ...times(),
        iss: keycloak,
        aud: 'weir',
        typ: 'Bearer',
        sub: 'f3a1',
        azp: 'grafana',
        tenant: { id: 'acme', instances: ['db1'] },
        resource_access: { weir: { roles: ['admin'] }, account: { roles: ['reader'] } },
        ...more,
      },
      keys.keycloak.privateKey,
    ),
  entra: (more: Json = {}) =>
    signed(
      head('JWT'),
      {
        ...times(),
        nbf: now(),
        iss: entra,
        aud: 'api://weir',
        sub: '9b',
        azp: 'app-1',
        ver: '2.0',
        roles: ['Metrics.Read'],
        ...more,
      },
      keys.entra.privateKey,
    ),
  okta: (more: Json = {}, header: Json = {}, key = keys.okta.privateKey) =>
    signed(
      head('at+jwt', header),
      {
        ...times(),
        iss: okta,
        aud: 'weir',
        sub: 'agent',
        cid: '0oa1',
        project: 'acme',
        scp: ['read:metrics', 'write:metrics'],
        ...more,
      },
      key,
    ),
};

const scrape = (token: string, path = 'acme/db1'): Promise<Answer> =>
  send(gateway.url, `/api/v1/${path}/metrics`, { headers: ['Authorization', `Bearer ${token}`] });
const push = (token: string, path = 'acme/db1'): Promise<Answer> =>
  send(gateway.url, `/api/v1/${path}/metrics/job/external`, {
    method: 'PUT',
    headers: ['Authorization', `Bearer ${token}`],
    body: 'by_external 1\n',
  });
const status = async (token: string, path?: string): Promise<number> => (await scrape(token, path)).status;
const seen = (answer: Answer): unknown => [answer.status, telling(answer), answer.text];

describe('a token of an external issuer', () => {
  it.each(['auth0', 'okta'] as const)('of the shape of %s scrapes and pushes', async (name) => {
    const token = tokens[name]();
    expect([(await push(token)).status, await status(token), await status(token, 'acme')]).toEqual([200, 200, 200]);
    expect(asked).toEqual([`/${name}`]);
  });

  it('of the shape of Keycloak reaches the endpoints its claim names, and no more', async () => {
    const token = tokens.keycloak();
    expect([(await push(token)).status, await status(token), await status(token, 'acme/db2')]).toEqual([200, 200, 404]);
    const page = await scrape(token, 'acme');
    expect([page.status, page.text.includes('instance_id="db1"')]).toEqual([200, true]);
    expect(page.text).not.toContain('instance_id="db2"');
    const none = await scrape(tokens.keycloak({ tenant: { id: 'acme', instances: [] } }), 'acme');
    expect([none.status, none.text.includes('instance_id')]).toEqual([200, false]);
  });

  it('of the shape of Entra reads as its role says, and may not push', async () => {
    const token = tokens.entra();
    expect(await status(token)).toBe(200);
    const refused = await push(token);
    expect([refused.status, JSON.parse(refused.text)]).toEqual([
      403,
      expect.objectContaining({ scope: 'write:metrics' }),
    ]);
  });

  it('gets nothing of another project, and cannot tell it from what does not exist', async () => {
    for (const name of ['auth0', 'keycloak', 'entra', 'okta'] as const) {
      const token = tokens[name]();
      for (const path of ['rival/db1', 'rival']) {
        const answer = await scrape(token, path);
        expect(answer.status).toBe(404);
        expect(answer.text).not.toContain('RIVAL_OWN');
        expect(seen(answer)).toEqual(seen(await scrape(token, path.replace('rival', 'nothing'))));
      }
      expect((await push(token, 'rival/db1')).status).toBe(404);
    }
    expect(await gateway.page('rival/metrics', await gateway.bearer('rival'))).not.toContain('by_external');
  });

  it('gets nothing of a project that is not there, nor of one that was deleted', async () => {
    expect(await status(tokens.entra({ azp: 'app-2' }), 'nowhere')).toBe(404);
    await gateway.project('short', 'db1');
    const token = tokens.okta({ project: 'short' });
    expect([await status(token, 'short/db1'), await status(token, 'short')]).toEqual([200, 200]);
    await gateway.admin.endpoints.delete('short', 'db1');
    await expect.poll(() => status(token, 'short/db1'), { timeout: 1000 }).toBe(404);
    await gateway.admin.projects.delete('short');
    await expect.poll(() => status(token, 'short'), { timeout: 1000 }).toBe(404);
  });

  it('is refused a minute after its exp, though it was good before', async () => {
    const token = tokens.okta({ exp: now() + 5 });
    expect(await status(token)).toBe(200);
    gateway.clock.advance(64_999);
    expect(await status(token)).toBe(200);
    gateway.clock.advance(1);
    expect(await status(token)).toBe(401);
  });

  it('counts against the scrape limit with others of the same client of the same issuer', async () => {
    await gateway.project('limited', 'db1');
    await gateway.admin.projects.setLimits('limited', { scrapes_per_minute: 1 });
    const token = (cid: string) => tokens.okta({ project: 'limited', cid, iat: now() - ++drawn });
    let drawn = 0;
    const asked = [
      await status(token('a'), 'limited'),
      await status(token('a'), 'limited'),
      await status(token('b'), 'limited'),
    ];
    expect(asked).toEqual([200, 429, 200]);
  });

  it('opens neither introspection nor revocation, nor the token endpoint, and introspection calls it dead', async () => {
    const token = tokens.okta();
    const ask = (path: string, authorization: string) =>
      fetch(`${gateway.url}/oauth/${path}`, {
        method: 'POST',
        body: new URLSearchParams({ token, grant_type: 'client_credentials' }),
        headers: { authorization },
      });
    for (const path of ['token', 'introspect', 'revoke']) {
      expect((await ask(path, `Bearer ${token}`)).status).toBe(401);
    }
    const { clientId, clientSecret } = await gateway.client('acme', ['read:metrics']);
    expect(await (await ask('introspect', basic(clientId, clientSecret))).json()).toEqual({ active: false });
    expect((await ask('revoke', basic(clientId, clientSecret))).status).toBe(200);
    expect(await status(token)).toBe(200);
  });
});

describe('a reload', () => {
  const reload = async (): Promise<number> =>
    (await fetch(`${gateway.operatorUrl}/-/reload`, { method: 'POST' })).status;

  it('takes an issuer away at once, though its token was good before, and brings it back', async () => {
    const [before, token, other] = [configured, tokens.okta(), tokens.auth0()];
    expect([await status(token), await status(other)]).toEqual([200, 200]);
    configured = before.filter(({ issuer }) => issuer !== okta);
    expect([await reload(), await status(token), await status(other)]).toEqual([200, 401, 200]);
    configured = before;
    expect([await reload(), await status(token), await status(other)]).toEqual([200, 200, 200]);
    // The keys that were there stay.
    expect(asked.sort()).toEqual(['/auth0', '/okta']);
  });

  it('changes what claims mean', async () => {
    const [before, token] = [configured, tokens.entra()];
    expect(await status(token)).toBe(200);
    const changed = (issuer: ExternalIssuer) => ({ ...issuer, claims: { ...issuer.claims, projectMap: new Map() } });
    configured = before.map((issuer) => (issuer.issuer === entra ? changed(issuer) : issuer));
    expect([await reload(), await status(token)]).toEqual([200, 401]);
    configured = before;
    expect([await reload(), await status(token)]).toEqual([200, 200]);
  });
});

describe('a token is 401 when', () => {
  const forgeries: Record<string, () => string> = {
    'its audience is another': () => tokens.okta({ aud: 'other' }),
    'its issuer is not configured': () => tokens.okta({ iss: 'https://evil.example' }),
    'its issuer is the gateway itself': () => tokens.okta({ iss: gateway.url }),
    'its type is not one of the issuer': () => tokens.okta({}, { typ: 'JWT' }),
    'its algorithm is not one of the issuer': () => tokens.auth0({}, { alg: 'RS512' }),
    'its algorithm is none': () => `${encoded(head('at+jwt', { alg: 'none' }))}.${tokens.okta().split('.')[1]}.`,
    'its signature is an HMAC with the public key': () => {
      const input = `${encoded(head('at+jwt', { alg: 'HS256' }))}.${tokens.okta().split('.')[1]}`;
      const secret = keys.okta.publicKey.export({ type: 'spki', format: 'pem' });
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    },
    'another issuer signed it, with a key of the same name': () => tokens.okta({}, {}, keys.auth0.privateKey),
    'it brings its own key': () => {
      const own = rsaPair();
      return tokens.okta({}, { jwk: jwk(own.publicKey, 'k1') }, own.privateKey);
    },
    'no project is mapped': () => tokens.entra({ azp: 'app-9' }),
    'its project is no id': () => tokens.okta({ project: '../rival' }),
    'its scopes mean nothing here': () => tokens.okta({ scp: ['openid'] }),
    'its endpoints are not understood': () => tokens.keycloak({ tenant: { id: 'acme', instances: { db1: true } } }),
    'it is an ID token': () => tokens.auth0({ nonce: 'x' }),
  };
  it.each(Object.keys(forgeries))('%s', async (name) => {
    const garbage = await scrape('garbage');
    expect(garbage.headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/);
    expect(seen(await scrape(forgeries[name]!()))).toEqual(seen(garbage));
    expect((await push(forgeries[name]!())).status).toBe(401);
  });
});

describe('the keys of an external issuer', () => {
  it('are asked for once, however many tokens come with invented ones', async () => {
    for (let i = 0; i < 30; i++) expect(await status(tokens.okta({}, { kid: `made up ${i}` }))).toBe(401);
    expect(await status(tokens.okta())).toBe(200);
    expect(asked).toEqual(['/okta']);
    gateway.clock.advance(30_000);
    expect(await status(tokens.okta({}, { kid: 'made up later' }))).toBe(401);
    expect(asked).toEqual(['/okta', '/okta']);
  });

  it('may be exchanged: new ones are found at once, tokens of withdrawn ones end within 11 minutes', async () => {
    const [old, next] = [tokens.okta(), rsaPair()];
    expect(await status(old)).toBe(200);
    const before = published['/okta'];
    published['/okta'] = [jwk(next.publicKey, 'k2')];
    gateway.clock.advance(30_000);
    expect(await status(old)).toBe(200);
    expect(await status(tokens.okta({}, { kid: 'k2' }, next.privateKey))).toBe(200);
    gateway.clock.advance(60_000);
    expect(await status(old)).toBe(401);
    published['/okta'] = before!;
  });

  it('go on when it does not answer any more, for a day, and the log says so', async () => {
    expect(await status(tokens.okta())).toBe(200);
    down = true;
    const from = gateway.logs.length;
    gateway.clock.advance(600_000);
    expect(await status(tokens.okta())).toBe(200);
    const said = () => gateway.logs.slice(from).filter(({ msg }) => String(msg).includes('keys cannot be fetched'));
    const warning = expect.objectContaining({ level: 'warn', url: expect.stringContaining('/okta') });
    // Nobody waits for that fetch.
    await expect.poll(said).toEqual([warning]);
    gateway.clock.advance(24 * 3_600_000);
    expect(await status(tokens.okta())).toBe(503);
    down = false;
    gateway.clock.advance(30_000);
    expect(await status(tokens.okta())).toBe(200);
  });

  it.each([
    ['it never answered', unreachable, 'does not answer'],
    ['they are not at a public address', internal, 'must have a public address'],
  ])('cannot be had when %s: 503, and the log says so', async (_, iss, reason) => {
    const from = gateway.logs.length;
    const answer = await scrape(tokens.okta({ iss }));
    expect([answer.status, answer.headers['content-type']]).toEqual([503, 'application/problem+json']);
    expect(answer.headers['retry-after']).toBe('30');
    const said = gateway.logs.slice(from).filter(({ msg }) => String(msg).includes('keys cannot be fetched'));
    expect(said).toEqual([
      expect.objectContaining({ err: expect.objectContaining({ message: expect.stringContaining(reason) }) }),
    ]);
  });

  it('are not touched by tokens of ours', async () => {
    expect(await status((await gateway.bearer('acme')).slice('Bearer '.length))).toBe(200);
    expect(asked).toEqual([]);
  });
});
