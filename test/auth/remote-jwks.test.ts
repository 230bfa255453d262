import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { type FetchKeys, RemoteJwks } from '../../src/auth/remote-jwks.js';
import { HeldClock } from '../support/gateway.js';
import { eventually } from '../support/programs.js';

const publicJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const named = (...kids: string[]) => ({ keys: kids.map((kid) => ({ ...publicJwk, kid })) });
const url = 'https://issuer.example/keys';

/** What the other side answers next, and what it was asked. */
let answer: () => unknown;
let asked: string[];
let failures: string[];
let clock: HeldClock;
let jwks: RemoteJwks;

const fetchKeys: FetchKeys = async (from) => {
  asked.push(from);
  const given = await answer();
  return { status: 200, body: Buffer.isBuffer(given) ? given : Buffer.from(JSON.stringify(given)) };
};
const make = (options: Partial<ConstructorParameters<typeof RemoteJwks>[0]> = {}): RemoteJwks =>
  new RemoteJwks({
    fetch: fetchKeys,
    clock,
    onFailure: (_, error) => failures.push((error as Error).message),
    ...options,
  });

beforeEach(() => {
  clock = new HeldClock();
  asked = [];
  failures = [];
  answer = () => named('a');
  jwks = make();
});

const kids = async (kid?: string, from = url): Promise<string[]> => (await jwks.keys(from, kid)).map((key) => key.kid);
const unavailable = expect.objectContaining({ code: 'unavailable' });

