import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loggedUrl } from '../../src/auth/jwks-url.js';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { addressForms } from '../net/address-forms.js';
import { type Credentials, TestGateway } from '../support/gateway.js';

const jwksUrl = 'https://keys.example/jwks.json';
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const published = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let folder: string;
let server: Server;
let gateway: TestGateway;
let client: Credentials;
/** The kid of the key that is registered beside the URL. */
let kid: string;
/** What becomes of a connection to keys.example. */
let isDown: boolean;
let connections: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  const { certFile, keyFile } = await writeDemoCertificate(folder, Date.now(), ['keys.example']);
  const certificate = readFileSync(certFile, 'utf8');
  const jwk = { ...published.publicKey.export({ format: 'jwk' }), kid: 'theirs' };
  server = createServer({ cert: certificate, key: readFileSync(keyFile) }, (_, response) =>
    response.end(JSON.stringify({ keys: [jwk] })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dial = () => {
    connections++;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    // The guard makes sure that it is where it was sent.
    Object.defineProperty(socket, 'remoteAddress', { value: '8.8.8.8' });
    return isDown ? socket.destroy(new Error('nobody answers')) : socket;
  };
  const egress = { lookup: async () => ['8.8.8.8'], connect: dial, certificates: [certificate] };
  gateway = await TestGateway.boot({ seams: { egress } });
  await gateway.project('acme', 'db1');
});
afterAll(async () => {
  await gateway.stop();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  client = await gateway.client('acme', ['read:metrics']);
  const pem = Buffer.from(own.publicKey.export({ type: 'spki', format: 'pem' }));
  kid = (await gateway.admin.clients.addKeys(client.clientId, pem))[0]!.kid;
  isDown = false;
  connections = 0;
  // Other clients have had the same set fetched: it is theirs no more, and may be asked for again.
  gateway.clock.advance(2 * 86_400_000);
});

const publish = (query = '') => gateway.admin.clients.setJwksUrl(client.clientId, `${jwksUrl}${query}`);

async function ask(key: KeyObject, kid?: string): Promise<number> {
  const now = Math.floor(gateway.clock.now() / 1000);
  const { clientId } = client;
  const claims = { iss: clientId, sub: clientId, aud: gateway.url, jti: randomUUID(), exp: now + 300 };
  const header = { alg: 'ES256', ...(kid === undefined ? {} : { kid }) };
  const assertion = await new SignJWT(claims).setProtectedHeader(header).sign(key);
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  return (await gateway.token({ grant_type, assertion })).status;
}

describe('a registered key', () => {
  it('that is named is good without a look at the JWKS URL', async () => {
    await publish();
    isDown = true;
    expect([await ask(own.privateKey, kid), connections]).toEqual([200, 0]);
  });

  it('is good while the JWKS URL does not answer, though nobody names it', async () => {
    await publish();
    isDown = true;
    expect([await ask(own.privateKey), connections]).toEqual([200, 1]);
  });

  it('and a published one are good beside each other, named and not named', async () => {
    await publish();
    const statuses = [
      await ask(published.privateKey),
      await ask(published.privateKey, 'theirs'),
      await ask(own.privateKey),
      await ask(own.privateKey, kid),
    ];
    expect([statuses, connections]).toEqual([[200, 200, 200, 200], 1]);
    expect(await ask(own.privateKey, 'theirs')).toBe(400);
    expect(await ask(published.privateKey, kid)).toBe(400);
  });
});

describe('while the JWKS URL does not answer', () => {
  it('a key that only it can have is not refused for good: 503', async () => {
    await publish();
    isDown = true;
    expect(await ask(published.privateKey, 'theirs')).toBe(503);
    await gateway.admin.clients.removeKey(client.clientId, kid);
    expect(await ask(published.privateKey)).toBe(503);
  });

  it('the log names its origin and path, and not its query', async () => {
    await publish('?key=hush');
    isDown = true;
    await ask(published.privateKey, 'theirs');
    const lines = gateway.logs.filter(({ msg }) => msg === "a client's JWKS cannot be fetched");
    expect(lines.at(-1)).toMatchObject({ url: jwksUrl });
    expect(JSON.stringify(lines)).not.toContain('hush');
  });
});

describe('a JWKS URL', () => {
  const set = (url: string) => gateway.admin.clients.setJwksUrl(client.clientId, url);

  it.each(['https://user:hush@keys.example/jwks', 'https://user@keys.example/jwks', 'https://:hush@keys.example/jwks'])(
    '%s is refused for what stands before the host',
    (url) => expect(set(url)).rejects.toThrow('The JWKS URL must not carry a user name or password'),
  );

  it('at an address that is not public is refused, however it is spelled', async () => {
    const taken: string[] = [];
    for (const host of addressForms()) {
      const url = `https://${host}/jwks`;
      await set(url).then(
        () => taken.push(url),
        (error: Error) => expect(error.message).toMatch(/^The JWKS URL must be (at a public address|an https URL)\.$/),
      );
    }
    expect(taken).toEqual([]);
  });

  it('at a name or a public address is taken', async () => {
    for (const url of [jwksUrl, 'https://8.8.8.8/jwks', 'https://[2606:4700::1111]/jwks']) {
      expect((await set(url)).jwksUrl).toBe(url);
    }
  });

  it('is logged without what may be secret in it', () => {
    expect(loggedUrl('https://user:hush@keys.example:4318/a/b?key=hush#hush')).toBe('https://keys.example:4318/a/b');
    expect(loggedUrl('hush')).toBe('no URL');
  });
});
