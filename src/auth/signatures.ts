import { type KeyObject, sign } from 'node:crypto';
import type { SigningAlgorithm } from '../domain/signing.js';
import { type Sodium, sodium } from './sodium.js';

/** The signature of a JWS over its input (RFC 7518 §3). */
export type Signer = (input: Buffer) => Buffer;

/** Signs with a private key of this algorithm. */
export const signerOf = (alg: SigningAlgorithm, key: KeyObject): Signer => signers[alg](key);

const signers: Record<SigningAlgorithm, (key: KeyObject) => Signer> = {
  // Node 24 takes twice as long when it is asked for this encoding itself.
  ES256: (key) => (input) => joined(sign('sha256', input, key)),
  EdDSA: (key) => ed25519Signer(key, sodium()),
  RS256: (key) => (input) => sign('sha256', input, key),
};

/** The same bytes by both libraries, as RFC 8032 §5.1.6 leaves no choice; libsodium takes three fifths of the time. */
export function ed25519Signer(key: KeyObject, library: Sodium | undefined): Signer {
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError(`Not an Ed25519 key: ${key.asymmetricKeyType}.`);
  if (library === undefined) return (input) => sign(null, input, key);
  const seed = Buffer.from(key.export({ format: 'jwk' }).d!, 'base64url');
  const secretKey = Buffer.alloc(64);
  library.crypto_sign_seed_keypair(Buffer.alloc(32), secretKey, seed);
  seed.fill(0);
  return (input) => {
    const signature = Buffer.alloc(64);
    library.crypto_sign_detached(signature, input, secretKey);
    return signature;
  };
}

const halfBytes = 32;

/**
 * An ECDSA signature over P-256 from DER (SEQUENCE of the INTEGERs r and s, RFC 3279 §2.2.3) as JWS has it: r and s side by
 * side, 32 bytes each (RFC 7518 §3.4).
 */
function joined(der: Buffer): Buffer {
  const signature = Buffer.alloc(2 * halfBytes);
  let at = 2;
  for (let end = halfBytes; end <= 2 * halfBytes; end += halfBytes) {
    const length = der[at + 1]!;
    // A zero stands before a number whose first bit is set; leading zeros of a small one are left out.
    const zeros = Math.max(0, length - halfBytes);
    der.copy(signature, end - length + zeros, at + 2 + zeros, at + 2 + length);
    at += 2 + length;
  }
  return signature;
}
