import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import dns from 'node:dns';
import { createServer } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Envelope } from '../../src/auth/envelope.js';
import { readOrCreateKeys } from '../../src/auth/key-file.js';
import { systemRandom } from '../../src/domain/ids.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import { seededRandom } from '../demo/seeded-random.js';
import { pipeline } from '../http/pipeline.js';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let good: string;
let header: Json;
let claims: Json;
/** The gateway's own signing key, taken out of its store: the worst a forger can have. */
let ours: KeyObject;
let publicJwk: Json;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  await gateway.project('rival', 'db1');
  good = (await gateway.bearer('acme')).slice('Bearer '.length);
  [header, claims] = good.split('.').slice(0, 2).map(decoded) as [Json, Json];
  const store = openSqliteStore({ path: gateway.config.storage.path, now: Date.now, exclusive: false });
  const stored = (await store.keys.list()).find(({ state }) => state === 'current');
  await store.close();
  const envelope = new Envelope(
    readOrCreateKeys(gateway.config.secrets.encryptionKeysFile, '', systemRandom),
    systemRandom,
  );
  const place = { table: 'signing_key', column: 'private_jwk', row: stored!.kid };
  const jwk = JSON.parse(envelope.open(stored!.privateJwk, place).toString('utf8')) as never;
  ours = createPrivateKey({ key: jwk, format: 'jwk' });
  publicJwk = JSON.parse(stored!.publicJwk) as Json;
});
afterAll(() => gateway.stop());

type Json = Record<string, unknown>;

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const decoded = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Json;
const without = (object: Json, name: string): Json =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));

/** A token of these parts, signed with ES256. */
function signed(head: unknown, payload: unknown, key = ours, dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363'): string {
  const input = `${encoded(head)}.${encoded(payload)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding }).toString('base64url')}`;
}

