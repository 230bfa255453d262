import { describe, expect, it } from 'vitest';
import { matchingSecret, SecretHasher } from '../../src/auth/secrets.js';
import { readCredentials, readParameters } from '../../src/auth/token-request.js';
import type { ClientSecret } from '../../src/domain/client.js';
import { systemRandom } from '../../src/domain/ids.js';
import { basic } from '../support/gateway.js';

/** What a gateway that only makes URL-safe secrets cannot show at its front door: secrets that came from elsewhere. */
describe('HTTP Basic', () => {
  const candidates = (authorization: string) => readCredentials(authorization, new Map()).candidates;

  it.each([
    [
      'a plus',
      'id',
      'a+b',
      [
        ['id', 'a b'],
        ['id', 'a+b'],
      ],
    ],
    [
      'an escape',
      'id',
      'a%2Bb',
      [
        ['id', 'a+b'],
        ['id', 'a%2Bb'],
      ],
    ],
    ['what only looks like an escape', 'id', '100%', [['id', '100%']]],
    ['colons', 'id', 'a:b:c', [['id', 'a:b:c']]],
    ['nothing to decode', 'id', 'a-b_c.d~e', [['id', 'a-b_c.d~e']]],
    ['UTF-8', 'id', 'é☕', [['id', 'é☕']]],
    [
      'an escaped id',
      'i%64',
      's',
      [
        ['id', 's'],
        ['i%64', 's'],
      ],
    ],
  ])('with %s in it is read form-urlencoded first, then raw', (_, id, secret, read) => {
    expect(candidates(basic(id, secret)).map(({ clientId, secret }) => [clientId, secret])).toEqual(read);
  });

  it('may be URL-safe base64, with padding or without', () => {
    const text = Buffer.from('id:~~~???').toString('base64url');
    expect(candidates(`Basic ${text}`)).toEqual([{ clientId: 'id', secret: '~~~???' }]);
  });
});

describe('a form body', () => {
  it('is read as the RFC says: blanks and escapes, empty values left out, several resources', () => {
    const body = 'grant_type=client%5Fcredentials&scope=a+b&x=&resource=1&resource=2';
    expect([...readParameters(Buffer.from(body))]).toEqual([
      ['grant_type', 'client_credentials'],
      ['scope', 'a b'],
      ['resource', '1 2'],
    ]);
  });
});

describe('the hasher', () => {
  const hasher = new SecretHasher(Buffer.alloc(32, 1));
  const record = (secret: string, expiresAt: number | null = null): ClientSecret => ({
    ...hasher.newRecord('c', secret, 0, systemRandom),
    id: secret,
    expiresAt,
    revokedAt: null,
    lastUse: null,
  });

  it('finds the secret among several, and only while it lives', () => {
    const secrets = [record('old', 1000), record('new')];
    expect(matchingSecret(secrets, hasher.mac('new'), 5000)?.id).toBe('new');
    expect(matchingSecret(secrets, hasher.mac('old'), 999)?.id).toBe('old');
    expect(matchingSecret(secrets, hasher.mac('old'), 1000)).toBeUndefined();
    expect(matchingSecret(secrets, hasher.mac('neither'), 0)).toBeUndefined();
    expect(matchingSecret([], hasher.mac('new'), 0)).toBeUndefined();
  });

  it('makes something else of a secret with every pepper, and never the secret', () => {
    expect(new SecretHasher(Buffer.alloc(32, 2)).mac('s')).not.toEqual(hasher.mac('s'));
    expect(matchingSecret([record('s')], new SecretHasher(Buffer.alloc(32, 2)).mac('s'), 0)).toBeUndefined();
    expect(hasher.mac('s')).toHaveLength(32);
  });
});
