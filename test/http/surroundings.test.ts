import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let own: Credentials;
let neighbour: Credentials;
let rival: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  await gateway.project('rival', 'db1');
  own = await gateway.client('acme', ['read:metrics']);
  neighbour = await gateway.client('acme', ['read:metrics', 'write:metrics']);
  rival = await gateway.client('rival', ['read:metrics']);
});
afterAll(() => gateway.stop());

type Json = Record<string, unknown>;

const tokenOf = async (client: Credentials): Promise<string> =>
  (await gateway.bearerOf(client)).slice('Bearer '.length);

const published = async <T = Json>(name: string): Promise<T> => {
  const response = await gateway.fetch(`/.well-known/${name}`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
  return (await response.json()) as T;
};

const post = (path: string, form: Record<string, string>, client?: Credentials): Promise<Response> =>
  gateway.fetch(path, {
    method: 'POST',
    body: new URLSearchParams(form),
    ...(client && { bearer: basic(client.clientId, client.clientSecret) }),
  });

const introspect = async (token: string, client = own): Promise<Json> => {
  const response = await post('/oauth/introspect', { token }, client);
  expect(response.status).toBe(200);
  return (await response.json()) as Json;
};

const revoke = async (token: string, client = own): Promise<void> => {
  const response = await post('/oauth/revoke', { token }, client);
  expect([response.status, await response.text()]).toEqual([200, '']);
};

const scrape = async (token: string, project = 'acme'): Promise<number> => {
  const response = await gateway.fetch(`/api/v1/${project}/db1/metrics`, { bearer: `Bearer ${token}` });
  await response.text();
  return response.status;
};

describe('the metadata of the authorization server (RFC 8414)', () => {
  it('names the issuer that stands in tokens, and all that RFC 8414 requires', async () => {
    const metadata = await published('oauth-authorization-server');
    expect(metadata.issuer).toBe(decodeJwt(await tokenOf(own)).iss);
    expect(metadata).toMatchObject({
      response_types_supported: [],
      grant_types_supported: expect.arrayContaining(['client_credentials']),
      scopes_supported: expect.arrayContaining(['read:metrics', 'write:metrics', 'read:projects']),
    });
    for (const endpoint of ['token', 'introspection', 'revocation']) {
      expect(metadata[`${endpoint}_endpoint_auth_methods_supported`]).toEqual(
        expect.arrayContaining(['client_secret_basic', 'client_secret_post']),
      );
    }
  });

  it('leads to endpoints that work, by each method of client authentication it lists', async () => {
    const metadata = await published<Record<string, string>>('oauth-authorization-server');
    const { clientId, clientSecret } = own;
    const authenticated = [
      { body: {}, headers: { authorization: basic(clientId, clientSecret) } },
      { body: { client_id: clientId, client_secret: clientSecret }, headers: {} },
    ];
    for (const { body, headers } of authenticated) {
      const ask = (url: string, form: Record<string, string>): Promise<Response> =>
        fetch(url, { method: 'POST', headers, body: new URLSearchParams({ ...form, ...body }) });
      const granted = await ask(metadata.token_endpoint!, { grant_type: 'client_credentials' });
      const { access_token: token } = (await granted.json()) as { access_token: string };
      expect(await (await ask(metadata.introspection_endpoint!, { token })).json()).toMatchObject({ active: true });
      expect((await ask(metadata.revocation_endpoint!, { token })).status).toBe(200);
      expect(await (await ask(metadata.introspection_endpoint!, { token })).json()).toEqual({ active: false });
    }
    expect(await (await fetch(metadata.jwks_uri!)).json()).toEqual(await published('jwks.json'));
  });
});

describe('the JWKS', () => {
  const verify = async (token: string, keys: JSONWebKeySet) => {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      issuer: gateway.url,
      audience: gateway.url,
      typ: 'at+jwt',
      currentDate: new Date(gateway.clock.now()),
    });
    return payload.client_id;
  };

  it('verifies a token, and holds nothing private', async () => {
    const jwks = await published<JSONWebKeySet>('jwks.json');
    expect(await verify(await tokenOf(own), jwks)).toBe(own.clientId);
    expect(jwks.keys).toHaveLength(2);
    for (const key of jwks.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
      expect(key).toMatchObject({ use: 'sig', alg: 'ES256' });
    }
  });

  it('holds no private member of any kind of key, and both keys during a rotation', async () => {
    const members = { EdDSA: ['alg', 'crv', 'kid', 'kty', 'use', 'x'], RS256: ['alg', 'e', 'kid', 'kty', 'n', 'use'] };
    for (const alg of ['EdDSA', 'RS256'] as const) {
      const before = await tokenOf(own);
      await gateway.admin.keys.rotate(alg);
      await expect
        .poll(async () => decodeProtectedHeader(await tokenOf(own)).alg, { timeout: 1000, interval: 20 })
        .toBe(alg);
      const jwks = await published<JSONWebKeySet>('jwks.json');
      for (const token of [before, await tokenOf(own)]) expect(await verify(token, jwks)).toBe(own.clientId);
      const ofKind = jwks.keys.filter((key) => key.alg === alg);
      expect(ofKind).toHaveLength(2);
      for (const key of ofKind) expect(Object.keys(key).sort()).toEqual(members[alg]);
    }
  });
});

