import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, TestGateway } from '../support/gateway.js';
import { type Answer, headerBytes, send } from './wire.js';

let gateway: TestGateway;
let reader: string;
let writer: string;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  reader = await gateway.bearer('acme', ['read:metrics']);
  writer = await gateway.bearer('acme', ['write:metrics']);
});
afterAll(() => gateway.stop());

const page = '/api/v1/acme/db1/metrics';
const get = (authorization?: string, target = page): Promise<Answer> =>
  send(gateway.url, target, { headers: authorization === undefined ? [] : ['Authorization', authorization] });
const put = (authorization: string): Promise<Answer> =>
  send(gateway.url, page, { method: 'PUT', headers: ['Authorization', authorization], body: 'a 1\n' });

/** What holds for every refusal of a protected resource (RFC 6750 §3, RFC 9457). */
function refused(answer: Answer, status: number): Record<string, unknown> {
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.headers['cache-control']).toBe('private, no-store');
  expect(headerBytes(answer)).toBeLessThan(4096);
  const problem = JSON.parse(answer.text) as Record<string, unknown>;
  const type = expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/docs\/errors#[a-z_]+$/);
  expect(problem).toMatchObject({ type, status, title: expect.any(String), detail: expect.any(String) });
  return problem;
}

/** The challenge with these parameters, and where to read who issues tokens (RFC 9728 §5.1). */
const challenge = (...parameters: string[]): string =>
  [
    'Bearer realm="weir"',
    ...parameters,
    `resource_metadata="${gateway.url}/.well-known/oauth-protected-resource"`,
  ].join(', ');
const uri = (code: string): string => `error_uri="${gateway.url}/docs/errors#${code}"`;
const invalidToken = (): string =>
  challenge(
    'error="invalid_token"',
    'error_description="The token is malformed, expired or revoked"',
    uri('invalid_token'),
  );
const insufficientScope = (scope: string): string =>
  challenge('error="insufficient_scope"', `scope="${scope}"`, uri('insufficient_scope'));

