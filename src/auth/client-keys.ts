import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  calculateJwkThumbprint,
  decodeProtectedHeader,
  errors,
  type JWK,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { WeirError } from '../domain/errors.js';

/** What a client or a foreign issuer may sign with; `Ed25519` is the newer name of `EdDSA` (RFC 9864). */
export const signatureAlgorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'EdDSA', 'Ed25519'] as const;
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

/** A key of somebody else's, checked; `jwk` has the members that matter and no others. */
export interface PublicKey {
  readonly kid: string;
  readonly jwk: JWK;
}

export const maxKeysPerFile = 10;
const maxFileBytes = 64 * 1024;

/**
 * The keys in a client's file: one in PEM (SPKI, PKCS #1, or a certificate, of which only the key counts), a JWK, or a
 * JWKS. A key is named by `kid`, else by the name in the file, else by its thumbprint (RFC 7638). Throws `invalid` for a
 * file that holds anything else, be it beside good keys.
 */
export async function readClientKeys(content: Buffer, kid?: string): Promise<PublicKey[]> {
  if (content.length > maxFileBytes) throw invalid('The file is larger than 64 KiB; a public key never is.');
  const text = content
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim();
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) throw privateKey();
  if (text.startsWith('{')) return readJson(text, kid);
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g)];
  if (blocks.length === 0) throw invalid(notAKey(text));
  if (blocks.length > 1) {
    throw invalid(
      'The file holds several PEM blocks. Give one key, of a chain of certificates only the first, or several as a JWKS.',
    );
  }
  return [await namedKey(readPem(blocks[0]![0], blocks[0]![1]!), kid)];
}

/** One key out of a JWKS. Throws `invalid` when it is not a public key for one of `signatureAlgorithms`. */
export async function readJwk(value: unknown, kid?: string): Promise<PublicKey> {
  if (typeof value !== 'object' || value === null) throw invalid('A key must be a JSON object.');
  const jwk = value as Record<string, unknown>;
  if (privateMembers.some((member) => Object.hasOwn(jwk, member))) throw privateKey();
  if (jwk.use !== undefined && jwk.use !== 'sig') throw invalid('The key is not for signatures ("use" is not "sig").');
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) {
    throw invalid('The key is not for verifying signatures ("key_ops" lacks "verify").');
  }
  const key = asKey(() => createPublicKey({ key: jwk as never, format: 'jwk' }));
  const named = kid ?? jwk.kid;
  if (named !== undefined && typeof named !== 'string') throw invalid('The "kid" of the key must be text.');
  return namedKey(key, named, jwk.alg);
}

/**
 * The claims of a token that one of the keys signed: those with its `kid`, when it names one, and of the kind that its
 * `alg` wants. `undefined` when none did; throws `JOSEError` when one did and the claims do not hold. What the header
 * says of other keys (`jwk`, `jku`, `x5c`, `x5u`) is not looked at.
 */
