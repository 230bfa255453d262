import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRemoteJWKSet, exportSPKI, generateKeyPair, jwtVerify } from 'jose';
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  clientCredentialsGrant,
  discovery,
  fetchProtectedResource,
  PrivateKeyJwt,
  ResponseBodyError,
  tokenIntrospection,
  tokenRevocation,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Programs } from '../support/programs.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let weir: WeirProcess;
let page: URL;
let producer: CreatedClient;
let scraper: CreatedClient;
let keyed: CreatedClient;
let auths: Record<Method, ClientAuth>;

type Method = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';
const methods: readonly Method[] = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'db1');
  page = new URL(`${weir.url}/api/v1/acme/db1/metrics`);
  producer = await weir.createClient('acme', 'write:metrics');
  scraper = await weir.createClient('acme', 'read:metrics');
  keyed = await weir.createClient('acme', 'read:metrics');
  await weir.push('acme/db1/metrics/job/app', 'orders_total 42\n', await weir.bearer(producer));

  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const publicFile = join(programs.folder, 'client.pem');
  writeFileSync(publicFile, await exportSPKI(publicKey));
  const { kid } = await weir.command('client', 'key', 'add', keyed.client_id, publicFile);
  auths = {
    client_secret_basic: ClientSecretBasic(scraper.client_secret),
    client_secret_post: ClientSecretPost(scraper.client_secret),
    private_key_jwt: PrivateKeyJwt({ key: privateKey, kid: kid! }),
  };
});

/** Everything but where the gateway is comes from its metadata (RFC 8414). */
const discovered = (clientId: string, auth: ClientAuth): Promise<Configuration> =>
  discovery(new URL(weir.url), clientId, undefined, auth, {
    algorithm: 'oauth2',
    execute: [allowInsecureRequests],
  });

const clientOf = (method: Method): CreatedClient => (method === 'private_key_jwt' ? keyed : scraper);

describe('openid-client', () => {
  it.each(methods)('discovers the gateway, gets a token by %s, scrapes, introspects and revokes it', async (method) => {
    const { client_id } = clientOf(method);
    const config = await discovered(client_id, auths[method]);
    const metadata = config.serverMetadata();
    expect(metadata.issuer).toBe(weir.url);
    expect(metadata.token_endpoint_auth_methods_supported).toContain(method);

    const { access_token, ...answer } = await clientCredentialsGrant(config, { scope: 'read:metrics' });
    expect(answer).toEqual({ token_type: 'bearer', expires_in: 900, scope: 'read:metrics' });
    const jwks = createRemoteJWKSet(new URL(metadata.jwks_uri!));
    const { payload } = await jwtVerify(access_token, jwks, {
      issuer: metadata.issuer,
      audience: weir.url,
      typ: 'at+jwt',
    });

    const scrape = await fetchProtectedResource(config, access_token, page, 'GET');
    expect(scrape.status).toBe(200);
    expect(await scrape.text()).toContain('\norders_total{instance_id="db1",job="app"} 42\n');

    const active = { active: true, client_id, scope: 'read:metrics', token_type: 'Bearer', jti: payload.jti };
    expect(await tokenIntrospection(config, access_token)).toMatchObject(active);
    await tokenRevocation(config, access_token);
    expect(await tokenIntrospection(config, access_token)).toEqual({ active: false });
    const refused = await fetchProtectedResource(config, access_token, page, 'GET').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(WWWAuthenticateChallengeError);
    const [challenge] = (refused as WWWAuthenticateChallengeError).cause;
    expect(challenge).toMatchObject({ scheme: 'bearer', parameters: { error: 'invalid_token' } });
  });

  it('is refused a scope the client does not have, and told so by code', async () => {
    const config = await discovered(scraper.client_id, auths.client_secret_basic);
    const refused = await clientCredentialsGrant(config, { scope: 'write:metrics' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ResponseBodyError);
    expect(refused).toMatchObject({ error: 'invalid_scope', status: 400 });
  });

  it("is refused with a wrong secret, and with a key that is not the client's", async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const wrong = [
      [scraper, ClientSecretBasic(producer.client_secret)],
      [scraper, ClientSecretPost(producer.client_secret)],
      [keyed, PrivateKeyJwt(privateKey)],
    ] as const;
    for (const [{ client_id }, auth] of wrong) {
      const config = await discovered(client_id, auth);
      const refused = await clientCredentialsGrant(config).catch((error: unknown) => error);
      // A 401 with a challenge (RFC 6749 §5.2) is told by the challenge.
      expect(refused).toBeInstanceOf(WWWAuthenticateChallengeError);
      expect((refused as WWWAuthenticateChallengeError).status).toBe(401);
      const body = await (refused as WWWAuthenticateChallengeError).response.json();
      expect(body).toMatchObject({ error: 'invalid_client' });
    }
  });

  it('sees nothing in a token of another project', async () => {
    await weir.createProject('globex', 'db1');
    const stranger = await weir.createClient('globex', 'read:metrics');
    const mine = await clientCredentialsGrant(await discovered(scraper.client_id, auths.client_secret_post));
    const theirs = await discovered(stranger.client_id, ClientSecretBasic(stranger.client_secret));
    expect(await tokenIntrospection(theirs, mine.access_token)).toEqual({ active: false });
    await tokenRevocation(theirs, mine.access_token);
    const scrape = await fetch(page, { headers: { authorization: `Bearer ${mine.access_token}` } });
    expect(scrape.status).toBe(200);
  });
});
