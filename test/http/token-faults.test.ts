import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Sqlite from 'better-sqlite3';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SigningKeys } from '../../src/auth/signing-keys.js';
import { TokenService } from '../../src/auth/token-service.js';
import { Directory } from '../../src/storage/directory.js';
import { type Credentials, TestGateway } from '../support/gateway.js';
import { asking, byBasic, grant, granted, refusal } from './token-endpoint.js';
import { type Answer, send } from './wire.js';

let gateway: TestGateway;
let client: Credentials;
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics']);
  const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  await gateway.admin.clients.addKeys(client.clientId, Buffer.from(pem));
});
afterAll(() => gateway.stop());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const ask = asking(() => gateway);
const login = (): Promise<Answer> => ask(grant, { authorization: byBasic(client) });

/** By a signed assertion, which the store has to remember. */
async function sign(): Promise<Answer> {
  const now = Math.floor(gateway.clock.now() / 1000);
  const { clientId } = client;
  const claims = { iss: clientId, sub: clientId, aud: gateway.url, jti: randomUUID(), iat: now, exp: now + 60 };
  const assertion = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(pair.privateKey);
  return ask(new URLSearchParams({ grant_type: jwtBearer, assertion }).toString());
}

describe('while another process holds the database', () => {
  it('secrets get tokens all the same, and assertions are asked to come again, within 5 s', async () => {
    granted(await sign());
    const other = new Sqlite(gateway.config.storage.path);
    other.exec('BEGIN IMMEDIATE');
    const started = performance.now();
    try {
      granted(await login());
      const answer = await sign();
      expect(refusal(answer)).toBe('503 temporarily_unavailable');
      expect(answer.headers['retry-after']).toBe('5');
    } finally {
      other.exec('ROLLBACK');
      other.close();
    }
    expect(performance.now() - started).toBeLessThan(5000);
    granted(await sign());
  });

  it.each<[string, () => Promise<string>]>([
    ['an access token', () => gateway.bearerOf(client)],
    ['a scrape token', () => gateway.scrapeToken(client)],
  ])('who revokes %s is asked to come again, and then it is revoked', async (_, grantOne) => {
    const bearer = await grantOne();
    const scraped = async () => (await gateway.fetch('/api/v1/acme/db1/metrics', { bearer })).status;
    const body = new URLSearchParams({ token: bearer.slice('Bearer '.length) }).toString();
    const revoke = () => {
      const headers = ['Authorization', byBasic(client), 'Content-Type', 'application/x-www-form-urlencoded'];
      return send(gateway.url, '/oauth/revoke', { method: 'POST', headers, body });
    };
    expect(await scraped()).toBe(200);
    const other = new Sqlite(gateway.config.storage.path);
    other.exec('BEGIN IMMEDIATE');
    try {
      const answer = await revoke();
      expect(refusal(answer)).toBe('503 temporarily_unavailable');
      expect(answer.headers['retry-after']).toBe('5');
      expect(await scraped()).toBe(200);
    } finally {
      other.exec('ROLLBACK');
      other.close();
    }
    expect((await revoke()).status).toBe(200);
    expect(await scraped()).toBe(401);
  });
});

describe('a fault of ours is one sentence in JSON, when it is', () => {
  it.each([
    ['the signer', () => vi.spyOn(SigningKeys.prototype, 'sign')],
    ['the store', () => vi.spyOn(Directory.prototype, 'client')],
  ])('%s', async (_, spy) => {
    spy().mockImplementationOnce(() => {
      throw new Error('SQLITE_IOERR at /secret/path');
    });
    const answer = await login();
    expect(refusal(answer)).toBe('500 server_error');
    expect(answer.text).not.toMatch(/SQLITE|secret|Error:|at /);
    granted(await login());
  });
});

describe('a token request that cannot be answered', () => {
  it('is given up before Go, which has no limit of its own, has waited 5 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const stuck = vi.spyOn(TokenService.prototype, 'token').mockReturnValueOnce(new Promise(() => {}));
    let answer: Answer | undefined;
    const asking = login().then((got) => {
      answer = got;
    });
    await vi.waitFor(() => expect(stuck).toHaveBeenCalledTimes(1));
    await vi.advanceTimersByTimeAsync(4_000);
    expect(answer).toBeUndefined();
    await vi.advanceTimersByTimeAsync(999);
    await asking;
    expect(refusal(answer!)).toBe('503 temporarily_unavailable');
    expect(answer!.headers['retry-after']).toBe('5');
  });
});
