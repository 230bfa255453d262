import { decodeProtectedHeader, errors, type JWK, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { fittingKeys, type PublicKey, verifiedClaims } from './client-keys.js';

/**
 * As `verifiedClaims`, but without a key that fits a signature is checked all the same, by the token's algorithm, with a key
 * that nobody has: whoever has no key must not be told by the time whether there is one. Keys of other sizes and several keys
 * of one kind still take longer than one.
 */
export async function verifiedInEqualTime(
  token: string,
  keys: readonly PublicKey[],
  algorithms: readonly string[],
  options: JWTVerifyOptions,
): Promise<JWTPayload | undefined> {
  const { alg = '', kid } = decodeProtectedHeader(token);
  if (fittingKeys(keys, { alg, kid }).length > 0) return verifiedClaims(token, keys, algorithms, options);
  try {
    const named = decoys.map((jwk) => ({ kid: kid ?? '', jwk }));
    await verifiedClaims(token, named, algorithms, options);
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
  }
  return undefined;
}

/** Public halves of keys whose private ones were thrown away. */
const decoys: readonly JWK[] = [
  {
    kty: 'RSA',
    n: 'wubkZaIpsM1Ps5rpPJLpcFF0vgs0eW1yhn6dkkKM7qlqKG1MgmDuA4dJSw6z1rAyDuaxQ4CHZ49gN6Eb9ckTitxxqedxwSB0_8cPhE7uMcNeVEZ1ptjsdqHozJZ6aVQd7DRrSGk2PIHoYoTetYcSphQJHpbNH0hvc7tspWvBfMlDSLBZ0XxYyVC2k5eSYg9hKigQRQw8d-edPwuYKu08RpJu1mO2T6KC3oIltKp5HcnQsvzBASckBWz6NcYUE3QswniZ1uj_9KNT8lyslGsMTViQxruE2GEs0pHXgYUOjpYDrAYIflZHkfnhmwDgwLxNElAOePsY61Zfhy3qK1BcDQ',
    e: 'AQAB',
  },
  {
    kty: 'EC',
    x: '72njSe6tobEsaLl1bV26W754vAnBTfp56lXTRsTeYdM',
    y: '_2G3RbViyxW-b9idJ_-2KiudrfvfsNN5XMIXRWq1K2c',
    crv: 'P-256',
  },
  {
    crv: 'Ed25519',
    x: '14IMparyhmxlc7yrAVHWM4gg-VUxEhOVqXdKakn4DqE',
    kty: 'OKP',
  },
];
