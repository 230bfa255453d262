import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SigningKeys } from '../../src/auth/signing-keys.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';
import { asking, byBasic, decoded, form, grant, granted, inBody, refusal } from './token-endpoint.js';
import { send, telling } from './wire.js';

let gateway: TestGateway;
/** May read and write. */
let both: Credentials;
/** May only read. */
let reader: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  both = await gateway.client('acme', ['read:metrics', 'write:metrics']);
  reader = await gateway.client('acme', ['read:metrics']);
});
afterAll(() => gateway.stop());

const ask = asking(() => gateway);

describe('a token', () => {
  it('comes for HTTP Basic, as JSON that nobody keeps', async () => {
    const answer = await ask(grant, { authorization: byBasic(both) });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json;charset=UTF-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers.pragma).toBe('no-cache');
    const body = JSON.parse(answer.text) as Record<string, unknown>;
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'read:metrics write:metrics',
    });
    // Go's client fails on 900.0, and JSON.parse would not show the difference.
    expect(answer.text).toMatch(/"expires_in":900[,}]/);
  });

  it.each([
    ['HTTP Basic, raw', () => [grant, byBasic(both)]],
    [
      'HTTP Basic, every character percent-encoded',
      () => [grant, basic(escaped(both.clientId), escaped(both.clientSecret))],
    ],
    ['HTTP Basic in lower case', () => [grant, byBasic(both).replace('Basic', 'basic')]],
    ['HTTP Basic with the same client_id in the body', () => [`${grant}&client_id=${both.clientId}`, byBasic(both)]],
    [
      'encoded HTTP Basic with the plain client_id in the body',
      () => [`${grant}&client_id=${both.clientId}`, basic(escaped(both.clientId), both.clientSecret)],
    ],
    ['HTTP Basic with an empty secret in the body', () => [`${grant}&client_secret=`, byBasic(both)]],
    ['id and secret in the body', () => [`${grant}&${inBody(both)}`]],
  ])('comes for %s', async (_, make) => {
    const [body, authorization] = make() as [string, string | undefined];
    const { access_token } = granted(await ask(body, authorization === undefined ? {} : { authorization }));
    const page = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer: `Bearer ${access_token}` });
    expect(page.status).toBe(200);
    await page.text();
  });

  it('says what RFC 9068 asks for, signed with a key of ours', async () => {
    const parts = granted(await ask(grant, { authorization: byBasic(both) })).access_token.split('.');
    const again = granted(await ask(grant, { authorization: byBasic(both) })).access_token.split('.');
    const [header, claims] = parts.slice(0, 2).map(decoded) as [Record<string, unknown>, Record<string, unknown>];
    expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.stringMatching(/^[\w-]{43}$/) });
    const iat = Math.floor(gateway.clock.now() / 1000);
    expect(claims).toMatchObject({
      iss: gateway.url,
      aud: gateway.url,
      sub: both.clientId,
      client_id: both.clientId,
      project: 'acme',
      scope: 'read:metrics write:metrics',
      iat,
      exp: iat + 900,
      jti: expect.stringMatching(/^[\w-]{16,}$/),
    });
    expect(decoded(again[1]!).jti).not.toBe(claims.jti);
  });

  it('has the lifetime and the issuer of the configuration', async () => {
    const short = await TestGateway.boot({ tokenLifetimeSeconds: 301, externalUrl: 'https://metrics.example.com' });
    await short.project('acme');
    const authorization = byBasic(await short.client('acme', ['read:metrics']));
    const { address } = short.logs.find(({ listener }) => listener === 'public') as { address: string };
    const headers = ['Content-Type', form, 'Authorization', authorization];
    const answer = await send(address, '/oauth/token', { method: 'POST', headers, body: grant });
    const { access_token, expires_in } = JSON.parse(answer.text) as { access_token: string; expires_in: number };
    const { iat, exp, iss, aud } = decoded(access_token.split('.')[1]!);
    expect([expires_in, Number(exp) - Number(iat)]).toEqual([301, 301]);
    expect([iss, aud]).toEqual(['https://metrics.example.com', 'https://metrics.example.com']);
    await short.stop();
  });

  it('has an issuer that no header of the caller can change', async () => {
    const forged = ['X-Forwarded-Host', 'X-Forwarded-Proto', 'Forwarded', 'X-Original-Host'];
    const answer = await send(gateway.url, '/oauth/token', {
      method: 'POST',
      headers: [
        ...['Content-Type', form, 'Authorization', byBasic(both)],
        ...forged.flatMap((name) => [name, 'evil.example']),
      ],
      body: grant,
    });
    const { access_token } = JSON.parse(answer.text) as { access_token: string };
    expect(decoded(access_token.split('.')[1]!).iss).toBe(gateway.url);
  });
});

