import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { generate } from 'selfsigned';
import { describe, expect, it } from 'vitest';
import {
  maxKeysPerFile,
  type PublicKey,
  readClientKeys,
  signatureAlgorithms,
  verifiedClaims,
} from '../../src/auth/client-keys.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });

const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as Record<string, unknown>;
const pem = (key: KeyObject, type: 'spki' | 'pkcs1' = 'spki'): string => key.export({ type, format: 'pem' }).toString();
const privatePem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1', cipher?: string): string =>
  key.export({ type, format: 'pem', ...(cipher === undefined ? {} : { cipher, passphrase: 'p' }) } as never).toString();
const read = (content: string | Buffer | object, kid?: string): Promise<PublicKey[]> =>
  readClientKeys(
    Buffer.isBuffer(content) ? content : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
    kid,
  );
const refusal = (content: string | Buffer | object, kid?: string): Promise<string> =>
  read(content, kid).then(
    (keys) => `accepted ${keys.length}`,
    (error) => {
      expect(error).toMatchObject({ name: 'WeirError', code: 'invalid' });
      return (error as Error).message;
    },
  );
const certificate = async (keyType: 'rsa' | 'ec') => generate([{ name: 'commonName', value: 'x' }], { keyType });

describe('a public key is read from', () => {
  const spellings: Record<string, [KeyObject, () => string | object]> = {
    'SPKI, RSA': [rsa.publicKey, () => pem(rsa.publicKey)],
    'SPKI, P-256': [ec.publicKey, () => pem(ec.publicKey)],
    'SPKI, Ed25519': [ed.publicKey, () => pem(ed.publicKey)],
    'PKCS #1': [rsa.publicKey, () => pem(rsa.publicKey, 'pkcs1')],
    'PEM with text before it, and Windows line ends': [
      rsa.publicKey,
      () => `\uFEFFPublic-Key: (2048 bit)\r\n${pem(rsa.publicKey).replaceAll('\n', '\r\n')}`,
    ],
    'JWK, RSA': [rsa.publicKey, () => jwkOf(rsa.publicKey)],
    'JWK, P-256, for signatures': [ec.publicKey, () => ({ ...jwkOf(ec.publicKey), use: 'sig', alg: 'ES256' })],
    'JWK, Ed25519, for verifying': [
      ed.publicKey,
      () => ({ ...jwkOf(ed.publicKey), key_ops: ['verify'], alg: 'Ed25519' }),
    ],
    'JWKS with one key': [ec.publicKey, () => ({ keys: [jwkOf(ec.publicKey)] })],
  };
  it.each(Object.keys(spellings))('%s', async (name) => {
    const [key, spelling] = spellings[name]!;
    const kid = await calculateJwkThumbprint(jwkOf(key) as never);
    expect(await read(spelling())).toEqual([{ kid, jwk: { ...jwkOf(key), kid } }]);
  });

  it.each(['rsa', 'ec'] as const)('a certificate with an %s key', async (type) => {
    const { cert } = await certificate(type);
    const key = createPublicKey(cert);
    expect(await read(cert)).toEqual([{ kid: expect.any(String), jwk: expect.objectContaining(jwkOf(key)) }]);
  });

  it('a JWKS with several, each under its own name or its thumbprint', async () => {
    const keys = await read({
      keys: [
        { ...jwkOf(rsa.publicKey), kid: 'first one' },
        { ...jwkOf(ec.publicKey), kid: 'second' },
        jwkOf(ed.publicKey),
      ],
    });
    const thumbprint = await calculateJwkThumbprint(jwkOf(ed.publicKey) as never);
    expect(keys.map(({ kid }) => kid)).toEqual(['first one', 'second', thumbprint]);
  });
});

describe('a key that is read', () => {
  it('has the given name rather than its own', async () => {
    expect((await read({ ...jwkOf(ec.publicKey), kid: 'own' }))[0]).toMatchObject({ kid: 'own', jwk: { kid: 'own' } });
    expect((await read({ ...jwkOf(ec.publicKey), kid: 'own' }, 'given'))[0]!.kid).toBe('given');
    expect((await read(pem(ec.publicKey), 'given'))[0]!.kid).toBe('given');
  });

  it('keeps no member beside the key, but for the one algorithm of an RSA key', async () => {
    const extra = { x5u: 'https://evil.example', x5c: ['AAAA'], jku: 'https://evil.example', ext: true, note: 'x' };
    const [key] = await read({ ...jwkOf(rsa.publicKey), ...extra, alg: 'RS512', use: 'sig' }, 'k');
    expect(key!.jwk).toEqual({ ...jwkOf(rsa.publicKey), kid: 'k', alg: 'RS512' });
  });

  it('has one spelling, however it was written', async () => {
    const { n, ...rest } = jwkOf(rsa.publicKey);
    const padded = {
      ...rest,
      n: Buffer.concat([Buffer.alloc(3), Buffer.from(n as string, 'base64url')]).toString('base64'),
    };
    expect(await read(padded)).toEqual(await read(pem(rsa.publicKey)));
  });
});

