import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import Database from 'better-sqlite3';
import { type JWTPayload, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Credentials, samples, TestGateway } from '../support/gateway.js';

const clientAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

let gateway: TestGateway;
let client: Credentials;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
  for (const { publicKey } of [rsa, ec]) await register(client, publicKey);
});
afterAll(() => gateway.stop());

const register = (to: Credentials, key: KeyObject) =>
  gateway.admin.clients.addKeys(to.clientId, key.export({ type: 'spki', format: 'pem' }) as unknown as Buffer);

/** What Prometheus sends: iss, sub, aud, jti, iat, exp, and the scope in the assertion. */
function assertion(change: JWTPayload = {}, key: KeyObject = rsa.privateKey, alg = 'RS256'): Promise<string> {
  const now = Math.floor(gateway.clock.now() / 1000);
  const { clientId } = client;
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: `${gateway.url}/oauth/token`,
    jti: randomUUID(),
    iat: now,
    exp: now + 600,
  };
  return new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg, typ: 'JWT' }).sign(key);
}

const byGrant = async (signed: string, more: Record<string, string> = {}) =>
  gateway.token({ grant_type: jwtBearer, assertion: signed, ...more });
const asClient = async (signed: string, more: Record<string, string> = {}) =>
  gateway.token({
    grant_type: 'client_credentials',
    client_assertion_type: clientAssertionType,
    client_assertion: signed,
    ...more,
  });

describe.each([
  ['the jwt-bearer grant', byGrant, 'invalid_grant'],
  ['private_key_jwt', asClient, 'invalid_client'],
] as const)('%s', (_, ask, refusal) => {
  const refused = async (signed: string) => {
    const response = await ask(signed);
    expect(await response.json()).toMatchObject({ error: refusal });
    expect(response.status).toBe(refusal === 'invalid_client' ? 401 : 400);
  };

  it.each([
    ['RS256', rsa.privateKey],
    ['RS512', rsa.privateKey],
    ['ES256', ec.privateKey],
  ] as const)('gives a token that works for an assertion signed with %s', async (alg, key) => {
    const response = await ask(await assertion({}, key, alg));
    expect(response.status).toBe(200);
    const { access_token } = (await response.json()) as { access_token: string };
    const bearer = `Bearer ${access_token}`;
    await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
    expect(samples(await gateway.page('acme/metrics', bearer))).toEqual(['a{instance_id="db1"} 1']);
  });

  it('takes the issuer as audience, too', async () => {
    expect((await ask(await assertion({ aud: gateway.url }))).status).toBe(200);
  });

  it('takes an assertion once', async () => {
    const signed = await assertion();
    expect((await ask(signed)).status).toBe(200);
    await refused(signed);
  });

  it.each([
    ['for another audience', { aud: 'https://elsewhere.example' }],
    ['of another subject', { sub: 'weir_cid_other' }],
    ['that has ended', { exp: 1 }],
    ['without jti', { jti: undefined }],
  ])('refuses an assertion %s', async (_name, change) => refused(await assertion(change as JWTPayload)));

  it('refuses what somebody else signed, and a client that is unknown or disabled, alike', async () => {
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await refused(await assertion({}, stranger.privateKey));
    await refused(await assertion({ iss: 'weir_cid_nobody', sub: 'weir_cid_nobody' }));
    await gateway.admin.clients.disable(client.clientId);
    await refused(await assertion());
    await gateway.admin.clients.enable(client.clientId);
    expect((await ask(await assertion())).status).toBe(200);
  });
});

it('the grant takes the scope from the assertion, as Prometheus sends it, and never gives more than the client has', async () => {
  const narrow = await byGrant(await assertion({ scope: 'read:metrics' }));
  expect(await narrow.json()).toMatchObject({ scope: 'read:metrics', expires_in: 900 });
  const wide = await byGrant(await assertion({ scope: 'read:metrics admin' }));
  expect(await wide.json()).toMatchObject({ error: 'invalid_scope' });
});

it('a client assertion goes with no other proof, and only under its type', async () => {
  const both = await asClient(await assertion(), { client_secret: client.clientSecret });
  expect([both.status, await both.json()]).toMatchObject([400, { error: 'invalid_request' }]);
  const untyped = await gateway.token({ grant_type: 'client_credentials', client_assertion: await assertion() });
  expect([untyped.status, await untyped.json()]).toMatchObject([400, { error: 'invalid_request' }]);
});

it('a key that is taken away proves nothing any more', async () => {
  const other = await gateway.client('acme', ['read:metrics']);
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [key] = await register(other, pair.publicKey);
  const own = { iss: other.clientId, sub: other.clientId };
  expect((await byGrant(await assertion(own, pair.privateKey, 'ES256'))).status).toBe(200);
  await gateway.admin.clients.removeKey(other.clientId, key!.kid);
  expect((await byGrant(await assertion(own, pair.privateKey, 'ES256'))).status).toBe(400);
});

