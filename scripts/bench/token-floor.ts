import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { signerOf } from '../../src/auth/signatures.js';

// What any server on node:http spends on a token: it reads the form, signs claims and answers, and checks nothing at all.
// Argument: ES256 or EdDSA.
const alg = process.argv[2] === 'EdDSA' ? 'EdDSA' : 'ES256';
const { privateKey } =
  alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
const sign = signerOf(alg, privateKey);
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = encoded({ alg, typ: 'at+jwt', kid: 'floor' });
const scope = 'read:metrics write:metrics';
const client = 'weir_cid_0123456789012345678901';

const server = createServer((incoming, outgoing) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    if (new URLSearchParams(Buffer.concat(chunks).toString()).get('grant_type') === null)
      throw new Error('no grant_type');
    const iat = Math.floor(Date.now() / 1000);
    const issuer = 'http://127.0.0.1:8460';
    const who = { iss: issuer, aud: issuer, sub: client, client_id: client, project: 'bench' };
    const input = `${header}.${encoded({ ...who, scope, iat, exp: iat + 900, jti: '0123456789012345', gen: 0, sec: '0123' })}`;
    const access_token = `${input}.${sign(Buffer.from(input)).toString('base64url')}`;
    const body = `${JSON.stringify({ access_token, token_type: 'Bearer', expires_in: 900, scope })}\n`;
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    outgoing.end(body);
  });
});
server.keepAliveTimeout = 310_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