describe('a private key is refused with a warning, as', () => {
  const files: Record<string, () => string | object> = {
    'PKCS #8': () => privatePem(rsa.privateKey, 'pkcs8'),
    'PKCS #1': () => privatePem(rsa.privateKey, 'pkcs1'),
    SEC1: () => privatePem(ec.privateKey, 'sec1'),
    'PKCS #8, Ed25519': () => privatePem(ed.privateKey, 'pkcs8'),
    'encrypted PKCS #8': () => privatePem(rsa.privateKey, 'pkcs8', 'aes-256-cbc'),
    'OpenSSH private key': () => '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----',
    'PEM after its public half': () => `${pem(rsa.publicKey)}${privatePem(rsa.privateKey, 'pkcs8')}`,
    'PEM without end': () => privatePem(rsa.privateKey, 'pkcs8').slice(0, 300),
    'JWK, RSA': () => jwkOf(rsa.privateKey),
    'JWK, P-256': () => jwkOf(ec.privateKey),
    'JWK, Ed25519': () => jwkOf(ed.privateKey),
    'JWK with its private member only hinted at': () => ({ ...jwkOf(rsa.publicKey), dp: '' }),
    'JWK, shared secret': () => ({ kty: 'oct', k: 'c2VjcmV0' }),
    'JWKS with one private key among public ones': () => ({ keys: [jwkOf(rsa.publicKey), jwkOf(ec.privateKey)] }),
  };
  it.each(Object.keys(files))('%s', async (name) => {
    const content = files[name]!();
    const message = await refusal(content);
    expect(message).toContain('private or secret key; nothing was stored');
    const secret = typeof content === 'string' ? content.split('\n')[1]!.slice(0, 20) : '"d"';
    expect(message).not.toContain(secret);
  });
});

describe('a file is refused that', () => {
  const weakJwk = { kty: 'RSA', e: 'AQAB', n: '' };
  const strong = jwkOf(rsa.publicKey);
  const files: Record<string, [() => string | Buffer | object | Promise<string>, string]> = {
    'is empty': [() => '', 'no key in PEM or JSON'],
    'is a key in DER': [() => rsa.publicKey.export({ type: 'spki', format: 'der' }), 'openssl pkey -pubin -inform DER'],
    'is a key of OpenSSH': [() => 'ssh-rsa AAAAB3NzaC1yc2E user@host', 'ssh-keygen -e -m PKCS8'],
    'is larger than 64 KiB': [() => pem(rsa.publicKey) + ' '.repeat(65_536), '64 KiB'],
    'is broken JSON': [() => '{"kty":"RSA"', 'JSON'],
    'is a list': [() => JSON.stringify([strong]), 'no key in PEM or JSON'],
    'is a JWKS without keys': [() => ({ keys: [] }), 'no keys'],
    'is a JWKS whose keys are no list': [() => ({ keys: strong }), 'no keys'],
    'is a JWKS of null': [() => ({ keys: [null] }), 'JSON object'],
    'is a JWKS with too many keys': [() => ({ keys: Array(maxKeysPerFile + 1).fill(strong) }), '11 keys; 10'],
    'is a JWKS with one name twice': [
      () => ({
        keys: [
          { ...strong, kid: 'a' },
          { ...jwkOf(ec.publicKey), kid: 'a' },
        ],
      }),
      'same kid',
    ],
    'is a JWKS with one key twice': [() => ({ keys: [strong, strong] }), 'same kid'],
    'is a JWKS with a bad key among good ones': [() => ({ keys: [strong, weakJwk] }), '2048'],
    'holds two keys in PEM': [() => pem(rsa.publicKey) + pem(ec.publicKey), 'several PEM blocks'],
    'is a chain of certificates': [
      async () => (await certificate('ec')).cert + (await certificate('ec')).cert,
      'of a chain of certificates only the first',
    ],
    'is another kind of PEM': [
      () => '-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----',
      'DH PARAMETERS',
    ],
    'is PEM with nonsense in it': [() => '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'damaged'],
    'is PEM that was cut': [() => pem(rsa.publicKey).slice(0, 200), 'no key in PEM or JSON'],
    'is RSA of 1024 bits': [() => pem(weakRsa.publicKey), 'this one has 1024'],
    'is RSA of 1024 bits, as JWK': [() => jwkOf(weakRsa.publicKey), 'this one has 1024'],
    'is RSA without a modulus': [() => weakJwk, 'this one has 0'],
    'is RSA of 16384 bits': [
      () => ({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(2048, 0xff).toString('base64url') }),
      'this one has 16384',
    ],
    'is RSA with the exponent 1': [() => ({ ...strong, e: 'AQ' }), 'exponent'],
    'is RSA with an even exponent': [() => ({ ...strong, e: 'AQAA' }), 'exponent'],
    'is RSA with a huge exponent': [
      () => ({ ...strong, e: Buffer.alloc(200, 0xff).toString('base64url') }),
      'exponent',
    ],
    'is RSA for PSS only': [
      () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey),
      'this one is rsa-pss',
    ],
    'is on P-384': [() => pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), 'P-256'],
    'is on secp256k1': [() => jwkOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), 'P-256'],
    'is a point beside the curve': [
      () => ({ ...jwkOf(ec.publicKey), y: Buffer.alloc(32, 7).toString('base64url') }),
      'damaged',
    ],
    'is X25519': [() => pem(generateKeyPairSync('x25519').publicKey), 'this one is x25519'],
    'is of no kind': [() => ({ kid: 'a' }), 'damaged'],
    'is for encryption': [() => ({ ...strong, use: 'enc' }), '"use"'],
    'is for signing only': [() => ({ ...strong, key_ops: ['sign'] }), '"key_ops"'],
    'is for RSA-OAEP': [() => ({ ...strong, alg: 'RSA-OAEP' }), '"alg"'],
    'is for PS256': [() => ({ ...strong, alg: 'PS256' }), '"alg"'],
    'is P-256 for ES512': [() => ({ ...jwkOf(ec.publicKey), alg: 'ES512' }), '"alg"'],
    'has a kid that is a number': [() => ({ ...strong, kid: 1 }), '"kid"'],
    'has an empty kid': [() => ({ ...strong, kid: '' }), '1 to 200'],
    'has a kid with a line end': [() => ({ ...strong, kid: 'a\nb' }), '1 to 200'],
    'has a kid that is a book': [() => ({ ...strong, kid: 'k'.repeat(201) }), '1 to 200'],
  };
  it.each(Object.keys(files))('%s', async (name) => {
    const [content, part] = files[name]!;
    expect(await refusal(await content())).toContain(part);
  });

  it('should bear one given name with several keys', async () => {
    expect(await refusal({ keys: [strong, jwkOf(ec.publicKey)] }, 'given')).toContain('given kid');
    expect(await refusal(pem(rsa.publicKey), 'a\u0000b')).toContain('1 to 200');
  });
});

