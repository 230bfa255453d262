import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { parseNetworks } from '../../src/net/addresses.js';
import { type EgressRequest, type EgressSeams, guardedFetch } from '../../src/net/egress.js';
import { EgressError } from '../../src/net/egress-error.js';
import { parseProxy } from '../../src/net/proxy.js';
import { ConnectProxy } from '../support/connect-proxy.js';
import { addressForms } from './address-forms.js';

const folder = mkdtempSync(join(tmpdir(), 'weir-proxy-'));
let pem: { cert: Buffer; key: Buffer };
let destination: ReturnType<typeof createServer>;
let reached: string[];
let looked: string[];
let proxy: ConnectProxy;

beforeAll(async () => {
  const { certFile, keyFile } = await writeDemoCertificate(folder, Date.now(), ['receiver.example']);
  pem = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  destination = createServer(pem, (request, answer) => {
    reached.push(`${request.method} ${request.headers.host}${request.url} ${request.headers['proxy-authorization']}`);
    answer.end('taken');
  });
  await new Promise<void>((resolve) => destination.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  destination.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  [reached, looked] = [[], []];
  proxy = await new ConnectProxy().listen();
  proxy.routes.set('receiver.example:443', (destination.address() as AddressInfo).port);
});
afterEach(() => proxy.close());

const seams = (): EgressSeams => ({
  lookup: async (name) => {
    looked.push(name);
    return ['8.8.8.8'];
  },
  certificates: [pem.cert.toString()],
});
const through = (more: Partial<EgressRequest> = {}, url = `http://user:pass%20word@127.0.0.1:${proxy.port}`) => ({
  method: 'POST' as const,
  body: 'measured',
  timeoutMs: 5000,
  maxBytes: 1000,
  proxy: parseProxy(url),
  ...more,
});
const fault = (url: string, request: EgressRequest): Promise<string> =>
  guardedFetch(url, request, seams()).then(
    ({ status }) => `answered ${status}`,
    (error: unknown) => {
      if (!(error instanceof EgressError)) throw error;
      return `${error.fault}: ${error.message}`;
    },
  );
const denied = "destination: The host cannot be used: the operator's egress proxy does not connect to it.";
const broken = "unreachable: The operator's egress proxy does not answer as it should.";
const notPublic =
  'destination: The host cannot be used: it must have a public address, and the port must be 443 or 4318.';

describe('through a proxy', () => {
  it('TLS goes from here to the destination, the name is not looked up here, the password is for the proxy alone', async () => {
    const { status, body } = await guardedFetch('https://receiver.example/v1/metrics', through(), seams());
    expect([status, body.toString()]).toEqual([200, 'taken']);
    const authorization = `Basic ${Buffer.from('user:pass word').toString('base64')}`;
    expect(proxy.asked).toEqual([{ authority: 'receiver.example:443', authorization }]);
    expect(reached).toEqual(['POST receiver.example/v1/metrics undefined']);
    expect(looked).toEqual([]);
    // A TLS handshake is all that the proxy has seen.
    expect(proxy.passed[0]![0]).toBe(0x16);
    expect(Buffer.concat(proxy.passed).includes('measured')).toBe(false);
  });

  it('a proxy that speaks TLS itself gets it, and its certificate is checked', async () => {
    const secure = await new ConnectProxy(pem).listen();
    secure.routes.set('receiver.example:443', (destination.address() as AddressInfo).port);
    try {
      const url = `https://localhost:${secure.port}`;
      expect(await fault('https://receiver.example/', through({}, url))).toBe('answered 200');
      expect(secure.asked[0]!.authorization).toBeUndefined();
      const untrusted = guardedFetch('https://receiver.example/', through({}, url), { lookup: async () => [] });
      await expect(untrusted).rejects.toThrow('egress proxy does not answer as it should');
      expect(secure.asked).toHaveLength(1);
    } finally {
      secure.close();
    }
  });

  it("the destination's certificate must be that of the name", async () => {
    proxy.routes.set('other.example:443', (destination.address() as AddressInfo).port);
    expect(await fault('https://other.example/', through())).toMatch(/^unreachable: .*certificate is not valid/);
    expect(reached).toEqual([]);
  });

  it('no address that is not public is asked of it, in whatever spelling, nor a port that is not for metrics', async () => {
    const places = addressForms().flatMap((host) => [`https://${host}/`, `http://${host}:4318/`]);
    expect(places.length).toBeGreaterThan(500);
    const local = ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost'].map((host) => `https://${host}/`);
    const ports = [22, 80, 3128, 6379].map((port) => `https://receiver.example:${port}/`);
    for (const url of [...places, ...local, ...ports]) {
      expect([url, await fault(url, through({ allowHttp: true }))]).toEqual([url, notPublic]);
    }
    expect(proxy.asked).toEqual([]);
    expect(looked).toEqual([]);
  });

  it('addresses that are public or allowed are asked of it as what they are', async () => {
    const allowedNetworks = parseNetworks(['10.0.0.0/8', 'fd00::/8', '127.0.0.0/8']);
    for (const url of [
      'https://0x08080808/',
      'https://10.1:9090/',
      'https://[fd00::0:1]:8428/',
      'https://localhost:1/',
    ]) {
      expect(await fault(url, through({ allowedNetworks }))).toBe(denied);
    }
    expect(proxy.asked.map(({ authority }) => authority)).toEqual([
      '8.8.8.8:443',
      '10.0.0.1:9090',
      '[fd00::1]:8428',
      'localhost:1',
    ]);
  });

  it('what it refuses and what it does not find look the same', async () => {
    for (const status of [400, 403, 404, 407, 502, 503, 302]) {
      proxy.refuse = () => status;
      expect(await fault('https://receiver.example/', through())).toBe(denied);
    }
    expect(reached).toEqual([]);
  });

  it('a proxy that is gone, hangs or speaks out of turn is an error in time, and said to be the proxy', async () => {
    proxy.refuse = () => 'hang';
    expect(await fault('https://receiver.example/', through({ timeoutMs: 100 }))).toMatch(/^timeout: /);
    proxy.refuse = undefined;
    proxy.early = 'HTTP/1.1 200 OK\r\n\r\n';
    expect(await fault('https://receiver.example/', through())).toMatch(/^unreachable: /);
    const late = through();
    proxy.close();
    expect(await fault('https://receiver.example/', late)).toBe(broken);
    expect(reached).toEqual([]);
  });
});

describe('the URL of a proxy', () => {
  it.each([
    ['http://proxy:3128', { secure: false, host: 'proxy', port: 3128, authorization: undefined }],
    ['http://proxy', { secure: false, host: 'proxy', port: 80, authorization: undefined }],
    ['https://[::1]/', { secure: true, host: '::1', port: 443, authorization: undefined }],
    ['http://a%40b:c%3Ad@proxy', { secure: false, host: 'proxy', port: 80, authorization: 'Basic YUBiOmM6ZA==' }],
  ])('%s is read', (url, expected) => {
    expect(parseProxy(url)).toEqual(expected);
  });

  it.each([
    'proxy:3128',
    'socks5://proxy',
    'http://',
    'http://user:canary@proxy/path',
    'http://user:canary@proxy?a=b',
    'http://user:canary%zz@proxy',
    '',
  ])('%j is refused, and not quoted', (url) => {
    expect(() => parseProxy(url)).toThrow(
      /^Write the URL of an http or https proxy here, such as http:\/\/proxy:3128\.$/,
    );
  });
});
