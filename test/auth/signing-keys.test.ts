import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Admin } from '../../src/admin/admin.js';
import { Envelope } from '../../src/auth/envelope.js';
import { readKeys } from '../../src/auth/key-file.js';
import { SigningKeys } from '../../src/auth/signing-keys.js';
import { systemRandom } from '../../src/domain/ids.js';
import type { SigningAlgorithm } from '../../src/domain/signing.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import type { StoredKey } from '../../src/storage/store.js';
import { asCommand } from '../storage/second-store.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let client: Credentials;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics']);
});
afterEach(() => gateway.stop());

const soon = { timeout: 1000, interval: 20 };

const command = <T>(work: (admin: Admin) => Promise<T>): Promise<T> => asCommand(gateway, work);
const list = (): Promise<StoredKey[]> => command(({ keys }) => keys.list());
const kids = async (state: StoredKey['state']): Promise<string[]> =>
  (await list()).filter((key) => key.state === state).map(({ kid }) => kid);
const only = async (state: StoredKey['state']): Promise<string> => {
  const found = await kids(state);
  expect([state, found.length]).toEqual([state, 1]);
  return found[0]!;
};
const published = async (): Promise<JSONWebKeySet> =>
  (await (await gateway.fetch('/.well-known/jwks.json')).json()) as JSONWebKeySet;
const publishedKids = async (): Promise<string[]> => (await published()).keys.map(({ kid }) => kid!).sort();

const bearer = (): Promise<string> => gateway.bearerOf(client);
const headerOf = (token: string) => decodeProtectedHeader(token.slice('Bearer '.length));
const signedBy = async (): Promise<string | undefined> => headerOf(await bearer()).kid;
const scrape = async (token: string): Promise<number> => {
  const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer: token });
  await response.text();
  return response.status;
};

describe('the first start', () => {
  it('makes a key that signs and one that will, both published and both kept', async () => {
    const [current, next] = [await only('current'), await only('next')];
    expect(await signedBy()).toBe(current);
    expect(await publishedKids()).toEqual([current, next].sort());
    await gateway.restart();
    expect([await only('current'), await only('next')]).toEqual([current, next]);
    expect(await signedBy()).toBe(current);
  });
});

describe('a rotation', () => {
  it('lets the next key sign within a second, publishes another, and ends no token', async () => {
    const [current, next] = [await only('current'), await only('next')];
    const before = await bearer();
    expect(await scrape(before)).toBe(200);
    await command(({ keys }) => keys.rotate(undefined));
    await expect.poll(signedBy, soon).toBe(next);
    expect([await only('retired'), await only('current')]).toEqual([current, next]);
    expect(await publishedKids()).toEqual([current, next, await only('next')].sort());
    const after = await bearer();
    expect([await scrape(before), await scrape(after)]).toEqual([200, 200]);
    await gateway.restart();
    expect([await scrape(before), await scrape(after), await signedBy()]).toEqual([200, 200, next]);
  });

  it.each(['EdDSA', 'RS256'] as const)(
    'to %s takes hold within a second, and its tokens verify by that alone',
    async (alg) => {
      const before = await bearer();
      await command(({ keys }) => keys.rotate(alg));
      await expect.poll(async () => headerOf(await bearer()).alg, soon).toBe(alg);
      const after = await bearer();
      expect([await scrape(before), await scrape(after)]).toEqual([200, 200]);
      const verified = await jwtVerify(after.slice('Bearer '.length), createLocalJWKSet(await published()), {
        algorithms: [alg],
        currentDate: new Date(gateway.clock.now()),
      });
      expect(verified.payload.client_id).toBe(client.clientId);
      // The one after it is of the same kind, without being asked for.
      await command(({ keys }) => keys.rotate(undefined));
      expect((await list()).filter(({ state }) => state !== 'retired').map((key) => key.alg)).toEqual([alg, alg]);
    },
  );

  it('keeps the old key until its last token could live, and then neither lists, publishes nor takes it', async () => {
    const current = await only('current');
    await command(({ keys }) => keys.rotate(undefined));
    await expect.poll(signedBy, soon).not.toBe(current);
    // The longest lifetime a token can be given, and the leeway.
    gateway.clock.advance(3_660_000 - 1);
    expect([await kids('retired'), await publishedKids()]).toEqual([[current], expect.arrayContaining([current])]);
    gateway.clock.advance(1);
    expect([await kids('retired'), await publishedKids()]).toEqual([[], expect.not.arrayContaining([current])]);
    await command(({ keys }) => keys.rotate(undefined));
    const rows = stored((db) => db.prepare('SELECT kid FROM signing_key').pluck().all());
    expect(rows).toHaveLength(3);
    expect(rows).not.toContain(current);
  });

  it('that several ask for at the same moment leaves one current key and one next, and every token good', async () => {
    const before = await bearer();
    const algorithms: (SigningAlgorithm | undefined)[] = [undefined, undefined, 'EdDSA', undefined, 'ES256'];
    await Promise.all(algorithms.map((alg) => command(({ keys }) => keys.rotate(alg))));
    const current = await only('current');
    await only('next');
    await expect.poll(signedBy, soon).toBe(current);
    expect([await scrape(before), await scrape(await bearer())]).toEqual([200, 200]);
  });
});