const hmacSigned = (head: unknown, secret: string | Buffer): string => {
  const input = `${encoded(head)}.${encoded(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};

async function status(token: string): Promise<number> {
  const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer: `Bearer ${token}` });
  await response.text();
  return response.status;
}

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const now = (): number => Math.floor(gateway.clock.now() / 1000);

describe('the forger at work', () => {
  it('would be let in with our key and the right words', async () => {
    expect(await status(signed(header, claims))).toBe(200);
    expect(await status(signed({ ...header, typ: 'application/at+jwt' }, claims))).toBe(200);
    expect(await status(signed(header, { ...claims, aud: ['https://other.example', claims.aud] }))).toBe(200);
    expect(await status(signed(header, { ...claims, exp: now() - 59 }))).toBe(200);
    expect(await status(signed(header, { ...claims, nbf: now() + 60 }))).toBe(200);
  });
});

const forgeries: Record<string, () => string> = {
  'alg is none': () => `${encoded({ ...header, alg: 'none' })}.${encoded(claims)}.`,
  'alg is nOnE': () => `${encoded({ ...header, alg: 'nOnE' })}.${encoded(claims)}.`,
  'alg is none, with our signature': () => signed({ ...header, alg: 'none' }, claims),
  'alg is HS256 with the public key in PEM': () =>
    hmacSigned({ ...header, alg: 'HS256' }, createPublicKey(ours).export({ type: 'spki', format: 'pem' })),
  'alg is HS256 with the public key in DER': () =>
    hmacSigned({ ...header, alg: 'HS256' }, createPublicKey(ours).export({ type: 'spki', format: 'der' })),
  'alg is HS256 with the public key as JWK': () => hmacSigned({ ...header, alg: 'HS256' }, JSON.stringify(publicJwk)),
  'alg is HS256 with an empty key': () => hmacSigned({ ...header, alg: 'HS256' }, ''),
  'alg is ES384': () => signed({ ...header, alg: 'ES384' }, claims),
  'alg is RS256': () => signed({ ...header, alg: 'RS256' }, claims),
  'alg is missing': () => signed(without(header, 'alg'), claims),
  'alg is a list': () => signed({ ...header, alg: ['ES256'] }, claims),
  'key is another': () => signed(header, claims, stranger.privateKey),
  'key stands in its own header': () =>
    signed({ ...header, jwk: stranger.publicKey.export({ format: 'jwk' }) }, claims, stranger.privateKey),
  'kid is unknown': () => signed({ ...header, kid: 'x' }, claims),
  'kid is missing': () => signed(without(header, 'kid'), claims),
  'kid is a path': () => signed({ ...header, kid: '../../../../dev/null' }, claims),
  'kid is SQL': () => signed({ ...header, kid: `' OR '1'='1` }, claims),
  'kid is a property of every object': () => signed({ ...header, kid: '__proto__' }, claims),
  'kid holds NUL': () => signed({ ...header, kid: `${header.kid}\0` }, claims),
  'kid is a list': () => signed({ ...header, kid: [header.kid] }, claims),
  'kid is in other case': () => signed({ ...header, kid: String(header.kid).toLowerCase() }, claims),
  'kid is huge': () => signed({ ...header, kid: 'k'.repeat(3000) }, claims),
  'crit names what we do not know': () => signed({ ...header, crit: ['exp'], exp: 1 }, claims),
  'crit names what is not there': () => signed({ ...header, crit: ['nothing'] }, claims),
  'certificates stand in its own header (x5c)': () =>
    signed(
      { ...header, x5c: [stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
      claims,
      stranger.privateKey,
    ),
  'crit is empty': () => signed({ ...header, crit: [] }, claims),
  'payload is not encoded (b64)': () => signed({ ...header, crit: ['b64'], b64: false }, claims),
  'typ is JWT': () => signed({ ...header, typ: 'JWT' }, claims),
  'typ is that of an ID token': () => signed({ ...header, typ: 'id+jwt' }, claims),
  'typ is missing': () => signed(without(header, 'typ'), claims),
  'iss is another': () => signed(header, { ...claims, iss: 'https://evil.example' }),
  'iss has a slash too many': () => signed(header, { ...claims, iss: `${claims.iss}/` }),
  'iss is a list': () => signed(header, { ...claims, iss: [claims.iss] }),
  'iss is empty': () => signed(header, { ...claims, iss: '' }),
  'aud is another': () => signed(header, { ...claims, aud: 'https://evil.example' }),
  'aud is a list without us': () => signed(header, { ...claims, aud: ['https://evil.example'] }),
  'aud is empty': () => signed(header, { ...claims, aud: '' }),
  'exp is past': () => signed(header, { ...claims, exp: now() - 60 }),
  'exp is a text': () => signed(header, { ...claims, exp: String(claims.exp) }),
  'exp is null': () => signed(header, { ...claims, exp: null }),
  'nbf is in the future': () => signed(header, { ...claims, nbf: now() + 61 }),
  'iat is in the future': () => signed(header, { ...claims, iat: now() + 61 }),
  'iat is a text': () => signed(header, { ...claims, iat: 'yesterday' }),
  'sub is not its client': () => signed(header, { ...claims, sub: 'weir_cid_other' }),
  'client is unknown': () => signed(header, { ...claims, sub: 'weir_cid_x', client_id: 'weir_cid_x' }),
  'client is a list': () => signed(header, { ...claims, sub: [claims.sub], client_id: [claims.sub] }),
  "project is not its client's": () => signed(header, { ...claims, project: 'rival' }),
  'project is a list': () => signed(header, { ...claims, project: ['acme'] }),
  'scope is a list': () => signed(header, { ...claims, scope: ['read:metrics'] }),
  'jti is a number': () => signed(header, { ...claims, jti: 1 }),
  'payload is a list': () => signed(header, [claims]),
  'payload is no JSON': () => signed(header, '{'),
  'header is no JSON': () => signed('{', claims),
  'header is null': () => signed('null', claims),
  'signature is missing': () => good.replace(/[^.]*$/, ''),
  'signature is all zeros': () => good.replace(/[^.]*$/, Buffer.alloc(64).toString('base64url')),
  'signature is cut': () => good.slice(0, -4),
  'signature is in DER': () => signed(header, claims, ours, 'der'),
  'signature is missing with its dot': () => good.replace(/\.[^.]*$/, ''),
  'parts are four': () => `${good}.x`,
  'parts are five, like those of an encrypted one': () => `${good}.x.y`,
  'signature is padded': () => `${good}==`,
  'length is that of a book': () => signed({ ...header, x: 'x'.repeat(9000) }, claims),
};
for (const claim of ['iss', 'aud', 'exp', 'iat', 'sub', 'client_id', 'project', 'scope', 'jti']) {
  forgeries[`${claim} is missing`] = () => signed(header, without(claims, claim));
}

describe('a token is refused whose', () => {
  it.each(Object.keys(forgeries))('%s', async (name) => {
    expect(await status(forgeries[name]!())).toBe(401);
  });

  it('key is said to lie elsewhere, and nobody asks for it there', async () => {
    let asked = 0;
    const elsewhere = createServer((_, response) => {
      asked++;
      response.end(JSON.stringify({ keys: [{ ...stranger.publicKey.export({ format: 'jwk' }), kid: header.kid }] }));
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/keys`;
    for (const name of ['jku', 'x5u', 'kid']) {
      expect(await status(signed({ ...header, [name]: url }, claims, stranger.privateKey)), name).toBe(401);
    }
    await new Promise((resolve) => elsewhere.close(resolve));
    expect(asked).toBe(0);
  });
});

