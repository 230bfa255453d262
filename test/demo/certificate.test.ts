import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { certificateNames, type DemoCertificate, writeDemoCertificate } from '../../src/demo/certificate.js';

const dir = mkdtempSync(join(tmpdir(), 'weir-certificate-'));
const now = Date.now();
let files: DemoCertificate;

beforeAll(async () => {
  files = await writeDemoCertificate(dir, now);
});
afterAll(() => rmSync(dir, { recursive: true }));

const certificate = () => new X509Certificate(readFileSync(files.certFile));
const modeOf = (file: string) => statSync(file).mode & 0o777;

describe('the files', () => {
  test('are where they are expected, the key for the owner alone', () => {
    expect(files).toEqual({
      certFile: join(dir, 'weir-demo.crt'),
      keyFile: join(dir, 'weir-demo.key'),
      webConfigFile: join(dir, 'web-config.yml'),
    });
    expect(modeOf(files.keyFile)).toBe(0o600);
    expect(certificate().checkPrivateKey(createPrivateKey(readFileSync(files.keyFile)))).toBe(true);
  });

  test('include a web config that names the other two', () => {
    expect(parse(readFileSync(files.webConfigFile, 'utf8'))).toEqual({
      tls_server_config: { cert_file: files.certFile, key_file: files.keyFile },
    });
  });

  test('replace those of an earlier run, and an open key does not stay open', async () => {
    const again = mkdtempSync(join(dir, 'again-'));
    writeFileSync(join(again, 'weir-demo.key'), 'old', { mode: 0o644 });
    const first = await writeDemoCertificate(join(again), now);
    const serial = new X509Certificate(readFileSync(first.certFile)).serialNumber;
    expect(modeOf(first.keyFile)).toBe(0o600);
    await writeDemoCertificate(again, now);
    expect(new X509Certificate(readFileSync(first.certFile)).serialNumber).not.toBe(serial);
  });

  test('are made in a folder that need not exist', async () => {
    const { certFile } = await writeDemoCertificate(join(dir, 'a', 'b'), now);
    expect(readFileSync(certFile, 'utf8')).toMatch(/^-----BEGIN CERTIFICATE-----/);
  });
});

describe('the certificate', () => {
  test('is for the loopback names and no other', () => {
    expect(certificate().checkHost('localhost')).toBe('localhost');
    expect(certificate().checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate().checkIP('::1')).toBe('::1');
    expect(certificate().checkHost('example.org')).toBeUndefined();
    expect(certificate().checkIP('127.0.0.2')).toBeUndefined();
  });

  test('is for other names too, when they are asked for', async () => {
    const { certFile } = await writeDemoCertificate(mkdtempSync(join(dir, 'names-')), now, [
      '127.0.0.2',
      'demo.example',
    ]);
    const other = new X509Certificate(readFileSync(certFile));
    expect(other.checkIP('127.0.0.2')).toBe('127.0.0.2');
    expect(other.checkHost('demo.example')).toBe('demo.example');
    expect(other.checkIP('127.0.0.1')).toBe('127.0.0.1');
  });

  test('is an authority that vouches for itself', () => {
    expect(certificate().ca).toBe(true);
    expect(certificate().checkIssued(certificate())).toBe(true);
    expect(certificate().verify(certificate().publicKey)).toBe(true);
    expect(certificate().publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    // The extension keyUsage, critical, as DER: exactly digitalSignature (0x80) and keyCertSign (0x04).
    expect(certificate().raw.toString('hex')).toContain('0603551d0f0101ff040403020284');
  });

  test('is valid from shortly before now, for a year', () => {
    expect(Date.parse(certificate().validFrom)).toBeLessThan(now);
    expect(Date.parse(certificate().validFrom)).toBeGreaterThan(now - 2 * 3_600_000);
    expect(Math.round((Date.parse(certificate().validTo) - now) / 86_400_000)).toBe(365);
  });
});

describe('the names of a server', () => {
  test.each([
    ['127.0.0.2:8460', ['127.0.0.2']],
    ['[::1]:0', ['::1']],
    [':8460', [hostname()]],
    ['0.0.0.0:8460', [hostname()]],
    ['[::]:8460', [hostname()]],
  ])('at %s are %j beside the loopback ones', async (address, names) => {
    expect(await certificateNames(address)).toEqual(names);
  });

  test('include the address that a name leads to', async () => {
    expect(await certificateNames('localhost:0')).toEqual(['localhost', expect.stringMatching(/^(127\.0\.0\.1|::1)$/)]);
  });
});

describe('a client of a server with that certificate', () => {
  const server = { port: 0, close: () => {} };

  beforeAll(async () => {
    const options = { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) };
    const listening = createServer(options, (_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(listening, 'listening');
    server.port = (listening.address() as AddressInfo).port;
    server.close = () => listening.close();
  });
  afterAll(() => server.close());

  const fetchText = (options: RequestOptions): Promise<string> =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: server.port, agent: false, ...options }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(body));
      }).on('error', reject);
    });

  test.each(['127.0.0.1', 'localhost'])('accepts it for %s when it is given as the CA', async (name) => {
    const ca = readFileSync(files.certFile);
    const servername = name === 'localhost' ? { servername: name } : {};
    await expect(fetchText({ ca, ...servername })).resolves.toBe('hello');
  });

  test('refuses it otherwise', async () => {
    await expect(fetchText({})).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    const ca = readFileSync(files.certFile);
    await expect(fetchText({ ca, servername: 'example.org' })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });
});
