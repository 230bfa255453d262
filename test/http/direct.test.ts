import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let reader: string;
let writer: string;
let other: string;
let credentials: string;

beforeAll(async () => {
  gateway = await TestGateway.boot({ limits: { body_compressed_bytes: 1000 } });
  await gateway.project('acme', 'db1');
  await gateway.project('rival', 'db1');
  const client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
  credentials = basic(client.clientId, client.clientSecret);
  reader = await gateway.bearer('acme', ['read:metrics']);
  writer = await gateway.bearer('acme', ['write:metrics']);
  other = await gateway.bearer('rival', ['read:metrics']);
  await gateway.push('acme/db1/metrics', 'up 1\n', writer);
});
afterAll(() => gateway.stop());

/** All of an answer but what is another each time. */
async function seen(response: Response): Promise<unknown> {
  const text = await response.text();
  const headers = [...response.headers].filter(([name]) => name !== 'date');
  return [response.status, headers, text.replace(/"access_token":"[^"]+"/, '"access_token":"…"')];
}

/** The page by its plain path, and by one that only Hono reads. */
const pages = [
  ['/api/v1/acme/db1/metrics', '/api/v1/acme/%64b1/metrics'],
  ['/api/v1/acme/metrics', '/api/v1/acme/metrics?a=b'],
] as const;

describe.each(pages)('%s', (plain, odd) => {
  const callers: readonly [string, () => string | undefined, number][] = [
    ['a reader', () => reader, 200],
    ['nobody', () => undefined, 401],
    ['who brings garbage', () => 'Bearer garbage', 401],
    ['who sends no token at all', () => 'Bearer', 400],
    ['another scope', () => writer, 403],
    ['another project', () => other, 404],
  ];
  it.each(callers)('answers %s as it does by way of Hono', async (_, bearer, status) => {
    const [first, second] = await Promise.all([plain, odd].map((path) => gateway.fetch(path, { bearer: bearer() })));
    expect(first!.status).toBe(status);
    expect(await seen(first!)).toEqual(await seen(second!));
  });

  it.each(['HEAD', 'OPTIONS', 'PATCH'])('answers %s as it does by way of Hono', async (method) => {
    const ask = (path: string) => gateway.fetch(path, { method, bearer: reader });
    expect(await seen(await ask(plain))).toEqual(await seen(await ask(odd)));
  });
});

describe('/oauth/token', () => {
  const form = 'application/x-www-form-urlencoded';
  const requests: readonly [string, () => Record<string, string>, string, number][] = [
    ['a client', () => ({ authorization: credentials, 'content-type': form }), 'grant_type=client_credentials', 200],
    ['nobody', () => ({ 'content-type': form }), 'grant_type=client_credentials', 401],
    ['a wrong secret', () => ({ authorization: basic('a', 'b'), 'content-type': form }), 'grant_type=x', 401],
    ['another grant', () => ({ authorization: credentials, 'content-type': form }), 'grant_type=password', 400],
    ['no body', () => ({ authorization: credentials, 'content-type': form }), '', 400],
    ['another type', () => ({ authorization: credentials, 'content-type': 'text/plain' }), 'a', 415],
    ['too large a body', () => ({ 'content-type': form }), 'a'.repeat(17_000), 413],
  ];
  it.each(requests)('answers %s as it does by way of Hono', async (_, headers, body, status) => {
    const ask = (path: string) => gateway.fetch(path, { method: 'POST', headers: headers(), body });
    const [first, second] = [await ask('/oauth/token'), await ask('/oauth/token?a=b')];
    expect(first.status).toBe(status);
    expect(await seen(first)).toEqual(await seen(second));
  });

  it('counts each answer once, whichever way it took', async () => {
    const series = 'weir_request_total{code="401",method="POST"}';
    const before = await gateway.operatorValue(series);
    for (const path of ['/oauth/token', '/oauth/token?a=b']) {
      const headers = { 'content-type': form };
      await (await gateway.fetch(path, { method: 'POST', headers, body: 'grant_type=client_credentials' })).text();
    }
    expect(await gateway.operatorValue(series)).toBe(before + 2);
  });
});
