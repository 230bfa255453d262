import { generateKeyPairSync, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openSslEd25519, signerOf, sodiumEd25519 } from '../../src/auth/signatures.js';

it('an ES256 signature is 64 bytes, and good, however short its numbers are', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const sign = signerOf('ES256', privateKey);
  // One number in 256 has a leading zero byte, which DER leaves out.
  for (let i = 0; i < 2000; i++) {
    const input = Buffer.from(`input ${i}`);
    const signature = sign(input);
    expect(signature).toHaveLength(64);
    expect(verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
  }
});

it('an EdDSA signature is the same whether libsodium makes it or OpenSSL', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const [ours, sodiums, openSsls] = [
    signerOf('EdDSA', privateKey),
    sodiumEd25519(privateKey),
    openSslEd25519(privateKey),
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      const input = Buffer.from(bytes);
      const signature = ours(input);
      expect(sodiums(input)).toEqual(signature);
      expect(openSsls(input)).toEqual(signature);
      expect(verify(null, input, publicKey, signature)).toBe(true);
    }),
  );
});
