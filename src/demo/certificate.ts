import { lookup } from 'node:dns/promises';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { generate } from 'selfsigned';
import { stringify } from 'yaml';
import { parseListenAddress } from '../config/listen-address.js';

/** Absolute paths of what `writeDemoCertificate` wrote. */
export interface DemoCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** For `--web.config.file`. */
  readonly webConfigFile: string;
}

const validityMs = 365 * 86_400_000;
const clockSkewMs = 3_600_000;

/**
 * Writes a certificate for this machine's loopback names and those given, its key (mode 0600) and the web config file
 * that names both, replacing those of an earlier run. It is its own authority: a client that is given the certificate
 * as its CA file trusts the server. Valid for a year from `now`.
 */
export async function writeDemoCertificate(
  dir: string,
  now: number,
  otherNames: readonly string[] = [],
): Promise<DemoCertificate> {
  const certFile = resolve(join(dir, 'weir-demo.crt'));
  const keyFile = resolve(join(dir, 'weir-demo.key'));
  const webConfigFile = resolve(join(dir, 'web-config.yml'));
  const pem = await selfSigned(now, ['localhost', '127.0.0.1', '::1', ...otherNames]);
  await mkdir(dir, { recursive: true });
  await replace(keyFile, pem.private, 0o600);
  await replace(certFile, pem.cert, 0o644);
  await replace(webConfigFile, stringify({ tls_server_config: { cert_file: certFile, key_file: keyFile } }), 0o644);
  return { certFile, keyFile, webConfigFile };
}

/** What a server at this address may be called beside the loopback names. */
export async function certificateNames(listenAddress: string): Promise<string[]> {
  const { host } = parseListenAddress(listenAddress);
  if (host === undefined || host === '0.0.0.0' || host === '::') return [hostname()];
  if (isIP(host) !== 0) return [host];
  // A name that leads nowhere is the listener's to complain of.
  const found = await lookup(host).catch(() => undefined);
  return found === undefined ? [host] : [host, found.address];
}

const selfSigned = (now: number, names: readonly string[]) =>
  generate([{ name: 'commonName', value: 'Weir demo' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - clockSkewMs),
    notAfterDate: new Date(now + validityMs),
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((name) => (isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name })),
      },
    ],
  });

/** Anew rather than over the old file, whose mode would stay. */
async function replace(file: string, content: string, mode: number): Promise<void> {
  await rm(file, { force: true });
  await writeFile(file, content, { mode, flag: 'wx' });
}
