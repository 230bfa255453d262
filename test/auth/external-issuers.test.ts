import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { claimAt, ExternalIssuers } from '../../src/auth/external-issuers.js';
import { externalIssuersSchema } from '../../src/auth/external-issuers-schema.js';
import { RemoteJwks } from '../../src/auth/remote-jwks.js';
import { parseNetworks } from '../../src/net/addresses.js';
import { guardedFetch, systemLookup } from '../../src/net/egress.js';
import { readYaml, yamlMap } from '../../src/yaml.js';
import { HeldClock } from '../support/gateway.js';

type Json = Record<string, unknown>;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = (key: KeyObject, kid: string): Json => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' });

const auth0 = 'https://acme.eu.auth0.com/';
const keycloak = 'https://login.acme.example/realms/metrics';
const entra = 'https://login.microsoftonline.com/7c1f/v2.0';
const okta = 'https://acme.okta.com/oauth2/default';

const configuration = [
  {
    issuer: auth0,
    jwks_url: `${auth0}.well-known/jwks.json`,
    audience: 'https://metrics.acme.example',
    typ: ['at+jwt', 'JWT'],
    claims: { project: 'https://acme.example/project', scope: 'scope' },
  },
  {
    issuer: keycloak,
    jwks_url: `${keycloak}/protocol/openid-connect/certs`,
    audience: ['weir', 'weir-staging'],
    typ: 'JWT',
    algorithms: ['RS256', 'ES256'],
    claims: {
      project: 'tenant.id',
      endpoints: 'tenant.instances',
      scope: 'resource_access.weir.roles',
      scope_map: { reader: 'read:metrics', admin: ['write:metrics', 'read:metrics'], __proto__: 'read:metrics' },
    },
  },
  {
    issuer: entra,
    jwks_url: 'https://login.microsoftonline.com/7c1f/discovery/v2.0/keys',
    audience: 'api://weir',
    typ: ['JWT'],
    claims: {
      project: 'azp',
      scope: 'roles',
      scope_map: { 'Metrics.Read': 'read:metrics' },
      project_map: { 'app-1': 'acme' },
    },
  },
  {
    issuer: okta,
    jwks_url: `${okta}/v1/keys`,
    audience: 'weir',
    claims: { project: 'project', scope: 'scp' },
  },
];

let clock: HeldClock;
let asked: string[];
let issuers: ExternalIssuers;

beforeEach(() => {
  clock = new HeldClock();
  asked = [];
  issuers = new ExternalIssuers({
    issuers: externalIssuersSchema.parse(configuration),
    jwks: new RemoteJwks({
      clock,
      fetch: async (url) => {
        asked.push(url);
        const keys = [jwk(rsa.publicKey, 'r1'), jwk(ec.publicKey, 'e1')];
        return { status: 200, body: Buffer.from(JSON.stringify({ keys })) };
      },
    }),
    clock,
  });
});

const now = (): number => Math.floor(clock.now() / 1000);
const encoded = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const without = (object: Json, name: string): Json =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));