describe('the metadata of the resource (RFC 9728)', () => {
  it('names the gateway as resource and as its own authorization server', async () => {
    expect(await published('oauth-protected-resource')).toMatchObject({
      resource: gateway.url,
      authorization_servers: [gateway.url],
      scopes_supported: expect.arrayContaining(['read:metrics', 'write:metrics', 'read:projects']),
      bearer_methods_supported: ['header'],
    });
  });

  it.each([
    ['no token', {}],
    ['a bad token', { bearer: 'Bearer bad' }],
  ])('is where the challenge to %s points, and is there', async (_, asked) => {
    const refused = await gateway.fetch('/api/v1/acme/db1/metrics', asked);
    expect(refused.status).toBe(401);
    const url = /resource_metadata="([^"]*)"/.exec(refused.headers.get('www-authenticate') ?? '')?.[1];
    expect(await (await fetch(url!)).json()).toEqual(await published('oauth-protected-resource'));
  });
});

describe('a method that is not taken', () => {
  const get = ['oauth-authorization-server', 'jwks.json', 'oauth-protected-resource'].map((name) => [
    `/.well-known/${name}`,
    'GET, HEAD',
    ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  ]);
  const others = ['token', 'introspect', 'revoke'].map((name) => [
    `/oauth/${name}`,
    'POST',
    ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  ]);
  it.each([...get, ...others] as [string, string, string[]][])(
    'of %s is 405 with Allow: %s',
    async (path, allow, methods) => {
      for (const method of methods) {
        const response = await gateway.fetch(path, { method });
        await response.text();
        expect([method, response.status, response.headers.get('allow')]).toEqual([method, 405, allow]);
      }
    },
  );

  it('HEAD is taken wherever GET is', async () => {
    for (const [path] of get) expect((await gateway.fetch(path as string, { method: 'HEAD' })).status).toBe(200);
  });
});

