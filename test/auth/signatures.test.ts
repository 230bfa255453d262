import { generateKeyPairSync, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ed25519Signer, signerOf } from '../../src/auth/signatures.js';
import { sodium } from '../../src/auth/sodium.js';

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

// Its builds need glibc 2.33; elsewhere OpenSSL signs.
it.skipIf(sodium() === undefined && process.env.CI === undefined)(
  'an EdDSA signature is the same, and good, whether libsodium makes it or OpenSSL',
  () => {
    expect(sodium(), 'libsodium cannot be loaded').toBeDefined();
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const [bySodium, byOpenSsl] = [ed25519Signer(privateKey, sodium()), ed25519Signer(privateKey, undefined)];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const input = Buffer.from(bytes);
        const signature = bySodium(input);
        expect(byOpenSsl(input)).toEqual(signature);
        expect(verify(null, input, publicKey, signature)).toBe(true);
      }),
    );
  },
);

it('a key of another kind does not sign as Ed25519', () => {
  const { privateKey } = generateKeyPairSync('x25519');
  for (const library of [sodium(), undefined]) expect(() => ed25519Signer(privateKey, library)).toThrow('x25519');
});