describe('client authentication', () => {
  const disabled = async (): Promise<Credentials> => {
    const made = await gateway.client('acme', ['read:metrics']);
    await gateway.admin.clients.disable(made.clientId);
    return made;
  };

  it('answers the same, byte for byte, for an unknown client, a wrong secret and a disabled client', async () => {
    const wrong: Credentials[] = [
      { clientId: both.clientId, clientSecret: reader.clientSecret },
      { clientId: 'weir_cid_nobody', clientSecret: both.clientSecret },
      { clientId: both.clientId, clientSecret: '' },
      { clientId: both.clientId, clientSecret: both.clientSecret.slice(0, -1) },
      { clientId: '', clientSecret: '' },
      { clientId: '%', clientSecret: '%zz' },
      { clientId: 'é', clientSecret: '\u0000' },
      await disabled(),
    ];
    const answers = await Promise.all([
      ...wrong.map((each) => ask(grant, { authorization: byBasic(each) })),
      ...[wrong[0]!, wrong[1]!, wrong[3]!, wrong[7]!].map((each) => ask(`${grant}&${inBody(each)}`)),
    ]);
    for (const answer of answers) {
      expect(refusal(answer)).toBe('401 invalid_client');
      expect([answer.text, ...telling(answer)]).toEqual([answers[0]!.text, ...telling(answers[0]!)]);
    }
  });

  it.each([
    ['no credentials', grant, undefined],
    ['an id without a secret', `${grant}&client_id=weir_cid_x`, undefined],
    ['a secret without an id', `${grant}&client_secret=x`, undefined],
    ['Basic without anything', grant, 'Basic'],
    ['Basic that is not base64', grant, 'Basic !!!'],
    ['Basic without a colon', grant, `Basic ${Buffer.from('weir_cid_x').toString('base64')}`],
    ['Basic with two values', grant, `${basic('a', 'b')} ${basic('a', 'b')}`],
    ['Basic with bytes that are not UTF-8', grant, `Basic ${Buffer.from([0xff, 0xfe, 0x3a, 0xff]).toString('base64')}`],
    ['a bearer token', grant, 'Bearer abc'],
    ['a scheme of its own', grant, 'Digest username="x"'],
  ])('refuses %s with a Basic challenge', async (_, body, authorization) => {
    const answer = await ask(body, authorization === undefined ? {} : { authorization });
    expect(refusal(answer)).toBe('401 invalid_client');
  });

  it.each(['/oauth/token', '/oauth/introspect', '/oauth/revoke'])(
    'refuses a malformed Host in JSON at %s',
    async (path) => {
      const headers = ['Content-Type', form, 'Authorization', byBasic(both)];
      const answer = await send(gateway.url, path, { method: 'POST', headers, host: 'a b', body: grant });
      expect(refusal(answer)).toBe('400 invalid_request');
      const elsewhere = await send(gateway.url, '/api/v1/acme/db1/metrics', { host: 'a b' });
      expect([elsewhere.status, elsewhere.headers['content-type']]).toEqual([400, 'application/problem+json']);
    },
  );

  it('refuses two Authorization lines', async () => {
    const headers = ['Content-Type', form, 'Authorization', byBasic(both), 'Authorization', byBasic(both)];
    const answer = await send(gateway.url, '/oauth/token', { method: 'POST', headers, body: grant });
    expect(refusal(answer)).toBe('401 invalid_client');
  });

  it('refuses Basic and a secret in the body together, even when both are right', async () => {
    const answer = await ask(`${grant}&${inBody(both)}`, { authorization: byBasic(both) });
    expect(refusal(answer)).toBe('400 invalid_request');
  });

  it('refuses Basic with the client_id of another in the body', async () => {
    const answer = await ask(`${grant}&client_id=${reader.clientId}`, { authorization: byBasic(both) });
    expect(refusal(answer)).toBe('400 invalid_request');
  });

  const secretNames = ['client_id', 'client_secret', 'client_assertion', 'assertion', 'token'];
  it.each(secretNames)('refuses %s in the URL, and never logs it', async (name) => {
    const canary = `canary_${name}_in_the_url`;
    const answer = await ask(grant, { authorization: byBasic(both), query: `?${name}=${canary}` });
    expect(refusal(answer)).toBe('400 invalid_request');
    expect(answer.text).not.toContain(canary);
    expect(JSON.stringify(gateway.logs)).not.toContain(canary);
  });

  it('lets a new client in at its first request, and out within a second', async () => {
    const made = await gateway.client('acme', ['read:metrics']);
    expect((await ask(grant, { authorization: byBasic(made) })).status).toBe(200);
    await gateway.admin.clients.disable(made.clientId);
    await expect
      .poll(async () => (await ask(grant, { authorization: byBasic(made) })).status, { timeout: 1000 })
      .toBe(401);
    await gateway.admin.clients.enable(made.clientId);
    expect((await ask(grant, { authorization: byBasic(made) })).status).toBe(200);
  });
});

describe('a fault of ours', () => {
  it('is answered server_error in JSON, without a word about its cause', async () => {
    vi.spyOn(SigningKeys.prototype, 'sign').mockImplementationOnce(() => {
      throw new Error('the dice have rolled under the table');
    });
    const answer = await ask(grant, { authorization: byBasic(both) });
    expect(answer.status).toBe(500);
    expect(answer.headers['content-type']).toBe('application/json;charset=UTF-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(JSON.parse(answer.text)).toEqual({
      error: 'server_error',
      error_description: expect.any(String),
      error_uri: `${gateway.url}/docs/errors#server_error`,
    });
    expect(answer.text).not.toContain('dice');
    expect(JSON.stringify(gateway.logs)).toContain('the dice have rolled under the table');
  });
});

const escaped = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