describe('a protected resource', () => {
  it('asks who sends nothing for a token, without an error code', async () => {
    const answer = await get();
    refused(answer, 401);
    expect(answer.headers['www-authenticate']).toBe(challenge());
  });

  it.each([
    ['wrong credentials', basic('weir_cid_x', 'y')],
    ['no credentials', 'Basic'],
    ['no colon', `Basic ${Buffer.from('abc').toString('base64')}`],
    ['no base64', 'Basic {}'],
  ])('asks who sends HTTP Basic with %s for a token, or for right ones', async (_, authorization) => {
    const answer = await get(authorization);
    refused(answer, 401);
    expect(answer.headers['www-authenticate']).toBe(`${challenge()}, Basic realm="weir", charset="UTF-8"`);
  });

  it.each([
    ['a scheme it does not know', 'Token abc'],
    ['an empty header', ''],
  ])('asks who sends %s for a token', async (_, authorization) => {
    const answer = await get(authorization);
    refused(answer, 401);
    expect(answer.headers['www-authenticate']).toBe(challenge());
  });

  it.each(
    ['garbage', 'a.b.c', '...', 'eyJhbGciOiJub25lIn0.e30.', 'x'.repeat(8000)].map((token) => [
      token.slice(0, 30),
      token,
    ]),
  )('refuses the token %o as invalid', async (_, token) => {
    const answer = await get(`Bearer ${token}`);
    refused(answer, 401);
    expect(answer.headers['www-authenticate']).toBe(invalidToken());
  });

  it.each([
    ['no token', 'Bearer'],
    ['two tokens', 'Bearer abc def'],
    ['characters no token has', 'Bearer a,b'],
    ['quotes', 'Bearer "abc"'],
  ])('calls a header with %s malformed', async (_, authorization) => {
    const answer = await get(authorization);
    expect(refused(answer, 400).field).toBe('Authorization');
    expect(answer.headers['www-authenticate']).toBe(challenge('error="invalid_request"', uri('invalid')));
  });

  it('calls two Authorization lines malformed, even when both are good', async () => {
    const headers = ['Authorization', reader, 'Authorization', reader];
    expect(refused(await send(gateway.url, page, { headers }), 400).field).toBe('Authorization');
    const pushing = ['Authorization', writer, 'Authorization', writer];
    const push = await send(gateway.url, page, { method: 'PUT', headers: pushing, body: 'a 1\n' });
    expect(refused(push, 400).field).toBe('Authorization');
  });

  it.each(['bearer', 'BEARER', 'bEaReR'])('takes the scheme as %s', async (scheme) => {
    expect((await get(reader.replace('Bearer', scheme))).status).toBe(200);
  });

  it('names the scope that is missing', async () => {
    const reading = await get(writer);
    expect(refused(reading, 403).scope).toBe('read:metrics');
    expect(reading.headers['www-authenticate']).toBe(insufficientScope('read:metrics'));
    const writing = await put(reader);
    expect(refused(writing, 403).scope).toBe('write:metrics');
    expect(writing.headers['www-authenticate']).toBe(insufficientScope('write:metrics'));
  });

  it.each(['/api/v1/write', '/otlp/v1/metrics'])("names none to a project's client at %s", async (path) => {
    const answer = await send(gateway.url, path, { method: 'POST', headers: ['Authorization', writer] });
    expect(answer.status).toBe(403);
    expect(answer.headers['www-authenticate']).toBe(challenge('error="insufficient_scope"', uri('insufficient_scope')));
    if (path === '/api/v1/write') expect(refused(answer, 403)).not.toHaveProperty('scope');
    expect(answer.text).toContain('write to the URL of your own endpoint');
  });

  it('takes no token from the URL, not even beside a good header, and does not log it', async () => {
    const token = reader.slice('Bearer '.length);
    for (const authorization of [undefined, reader]) {
      const answer = await get(authorization, `${page}?access_token=${token}`);
      expect(refused(answer, 400).field).toBe('access_token');
      expect(answer.text).not.toContain(token);
    }
    const push = await send(gateway.url, `${page}?access_token=${token}`, { method: 'PUT', body: 'a 1\n' });
    expect(push.status).toBeGreaterThanOrEqual(400);
    expect(push.status).toBeLessThan(500);
    expect(JSON.stringify(gateway.logs)).not.toContain(token);
  });

  it('answers refusals to HEAD without a body and with the same headers', async () => {
    const head = await send(gateway.url, page, { method: 'HEAD' });
    expect([head.status, head.text, head.headers['www-authenticate']]).toEqual([401, '', challenge()]);
  });

  it.each([
    ['PATCH', page, 'GET, HEAD, PUT, POST, DELETE'],
    ['OPTIONS', page, 'GET, HEAD, PUT, POST, DELETE'],
    ['PATCH', `${page}/job/x`, 'PUT, POST, DELETE'],
    ['GET', `${page}/job/x`, 'PUT, POST, DELETE'],
    ['PUT', '/api/v1/acme/metrics', 'GET, HEAD'],
    ['DELETE', '/api/v1/acme/metrics', 'GET, HEAD'],
  ])('%s %s is answered 405 with the methods there are', async (method, target, allow) => {
    const answer = await send(gateway.url, target, { method, headers: ['Authorization', reader] });
    refused(answer, 405);
    expect(answer.headers.allow).toBe(allow);
  });

  it.each([
    '/',
    '/api/v1/acme',
    '/api/v1/acme/db1',
    '/api/v1/acme/db1/metricsx',
    '/api/v2/acme/db1/metrics',
    '/metrics',
  ])('there is nothing at %s', async (target) => {
    refused(await get(reader, target), 404);
  });
});

