import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalAdmin } from '../../src/admin/admin.js';
import { asCommand } from '../storage/second-store.js';
import { type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let client: Credentials;
let file: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics']);
  file = gateway.config.secrets.encryptionKeysFile;
});
afterEach(() => gateway.stop());

const command = <T>(work: (admin: LocalAdmin) => Promise<T>): Promise<T> => asCommand(gateway, work);
const rotate = () => command(({ encryption }) => encryption.rotate(true));
const check = () => command(({ encryption }) => encryption.check());
const lines = (): string[] => readFileSync(file, 'utf8').trimEnd().split('\n');
const keepOnlyFirst = (): void => writeFileSync(file, `${lines()[0]}\n`);
const inDatabase = <T>(work: (db: Sqlite.Database) => T): T => {
  const db = new Sqlite(gateway.config.storage.path);
  try {
    return work(db);
  } finally {
    db.close();
  }
};
const sealed = (): Buffer[] =>
  inDatabase((db) => db.prepare('SELECT private_jwk FROM signing_key ORDER BY kid').pluck().all() as Buffer[]);
const scrape = async (bearer: string): Promise<number> => {
  const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer });
  await response.text();
  return response.status;
};
const soon = { timeout: 1000, interval: 20 };

describe('a rotation of encryption keys', () => {
  it('while the gateway runs ends no token, and the next key that signs is opened with the new one alone', async () => {
    const before = await gateway.bearerOf(client);
    const old = sealed();
    const { key, values } = await rotate();
    expect(values).toBe(2);
    for (const [i, now] of sealed().entries()) expect(now.equals(old[i]!)).toBe(false);
    keepOnlyFirst();
    expect(await check()).toMatchObject([
      { key, line: 1 },
      { key, line: 1 },
    ]);
    expect([await scrape(before), await scrape(await gateway.bearerOf(client))]).toEqual([200, 200]);
    // The gateway has not been told: it must read the file again to open `next`, and to encrypt another.
    await command(({ keys }) => keys.rotate(undefined));
    const current = (await command(({ keys }) => keys.list())).find(({ state }) => state === 'current')!.kid;
    const signer = async () => decodeProtectedHeader((await gateway.bearerOf(client)).slice('Bearer '.length)).kid;
    await expect.poll(signer, soon).toBe(current);
    await gateway.admin.keys.rotate(undefined);
    expect(new Set((await check()).map((value) => value.key))).toEqual(new Set([key]));
    await gateway.restart();
    expect([await scrape(before), await scrape(await gateway.bearerOf(client))]).toEqual([200, 200]);
  });

  it('keeps the old keys below, the comments, the owner and the mode', async () => {
    const [old] = lines();
    writeFileSync(file, `# kept in the safe, too\n${old}\n`);
    chmodSync(file, 0o640);
    const { uid, gid } = statSync(file);
    await rotate();
    expect(lines().slice(1)).toEqual(['# kept in the safe, too', old]);
    expect(statSync(file)).toMatchObject({ uid, gid });
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(gateway.folder).filter((name) => name.includes('.keys'))).toEqual(['weir.db.keys']);
  });

  it('changes the file behind a link, not the link', async () => {
    renameSync(file, `${file}-real`);
    symlinkSync(`${file}-real`, file);
    await rotate();
    expect(readFileSync(`${file}-real`, 'utf8').trimEnd().split('\n')).toHaveLength(2);
    expect((await check()).map(({ line }) => line)).toEqual([1, 1]);
  });

  it('that comes to an end after the file was changed leaves everything readable, and the next one completes it', async () => {
    const old = sealed();
    inDatabase((db) =>
      db.exec("CREATE TRIGGER stop BEFORE INSERT ON change BEGIN SELECT RAISE(ABORT, 'power cut'); END"),
    );
    await expect(rotate()).rejects.toThrow('power cut');
    inDatabase((db) => db.exec('DROP TRIGGER stop'));
    expect(sealed()).toEqual(old);
    expect(lines()).toHaveLength(2);
    expect((await check()).map(({ line }) => line)).toEqual([2, 2]);
    await gateway.restart();
    expect(await scrape(await gateway.bearerOf(client))).toBe(200);
    expect(await rotate()).toMatchObject({ isNew: false, values: 2, unused: 1 });
    expect(lines()).toHaveLength(2);
    keepOnlyFirst();
    expect((await check()).map(({ line }) => line)).toEqual([1, 1]);
  });

  it('that several begin at the same moment leaves everything readable with the first key', async () => {
    await Promise.all([rotate(), rotate(), rotate(), rotate()]);
    expect(lines()).toHaveLength(5);
    keepOnlyFirst();
    expect(await check()).toHaveLength(2);
  });

  it('killed at any moment leaves everything readable', async () => {
    const program = fileURLToPath(new URL('rotate-encryption.ts', import.meta.url));
    for (const rotations of [1, 3]) {
      const child = fork(program, [gateway.config.storage.path], { execArgv: ['--import', 'tsx'] });
      for (let i = 0; i < rotations; i++) await once(child, 'message');
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await check()).toHaveLength(2);
    }
    await gateway.restart();
    expect(await scrape(await gateway.bearerOf(client))).toBe(200);
  });
});

describe('a ciphertext', () => {
  it('is refused in another row, by the check, by a rotation and at the start', async () => {
    const swap = (): void =>
      inDatabase((db) => {
        const rows = db.prepare('SELECT kid, private_jwk AS sealed FROM signing_key').all() as Row[];
        const put = db.prepare('UPDATE signing_key SET private_jwk = ? WHERE kid = ?');
        for (const [i, { kid }] of rows.entries()) put.run(rows[1 - i]!.sealed, kid);
      });
    swap();
    const kids = inDatabase((db) => db.prepare('SELECT kid FROM signing_key').pluck().all() as string[]);
    const text = readFileSync(file, 'utf8');
    await expect(check()).rejects.toThrow('Not everything can be read');
    for (const kid of kids) await expect(check()).rejects.toThrow(kid);
    await expect(rotate()).rejects.toThrow('signing_key.private_jwk cannot be decrypted');
    expect(readFileSync(file, 'utf8')).toBe(text);
    await expect(gateway.restart()).rejects.toThrow('signing_key.private_jwk cannot be decrypted');
    swap();
    await gateway.start();
    expect(await check()).toHaveLength(2);
  });
});

interface Row {
  readonly kid: string;
  readonly sealed: Buffer;
}