describe('retiring', () => {
  const retire = (kid: string) => command(({ keys }) => keys.retire(kid));

  it('a retired key refuses its tokens within a second, and no others; also after a restart', async () => {
    const old = await bearer();
    expect(await scrape(old)).toBe(200);
    const kid = await only('current');
    await command(({ keys }) => keys.rotate(undefined));
    await expect.poll(signedBy, soon).not.toBe(kid);
    const fresh = await bearer();
    expect([await scrape(old), await scrape(fresh)]).toEqual([200, 200]);
    await retire(kid);
    await expect.poll(() => scrape(old), soon).toBe(401);
    expect([await scrape(fresh), await kids('retired'), (await publishedKids()).includes(kid)]).toEqual([
      200,
      [],
      false,
    ]);
    await gateway.restart();
    expect([await scrape(old), await scrape(fresh)]).toEqual([401, 200]);
  });

  it('the current key refuses its tokens, and the next one signs', async () => {
    const old = await bearer();
    expect(await scrape(old)).toBe(200);
    const [current, next] = [await only('current'), await only('next')];
    await retire(current);
    await expect.poll(() => scrape(old), soon).toBe(401);
    expect([await only('current'), await signedBy()]).toEqual([next, next]);
    expect(await publishedKids()).toEqual([next, await only('next')].sort());
    expect(await scrape(await bearer())).toBe(200);
  });

  it('the next key puts another in its place, and ends no token', async () => {
    const old = await bearer();
    const [current, next] = [await only('current'), await only('next')];
    await retire(next);
    expect(await only('current')).toBe(current);
    const fresh = await only('next');
    expect(fresh).not.toBe(next);
    await expect.poll(publishedKids, soon).toEqual([current, fresh].sort());
    expect([await scrape(old), await signedBy()]).toEqual([200, current]);
  });

  it('at the moment of a rotation never leaves a key that signs and is refused', async () => {
    for (const state of ['next', 'current'] as const) {
      const kid = await only(state);
      await Promise.allSettled([retire(kid), command(({ keys }) => keys.rotate(undefined)), retire(kid)]);
      expect((await list()).some((key) => key.kid === kid)).toBe(false);
      const current = await only('current');
      await only('next');
      await expect.poll(signedBy, soon).toBe(current);
      expect(await scrape(await bearer())).toBe(200);
    }
  });

  it('ends the tokens of a key although the file of the encryption keys lags behind, and no token is given that is refused', async () => {
    const { encryptionKeysFile } = gateway.config.secrets;
    const old = readFileSync(encryptionKeysFile, 'utf8');
    // What another machine has already, and a mounted secret here has not.
    const newFile = `${encryptionKeysFile}.new`;
    writeFileSync(newFile, `${Buffer.alloc(32, 7).toString('base64url')}\n${old}`);
    const config = { ...gateway.config, secrets: { ...gateway.config.secrets, encryptionKeysFile: newFile } };
    const elsewhere = <T>(work: (admin: Admin) => Promise<T>): Promise<T> => asCommand(gateway, work, config);
    const current = async () =>
      (await elsewhere(({ keys }) => keys.list())).find(({ state }) => state === 'current')!.kid;
    // From now on the next key is one that the server cannot decrypt.
    await elsewhere(({ keys }) => keys.rotate(undefined));
    await expect.poll(signedBy, soon).toBe(await current());
    const token = await bearer();
    expect(await scrape(token)).toBe(200);
    const ask = () => gateway.token({ grant_type: 'client_credentials' }, basic(client.clientId, client.clientSecret));

    // Rotated, the key before it signs what ends before it does, and nothing else.
    const before = await current();
    await elsewhere(({ keys }) => keys.rotate(undefined));
    expect(await signedBy()).toBe(before);
    gateway.clock.advance(50 * 60_000);
    await expect.poll(async () => (await ask()).status, soon).toBe(503);
    gateway.clock.advance(-50 * 60_000);
    expect(await signedBy()).toBe(before);

    await elsewhere(({ keys }) => keys.retire(before));
    await expect.poll(() => scrape(token), soon).toBe(401);
    expect(await publishedKids()).toContain(await current());
    const refused = await ask();
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([
      503,
      '5',
      { error: 'temporarily_unavailable', error_description: expect.stringContaining('cannot be read yet') },
    ]);

    // Nothing tells the server when the file comes.
    writeFileSync(encryptionKeysFile, readFileSync(newFile));
    await expect
      .poll(
        () =>
          bearer().then(
            () => 'given',
            () => 'refused',
          ),
        { timeout: 3000, interval: 50 },
      )
      .toBe('given');
    expect(await signedBy()).toBe(await current());
    expect([await scrape(await bearer()), await scrape(token)]).toEqual([200, 401]);
  });

  it('a key that is not there is refused', async () => {
    await expect(retire('none')).rejects.toThrow('There is no signing key "none"; see "weir key list".');
    expect(await list()).toHaveLength(2);
  });
});

