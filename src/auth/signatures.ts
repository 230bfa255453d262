import { type KeyObject, sign } from 'node:crypto';
import type { SigningAlgorithm } from '../domain/signing.js';

/** The signature of a JWS (RFC 7518 §3) over its input, by algorithm. */
export const signatures: Record<SigningAlgorithm, (input: Buffer, key: KeyObject) => Buffer> = {
  // Node 24 takes twice as long when it is asked for this encoding itself.
  ES256: (input, key) => joined(sign('sha256', input, key)),
  EdDSA: (input, key) => sign(null, input, key),
  RS256: (input, key) => sign('sha256', input, key),
};

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
