import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OAuthError } from '../../src/auth/oauth-error.js';
import { readJsonParameters } from '../../src/auth/token-json.js';
import { readParameters } from '../../src/auth/token-request.js';
import { type Credentials, TestGateway } from '../support/gateway.js';
import { asking, byBasic, granted, refusal } from './token-endpoint.js';
import { send, telling } from './wire.js';

let gateway: TestGateway;
let client: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
});
afterAll(() => gateway.stop());

const ask = asking(() => gateway);
const type = 'application/json';
/** What Auth0's documentation tells people to send. */
const auth0 = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  grant_type: 'client_credentials',
  client_id: client.clientId,
  client_secret: client.clientSecret,
  audience: `${gateway.url}/`,
  ...change,
});
const asJson = (change?: Record<string, unknown>) => ask(JSON.stringify(auth0(change)), { type });

describe('a token request in JSON', () => {
  it('gets a token that opens the metrics', async () => {
    const { access_token, scope } = granted(await asJson());
    expect(scope).toBe('read:metrics write:metrics');
    const page = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer: `Bearer ${access_token}` });
    expect(page.status).toBe(200);
    await page.text();
  });

  it.each(['application/json; charset=utf-8', 'Application/JSON'])('may be of type %s', async (spelled) => {
    granted(await ask(JSON.stringify(auth0()), { type: spelled }));
  });

  it('may leave the credentials to HTTP Basic', async () => {
    const body = JSON.stringify({ grant_type: 'client_credentials', scope: 'read:metrics' });
    expect(granted(await ask(body, { type, authorization: byBasic(client) })).scope).toBe('read:metrics');
  });

  it.each([
    ['an object', { x: { y: [1, { z: null }] } }],
    ['a list', { x: [[[]]] }],
    ['a number, null and false', { x: 1, y: null, z: false }],
    ['names of every object', { constructor: 1, toString: 'x', hasOwnProperty: {} }],
    ['empty parameters', { scope: '', resource: '', client_assertion: '' }],
  ])('may hold %s, which is ignored as in a form', async (_, more) => {
    granted(await asJson(more));
  });

  it('answers a wrong secret and an unknown client as the form does, byte for byte', async () => {
    const form = await ask(`grant_type=client_credentials&client_id=${client.clientId}&client_secret=x`);
    for (const answer of [await asJson({ client_secret: 'x' }), await asJson({ client_id: 'weir_cid_nobody' })]) {
      expect(refusal(answer)).toBe('401 invalid_client');
      expect([answer.text, ...telling(answer)]).toEqual([form.text, ...telling(form)]);
    }
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['audience of others', { audience: 'https://other.example' }, '400 invalid_target'],
    ['resource of others', { resource: 'https://other.example' }, '400 invalid_target'],
    ['a scope the client does not have', { scope: 'admin' }, '400 invalid_scope'],
    ['a grant there is not', { grant_type: 'password' }, '400 unsupported_grant_type'],
    ['no grant', { grant_type: '' }, '400 invalid_request'],
    ['no secret', { client_secret: '' }, '401 invalid_client'],
    ['a number for grant_type', { grant_type: 1 }, '400 invalid_request'],
    ['a list for scope', { scope: ['read:metrics'] }, '400 invalid_request'],
    ['a list for audience', { audience: [] }, '400 invalid_request'],
    ['null for client_secret', { client_secret: null }, '400 invalid_request'],
    ['an object for client_id', { client_id: { $ne: '' } }, '400 invalid_request'],
    ['too many levels', { x: [[[[]]]] }, '400 invalid_request'],
  ])('is refused with %s', async (_, change, expected) => {
    expect(refusal(await asJson(change))).toBe(expected);
  });

  it('is refused with Basic and a secret inside, even when both are right', async () => {
    const answer = await ask(JSON.stringify(auth0()), { type, authorization: byBasic(client) });
    expect(refusal(answer)).toBe('400 invalid_request');
  });

  it.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a text', '"grant_type=client_credentials"'],
    ['a list', '[{"grant_type":"client_credentials"}]'],
    ['half an object', '{"grant_type":"client_credentials"'],
    ['a form', 'grant_type=client_credentials'],
    ['two objects', '{}{}'],
    ['a byte order mark', '\ufeff{}'],
    ['NUL', '{"x":"\0"}'],
    ['one parameter twice', '{"grant_type":"password","grant_type":"client_credentials"}'],
    ['one parameter twice, once by an escape', '{"scope":"read:metrics","sc\\u006fpe":"read:metrics"}'],
    ['an unknown member twice', '{"x":1,"x":2}'],
    ['a thousand levels', `{"x":${'['.repeat(1000)}${']'.repeat(1000)}}`],
    ['levels without end', `{"x":${'['.repeat(16_000)}`],
  ])('is refused when it is %s', async (_, body) => {
    expect(refusal(await ask(body, { type, authorization: byBasic(client) }))).toBe('400 invalid_request');
  });

  it('is refused with bytes that are not UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"x":"'), Buffer.of(0xc3, 0x28), Buffer.from('"}')]);
    expect(refusal(await ask(body, { type, authorization: byBasic(client) }))).toBe('400 invalid_request');
  });

  it('may take 16 kB and no more, whether its length is declared or not', async () => {
    const padded = (size: number): string => {
      const bare = JSON.stringify(auth0({ x: '' }));
      return JSON.stringify(auth0({ x: 'y'.repeat(size - bare.length) }));
    };
    granted(await ask(padded(16_384), { type }));
    expect(refusal(await ask(padded(16_385), { type }))).toBe('413 invalid_request');
    const headers = ['Content-Type', type];
    const write = { write: (request: { end(text: string): void }) => request.end(padded(16_385)) };
    const chunked = await send(gateway.url, '/oauth/token', { method: 'POST', headers, ...write });
    expect(refusal(chunked)).toBe('413 invalid_request');
  });

  it.each(['/oauth/introspect', '/oauth/revoke'])('is for the token endpoint only: %s wants a form', async (path) => {
    const headers = ['Content-Type', type, 'Authorization', byBasic(client)];
    const answer = await send(gateway.url, path, { method: 'POST', headers, body: '{"token":"x"}' });
    expect(refusal(answer)).toBe('415 invalid_request');
  });
});

