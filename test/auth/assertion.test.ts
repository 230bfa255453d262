import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Assertions } from '../../src/auth/assertion.js';
import { type PublicKey, readClientKeys } from '../../src/auth/client-keys.js';
import { HeldClock } from '../support/gateway.js';

type Json = Record<string, unknown>;

const issuer = 'https://weir.example';
const tokenUrl = 'https://weir.example/oauth/token';
const client = 'weir_cid_1';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

let registered: Map<string, readonly PublicKey[]>;
let clock: HeldClock;
let asked: [string, string | undefined][];
/** What was taken: client, jti, end. */
let taken: [string, string, number][];
let assertions: Assertions;

beforeAll(async () => {
  const own = await Promise.all(
    [rsa, ec, ed].map((pair, index) => readClientKeys(Buffer.from(pemOf(pair.publicKey)), `key${index}`)),
  );
  const other = await readClientKeys(Buffer.from(pemOf(stranger.publicKey)), 'theirs');
  registered = new Map<string, readonly PublicKey[]>([
    [client, own.flat()],
    ['weir_cid_2', other],
    ['disabled', []],
  ]);
});

beforeEach(() => {
  clock = new HeldClock();
  asked = [];
  taken = [];
  assertions = new Assertions({
    keysOf: async (clientId, kid) => {
      asked.push([clientId, kid]);
      return registered.get(clientId) ?? [];
    },
    wasTaken: async (clientId, jti) => taken.some(([whose, which]) => whose === clientId && which === jti),
    takeOnce: async (clientId, jti, endsAt) => {
      const isFirst = !taken.some(([whose, which]) => whose === clientId && which === jti);
      if (isFirst) taken.push([clientId, jti, endsAt]);
      return isFirst;
    },
    audiences: () => [issuer, tokenUrl],
    clock,
  });
});

const now = (): number => Math.floor(clock.now() / 1000);

/** What Prometheus, Alloy and the OpenTelemetry Collector send. */
const prometheusHeader: Json = { alg: 'RS256', typ: 'JWT' };
const prometheusClaims = (): Json => ({
  iss: client,
  sub: client,
  jti: randomUUID(),
  aud: tokenUrl,
  iat: now(),
  exp: now() + 600,
});

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const without = (object: Json, name: string): Json =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));

