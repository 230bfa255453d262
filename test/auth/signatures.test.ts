import { generateKeyPairSync, verify } from 'node:crypto';
import { expect, it } from 'vitest';
import { signatures } from '../../src/auth/signatures.js';

it('an ES256 signature is 64 bytes, and good, however short its numbers are', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // One number in 256 has a leading zero byte, which DER leaves out.
  for (let i = 0; i < 2000; i++) {
    const input = Buffer.from(`input ${i}`);
    const signature = signatures.ES256(input, privateKey);
    expect(signature).toHaveLength(64);
    expect(verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
  }
});