describe('the reader of JSON', () => {
  const names = ['grant_type', 'client_id', 'client_secret', 'scope', 'audience', 'resource', 'assertion'];

  it('reads what the reader of forms reads, for any values', () => {
    const text = fc.string({ unit: fc.constantFrom(...'a"\\+%&=\0\n é☕') });
    const values = fc.dictionary(fc.constantFrom(...names), text);
    fc.assert(
      fc.property(values, (members) => {
        const form = Buffer.from(new URLSearchParams(members).toString());
        expect(readJsonParameters(Buffer.from(JSON.stringify(members)))).toEqual(readParameters(form));
      }),
    );
  });

  it('finds a name that is written twice at the top, and only there', () => {
    const member = fc.tuple(fc.constantFrom('x', 'y', 'a"b', 'a,{"x":', '\\'), fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(fc.array(member, { maxLength: 4 }), (members) => {
        const written = members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join();
        const read = () => readJsonParameters(Buffer.from(`{${written}}`));
        if (new Set(members.map(([name]) => name)).size < members.length) expect(read).toThrow('appears twice');
        else expect(read()).toEqual(new Map());
      }),
    );
  });

  it('refuses what is no JSON as such, before it looks at names and levels', () => {
    expect(() => readJsonParameters(Buffer.from(`{"x":${'['.repeat(100)}`))).toThrow('not valid JSON');
  });

  it('is as quick with a text that never ends as with one that does', () => {
    const quickest = (body: string): number => {
      const bytes = Buffer.from(body);
      const times = Array.from({ length: 10 }, () => {
        const begun = performance.now();
        try {
          readJsonParameters(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(OAuthError);
        }
        return performance.now() - begun;
      });
      return Math.min(...times);
    };
    const quotes = '\\"'.repeat(8190);
    expect(quickest(`{"${quotes}`)).toBeLessThan(50 * quickest(`{"${quotes}":1}`));
  });

  it('takes or refuses any bytes, and never fails otherwise', () => {
    const text = fc.oneof(fc.json(), fc.string({ unit: fc.constantFrom(...'{}[]":,\\ax1\0 ') }));
    const bytes = fc.oneof(
      text.map((each) => Buffer.from(each)),
      fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each)),
    );
    fc.assert(
      fc.property(bytes, (body) => {
        try {
          readJsonParameters(body);
        } catch (error) {
          expect(error).toBeInstanceOf(OAuthError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