describe('what stands beside an assertion', () => {
  const error = async (response: Response) => [response.status, ((await response.json()) as { error: string }).error];
  const asOther = async (signed: string, clientSecret: string, clientId = client.clientId) =>
    gateway.token({ grant_type: jwtBearer, assertion: signed, client_id: clientId, client_secret: clientSecret });

  it('may be the right secret of the same client, or its id', async () => {
    expect((await asOther(await assertion(), client.clientSecret)).status).toBe(200);
    expect((await byGrant(await assertion(), { client_id: client.clientId })).status).toBe(200);
  });

  it('is refused, and uses nothing up, when it is a wrong secret', async () => {
    const signed = await assertion();
    expect(await error(await asOther(signed, 'wrong'))).toEqual([401, 'invalid_client']);
    expect((await byGrant(signed)).status).toBe(200);
  });

  it('is refused when it is of another client', async () => {
    const other = await gateway.client('acme', ['read:metrics']);
    await register(other, generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
    const signed = await assertion();
    const refused = [400, 'invalid_grant'];
    expect(await error(await asOther(signed, other.clientSecret, other.clientId))).toEqual(refused);
    expect(await error(await byGrant(signed, { client_id: other.clientId }))).toEqual(refused);
    expect((await byGrant(signed)).status).toBe(200);
  });

  it('tells a client without a key, by its secret, that the grant is not for it', async () => {
    const keyless = await gateway.client('acme', ['read:metrics']);
    const asked = await asOther(await assertion(), keyless.clientSecret, keyless.clientId);
    expect(await error(asked)).toEqual([400, 'unauthorized_client']);
  });
});

describe('token_requests_per_minute', () => {
  const authenticated = 'weir_authn_total{success="true",banned="false"}';
  let limited: Credentials;
  let own: JWTPayload;
  beforeEach(async () => {
    limited = await gateway.client('acme', ['read:metrics']);
    await register(limited, ec.publicKey);
    own = { iss: limited.clientId, sub: limited.clientId };
    await gateway.admin.projects.setLimits('acme', { token_requests_per_minute: 2 });
    // The gateway's clients all begin with a full minute.
    gateway.clock.advance(60_000);
  });
  afterEach(() => gateway.admin.projects.setLimits('acme', { token_requests_per_minute: 0 }));

  const fresh = (): Promise<string> => assertion(own, ec.privateKey, 'ES256');
  /** The assertions of the client that were written down as used. */
  const used = (): unknown => {
    const db = new Database(gateway.config.storage.path, { readonly: true });
    const count = db.prepare('SELECT count(*) FROM used_assertion WHERE client_id = ?').pluck().get(limited.clientId);
    db.close();
    return count;
  };
  const beside = async (signed: string) =>
    byGrant(signed, { client_assertion_type: clientAssertionType, client_assertion: await fresh() });
  const ofNoGrant = (signed: string) =>
    gateway.token({ grant_type: 'none', client_assertion_type: clientAssertionType, client_assertion: signed });
  const revoking = (signed: string) => {
    const proof = { client_assertion_type: clientAssertionType, client_assertion: signed };
    const body = new URLSearchParams({ token: 'none', ...proof });
    return gateway.fetch('/oauth/revoke', { method: 'POST', body });
  };

  it.each([
    ['the grant', byGrant],
    ['private_key_jwt', asClient],
    ['the grant with another assertion beside it', beside],
    ['a grant that there is not', ofNoGrant],
    ['a revocation', revoking],
  ])('beyond it an assertion is not written down, and good later: %s', async (_, ask) => {
    expect([(await byGrant(await fresh())).status, (await asClient(await fresh())).status]).toEqual([200, 200]);
    expect(used()).toBe(2);
    const proved = await gateway.operatorValue(authenticated);
    const signed = await fresh();
    for (let i = 0; i < 2; i++) {
      const refused = await ask(signed);
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30']);
      expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' });
    }
    expect([used(), (await gateway.operatorValue(authenticated)) - proved]).toEqual([2, 2]);
    gateway.clock.advance(30_000);
    expect((await byGrant(signed)).status).toBe(200);
  });

  it('a request with an assertion as grant and another beside it counts once', async () => {
    expect([(await beside(await fresh())).status, (await beside(await fresh())).status]).toEqual([200, 200]);
    expect((await beside(await fresh())).status).toBe(429);
  });

  it('is not used up by who repeats an assertion', async () => {
    const seen = await fresh();
    expect((await byGrant(seen)).status).toBe(200);
    for (let i = 0; i < 5; i++)
      expect([(await byGrant(seen)).status, (await asClient(seen)).status]).toEqual([400, 401]);
    expect([(await byGrant(await fresh())).status, (await byGrant(await fresh())).status]).toEqual([200, 429]);
  });
});