function signed(header: unknown, claims: unknown, key = rsa.privateKey, hash: string | null = 'sha256'): string {
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const good = (claims: Json = {}, header: Json = {}): string =>
  signed({ ...prometheusHeader, ...header }, { ...prometheusClaims(), ...claims });

/** The OAuth error as `code status: sentence`, or what was accepted. */
const outcome = (verifying: Promise<object>): Promise<string> =>
  verifying.then(
    (accepted) => `accepted ${JSON.stringify(accepted)}`,
    (error) => {
      if (error.name !== 'OAuthError') throw error;
      return `${error.code} ${error.status}: ${error.message}`;
    },
  );
const grant = (assertion: string): Promise<string> => outcome(assertions.grant(assertion));
const login = (assertion: string, id?: string): Promise<string> =>
  outcome(assertions.authenticateClient(assertion, id));

const accepted = `accepted {"clientId":"${client}"}`;
const notSigned = 'The assertion is not signed with a key of this client, or the client is unknown or disabled.';

describe('an assertion is accepted', () => {
  it('as Prometheus sends it, with and without scopes and kid', async () => {
    expect(await grant(good())).toBe(accepted);
    expect(await grant(good({}, { kid: 'key0' }))).toBe(accepted);
    expect(await assertions.grant(good({ scope: 'read:metrics write:metrics' }))).toEqual({
      clientId: client,
      scope: 'read:metrics write:metrics',
    });
    expect(await grant(good({ scope: '' }))).toBe(accepted);
  });

  it('as private_key_jwt, with and without the client id beside it', async () => {
    expect(await login(good())).toBe(accepted);
    expect(await login(good(), client)).toBe(accepted);
  });

  it('as the grant from an OpenTelemetry Collector whose client id lies in a file, but not as private_key_jwt', async () => {
    for (const claims of [{ ...prometheusClaims(), sub: '' }, without(prometheusClaims(), 'sub')]) {
      expect(await grant(signed(prometheusHeader, claims))).toBe(accepted);
      expect(await login(signed(prometheusHeader, claims))).toMatch(/^invalid_client 401: Both iss and sub/);
    }
  });

  it('under every allowed algorithm', async () => {
    const keys: [string, KeyObject, string | null][] = [
      ['RS256', rsa.privateKey, 'sha256'],
      ['RS384', rsa.privateKey, 'sha384'],
      ['RS512', rsa.privateKey, 'sha512'],
      ['ES256', ec.privateKey, 'sha256'],
      ['EdDSA', ed.privateKey, null],
      ['Ed25519', ed.privateKey, null],
    ];
    for (const [alg, key, hash] of keys) {
      expect(await grant(signed({ ...prometheusHeader, alg }, prometheusClaims(), key, hash)), alg).toBe(accepted);
    }
  });

  it('when it is meant for the issuer or the token URL, among others too', async () => {
    for (const aud of [issuer, tokenUrl, [issuer], ['https://other.example', tokenUrl]]) {
      expect(await grant(good({ aud })), String(aud)).toBe(accepted);
    }
  });

  it('with the types of today and tomorrow', async () => {
    for (const typ of ['JWT', 'jwt', 'application/jwt', 'client-authentication+jwt']) {
      expect(await login(good({}, { typ })), typ).toBe(accepted);
    }
    expect(await login(signed(without(prometheusHeader, 'typ'), prometheusClaims()))).toBe(accepted);
    expect(await grant(good({}, { typ: 'authorization-grant+jwt' }))).toBe(accepted);
  });

  it('up to the limits of its times, which allow a minute for clocks', async () => {
    for (const times of [
      { exp: now() - 59 },
      { exp: now() + 3660 },
      { iat: now() + 60 },
      { nbf: now() + 60 },
      { iat: now() - 86_400 },
      { exp: now() + 0.5 },
    ]) {
      expect(await grant(good(times)), JSON.stringify(times)).toBe(accepted);
    }
    expect(await grant(signed(prometheusHeader, without(prometheusClaims(), 'iat')))).toBe(accepted);
  });

  it('once, and is remembered until it would be refused anyway', async () => {
    const assertion = good({ jti: 'one' });
    expect(await grant(assertion)).toBe(accepted);
    expect(taken).toEqual([[client, 'one', (now() + 600 + 60) * 1000]]);
    expect(await grant(assertion)).toMatch(/^invalid_grant 400: .*used before/);
    expect(await login(assertion)).toMatch(/^invalid_client 401: .*used before/);
    expect(await login(good({ jti: 'one' }, { kid: 'key0' }))).toMatch(/used before/);
  });

  it('by asking for the keys of its client, and for the one that it names', async () => {
    await grant(good());
    await grant(good({}, { kid: 'key0' }));
    expect(asked).toEqual([
      [client, undefined],
      [client, 'key0'],
    ]);
  });
});

const claim = (name: string, ...values: unknown[]): [string, () => string][] =>
  values.map((value) => [
    `${name} is ${JSON.stringify(value)?.slice(0, 40)}`,
    () => good({ [name]: typeof value === 'function' ? value() : value }),
  ]);
const head = (name: string, ...values: unknown[]): [string, () => string][] =>
  values.map((value) => [`${name} in its header is ${JSON.stringify(value)}`, () => good({}, { [name]: value })]);

const forgeries: Record<string, () => string> = {
  'is empty': () => '',
  'is no JWT': () => 'x.y.z',
  'has two parts': () => good().replace(/\.[^.]*$/, ''),
  'has four parts': () => `${good()}.x`,
  'has no signature': () => good().replace(/[^.]*$/, ''),
  'has a padded signature': () => `${good()}==`,
  'has a claims set that is a list': () => signed(prometheusHeader, [prometheusClaims()]),
  'has a claims set that is no JSON': () => signed(prometheusHeader, '{'),
  'has a header that is null': () => signed('null', prometheusClaims()),
  'is larger than 8 kB': () => good({ filler: 'x'.repeat(8192) }),
  'has alg none': () => `${encoded({ alg: 'none' })}.${encoded(prometheusClaims())}.`,
  'has alg none and a signature': () => good({}, { alg: 'none' }),
  'is signed with the public key as a secret': () => {
    const input = `${encoded({ alg: 'HS256' })}.${encoded(prometheusClaims())}`;
    return `${input}.${createHmac('sha256', pemOf(rsa.publicKey)).update(input).digest('base64url')}`;
  },
  'is signed for PS256': () => good({}, { alg: 'PS256' }),
  'is signed with another hash than it says': () => good({}, { alg: 'RS512' }),
  'names RS256 over a signature with P-256': () => signed(prometheusHeader, prometheusClaims(), ec.privateKey),
  'is signed by a stranger': () => signed(prometheusHeader, prometheusClaims(), stranger.privateKey),
  "is signed by a stranger under the client's kid": () =>
    signed({ ...prometheusHeader, kid: 'key0' }, prometheusClaims(), stranger.privateKey),
  'is signed by a stranger whose key it carries': () =>
    signed(
      { ...prometheusHeader, jwk: stranger.publicKey.export({ format: 'jwk' }), x5c: ['AAAA'] },
      prometheusClaims(),
      stranger.privateKey,
    ),
  "is signed with another client's key": () =>
    signed({ ...prometheusHeader, kid: 'theirs' }, prometheusClaims(), stranger.privateKey),
  'names another of its keys than it is signed with': () => good({}, { kid: 'key1' }),
  'names a key there is not': () => good({}, { kid: '../../key0' }),
  'is that of an unknown client': () => good({ iss: 'weir_cid_9', sub: 'weir_cid_9' }),
  'is that of a disabled client': () => good({ iss: 'disabled', sub: 'disabled' }),
  'names two clients': () => good({ iss: client, sub: 'weir_cid_2' }),
  'names two clients the other way round': () => good({ iss: 'weir_cid_2', sub: client }),
  'has a crit that jose would know': () => good({}, { crit: ['b64'], b64: true }),
  ...Object.fromEntries([
    ...head('typ', 'at+jwt', 'id+jwt', 'dpop+jwt', '', 1, null),
    ...head('crit', ['exp'], [], null),
    ...head('kid', 1, null, ['key0']),
    ...head('alg', ['RS256'], null, 'rs256', 'ES384'),
    ...claim(
      'aud',
      'https://other.example',
      `${issuer}/`,
      '',
      [],
      ['https://other.example'],
      null,
      { 0: tokenUrl },
      true,
    ),
    ...claim('iss', '', null, [client]),
    ...claim('sub', 'weir_cid_2', null, [client], 1),
    ...claim('jti', '', 1, null, ['a'], 'j'.repeat(257)),
    ...claim('exp', '2999999999', null, 1e300, 0, -1),
    ...claim('iat', 'now', null, 1e300),
    ...claim('nbf', 'now', null, 1e300),
    ...claim('scope', ['read:metrics'], 1, null),
  ]),
  'has ended': () => good({ exp: now() - 60 }),
  'ends in more than an hour': () => good({ exp: now() + 3661 }),
  'never ends': () => signed(prometheusHeader, JSON.stringify(prometheusClaims()).replace(/"exp":\d+/, '"exp":1e999')),
  'is from the future': () => good({ iat: now() + 61 }),
  'is not valid yet': () => good({ nbf: now() + 61 }),
  ...Object.fromEntries(
    ['iss', 'aud', 'exp', 'jti'].map((name) => [
      `has no ${name}`,
      () => signed(prometheusHeader, without(prometheusClaims(), name)),
    ]),
  ),
};

describe('an assertion is refused, and its jti not used up, that', () => {
  it.each(Object.keys(forgeries))('%s', async (name) => {
    expect(await grant(forgeries[name]!())).toMatch(/^invalid_grant 400: /);
    expect(await login(forgeries[name]!())).toMatch(/^invalid_client 401: /);
    expect(taken).toEqual([]);
  });

  it('names its key by something else than text, and nobody is asked for that', async () => {
    expect(await grant(good({}, { kid: 1 }))).toBe('invalid_grant 400: The kid of the assertion must be text.');
    expect(asked).toEqual([]);
  });

  it('stands beside another client id', async () => {
    expect(await login(good(), 'weir_cid_2')).toMatch(/^invalid_client 401: The client_id beside/);
    expect(await login(good(), '')).toMatch(/^invalid_client 401: The client_id beside/);
  });
});

describe('a refusal', () => {
  it('is the same for an unknown client, a disabled one, a foreign key and a bad signature', async () => {
    const same = [
      good({ iss: 'weir_cid_9', sub: 'weir_cid_9' }),
      good({ iss: 'disabled', sub: 'disabled' }),
      signed(prometheusHeader, prometheusClaims(), stranger.privateKey),
      good({}, { kid: 'nobody' }),
      good().replace(/\.[^.]*$/, `.${Buffer.alloc(256, 7).toString('base64url')}`),
    ];
    for (const assertion of same) {
      expect(await grant(assertion)).toBe(`invalid_grant 400: ${notSigned}`);
      expect(await login(assertion)).toBe(`invalid_client 401: ${notSigned}`);
    }
  });

  it('tells only the holder of the key what is wrong with the claims', async () => {
    const claims = { ...prometheusClaims(), exp: now() - 3600, aud: 'https://other.example' };
    expect(await grant(signed(prometheusHeader, claims))).toMatch(/has expired; is the client's clock right/);
    expect(await grant(signed(prometheusHeader, claims, stranger.privateKey))).toContain(notSigned);
    expect(await grant(good({ aud: 'https://other.example' }))).toContain(`must be ${issuer} or ${tokenUrl}`);
    expect(await grant(signed(prometheusHeader, without(prometheusClaims(), 'exp')))).toContain('needs an end (exp)');
    expect(await grant(good({ exp: now() + 7200 }))).toContain('may end (exp) in an hour at most');
    expect(await grant(good({ nbf: now() + 100 }))).toContain('The claim nbf of the assertion does not hold');
  });

  it('leaves faults of ours as they are', async () => {
    const broken = new Assertions({
      keysOf: () => Promise.reject(new Error('the store is gone')),
      wasTaken: async () => false,
      takeOnce: async () => true,
      audiences: () => [issuer],
      clock,
    });
    await expect(broken.grant(good())).rejects.toThrow('the store is gone');
  });

  it('comes without a look where the header says that keys lie', async () => {
    let connections = 0;
    const elsewhere = createServer((_, response) => response.end('{"keys":[]}')).on('connection', () => connections++);
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/keys`;
    for (const name of ['jku', 'x5u', 'kid']) {
      const assertion = signed({ ...prometheusHeader, [name]: url }, prometheusClaims(), stranger.privateKey);
      expect(await grant(assertion), name).toBe(`invalid_grant 400: ${notSigned}`);
    }
    expect(await grant(good({}, { jku: url, x5u: url, jwk: {}, x5c: [] }))).toBe(accepted);
    await new Promise((resolve) => elsewhere.close(resolve));
    expect(connections).toBe(0);
  });
});

describe('of a good assertion', () => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=';
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const letter = fc.constantFrom(...letters);
  /** Replace, drop, insert, cut, double, swap: what wire and forger do. */
  const mutation = fc.oneof(
    fc.tuple(fc.constant('replace' as const), at, letter),
    fc.tuple(fc.constant('insert' as const), at, letter),
    fc.tuple(fc.constantFrom('drop' as const, 'cut' as const, 'double' as const, 'swap' as const), at, fc.constant('')),
  );
  function mutated(text: string, [kind, where, by]: [string, number, string]): string {
    const index = Math.floor(where * text.length);
    const [before, after] = [text.slice(0, index), text.slice(index + 1)];
    switch (kind) {
      case 'replace':
        return before + by + after;
      case 'insert':
        return before + by + text.slice(index);
      case 'drop':
        return before + after;
      case 'cut':
        return before;
      case 'double':
        return before + text[index]! + text[index]! + after;
      default:
        return before + (after[0] ?? '') + text[index]! + after.slice(1);
    }
  }

  it.each<[string, KeyObject, string | null]>([
    ['RS256', rsa.privateKey, 'sha256'],
    ['ES256', ec.privateKey, 'sha256'],
    ['EdDSA', ed.privateKey, null],
  ])('under %s no mutation is accepted', async (alg, key, hash) => {
    const assertion = signed({ ...prometheusHeader, alg }, prometheusClaims(), key, hash);
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        const other = mutations.reduce(mutated, assertion);
        fc.pre(other !== assertion);
        expect(await grant(other)).toMatch(/^invalid_grant 400: /);
        expect(taken).toEqual([]);
      }),
      { numRuns: 1500, seed: 7523 },
    );
    expect(await grant(assertion)).toBe(accepted);
  });

  it.each<[string, KeyObject, string | null]>([
    ['RS256', rsa.privateKey, 'sha256'],
    ['ES256', ec.privateKey, 'sha256'],
    ['EdDSA', ed.privateKey, null],
  ])('under %s no other last letter is accepted', async (alg, key, hash) => {
    const assertion = signed({ ...prometheusHeader, alg }, prometheusClaims(), key, hash);
    for (const last of letters) {
      const other = assertion.slice(0, -1) + last;
      if (other !== assertion) expect(await grant(other), last).toMatch(/^invalid_grant/);
    }
    expect(await grant(assertion)).toBe(accepted);
  });

  it('no claim set of any kind does harm: it is refused or accepted, never an error of ours', async () => {
    const names = fc.constantFrom('iss', 'sub', 'aud', 'jti', 'exp', 'iat', 'nbf', 'scope', '__proto__', 'constructor');
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(names, fc.jsonValue()),
        fc.dictionary(fc.constantFrom('typ', 'kid', 'crit', 'b64', 'zip'), fc.jsonValue()),
        async (claims, header) => {
          expect(await grant(good(claims, header))).toMatch(/^(accepted|invalid_grant 400)/);
        },
      ),
      { numRuns: 500 },
    );
  });
});
