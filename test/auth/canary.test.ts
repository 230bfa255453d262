import { createDecipheriv } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Sqlite from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/domain/ids.js';
import { send } from '../http/wire.js';
import { basic, TestGateway } from '../support/gateway.js';

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

/** A life with all that secrets go through: good and bad logins, good and bad tokens, pushes, scrapes, faults of ours. */
async function live(gateway: TestGateway, canaries: Canaries, fail: () => void): Promise<Buffer> {
  const said: string[] = [];
  const ask = async (...request: Parameters<typeof send>): Promise<number> => {
    const answer = await send(...request);
    if (answer.status !== 200) said.push(answer.rawHeaders.join('\n'), answer.text);
    return answer.status;
  };
  const form = ['Content-Type', 'application/x-www-form-urlencoded'];
  const login = (authorization: string[], body = 'grant_type=client_credentials', query = '') =>
    ask(gateway.url, `/oauth/token${query}`, { method: 'POST', headers: [...form, ...authorization], body });

  await gateway.project('acme', 'db1');
  const client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
  const bearer = await gateway.bearerOf(client);
  const wrong = 'weir_cs_this-is-a-wrong-secret-somebody-typed';
  const dead = `${bearer.slice('Bearer '.length, -9)}tampered`;
  canaries.add('the secret', client.clientSecret);
  canaries.add('the token', bearer.slice('Bearer '.length));
  canaries.add("the token's signature", bearer.split('.')[2]!);
  canaries.add('a wrong secret', wrong);
  canaries.add('a tampered token', dead);
  canaries.add('Basic', `${client.clientId}:${client.clientSecret}`);

  const right = ['Authorization', basic(client.clientId, client.clientSecret)];
  await login(['Authorization', basic(client.clientId, wrong)]);
  await login(['Authorization', basic(wrong, client.clientSecret)]);
  await login(['Authorization', `Bearer ${client.clientSecret}`]);
  await login(['Authorization', client.clientSecret]);
  await login([], `grant_type=client_credentials&client_id=${client.clientId}&client_secret=${wrong}`);
  await login(right, `grant_type=client_credentials&client_secret=${client.clientSecret}`);
  await login(right, `grant_type=client_credentials&scope=${client.clientSecret}`);
  await login(right, `grant_type=${client.clientSecret}`);
  await login(right, `grant_type=client_credentials&audience=${client.clientSecret}`);
  await login(right, `client_secret=${wrong}&client_secret=${wrong}`);
  await login([], '', `?client_id=${client.clientId}&client_secret=${client.clientSecret}`);

  const path = '/api/v1/acme/db1/metrics';
  const lasting = await gateway.scrapeToken(client);
  canaries.add('the scrape token', lasting.slice('Bearer '.length));
  await gateway.admin.clients.setAllowBasic(client.clientId, true);
  for (const authorization of [lasting, `${lasting.slice(0, -1)}.`, right[1]!, basic(client.clientId, wrong)]) {
    await ask(gateway.url, path, { headers: ['Authorization', authorization] });
  }
  const token = bearer.slice('Bearer '.length);
  for (const authorization of [`Bearer ${dead}`, `Bearer ${token} x`, token, `Basic ${token}`]) {
    await ask(gateway.url, path, { headers: ['Authorization', authorization] });
  }
  await ask(gateway.url, path, { headers: ['Authorization', bearer, 'Authorization', bearer] });
  await ask(gateway.url, `${path}?access_token=${token}`, {});
  const push = (body: string | Buffer, ...headers: string[]) =>
    ask(gateway.url, path, { method: 'PUT', headers: ['Authorization', bearer, ...headers], body });
  await push('a 1\n');
  await push('no number\n');
  await push(gzipSync('a 1\n').subarray(0, 9), 'Content-Encoding', 'gzip');
  await push('a 1\n', 'Content-Type', 'application/json');
  await ask(gateway.url, path, { headers: ['Authorization', bearer] });
  await gateway.admin.clients.disable(client.clientId);
  await expect.poll(() => login(right), { timeout: 1000 }).toBe(401);
  await gateway.admin.clients.enable(client.clientId);
  fail();
  expect(await login(right)).toBe(500);
  return Buffer.from(said.join('\n'));
}

describe('no secret is found', () => {
  it('in logs, refusals, metrics, or the files of the database', async () => {
    let failing = false;
    const random = (size: number): Buffer => {
      if (failing) throw new Error('a fault of ours');
      return systemRandom(size);
    };
    const gateway = await TestGateway.boot({ seams: { random } });
    const canaries = new Canaries();
    const { pepperFile, encryptionKeysFile } = gateway.config.secrets;
    const [pepper, key] = [pepperFile, encryptionKeysFile].map((file) =>
      Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url'),
    );
    canaries.add('the pepper', pepper!);
    canaries.add('the encryption key', key!);
    const numbers = privateNumbers(gateway.config.storage.path, key!);
    expect(numbers.length).toBeGreaterThan(0);
    for (const [i, number] of numbers.entries()) canaries.add(`signing key ${i}`, number);
    const refusals = await live(gateway, canaries, () => {
      failing = true;
    });
    failing = false;
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
    await gateway.stop();

    expect(logs.includes('a fault of ours')).toBe(true);
    expect(refusals.includes('invalid_token')).toBe(true);
    const found = [
      ['logs', logs] as const,
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

/** `d` of each private key, opened by hand: AES-256-GCM, a version byte, 12 of nonce, 16 of tag at the end. */
function privateNumbers(path: string, key: Buffer): Buffer[] {
  const database = new Sqlite(path, { readonly: true });
  const rows = database.prepare('SELECT kid, private_jwk AS sealed FROM signing_key').all() as SealedKey[];
  database.close();
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
