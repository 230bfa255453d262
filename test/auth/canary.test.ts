import { createDecipheriv, generateKeyPairSync, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Sqlite from 'better-sqlite3';
import { SignJWT } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { SigningKeys } from '../../src/auth/signing-keys.js';
import { type Answer, send } from '../http/wire.js';
import { asCommand } from '../storage/second-store.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

/** What must never be found anywhere, by what it is. */
class Canaries {
  private readonly texts = new Map<string, Buffer>();

  /** A text, and the forms it might be written in. */
  add(name: string, secret: string | Buffer): void {
    const bytes = Buffer.from(secret);
    this.texts.set(name, bytes);
    this.texts.set(`${name} in base64url`, Buffer.from(bytes.toString('base64url')));
    this.texts.set(`${name} in base64`, Buffer.from(bytes.toString('base64').replace(/=+$/, '')));
    this.texts.set(`${name} in hex`, Buffer.from(bytes.toString('hex')));
  }

  in(place: Buffer): string[] {
    return [...this.texts].filter(([, bytes]) => place.includes(bytes)).map(([name]) => name);
  }
}

/** Somebody who speaks to the gateway; what is refused is kept. */
class Caller {
  readonly refusals: string[] = [];
  private readonly gateway: TestGateway;

  constructor(gateway: TestGateway) {
    this.gateway = gateway;
  }

  async ask(target: string, options: Parameters<typeof send>[2]): Promise<Answer> {
    const answer = await send(this.gateway.url, target, options);
    if (answer.status !== 200) this.refusals.push(answer.rawHeaders.join('\n'), answer.text);
    return answer;
  }

  login(authorization: string[], body = 'grant_type=client_credentials', query = '', type = form): Promise<Answer> {
    return this.ask(`/oauth/token${query}`, {
      method: 'POST',
      headers: ['Content-Type', type, ...authorization],
      body,
    });
  }

  async token(client: Credentials): Promise<string> {
    const answer = await this.login(byBasic(client));
    expect(answer.status).toBe(200);
    return (JSON.parse(answer.text) as { access_token: string }).access_token;
  }
}

const form = 'application/x-www-form-urlencoded';
const byBasic = ({ clientId, clientSecret }: Credentials): string[] => ['Authorization', basic(clientId, clientSecret)];
const path = '/api/v1/acme/db1/metrics';

interface Scene {
  readonly gateway: TestGateway;
  readonly canaries: Canaries;
  readonly caller: Caller;
  readonly client: Credentials;
}

/**
 * A life for each kind of secret: all that it goes through, where it should be and where it should not. A new kind of secret
 * gets an entry here: it adds what must not be found, and sends that to wherever it might be kept.
 */
const lives: Record<string, (scene: Scene) => Promise<void>> = {
  'client secrets, right and wrong': async ({ gateway, canaries, caller, client }) => {
    const { clientId, clientSecret } = client;
    const wrong = 'weir_cs_this-is-a-wrong-secret-somebody-typed';
    canaries.add('the secret', clientSecret);
    canaries.add('a wrong secret', wrong);
    canaries.add('Basic', `${clientId}:${clientSecret}`);
    const right = byBasic(client);
    const grant = 'grant_type=client_credentials';
    expect((await caller.login(right)).status).toBe(200);
    const wrongly = byBasic({ clientId, clientSecret: wrong });
    await caller.login(wrongly);
    await caller.login(byBasic({ clientId: wrong, clientSecret }));
    await caller.login(['Authorization', `Bearer ${clientSecret}`]);
    await caller.login(['Authorization', clientSecret]);
    await caller.login([], `${grant}&client_id=${clientId}&client_secret=${wrong}`);
    await caller.login(right, `${grant}&client_secret=${clientSecret}`);
    await caller.login(right, `${grant}&scope=${clientSecret}`);
    await caller.login(right, `grant_type=${clientSecret}`);
    await caller.login(right, `${grant}&audience=${clientSecret}`);
    await caller.login(right, `client_secret=${wrong}&client_secret=${wrong}`);
    await caller.login([], '', `?client_id=${clientId}&client_secret=${clientSecret}`);
    for (const members of [{ client_secret: [clientSecret] }, { [clientSecret]: 1 }, { scope: clientSecret }]) {
      await caller.login(
        right,
        JSON.stringify({ grant_type: 'client_credentials', ...members }),
        '',
        'application/json',
      );
    }
    await caller.login([], `{"client_secret":"${clientSecret}","client_secret":"`, '', 'application/json');
    // Enough to be banned, which is stored and logged.
    for (let i = 0; i < 25; i++) await caller.login(wrongly);
    for (let i = 0; i < 25; i++) await caller.login(byBasic({ clientId: clientSecret, clientSecret: wrong }));
    await gateway.admin.clients.disable(clientId);
    await expect.poll(async () => (await caller.login(right)).status, { timeout: 1000 }).not.toBe(200);
    await gateway.admin.clients.enable(clientId);
    const fault = vi.spyOn(SigningKeys.prototype, 'sign').mockImplementationOnce(() => {
      throw new Error('a fault of ours');
    });
    expect((await caller.login(right)).status).toBe(500);
    fault.mockRestore();
  },

  'rotated and revoked client secrets': async ({ gateway, canaries, caller }) => {
    const { clientId, clientSecret } = await gateway.client('acme', ['read:metrics']);
    const { secret } = await asCommand(gateway, ({ clients }) => clients.rotate(clientId, 3_600_000));
    const next = await gateway.admin.clients.rotate(clientId, 0);
    for (const [i, each] of [clientSecret, secret, next.secret].entries()) {
      canaries.add(`secret ${i} of a rotation`, each);
      await caller.login(byBasic({ clientId, clientSecret: each }));
    }
    const [newest] = await gateway.admin.clients.secrets(clientId);
    await gateway.admin.clients.revokeSecret(clientId, newest!.id);
    await caller.login(byBasic({ clientId, clientSecret: next.secret }));
  },

  'access tokens, good, tampered with and revoked': async ({ canaries, caller, client }) => {
    const token = await caller.token(client);
    const dead = `${token.slice(0, -9)}tampered`;
    canaries.add('the token', token);
    canaries.add("the token's signature", token.split('.')[2]!);
    canaries.add('a tampered token', dead);
    for (const authorization of [`Bearer ${dead}`, `Bearer ${token} x`, token, `Basic ${token}`]) {
      await caller.ask(path, { headers: ['Authorization', authorization] });
    }
    const good = ['Authorization', `Bearer ${token}`];
    await caller.ask(path, { headers: [...good, ...good] });
    await caller.ask(`${path}?access_token=${token}`, {});
    const push = (body: string | Buffer, ...headers: string[]) =>
      caller.ask(path, { method: 'PUT', headers: [...good, ...headers], body });
    await push('a 1\n');
    await push('no number\n');
    await push(gzipSync('a 1\n').subarray(0, 9), 'Content-Encoding', 'gzip');
    await push('a 1\n', 'Content-Type', 'application/json');
    await caller.ask(path, { headers: good });
    const asked = { method: 'POST', headers: ['Content-Type', form, ...byBasic(client)] };
    for (const at of ['/oauth/introspect', '/oauth/revoke']) {
      await caller.ask(at, { ...asked, body: `token=${dead}` });
      await caller.ask(at, { ...asked, body: `token=${token}&token=${token}` });
      await caller.ask(`${at}?token=${token}`, { ...asked, body: '' });
    }
    expect((await caller.ask('/oauth/revoke', { ...asked, body: `token=${token}` })).status).toBe(200);
    expect((await caller.ask(path, { headers: good })).status).toBe(401);
  },

  'scrape tokens, and secrets by Basic on the metrics routes': async ({ gateway, canaries, caller, client }) => {
    const lasting = await gateway.scrapeToken(client);
    canaries.add('the scrape token', lasting.slice('Bearer '.length));
    await gateway.admin.clients.setAllowBasic(client.clientId, true);
    const wrong = basic(client.clientId, 'weir_cs_another-wrong-secret-somebody-typed');
    canaries.add('another wrong secret', 'weir_cs_another-wrong-secret-somebody-typed');
    for (const authorization of [lasting, `${lasting.slice(0, -1)}.`, byBasic(client)[1]!, wrong]) {
      await caller.ask(path, { headers: ['Authorization', authorization] });
    }
    await caller.ask(`${path}?access_token=${lasting.slice('Bearer '.length)}`, {});
  },

  'assertions and the private keys that sign them': async ({ gateway, canaries, caller, client }) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    canaries.add("a client's private key", Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url'));
    const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    canaries.add("a client's private key in PEM", privatePem.split('\n')[1]!);
    // By mistake the private half first.
    const refused = await gateway.admin.clients.addKeys(client.clientId, Buffer.from(privatePem)).catch(String);
    caller.refusals.push(String(refused));
    const publicPem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    await gateway.admin.clients.addKeys(client.clientId, Buffer.from(publicPem));
    const sign = (aud: string): Promise<string> => {
      const iat = Math.floor(gateway.clock.now() / 1000);
      const { clientId } = client;
      const claims = { iss: clientId, sub: clientId, aud, jti: randomUUID(), iat, exp: iat + 60 };
      return new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    };
    const good = await sign(gateway.url);
    const forOthers = await sign('https://other.example');
    const tampered = `${(await sign(gateway.url)).slice(0, -9)}tampered`;
    for (const [name, assertion] of Object.entries({ good, forOthers, tampered })) {
      canaries.add(`an assertion, ${name}`, assertion);
      canaries.add(`the signature of an assertion, ${name}`, assertion.split('.')[2]!);
      const bearer = encodeURIComponent('urn:ietf:params:oauth:grant-type:jwt-bearer');
      const asClient = encodeURIComponent('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      // The second time it has been used.
      for (let i = 0; i < 2; i++) await caller.login([], `grant_type=${bearer}&assertion=${assertion}`);
      const proof = `client_assertion_type=${asClient}&client_assertion=${assertion}`;
      await caller.login([], `grant_type=client_credentials&${proof}`);
      await caller.login([], '', `?${proof}`);
      await caller.ask(path, { headers: ['Authorization', `Bearer ${assertion}`] });
    }
  },

  'signing keys and the keys that encrypt them, before and after rotations': async ({ gateway, canaries }) => {
    const { path: database } = gateway.config.storage;
    const note = (when: string): void => {
      const keys = keysIn(gateway.config.secrets.encryptionKeysFile);
      for (const [i, key] of keys.entries()) canaries.add(`encryption key ${i} ${when}`, key);
      const numbers = privateNumbers(database, keys[0]!);
      expect(numbers.length).toBeGreaterThan(1);
      for (const [i, number] of numbers.entries()) canaries.add(`signing key ${i} ${when}`, number);
    };
    note('at the start');
    await asCommand(gateway, ({ keys }) => keys.rotate('EdDSA'));
    note('after a rotation');
    await asCommand(gateway, ({ encryption }) => encryption.rotate(true));
    note('encrypted anew');
    await gateway.admin.keys.rotate(undefined);
    note('in the end');
  },

  'the pepper': async ({ gateway, canaries }) => {
    for (const pepper of keysIn(gateway.config.secrets.pepperFile)) canaries.add('the pepper', pepper);
  },
};

/** Keys as they lie in a file, one in base64url on each line. */
const keysIn = (file: string): Buffer[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Buffer.from(line, 'base64url'));

describe('no secret is found', () => {
  it('in logs, audit, refusals, metrics, or the files of the database', async () => {
    const gateway = await TestGateway.boot();
    const canaries = new Canaries();
    const caller = new Caller(gateway);
    const { pepperFile, encryptionKeysFile } = gateway.config.secrets;
    await gateway.project('acme', 'db1');
    for (const live of Object.values(lives)) {
      const client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
      canaries.add(`a secret of ${client.clientId}`, client.clientSecret);
      await live({ gateway, canaries, caller, client });
    }
    const metrics = Buffer.from(await (await fetch(`${gateway.operatorUrl}/metrics`)).text());
    const files = () =>
      readdirSync(gateway.folder)
        .map((name) => join(gateway.folder, name))
        .filter((file) => file !== pepperFile && file !== encryptionKeysFile);
    // With the write-ahead log while it runs, and as it is after a stop.
    const running = files().map((file) => [file, readFileSync(file)] as const);
    expect(running.map(([file]) => file)).toContain(`${gateway.config.storage.path}-wal`);
    await gateway.restart();
    const stopped = files().map((file) => [`${file} later`, readFileSync(file)] as const);
    const logs = Buffer.from(JSON.stringify(gateway.logs));
    const audit = Buffer.from(JSON.stringify(inDatabase(gateway.config.storage.path, 'SELECT * FROM audit_event')));
    await gateway.stop();

    // That each place was really looked at.
    const refusals = Buffer.from(caller.refusals.join('\n'));
    expect(logs.includes('a fault of ours')).toBe(true);
    expect(audit.includes('encryption.rotate')).toBe(true);
    for (const seen of ['invalid_token', 'temporarily_unavailable', 'invalid_grant', 'PRIVATE']) {
      expect([seen, refusals.toString().toLowerCase().includes(seen.toLowerCase())]).toEqual([seen, true]);
    }
    const found = [
      ['logs', logs] as const,
      ['audit', audit] as const,
      ['refusals', refusals] as const,
      ['metrics', metrics] as const,
      ...running,
      ...stopped,
    ]
      .map(([place, bytes]) => [place, canaries.in(bytes)] as const)
      .filter(([, names]) => names.length > 0);
    expect(found).toEqual([]);
  });
});

function inDatabase<T>(file: string, sql: string): T[] {
  const database = new Sqlite(file, { readonly: true });
  try {
    return database.prepare(sql).all() as T[];
  } finally {
    database.close();
  }
}

/** `d` of each private key, opened by hand: AES-256-GCM, a version byte, 12 of nonce, 16 of tag at the end. */
function privateNumbers(path: string, key: Buffer): Buffer[] {
  const rows = inDatabase<SealedKey>(path, 'SELECT kid, private_jwk AS sealed FROM signing_key');
  return rows.map(({ kid, sealed }) => {
    const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13));
    cipher.setAAD(Buffer.from(`weir:signing_key:private_jwk:${kid}`));
    cipher.setAuthTag(sealed.subarray(-16));
    const opened = Buffer.concat([cipher.update(sealed.subarray(13, -16)), cipher.final()]);
    return Buffer.from((JSON.parse(opened.toString()) as { d: string }).d, 'base64url');
  });
}

interface SealedKey {
  readonly kid: string;
  readonly sealed: Buffer;
}