describe('introspection (RFC 7662)', () => {
  it('tells a client all of a live token of its own project, its own or not, and lets nobody store it', async () => {
    for (const client of [own, neighbour]) {
      const token = await tokenOf(client);
      const response = await post('/oauth/introspect', { token }, own);
      expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
      const { iat, exp, jti, iss, aud, scope } = decodeJwt(token);
      expect(await response.json()).toEqual({
        active: true,
        scope,
        client_id: client.clientId,
        sub: client.clientId,
        project: 'acme',
        token_type: 'Bearer',
        iss,
        aud,
        iat,
        exp,
        jti,
      });
    }
  });

  it.each(['/oauth/introspect', '/oauth/revoke'])('%s takes no one without the right secret', async (path) => {
    const token = await tokenOf(own);
    for (const client of [undefined, { ...own, clientSecret: 'wrong' }, { ...own, clientId: 'weir_cid_none' }]) {
      const response = await post(path, { token }, client);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([
        401,
        'Basic realm="weir", charset="UTF-8"',
      ]);
      expect(((await response.json()) as Json).error).toBe('invalid_client');
    }
    // Nor by a token in place of the credentials.
    expect(
      (await gateway.fetch(path, { method: 'POST', body: new URLSearchParams({ token }), bearer: `Bearer ${token}` }))
        .status,
    ).toBe(401);
    expect(await scrape(token)).toBe(200);
  });

  it('says of dead tokens that they are, and nothing else', async () => {
    const disabled = await gateway.client('acme', ['read:metrics']);
    const [live, revoked, ofDisabled] = [await tokenOf(own), await tokenOf(own), await tokenOf(disabled)];
    await revoke(revoked);
    await gateway.admin.clients.disable(disabled.clientId);
    const [head, payload, signature] = live.split('.');
    const forged = Buffer.from(JSON.stringify({ ...decodeJwt(live), jti: 'other' })).toString('base64url');
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`;
    const garbage = ['garbage', '...', 'a.b.c', ' ', 'é', own.clientSecret, 'x'.repeat(10_000)];
    const dead = [...garbage, `${head}.${forged}.${signature}`, unsigned, revoked, ofDisabled];
    for (const token of dead) expect([token, await introspect(token)]).toEqual([token, { active: false }]);
    expect(await introspect(live)).toMatchObject({ active: true });
  });

  it("says of another project's token what it says of a dead one, byte for byte", async () => {
    const theirs = await tokenOf(rival);
    const said = async (token: string): Promise<string> => (await post('/oauth/introspect', { token }, own)).text();
    expect(await said(theirs)).toBe(await said('garbage'));
    expect(await introspect(theirs, rival)).toMatchObject({ active: true, project: 'rival' });
  });

  it('calls a token active as long as the metrics routes take it: to its end, and the leeway of a minute', async () => {
    const token = await tokenOf(own);
    gateway.clock.advance(959_000);
    expect([await scrape(token), (await introspect(token)).active]).toEqual([200, true]);
    gateway.clock.advance(1000);
    expect([await scrape(token), await introspect(token)]).toEqual([401, { active: false }]);
  });

  it.each(['/oauth/introspect', '/oauth/revoke'])(
    '%s without a token, or with an empty one, is invalid_request',
    async (path) => {
      for (const form of [{}, { token: '' }] as Record<string, string>[]) {
        const response = await post(path, form, own);
        expect([response.status, ((await response.json()) as Json).error]).toEqual([400, 'invalid_request']);
      }
    },
  );

  it.each(['/oauth/introspect', '/oauth/revoke'])('%s takes no token from the URL', async (path) => {
    const token = await tokenOf(own);
    const response = await post(`${path}?token=${token}`, {}, own);
    expect([response.status, ((await response.json()) as Json).error]).toEqual([400, 'invalid_request']);
    expect(await scrape(token)).toBe(200);
  });
});

describe('revocation (RFC 7009)', () => {
  it('ends a token with the answer, wherever it is remembered', async () => {
    const [token, other] = [await tokenOf(own), await tokenOf(own)];
    expect(await scrape(token)).toBe(200);
    expect(await scrape(token)).toBe(200);
    await revoke(token);
    expect(await scrape(token)).toBe(401);
    expect(await introspect(token)).toEqual({ active: false });
    expect(await scrape(other)).toBe(200);
  });

  it('is the same the second time, and after a restart', async () => {
    const token = await tokenOf(own);
    await revoke(token);
    await revoke(token);
    await gateway.restart();
    expect(await scrape(token)).toBe(401);
    expect(await scrape(await tokenOf(own))).toBe(200);
  });

  it("answers 200 for what is unknown or somebody else's, and leaves that alone", async () => {
    const tokens = { acme: await tokenOf(neighbour), rival: await tokenOf(rival) };
    for (const token of [...Object.values(tokens), 'garbage', 'a.b.c', 'x'.repeat(10_000)]) await revoke(token);
    await gateway.restart();
    for (const [project, token] of Object.entries(tokens))
      expect([project, await scrape(token, project)]).toEqual([project, 200]);
  });

  it('takes hints, and says that there are no refresh tokens', async () => {
    const token = await tokenOf(own);
    const refused = await post('/oauth/revoke', { token, token_type_hint: 'refresh_token' }, own);
    expect([refused.status, ((await refused.json()) as Json).error]).toEqual([400, 'unsupported_token_type']);
    expect(await scrape(token)).toBe(200);
    for (const token_type_hint of ['access_token', 'unheard_of']) {
      const hinted = await tokenOf(own);
      expect((await post('/oauth/revoke', { token: hinted, token_type_hint }, own)).status).toBe(200);
      expect(await scrape(hinted)).toBe(401);
    }
  });
});