describe('of the keys for a token', () => {
  const header = (more: object) => Buffer.from(JSON.stringify({ alg: 'RS256', ...more })).toString('base64url');
  const token = (more: object = {}, key = rsa.privateKey, hash: string | null = 'sha256'): string => {
    const input = `${header(more)}.${Buffer.from('{"iss":"x"}').toString('base64url')}`;
    return `${input}.${sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const all = signatureAlgorithms;
  const claims = { iss: 'x' };

  it('each fitting one is tried without a kid, the named one only with it', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const keys = [
      ...(await read(pem(other.publicKey), 'other')),
      ...(await read(pem(ec.publicKey), 'ec')),
      ...(await read(pem(ed.publicKey), 'ed')),
      ...(await read(pem(rsa.publicKey), 'right')),
    ];
    expect(await verifiedClaims(token(), keys, all, {})).toEqual(claims);
    expect(await verifiedClaims(token({ kid: 'right' }), keys, all, {})).toEqual(claims);
    expect(await verifiedClaims(token({ alg: 'ES256' }, ec.privateKey), keys, all, {})).toEqual(claims);
    expect(await verifiedClaims(token({ alg: 'EdDSA' }, ed.privateKey, null), keys, all, {})).toEqual(claims);
    expect(await verifiedClaims(token({ alg: 'Ed25519' }, ed.privateKey, null), keys, all, {})).toEqual(claims);
    expect(await verifiedClaims(token({ alg: 'RS512' }, rsa.privateKey, 'sha512'), keys, all, {})).toEqual(claims);
    for (const kid of ['other', 'ec', 'gone', '']) {
      expect(await verifiedClaims(token({ kid }), keys, all, {}), kid).toBeUndefined();
    }
    expect(await verifiedClaims(token(), [], all, {})).toBeUndefined();
    expect(await verifiedClaims(token(), keys, ['ES256'], {})).toBeUndefined();
  });

  it('one that is for RS512 checks nothing else', async () => {
    const keys = await read({ ...jwkOf(rsa.publicKey), alg: 'RS512' });
    expect(await verifiedClaims(token({ alg: 'RS512' }, rsa.privateKey, 'sha512'), keys, all, {})).toEqual(claims);
    expect(await verifiedClaims(token(), keys, all, {})).toBeUndefined();
  });

  it('at most ten are tried', async () => {
    const others = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        read(pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey), `${index}`),
      ),
    );
    const right = await read(pem(ec.publicKey), 'right');
    const signed = token({ alg: 'ES256' }, ec.privateKey);
    expect(await verifiedClaims(signed, [...others.flat().slice(1), ...right], all, {})).toEqual(claims);
    expect(await verifiedClaims(signed, [...others.flat(), ...right], all, {})).toBeUndefined();
  });
});