function signed(header: unknown, claims: unknown, key = rsa.privateKey): string {
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const oktaHeader: Json = { alg: 'RS256', typ: 'at+jwt', kid: 'r1' };
const oktaClaims = (): Json => ({
  iss: okta,
  aud: 'weir',
  sub: 'agent',
  cid: '0oa1',
  iat: now(),
  exp: now() + 3600,
  project: 'acme',
  scp: ['read:metrics', 'write:metrics'],
});
const times = () => ({ iat: now(), exp: now() + 3600 });

describe('a token is taken from', () => {
  it('Auth0, by a claim whose name is a URL', async () => {
    const token = signed(
      { alg: 'RS256', typ: 'JWT', kid: 'r1' },
      {
        ...times(),
        iss: auth0,
        aud: ['https://metrics.acme.example', `${auth0}userinfo`],
        sub: 'abc@clients',
        azp: 'abc',
        gty: 'client-credentials',
        scope: 'openid read:metrics',
        'https://acme.example/project': 'acme',
      },
    );
    expect(await issuers.verify(token)).toEqual({
      clientId: `${auth0}#abc`,
      projectId: 'acme',
      endpoints: null,
      scopes: ['read:metrics'],
      endsAt: (now() + 3660) * 1000,
    });
    expect(asked).toEqual([`${auth0}.well-known/jwks.json`]);
  });

  it('Keycloak, by claims within claims, with ES256, narrowed to endpoints', async () => {
    const token = signed(
      { alg: 'ES256', typ: 'JWT', kid: 'e1' },
      {
        ...times(),
        iss: keycloak,
        aud: 'weir-staging',
        typ: 'Bearer',
        sub: 'f3a1',
        azp: 'grafana',
        tenant: { id: 'acme', instances: ['db2', 'db1', 'db1'] },
        resource_access: { weir: { roles: ['admin', 'offline_access'] }, account: { roles: ['reader'] } },
      },
      ec.privateKey,
    );
    expect(await issuers.verify(token)).toMatchObject({
      clientId: `${keycloak}#grafana`,
      projectId: 'acme',
      endpoints: ['db2', 'db1'],
      scopes: ['read:metrics', 'write:metrics'],
    });
  });

  it('Entra, by its roles, with the client standing for the project', async () => {
    const token = signed(
      { alg: 'RS256', typ: 'JWT', kid: 'r1' },
      {
        ...times(),
        nbf: now(),
        iss: entra,
        aud: 'api://weir',
        sub: '9b',
        azp: 'app-1',
        ver: '2.0',
        roles: ['Metrics.Read'],
      },
    );
    expect(await issuers.verify(token)).toMatchObject({
      clientId: `${entra}#app-1`,
      projectId: 'acme',
      scopes: ['read:metrics'],
    });
  });

  it('Okta, by what RFC 9068 says, without a kid too', async () => {
    const expected = { clientId: `${okta}#0oa1`, projectId: 'acme', scopes: ['read:metrics', 'write:metrics'] };
    expect(await issuers.verify(signed(oktaHeader, oktaClaims()))).toMatchObject(expected);
    expect(await issuers.verify(signed(without(oktaHeader, 'kid'), oktaClaims()))).toMatchObject(expected);
    expect(await issuers.verify(signed({ ...oktaHeader, typ: 'application/AT+JWT' }, oktaClaims()))).toMatchObject(
      expected,
    );
  });

  it('a client that is named after azp, client_id, cid, appid, sub, whichever comes first', async () => {
    const names: string[] = [];
    let claims: Json = { ...oktaClaims(), azp: 'azp', client_id: 'client_id', cid: 'cid', appid: 'appid', sub: 'sub' };
    for (const name of ['azp', 'client_id', 'cid', 'appid', 'sub']) {
      names.push((await issuers.verify(signed(oktaHeader, claims)))!.clientId);
      claims = without(claims, name);
    }
    expect(names).toEqual(['azp', 'client_id', 'cid', 'appid', 'sub'].map((name) => `${okta}#${name}`));
    expect(await issuers.verify(signed(oktaHeader, claims))).toBeUndefined();
  });

  it('an issuer whose clock differs by a minute', async () => {
    for (const skew of [{ exp: now() - 59 }, { iat: now() + 60 }, { nbf: now() + 60 }]) {
      expect(
        await issuers.verify(signed(oktaHeader, { ...oktaClaims(), ...skew })),
        JSON.stringify(skew),
      ).toBeDefined();
    }
  });

  it('an issuer that has rotated its keys, within 30 seconds', async () => {
    let keys = [jwk(rsa.publicKey, 'r1')];
    const rotating = new ExternalIssuers({
      issuers: externalIssuersSchema.parse(configuration),
      jwks: new RemoteJwks({
        clock,
        fetch: async () => ({ status: 200, body: Buffer.from(JSON.stringify({ keys })) }),
      }),
      clock,
    });
    expect(await rotating.verify(signed(oktaHeader, oktaClaims()))).toBeDefined();
    keys = [jwk(stranger.publicKey, 'r2')];
    clock.advance(30_000);
    expect(
      await rotating.verify(signed({ ...oktaHeader, kid: 'r2' }, oktaClaims(), stranger.privateKey)),
    ).toBeDefined();
    expect(await rotating.verify(signed(oktaHeader, oktaClaims()))).toBeUndefined();
  });
});

const claim = (name: string, ...values: unknown[]): [string, () => string][] =>
  values.map((value) => [
    `${name} is ${JSON.stringify(value)?.slice(0, 40)}`,
    () => signed(oktaHeader, { ...oktaClaims(), [name]: value }),
  ]);
const head = (name: string, ...values: unknown[]): [string, () => string][] =>
  values.map((value) => [
    `${name} in its header is ${JSON.stringify(value)?.slice(0, 40)}`,
    () => signed({ ...oktaHeader, [name]: value }, oktaClaims()),
  ]);

describe('a token is refused whose', () => {
  const forgeries: Record<string, () => string> = {
    'text is empty': () => '',
    'text is no JWT': () => 'a.b.c',
    'length is that of a book': () => signed(oktaHeader, { ...oktaClaims(), filler: 'x'.repeat(8192) }),
    'signature is missing': () => signed(oktaHeader, oktaClaims()).replace(/[^.]*$/, ''),
    'signature is padded': () => `${signed(oktaHeader, oktaClaims())}==`,
    'key is another': () => signed(oktaHeader, oktaClaims(), stranger.privateKey),
    'key stands in its own header': () =>
      signed({ ...oktaHeader, jwk: jwk(stranger.publicKey, 'r1') }, oktaClaims(), stranger.privateKey),
    'key is for another algorithm': () =>
      signed({ ...oktaHeader, alg: 'ES256', kid: 'e1' }, oktaClaims(), ec.privateKey),
    'alg is none': () => `${encoded({ ...oktaHeader, alg: 'none' })}.${encoded(oktaClaims())}.`,
    'alg is HS256 with the public key': () => {
      const input = `${encoded({ ...oktaHeader, alg: 'HS256' })}.${encoded(oktaClaims())}`;
      const secret = rsa.publicKey.export({ type: 'spki', format: 'pem' });
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    },
    'typ is missing': () => signed(without(oktaHeader, 'typ'), oktaClaims()),
    ...Object.fromEntries([
      ...head('typ', 'JWT', 'id+jwt', '', 1, null),
      ...head('alg', 'RS512', 'PS256', 'rs256', null, ['RS256']),
      ...head('kid', 'e1', 'gone', 1, null),
      ...head('crit', ['exp'], [], null),
      ...claim('iss', `${okta}/`, okta.toUpperCase(), 'https://evil.example', '', null, [okta], 'constructor'),
      ...claim('aud', 'other', '', [], ['other'], null, { weir: 1 }),
      ...claim('exp', 0, '2999999999', null, 1e300 * 1e300),
      ...claim('iat', 'now', 1e300),
      ...claim('nbf', 'now', 1e300),
      ...claim('project', null, '', 1, ['acme'], 'a b', '../acme', 'p'.repeat(65)),
      ...claim('scp', null, '', [], 1, 'openid profile', ['READ:METRICS'], ['read:metrics', 1], { a: 'read:metrics' }),
      ...claim('cid', null, '', 1, 'a b', 'a\nb', 'c'.repeat(201)),
      ...claim('at_hash', 'x'),
      ...claim('nonce', 'x'),
      ...claim('typ', 'ID', 'Refresh', 'Offline'),
    ]),
    'exp is endless': () => signed(oktaHeader, JSON.stringify(oktaClaims()).replace(/"exp":\d+/, '"exp":1e999')),
    'exp is past': () => signed(oktaHeader, { ...oktaClaims(), exp: now() - 60 }),
    'iat is in the future': () => signed(oktaHeader, { ...oktaClaims(), iat: now() + 61 }),
    'nbf is in the future': () => signed(oktaHeader, { ...oktaClaims(), nbf: now() + 61 }),
    ...Object.fromEntries(
      ['iss', 'aud', 'exp', 'project', 'scp'].map((name) => [
        `${name} is missing`,
        () => signed(oktaHeader, without(oktaClaims(), name)),
      ]),
    ),
    'issuer is another one of ours': () => signed(oktaHeader, { ...oktaClaims(), iss: auth0 }),
  };
  it.each(Object.keys(forgeries))('%s', async (name) => {
    expect(await issuers.verify(signed(oktaHeader, oktaClaims()))).toBeDefined();
    expect(await issuers.verify(forgeries[name]!())).toBeUndefined();
  });

  const keycloakToken = (more: Json): string =>
    signed(
      { alg: 'RS256', typ: 'JWT', kid: 'r1' },
      {
        ...times(),
        iss: keycloak,
        aud: 'weir',
        azp: 'grafana',
        tenant: { id: 'acme', instances: [] },
        resource_access: { weir: { roles: ['reader'] } },
        ...more,
      },
    );

  it('endpoints claim should narrow and does not: nothing is widened', async () => {
    expect(await issuers.verify(keycloakToken({}))).toMatchObject({ endpoints: [] });
    expect(await issuers.verify(keycloakToken({ tenant: { id: 'acme', instances: 'db1 db2' } }))).toMatchObject({
      endpoints: ['db1', 'db2'],
    });
    for (const instances of [undefined, null, 1, { db1: true }, ['db1', 2], ['*'], ['db1', '../db2']]) {
      const token = keycloakToken({ tenant: { id: 'acme', instances } });
      expect(await issuers.verify(token), JSON.stringify(instances)).toBeUndefined();
    }
  });

  it('scopes or project are not in the map, even when they are called as ours', async () => {
    for (const roles of [['read:metrics'], ['Reader'], ['constructor'], ['__proto__'], ['toString']]) {
      expect(await issuers.verify(keycloakToken({ resource_access: { weir: { roles } } })), roles[0]).toBeUndefined();
    }
    const entraToken = (azp: string): string =>
      signed(
        { alg: 'RS256', typ: 'JWT', kid: 'r1' },
        { ...times(), iss: entra, aud: 'api://weir', azp, roles: ['Metrics.Read'] },
      );
    expect(await issuers.verify(entraToken('app-1'))).toBeDefined();
    for (const azp of ['acme', 'app-2', '__proto__', 'constructor']) {
      expect(await issuers.verify(entraToken(azp)), azp).toBeUndefined();
    }
  });

  it('letters were changed, in 1,500 mutations', async () => {
    const token = signed(oktaHeader, oktaClaims());
    const letter = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=');
    const edit = fc.record({ at: fc.nat(token.length - 1), cut: fc.nat(2), put: fc.array(letter, { maxLength: 2 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const other = edits.reduce(
          (text, { at, cut, put }) => text.slice(0, at) + put.join('') + text.slice(at + cut),
          token,
        );
        fc.pre(other !== token);
        expect(await issuers.verify(other)).toBeUndefined();
      }),
      { numRuns: 1500, seed: 9068 },
    );
    expect(await issuers.verify(token)).toBeDefined();
  });
});

describe('the network', () => {
  it('is left alone for issuers that are not configured, and for what could not be good anyway', async () => {
    const hopeless = [
      signed(oktaHeader, { ...oktaClaims(), iss: 'https://evil.example', jku: 'https://evil.example' }),
      signed({ ...oktaHeader, typ: 'JWT' }, oktaClaims()),
      signed({ ...oktaHeader, alg: 'ES256' }, oktaClaims()),
      signed({ ...oktaHeader, crit: ['x'] }, oktaClaims()),
      signed({ ...oktaHeader, kid: 1 }, oktaClaims()),
      'a.b.c',
    ];
    for (const token of hopeless) expect(await issuers.verify(token)).toBeUndefined();
    expect(asked).toEqual([]);
    const none = new ExternalIssuers({
      issuers: [],
      jwks: new RemoteJwks({ clock, fetch: () => Promise.reject() }),
      clock,
    });
    expect(await none.verify(signed(oktaHeader, oktaClaims()))).toBeUndefined();
  });

  it('is asked at the configured URL only, once for a thousand tokens, good, bad and with invented keys', async () => {
    const tokens = [
      signed(oktaHeader, oktaClaims()),
      signed(oktaHeader, oktaClaims(), stranger.privateKey),
      signed(
        { ...oktaHeader, jku: 'https://evil.example', x5u: 'https://evil.example' },
        oktaClaims(),
        stranger.privateKey,
      ),
      ...Array.from({ length: 50 }, (_, index) => signed({ ...oktaHeader, kid: `made up ${index}` }, oktaClaims())),
    ];
    for (let count = 0; count < 20; count++) await Promise.all(tokens.map((token) => issuers.verify(token)));
    expect(asked).toEqual([`${okta}/v1/keys`]);
  });

  it('failing is no reason to call a token bad', async () => {
    const cut = new ExternalIssuers({
      issuers: externalIssuersSchema.parse(configuration),
      jwks: new RemoteJwks({ clock, fetch: () => Promise.reject(new Error('no answer')) }),
      clock,
    });
    await expect(cut.verify(signed(oktaHeader, oktaClaims()))).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is asked through the egress guard as production does it, and jku and x5u lead nowhere', async () => {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url!);
      response.end(JSON.stringify({ keys: [jwk(request.url === '/keys' ? rsa.publicKey : stranger.publicKey, 'r1')] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const real = new ExternalIssuers({
      issuers: externalIssuersSchema.parse([
        { issuer: okta, jwks_url: `${origin}/keys`, audience: 'weir', claims: { project: 'project', scope: 'scp' } },
      ]),
      jwks: new RemoteJwks({
        clock,
        fetch: (url, limits) =>
          guardedFetch(
            url,
            { method: 'GET', allowHttp: true, allowedNetworks: parseNetworks(['127.0.0.0/8']), ...limits },
            { lookup: systemLookup },
          ),
      }),
      clock,
    });
    const elsewhere = { jku: `${origin}/evil`, x5u: `${origin}/evil` };
    expect(await real.verify(signed({ ...oktaHeader, ...elsewhere }, oktaClaims()))).toBeDefined();
    expect(
      await real.verify(signed({ ...oktaHeader, ...elsewhere }, oktaClaims(), stranger.privateKey)),
    ).toBeUndefined();
    await new Promise((resolve) => server.close(resolve));
    expect(paths).toEqual(['/keys']);
  });
});

describe('the name of a claim', () => {
  it('means the claim of exactly that name first, then the longest part before a dot', () => {
    const claims = {
      a: { b: { c: 'nested' }, 'b.c': 'half', d: ['list'] },
      'x.y': 'whole',
      x: { y: 'in parts' },
      'https://acme.example/claims': { project: 'acme' },
      'client.one': { roles: 'of it' },
      client: { 'one.roles': 'not taken' },
      empty: null,
    };
    expect(claimAt(claims, 'x.y')).toBe('whole');
    expect(claimAt(claims, 'a.b.c')).toBe('half');
    expect(claimAt({ a: { b: { c: 'nested' } } }, 'a.b.c')).toBe('nested');
    expect(claimAt(claims, 'https://acme.example/claims.project')).toBe('acme');
    expect(claimAt(claims, 'client.one.roles')).toBe('of it');
    expect(claimAt(claims, 'a.d')).toEqual(['list']);
    for (const name of [
      'a.d.0',
      'a.d.length',
      'x.y.length',
      'empty.x',
      '',
      '.',
      'a.',
      '.a',
      'a..b',
      'toString',
      '__proto__.a',
    ]) {
      expect(claimAt(claims, name), name).toBeUndefined();
    }
  });
});

describe('the configuration', () => {
  const schema = yamlMap({ external_issuers: externalIssuersSchema.nullish() });
  const check = (yaml: string) => readYaml('weir.yml', yaml, schema);
  const whole = `external_issuers:
  - issuer: https://acme.okta.com/oauth2/default
    jwks_url: https://acme.okta.com/oauth2/default/v1/keys
    audience: weir
    claims: { project: project, scope: scp }
`;

  it('has defaults that are those of RFC 9068', () => {
    expect(check(whole)).toEqual({
      problems: [],
      value: {
        external_issuers: [
          {
            issuer: okta,
            jwksUrl: `${okta}/v1/keys`,
            jwksNetworks: [],
            audiences: ['weir'],
            types: ['at+jwt'],
            algorithms: ['RS256'],
            claims: {
              project: 'project',
              endpoints: undefined,
              scope: 'scp',
              projectMap: undefined,
              scopeMap: undefined,
            },
          },
        ],
      },
    });
  });

  it('may say one or several, and http on this machine', () => {
    const { value, problems } = check(
      whole
        .replace('https://acme.okta.com/oauth2/default/v1/keys', 'http://localhost:8080/keys')
        .replace('audience: weir', 'audience: [a, b]\n    typ: [JWT, at+jwt]\n    algorithms: EdDSA'),
    );
    expect(problems).toEqual([]);
    expect(value!.external_issuers![0]).toMatchObject({
      jwksNetworks: ['127.0.0.0/8', '::1'],
      audiences: ['a', 'b'],
      types: ['jwt', 'at+jwt'],
      algorithms: ['EdDSA'],
    });
  });

  const faults: Record<string, [string, string, string]> = {
    'a missing jwks_url': [
      '    jwks_url: https://acme.okta.com/oauth2/default/v1/keys\n',
      '',
      'jwks_url: Write the URL of its public keys here',
    ],
    'a jwks_url that is plain http': ['jwks_url: https', 'jwks_url: http', 'http is for loopback addresses only'],
    'a jwks_url with a password': ['jwks_url: https://', 'jwks_url: https://u:secret@', 'Write the https URL'],
    'a jwks_url that is none': ['jwks_url: https://acme', 'jwks_url: acme', 'Write the https URL'],
    'an issuer that is none': ['issuer: https://acme', 'issuer: acme', 'exactly as it stands in the "iss"'],
    'a missing audience': ['    audience: weir\n', '', 'audience: Write the audience'],
    'an empty audience': ['audience: weir', 'audience: ""', 'audience: Write'],
    'no audiences': ['audience: weir', 'audience: []', 'audience: Write'],
    'an unknown type': ['audience: weir', 'audience: weir\n    typ: id+jwt', 'typ: Write at+jwt or JWT here'],
    'a symmetric algorithm': [
      'audience: weir',
      'audience: weir\n    algorithms: [HS256]',
      'algorithms: Write algorithms out of',
    ],
    'alg none': ['audience: weir', 'audience: weir\n    algorithms: none', 'algorithms: Write algorithms out of'],
    'a missing project claim': ['project: project, ', '', 'claims.project: Write the name of the claim'],
    'an unknown scope of ours': [
      'scope: scp',
      'scope: scp, scope_map: { r: "read:all" }',
      'Write read:metrics or write:metrics here',
    ],
    'a project of ours that cannot be': [
      'scope: scp',
      'scope: scp, project_map: { r: "../x" }',
      'id of a project of ours',
    ],
    'a mistyped key': ['audience: weir', 'audience: weir\n    audiance: x', 'audiance is not a setting'],
    'a mistyped key among the claims': ['scope: scp', 'scope: scp, endpoint: x', 'claims.endpoint is not a setting'],
    'a map instead of a list': [whole, 'external_issuers: { issuer: x }\n', 'This must be a list of issuers'],
  };
  it.each(Object.keys(faults))('is refused for %s', (name) => {
    const [part, instead, sentence] = faults[name]!;
    expect(whole).toContain(part);
    const { problems } = check(whole.replace(part, instead));
    expect(problems.join('\n')).toContain(sentence);
    expect(problems.join('\n')).not.toContain('secret');
  });

  it('is refused for an issuer that is listed twice', () => {
    expect(check(whole + whole.split('\n').slice(1).join('\n')).problems.join()).toContain('listed twice');
  });

  it('needs nothing at all', () => {
    expect(z.strictObject({ external_issuers: externalIssuersSchema.nullish() }).parse({})).toEqual({});
  });
});