describe('a challenge', () => {
  it('is well-formed whatever was sent, with each parameter once, and repeats nothing of it', async () => {
    const evil = 'x", error="no_error", y="\\';
    const asked = [undefined, 'Bearer', `Bearer ${evil}`, `Basic ${evil}`, `Bearer ${'z'.repeat(5000)}`, evil, writer];
    for (const authorization of asked) {
      for (const target of [page, `${page}?access_token=${encodeURIComponent(evil)}`]) {
        const answer = await get(authorization, target);
        // Who came with Basic is offered that, too, as a second challenge.
        const [, parameters, basicToo] = /^Bearer (.*?)(, Basic realm="weir", charset="UTF-8")?$/.exec(
          answer.headers['www-authenticate']!,
        )!;
        expect(basicToo !== undefined).toBe(authorization?.startsWith('Basic') === true && target === page);
        // RFC 9110 §11.2 and §5.6.4: names and quoted strings, in which nothing is left to escape here.
        expect(parameters).toMatch(
          /^[a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"(, [a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*")*$/,
        );
        const names = [...parameters!.matchAll(/([a-z_]+)="/g)].map(([, name]) => name);
        expect(names).toEqual([...new Set(names)]);
        expect(answer.text + parameters).not.toMatch(/no_error|zzz/);
        expect(headerBytes(answer)).toBeLessThan(4096);
      }
    }
  });
});

describe('the life of a token', () => {
  it('ends 60 s after its exp, whether its signature was checked before or not', async () => {
    const held = await TestGateway.boot();
    await held.project('acme', 'db1');
    const token = await held.bearer('acme');
    const status = async (authorization: string): Promise<number> =>
      (await send(held.url, page, { headers: ['Authorization', authorization] })).status;
    // Another spelling of the scheme is another header: its token has to be checked from the start.
    const spellings = ['Bearer', 'bEarer', 'beArer', 'beaRer', 'beareR'].map((scheme) =>
      token.replace('Bearer', scheme),
    );
    expect(await status(spellings[0]!)).toBe(200);
    held.clock.advance(900_000);
    expect([await status(spellings[0]!), await status(spellings[1]!)]).toEqual([200, 200]);
    held.clock.advance(59_999);
    expect([await status(spellings[0]!), await status(spellings[2]!)]).toEqual([200, 200]);
    held.clock.advance(1);
    expect([await status(spellings[0]!), await status(spellings[3]!)]).toEqual([401, 401]);
    held.clock.advance(86_400_000);
    expect([await status(spellings[0]!), await status(spellings[4]!)]).toEqual([401, 401]);
    const { headers } = await send(held.url, page, { headers: ['Authorization', token] });
    expect(headers['www-authenticate']).toContain('error="invalid_token", error_description="');
    await held.stop();
  });

  it('goes on over a restart, on another port, too', async () => {
    const moved = await TestGateway.boot();
    await moved.project('acme', 'db1');
    const token = await moved.bearer('acme');
    const before = moved.url;
    await moved.restart();
    await moved.restart();
    expect(moved.url).not.toBe(before);
    expect((await send(moved.url, page, { headers: ['Authorization', token] })).status).toBe(200);
    await moved.stop();
  });

  it('ends within a second of its client being disabled or deleted; enabling brings it back at once', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    const token = await gateway.bearerOf(client);
    const status = async (): Promise<number> => (await get(token)).status;
    expect(await status()).toBe(200);
    await gateway.admin.clients.disable(client.clientId);
    await expect.poll(status, { timeout: 1000 }).toBe(401);
    expect((await get(token)).headers['www-authenticate']).toBe(invalidToken());
    await gateway.admin.clients.enable(client.clientId);
    expect(await status()).toBe(200);
    await gateway.admin.clients.delete(client.clientId);
    await expect.poll(status, { timeout: 1000 }).toBe(401);
  });

  it('ends within a second of its project being deleted', async () => {
    await gateway.project('gone', 'db1');
    const token = await gateway.bearer('gone');
    const status = async (): Promise<number> => (await get(token, '/api/v1/gone/db1/metrics')).status;
    expect(await status()).toBe(200);
    await gateway.admin.projects.delete('gone');
    await expect.poll(status, { timeout: 1000 }).toBe(401);
  });

  it('reaches an endpoint in the first request after it was made', async () => {
    const token = await gateway.bearer('acme');
    const target = '/api/v1/acme/fresh/metrics';
    expect((await get(token, target)).status).toBe(404);
    await gateway.admin.endpoints.create({ name: 'fresh', projectId: 'acme', metricsId: 'fresh' });
    expect((await get(token, target)).status).toBe(200);
  });
});