export async function verifiedClaims(
  token: string,
  keys: readonly PublicKey[],
  algorithms: readonly string[],
  options: JWTVerifyOptions,
): Promise<JWTPayload | undefined> {
  const { alg = '', kid } = decodeProtectedHeader(token);
  if (!algorithms.includes(alg) || !hasCanonicalSignature(token)) return undefined;
  for (const { jwk } of fittingKeys(keys, { alg, kid }).slice(0, maxKeysTried)) {
    try {
      return (await jwtVerify(token, jwk, { ...options, algorithms: [alg] })).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  return undefined;
}

/** Those that may have made a signature with such a header. */
export const fittingKeys = (keys: readonly PublicKey[], { alg, kid }: { alg: string; kid: string | undefined }) =>
  keys.filter((key) => (kid === undefined || key.kid === kid) && signsWith(key.jwk, alg));

const maxKeysTried = 10;

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

const invalid = (sentence: string): WeirError => new WeirError('invalid', sentence);

const privateKey = (): WeirError =>
  invalid(
    'This is a private or secret key; nothing was stored. It must stay with the client alone: register its public ' +
      'half (openssl pkey -in client.pem -pubout), and make a new key if others could read this file.',
  );

async function readJson(text: string, kid: string | undefined): Promise<PublicKey[]> {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw invalid('The file looks like JSON, but cannot be read as such.');
  }
  if (!Object.hasOwn(value, 'keys')) return [await readJwk(value, kid)];
  if (!Array.isArray(value.keys) || value.keys.length === 0) throw invalid('The JWKS holds no keys.');
  if (value.keys.length > maxKeysPerFile) {
    throw invalid(`The JWKS holds ${value.keys.length} keys; ${maxKeysPerFile} are allowed.`);
  }
  if (kid !== undefined && value.keys.length > 1) {
    throw invalid('The JWKS holds several keys, which cannot all bear the given kid.');
  }
  const keys = await Promise.all(value.keys.map((jwk) => readJwk(jwk, kid)));
  if (new Set(keys.map((key) => key.kid)).size < keys.length) throw invalid('Two keys of the JWKS bear the same kid.');
  return keys;
}

function readPem(pem: string, label: string): KeyObject {
  if (!['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE'].includes(label)) {
    throw invalid(`The file holds a PEM block "${label}"; a PUBLIC KEY or CERTIFICATE is needed.`);
  }
  return asKey(() => createPublicKey({ key: pem, format: 'pem' }));
}

function asKey(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch {
    throw invalid('The key cannot be read: it is damaged, or of a kind that is not known.');
  }
}

function notAKey(text: string): string {
  if (/^(ssh-|ecdsa-)/.test(text)) {
    return "This is a key in OpenSSH's format; turn it into PEM with: ssh-keygen -e -m PKCS8 -f FILE";
  }
  return 'The file holds no key in PEM or JSON; a binary one becomes PEM with: openssl pkey -pubin -inform DER -in FILE';
}

/** The key with its name, if it is of an allowed kind. The members are those that Node writes: one spelling per key. */
async function namedKey(key: KeyObject, kid: string | undefined, alg?: unknown): Promise<PublicKey> {
  const jwk: JWK = { ...publicMembers(key), ...restriction(key, alg) };
  if (kid !== undefined && !/^[\x20-\x7e]{1,200}$/.test(kid)) {
    throw invalid('The kid of a key must be 1 to 200 printable ASCII characters.');
  }
  const name = kid ?? (await calculateJwkThumbprint(jwk));
  return { kid: name, jwk: { ...jwk, kid: name } };
}

function publicMembers(key: KeyObject): JWK {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < 2048 || modulusLength > 8192) {
        throw invalid(`An RSA key must have 2048 to 8192 bits; this one has ${modulusLength}.`);
      }
      // An exponent of 1 makes everything its own signature; a huge one makes checking expensive.
      if (publicExponent < 3n || publicExponent > 0xffff_ffffn || publicExponent % 2n === 0n) {
        throw invalid('The public exponent of the RSA key is not a usual one such as 65537.');
      }
      break;
    case 'ec':
      if (namedCurve !== 'prime256v1') throw invalid('An elliptic-curve key must be on the curve P-256 (or Ed25519).');
      break;
    case 'ed25519':
      break;
    default:
      throw invalid(`A key must be RSA, EC on P-256 or Ed25519; this one is ${key.asymmetricKeyType ?? 'of no kind'}.`);
  }
  return key.export({ format: 'jwk' }) as JWK;
}

/** Only RSA leaves a choice; a key that says which algorithm it is for is taken at its word. */
function restriction(key: KeyObject, alg: unknown): { alg?: string } {
  if (alg === undefined) return {};
  const allowed: Record<string, readonly string[]> = {
    rsa: ['RS256', 'RS384', 'RS512'],
    ec: ['ES256'],
    ed25519: ['EdDSA', 'Ed25519'],
  };
  if (typeof alg !== 'string' || !allowed[key.asymmetricKeyType!]!.includes(alg)) {
    throw invalid(`The key is for an algorithm ("alg") that is not among ${signatureAlgorithms.join(', ')}.`);
  }
  return key.asymmetricKeyType === 'rsa' ? { alg } : {};
}

const kindOf: Record<string, string> = {
  RS256: 'RSA',
  RS384: 'RSA',
  RS512: 'RSA',
  ES256: 'EC',
  EdDSA: 'OKP',
  Ed25519: 'OKP',
};

const signsWith = (jwk: JWK, alg: string): boolean =>
  jwk.kty === kindOf[alg] && (jwk.alg === undefined || jwk.alg === alg);

/** One spelling per token: base64url leaves bits of the last character unused, and jose takes padding (RFC 7515 §2). */
function hasCanonicalSignature(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}