describe('no forgery of any kind', () => {
  it('makes the gateway connect to anything, or ask for a name', async () => {
    const connections = vi.spyOn(Socket.prototype, 'connect');
    const lookups = [vi.spyOn(dns, 'lookup'), vi.spyOn(dns.promises, 'lookup')];
    try {
      // Another connection of ours, so that one is seen.
      expect(await pipelined([good])).toEqual([200]);
      expect(connections).toHaveBeenCalledTimes(1);
      const names = ['jku', 'x5u', 'jwks_uri', 'iss', 'kid'];
      const hosts = [
        'http://forger.example',
        'https://forger.example/keys',
        'https://127.0.0.1:1/keys',
        '//forger.example',
      ];
      const elsewhere = names.flatMap((name) =>
        hosts.map((host) => signed({ ...header, [name]: host }, claims, stranger.privateKey)),
      );
      const issuers = hosts.map((iss) => signed(without(header, 'kid'), { ...claims, iss }, stranger.privateKey));
      const all = [...Object.values(forgeries).map((make) => make()), ...elsewhere, ...issuers];
      // What no HTTP header can carry never comes to the gateway.
      const sendable = all.filter((token) => token.length < 12_000);
      expect(await pipelined(sendable)).toEqual(sendable.map(() => 401));
      expect(connections).toHaveBeenCalledTimes(2);
      for (const lookup of lookups) expect(lookup).not.toHaveBeenCalled();
    } finally {
      for (const spy of [connections, ...lookups]) spy.mockRestore();
    }
  });
});

describe('a good token', () => {
  it('is good in one spelling only: no other last character of its signature is taken', async () => {
    const taken: string[] = [];
    for (const last of base64url) {
      const other = good.slice(0, -1) + last;
      if (other !== good && (await status(other)) !== 401) taken.push(last);
    }
    expect(taken).toEqual([]);
  });

  it('is not good after any of 10,000 mutations, whether they change its bytes or only its spelling', async () => {
    const random = seededRandom(20_260_101);
    const pick = (below: number): number => Math.floor(random() * below);
    const letter = (): string => base64url[pick(64)]!;
    const mutations: ((text: string) => string)[] = [
      ...new Array<(text: string) => string>(6).fill((text) => replaced(text, pick(text.length), 1, letter())),
      (text) => replaced(text, text.length - 1 - pick(3), 1, letter()),
      (text) => replaced(text, pick(text.length), 1, ''),
      (text) => replaced(text, pick(text.length), 0, letter()),
      (text) => replaced(text, pick(text.length), 0, '.'),
      (text) => text.slice(0, 1 + pick(text.length - 1)),
      (text) => text + letter(),
      (text) => replaced(text, pick(text.length), 1 + pick(20), ''),
      (text) => {
        const at = pick(text.length - 1);
        return replaced(text, at, 2, text[at + 1]! + text[at]!);
      },
      (text) => text.split('.').reverse().join('.'),
      (text) => {
        const bytes = Buffer.from(text.split('.')[2]!, 'base64url');
        bytes[pick(64)]! ^= 1 << pick(8);
        return text.replace(/[^.]*$/, bytes.toString('base64url'));
      },
    ];
    const mutated: string[] = [];
    while (mutated.length < 10_000) {
      const text = mutations[pick(mutations.length)]!(good);
      if (text !== good) mutated.push(text);
    }
    // Some of them decode to the same bytes: base64url leaves bits of a last character unused.
    const bytes = (text: string): string =>
      text
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('hex'))
        .join('.');
    expect(mutated.filter((text) => bytes(text) === bytes(good)).length).toBeGreaterThan(10);
    const statuses = await pipelined(mutated);
    expect(mutated.filter((_, i) => statuses[i] !== 401)).toEqual([]);
    expect(statuses).toHaveLength(10_000);
    expect(await pipelined([good, mutated[0]!, good])).toEqual([200, 401, 200]);
  });
});

/** The status for each token. */
const pipelined = (tokens: readonly string[]): Promise<number[]> =>
  pipeline(
    gateway.url,
    tokens.map((token) => `GET /api/v1/acme/db1/metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`),
  );

const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const replaced = (text: string, at: number, length: number, by: string): string =>
  text.slice(0, at) + by + text.slice(at + length);
