import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';
import { asking, byBasic, decoded, form, grant, granted, inBody, refusal } from './token-endpoint.js';
import { send } from './wire.js';

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

describe('parameters', () => {
  const refused = async (body: string): Promise<string> => refusal(await ask(body, { authorization: byBasic(both) }));

  it.each([
    ['no grant_type', ''],
    ['an empty grant_type', 'grant_type='],
    ['grant_type twice', `${grant}&${grant}`],
    ['scope twice', `${grant}&scope=read:metrics&scope=read:metrics`],
    ['scope twice, the first one empty', `${grant}&scope=&scope=read:metrics`],
    ['an unknown parameter twice', `${grant}&x=1&x=2`],
    ['one with an evil name twice', `${grant}&%22%5C%0A%C3%A9=1&%22%5C%0A%C3%A9=2`],
    ['audience twice', `${grant}&audience=a&audience=b`],
  ])('refuses %s', async (_, body) => {
    expect(await refused(body)).toBe('400 invalid_request');
  });

  it.each([
    'password',
    'refresh_token',
    'authorization_code',
    'CLIENT_CREDENTIALS',
    'client_credentials ',
    'constructor',
  ])('refuses the grant %o', async (name) => {
    expect(await refused(`grant_type=${encodeURIComponent(name)}`)).toBe('400 unsupported_grant_type');
  });

  it('does not tell who cannot log in which grants there are', async () => {
    const answer = await ask('grant_type=password', { authorization: basic(both.clientId, 'wrong') });
    expect(refusal(answer)).toBe('401 invalid_client');
  });

  it('takes no grant_type from the URL', async () => {
    const answer = await ask('', { authorization: byBasic(both), query: `?${grant}` });
    expect(refusal(answer)).toBe('400 invalid_request');
  });

  it.each(['x=1', 'scope=', 'audience=&resource=', '=', 'toString=1&__proto__=2'])(
    'ignores %o as the RFC says',
    async (extra) => {
      const { scope } = granted(await ask(`${grant}&${extra}`, { authorization: byBasic(both) }));
      expect(scope).toBe('read:metrics write:metrics');
    },
  );
});

describe('scope', () => {
  it.each([
    ['read:metrics', 'read:metrics'],
    ['write:metrics', 'write:metrics'],
    ['write:metrics read:metrics', 'read:metrics write:metrics'],
    ['read:metrics read:metrics', 'read:metrics'],
    [' read:metrics  write:metrics ', 'read:metrics write:metrics'],
  ])('%o gives %o, in the answer and in the token', async (asked, given) => {
    const body = `${grant}&scope=${encodeURIComponent(asked)}`;
    const { scope, access_token } = granted(await ask(body, { authorization: byBasic(both) }));
    expect([scope, decoded(access_token.split('.')[1]!).scope]).toEqual([given, given]);
  });

  it('is all the client has when none is asked for', async () => {
    expect(granted(await ask(grant, { authorization: byBasic(reader) })).scope).toBe('read:metrics');
  });

  it.each([
    ['one the client was not granted', 'write:metrics'],
    ['one granted beside one that is not', 'read:metrics write:metrics'],
    ['an unknown one', 'admin'],
    ['one in other case', 'READ:METRICS'],
    ['a separator that is none', 'read:metrics,write:metrics'],
    ['a tab', 'read:metrics\twrite:metrics'],
    ['characters no scope may have', 'read:metrics "\\é\u0000\u2028'],
    ['15 kB of it', 'x'.repeat(15_000)],
  ])('refuses %s', async (_, asked) => {
    const answer = await ask(`${grant}&scope=${encodeURIComponent(asked).slice(0, 16_000)}`, {
      authorization: byBasic(reader),
    });
    expect(refusal(answer)).toBe('400 invalid_scope');
  });
});

describe('audience and resource', () => {
  const body = (name: string, ...values: string[]): string =>
    [grant, ...values.map((value) => `${name}=${encodeURIComponent(value)}`)].join('&');

  it.each([
    ['audience', ['']],
    ['audience', ['/']],
    ['resource', ['/api/v1/acme/db1/metrics']],
    ['resource', ['', '/api/v1']],
  ])('take %s of this gateway %j', async (name, paths) => {
    const values = paths.map((path) => gateway.url + path);
    granted(await ask(body(name, ...values), { authorization: byBasic(both) }));
  });

  it.each([
    ['audience', ['https://other.example']],
    ['resource', ['https://other.example/']],
    ['audience', ['HERE.other.example']],
    ['audience', ['HERE@other.example']],
    ['resource', ['HERE', 'https://other.example']],
    ['resource', ['HERE https://other.example']],
  ])('refuse %s of others %j', async (name, values) => {
    const answer = await ask(body(name, ...values.map((value) => value.replace('HERE', gateway.url))), {
      authorization: byBasic(both),
    });
    expect(refusal(answer)).toBe('400 invalid_target');
  });
});

describe('what is no token request', () => {
  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s is answered 405 and told of POST', async (method) => {
    const answer = await ask('', { method, authorization: byBasic(both) });
    expect(refusal(answer)).toBe('405 invalid_request');
    expect(answer.headers.allow).toBe('POST');
  });

  it('HEAD is answered 405, too', async () => {
    const answer = await ask('', { method: 'HEAD' });
    expect([answer.status, answer.headers.allow, answer.text]).toEqual([405, 'POST', '']);
  });

  it.each([
    ['application/json', '400 invalid_request'],
    ['application/jsonp', '415 invalid_request'],
    ['application/ld+json', '415 invalid_request'],
    ['text/plain', '415 invalid_request'],
    ['multipart/form-data; boundary=x', '415 invalid_request'],
    ['application/x-www-form-urlencoded-not', '415 invalid_request'],
    ['', '400 invalid_request'],
  ])('a body of type %o is refused', async (type, refused) => {
    expect(refusal(await ask(`${grant}&${inBody(both)}`, { type }))).toBe(refused);
  });

  it.each(['application/x-www-form-urlencoded; charset=UTF-8', 'Application/X-WWW-Form-Urlencoded'])(
    'a body of type %o is taken',
    async (type) => {
      granted(await ask(grant, { type, authorization: byBasic(both) }));
    },
  );

  it('takes a body of 16 kB and none larger, whether its length is declared or not', async () => {
    const padded = (size: number): string => `${grant}&x=`.padEnd(size, 'y');
    granted(await ask(padded(16_384), { authorization: byBasic(both) }));
    expect(refusal(await ask(padded(16_385), { authorization: byBasic(both) }))).toBe('413 invalid_request');
    const chunked = await send(gateway.url, '/oauth/token', {
      method: 'POST',
      headers: ['Content-Type', form, 'Authorization', byBasic(both)],
      write: (request) => request.end(padded(16_385)),
    });
    expect(refusal(chunked)).toBe('413 invalid_request');
  });

  it.each([
    ['NUL', Buffer.from(`${grant}&x=\0`)],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from(`${grant}&x=`), Buffer.from([0xc3, 0x28])])],
  ])('a body with %s is refused', async (_, body) => {
    expect(refusal(await ask(body, { authorization: byBasic(both) }))).toBe('400 invalid_request');
  });

  it('bytes that are not UTF-8 behind percent-escapes never make a server error', async () => {
    expect(refusal(await ask(`${grant}&scope=%ff%fe`, { authorization: byBasic(both) }))).toBe('400 invalid_scope');
    expect(refusal(await ask(`${grant}&client_id=%ff&client_secret=%00`))).toBe('401 invalid_client');
  });
});