describe('a key set', () => {
  it('is fetched once and used for ten minutes', async () => {
    for (let count = 0; count < 100; count++) expect(await kids('a')).toEqual(['a']);
    clock.advance(10 * 60_000 - 1);
    expect(await kids('a')).toEqual(['a']);
    expect(asked).toEqual([url]);
    answer = () => named('b');
    clock.advance(1);
    expect(await kids()).toEqual(['a']);
    expect(asked).toHaveLength(2);
    await eventually('the new set', async () => ((await kids())[0] === 'b' ? true : undefined));
    expect(asked).toHaveLength(2);
  });

  it('is waited for by nobody while it is fetched again, for ten minutes more', async () => {
    await kids('a');
    answer = () => new Promise(() => {});
    clock.advance(10 * 60_000);
    for (let count = 0; count < 100; count++) expect(await kids('a')).toEqual(['a']);
    clock.advance(10 * 60_000 - 1);
    expect(await kids('a')).toEqual(['a']);
    expect(asked).toHaveLength(2);
    clock.advance(1);
    const late = kids('a');
    expect(await Promise.race([late, new Promise((resolve) => setImmediate(resolve, 'waits'))])).toBe('waits');
  });

  it('is fetched earlier for a key that it lacks, at most once in 30 seconds', async () => {
    await kids('a');
    answer = () => named('a', 'b');
    expect(await kids('b')).toEqual(['a']);
    clock.advance(29_999);
    expect(await kids('b')).toEqual(['a']);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    expect(await kids('b')).toEqual(['a', 'b']);
    expect(asked).toHaveLength(2);
    for (let count = 0; count < 1000; count++) await kids(`made up ${count}`);
    expect(asked).toHaveLength(2);
  });

  it('is fetched once for all who want it at the same moment', async () => {
    let release = (_: unknown): void => {};
    answer = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const waiting = Array.from({ length: 100 }, (_, index) => kids(`k${index}`));
    release(named('a'));
    expect(new Set((await Promise.all(waiting)).flat())).toEqual(new Set(['a']));
    expect(asked).toHaveLength(1);
  });

  it('serves for a day while the other side fails, and not longer', async () => {
    await kids('a');
    answer = () => Promise.reject(new Error('no answer'));
    for (let hour = 0; hour < 23; hour++) {
      clock.advance(3_600_000);
      expect(await kids('a')).toEqual(['a']);
    }
    expect(failures).toHaveLength(23);
    clock.advance(3_600_000 - 1);
    expect(await kids('a')).toEqual(['a']);
    clock.advance(30_000);
    await expect(kids('a')).rejects.toThrow(unavailable);
    answer = () => named('b');
    clock.advance(30_000);
    expect(await kids('b')).toEqual(['b']);
  });

  it('that could not be fetched is not asked for again within 30 seconds', async () => {
    answer = () => Promise.reject(new Error('no answer'));
    for (let count = 0; count < 100; count++) await expect(kids('a')).rejects.toThrow(unavailable);
    expect(asked).toHaveLength(1);
    clock.advance(30_000);
    answer = () => named('a');
    expect(await kids('a')).toEqual(['a']);
    expect(asked).toHaveLength(2);
  });

  it('that is empty takes all keys away', async () => {
    await kids('a');
    answer = () => ({ keys: [] });
    clock.advance(20 * 60_000);
    expect(await kids()).toEqual([]);
  });

  it('is one for each URL', async () => {
    await kids('a');
    answer = () => named('x');
    expect(await kids('x', 'https://other.example/keys')).toEqual(['x']);
    expect(await kids('a')).toEqual(['a']);
  });

  it('makes room when there are too many', async () => {
    jwks = make({ maxSets: 2 });
    for (const from of ['https://1.example', 'https://2.example', 'https://3.example', 'https://1.example']) {
      await kids('a', from);
    }
    expect(asked).toHaveLength(4);
    await kids('a', 'https://3.example');
    expect(asked).toHaveLength(4);
  });

  it('gives only what we can use of it, and one object per key for as long as it serves', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const rsaJwk = rsa.publicKey.export({ format: 'jwk' });
    answer = () => ({
      keys: [
        { ...publicJwk, kid: 'good' },
        { ...rsaJwk, kid: 'as Entra has it', use: 'sig', x5t: 'x', x5c: ['AAAA'], issuer: 'https://issuer.example' },
        { ...rsaJwk, kid: 'for encryption', use: 'enc', alg: 'RSA-OAEP' },
        { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'private' },
        { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' },
        { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA', kid: 'from the future' },
        null,
        'x',
        [],
      ],
    });
    expect(await kids()).toEqual(['good', 'as Entra has it']);
    expect((await jwks.keys(url))[0]).toBe((await jwks.keys(url))[0]);
  });
});

describe('an answer is no key set that', () => {
  const answers: Record<string, [unknown, string]> = {
    'is HTML': [Buffer.from('<html>'), 'JSON'],
    'is null': [null, 'null'],
    'is a list': [[publicJwk], 'no key set'],
    'is one key': [publicJwk, 'no key set'],
    'has more than 100 keys': [named(...Array.from({ length: 101 }, (_, index) => String(index))), '101 keys'],
    'is larger than 256 KiB': [Buffer.from(JSON.stringify({ keys: [], x: 'x'.repeat(262_144) })), '256 KiB'],
  };
  it.each(Object.keys(answers))('%s', async (name) => {
    const [given, part] = answers[name]!;
    answer = () => given;
    await expect(kids('a')).rejects.toThrow(unavailable);
    expect(failures).toEqual([expect.stringContaining(part)]);
  });

  it('has another status than 200, and the good keys stay', async () => {
    let status = 200;
    jwks = make({ fetch: async () => ({ status, body: Buffer.from(JSON.stringify(named(`at ${status}`))) }) });
    expect(await kids()).toEqual(['at 200']);
    for (status of [204, 404, 500]) {
      clock.advance(10 * 60_000);
      expect(await kids()).toEqual(['at 200']);
    }
    expect(failures).toEqual([204, 404, 500].map((bad) => `the answer has status ${bad}`));
  });

  it('is not waited for, or read, without limits', async () => {
    let given: object | undefined;
    jwks = make({
      fetch: async (_, limits) => {
        given = limits;
        return { status: 200, body: Buffer.from('{"keys":[]}') };
      },
    });
    await kids();
    expect(given).toEqual({ timeoutMs: 3000, maxBytes: 262_144 });
  });
});