describe('whoever remembers what a key has signed', () => {
  it('is told by each reading that finds other keys living, and by no other', async () => {
    const { path } = gateway.config.storage;
    const now = () => gateway.clock.now();
    const store = openSqliteStore({ path, now, exclusive: false });
    let told = 0;
    try {
      const envelope = new Envelope(
        readKeys(gateway.config.secrets.encryptionKeysFile, 'encryption keys'),
        systemRandom,
      );
      const keys = new SigningKeys({ store: store.keys, envelope, now, keptMs: 1000 });
      await keys.load();
      keys.onChange(() => told++);
      const readAgain = async (): Promise<number> => {
        told = 0;
        await keys.load();
        return told;
      };
      expect(await readAgain()).toBe(0);
      const [current] = await kids('current');
      await keys.rotate(undefined);
      expect([await readAgain(), await readAgain()]).toEqual([1, 0]);
      await keys.retire(current!);
      expect([await readAgain(), await readAgain()]).toEqual([1, 0]);
      await keys.rotate(undefined);
      expect(await readAgain()).toBe(1);
      gateway.clock.advance(1000);
      expect([await readAgain(), await readAgain()]).toEqual([1, 0]);
    } finally {
      await store.close();
    }
  });
});

/** Looks at the database, or tampers with it, past the gateway. */
function stored<T>(work: (db: Database.Database) => T): T {
  const db = new Database(gateway.config.storage.path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

describe('private keys', () => {
  it('do not lie open in the database', () => {
    const rows = stored((db) => db.prepare('SELECT private_jwk FROM signing_key').pluck().all()) as Buffer[];
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(row.length).toBeGreaterThan(100);
      expect(row.toString('latin1')).not.toMatch(/"d"|"kty"|P-256|PRIVATE/);
    }
  });

  it('are refused in the row of another key', async () => {
    const [current, next] = [await only('current'), await only('next')];
    const put = (sealed: unknown): unknown =>
      stored((db) => db.prepare('UPDATE signing_key SET private_jwk = ? WHERE kid = ?').run(sealed, current));
    const read = (kid: string): unknown =>
      stored((db) => db.prepare('SELECT private_jwk FROM signing_key WHERE kid = ?').pluck().get(kid));
    const right = read(current);
    put(read(next));
    const refusal = await gateway.restart().catch((error: Error) => error);
    put(right);
    await gateway.start();
    expect((refusal as Error).message).toContain('signing_key.private_jwk cannot be decrypted');
    expect(await signedBy()).toBe(current);
  });
});
