import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Envelope } from '../../src/auth/envelope.js';
import { isExposed, readOrCreateKeys } from '../../src/auth/key-file.js';
import { systemRandom } from '../../src/domain/ids.js';
import { TestGateway } from '../support/gateway.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  path = join(folder, 'deeper', 'weir.keys');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (): Buffer[] => readOrCreateKeys(path, 'pepper', systemRandom);

describe('a key file', () => {
  it('is made once, for its owner alone, and then read', () => {
    const [key] = read();
    expect(key).toHaveLength(32);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(read()).toEqual([key]);
    expect(readdirSync(join(folder, 'deeper'))).toEqual(['weir.keys']);
  });

  it('that another process makes at the same moment is the one that counts', () => {
    const theirs = Buffer.alloc(32, 9);
    const [key] = readOrCreateKeys(path, 'pepper', (size) => {
      // Between our look and our draft the other one is done.
      if (existsSync(join(folder, 'deeper')) && !existsSync(path))
        writeFileSync(path, `${theirs.toString('base64url')}\n`);
      return systemRandom(size);
    });
    expect(key).toEqual(theirs);
    expect(readdirSync(join(folder, 'deeper'))).toEqual(['weir.keys']);
  });

  it('may hold several keys, with comments', () => {
    read();
    const [a, b] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    writeFileSync(path, `# current\n${a.toString('base64url')}\n\n  ${b.toString('base64url')}  \n`);
    expect(read()).toEqual([a, b]);
  });

  it.each([
    '',
    '# nothing\n',
    'short\n',
    `${Buffer.alloc(31).toString('base64url')}\n`,
    `${Buffer.alloc(32).toString('base64url')}\nx\n`,
  ])('with %j is refused, and left as it is', (text) => {
    read();
    writeFileSync(path, text);
    expect(read).toThrow(`The pepper file ${path} must hold 32 random bytes in base64url on each line.`);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('that others may read is noticed', () => {
    read();
    expect(isExposed(path)).toBe(false);
    chmodSync(path, 0o640);
    expect(isExposed(path)).toBe(true);
  });
});

describe('an envelope', () => {
  const place = { table: 'signing_key', column: 'private_jwk', row: 'k1' };
  const [old, current] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const plain = Buffer.from('the private key');

  it('opens with any of the keys, and is sealed with the first', () => {
    const sealed = new Envelope([old], systemRandom).seal(plain, place);
    expect(new Envelope([current, old], systemRandom).open(sealed, place)).toEqual(plain);
    const fresh = new Envelope([current, old], systemRandom).seal(plain, place);
    expect(() => new Envelope([old], systemRandom).open(fresh, place)).toThrow('cannot be decrypted');
    expect(sealed.includes(plain)).toBe(false);
  });

  it('is never the same twice', () => {
    const envelope = new Envelope([current], systemRandom);
    expect(envelope.seal(plain, place)).not.toEqual(envelope.seal(plain, place));
  });

  it.each([
    { ...place, row: 'k2' },
    { ...place, column: 'public_jwk' },
    { ...place, table: 'client' },
  ])('does not open at another place %j', (elsewhere) => {
    const envelope = new Envelope([current], systemRandom);
    expect(() => envelope.open(envelope.seal(plain, place), elsewhere)).toThrow('cannot be decrypted');
  });

  it('does not open with any bit changed, or cut', () => {
    const envelope = new Envelope([current], systemRandom);
    const sealed = envelope.seal(plain, place);
    for (let at = 0; at < sealed.length; at++) {
      const flipped = Buffer.from(sealed);
      flipped[at]! ^= 1;
      expect(() => envelope.open(flipped, place), `byte ${at}`).toThrow('cannot be decrypted');
      expect(() => envelope.open(sealed.subarray(0, at), place), `cut at ${at}`).toThrow('cannot be decrypted');
    }
  });
});

describe('a gateway', () => {
  it.each([
    ['pepper', "is not the one this database's client secrets were made with", 'WEIR_SECRET_PEPPER_FILE'],
    ['keys', 'cannot be decrypted with the keys in the encryption keys file', 'WEIR_ENCRYPTION_KEYS_FILE'],
  ])(
    'does not start with another %s than its store was made with, and says what to bring back',
    async (name, ...said) => {
      const gateway = await TestGateway.boot();
      const file = `${gateway.config.storage.path}.${name}`;
      const right = readFileSync(file);
      writeFileSync(file, `${Buffer.alloc(32, 3).toString('base64url')}\n`);
      const refusal = await gateway.restart().catch((error: Error) => error);
      writeFileSync(file, right);
      await gateway.start();
      await gateway.stop();
      expect(refusal).toMatchObject({ name: 'OperatorError' });
      for (const words of said) expect((refusal as Error).message).toContain(words);
    },
  );

  it('warns when others may read its keys', async () => {
    const gateway = await TestGateway.boot();
    chmodSync(gateway.config.secrets.pepperFile, 0o644);
    await gateway.restart();
    const warnings = gateway.logs.filter(({ level }) => level === 'warn');
    await gateway.stop();
    expect(warnings).toEqual([expect.objectContaining({ file: gateway.config.secrets.pepperFile })]);
  });
});
