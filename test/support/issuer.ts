import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExternalIssuer } from '../../src/auth/external-issuers.js';
import { externalIssuersSchema } from '../../src/auth/external-issuers-schema.js';

/** A vendor's own identity provider: publishes its key on this machine and signs what it is told to. */
export class TestIssuer {
  private readonly pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  private readonly server: Server;
  private static readonly issuer = 'https://login.vendor.example';

  private constructor() {
    const key = { ...this.pair.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' };
    this.server = createServer((_request, response) => response.end(JSON.stringify({ keys: [key] })));
  }

  static async listen(): Promise<TestIssuer> {
    const issuer = new TestIssuer();
    await new Promise<void>((resolve) => issuer.server.listen(0, '127.0.0.1', resolve));
    return issuer;
  }

  /** For the configuration; its claims are `project`, `endpoints` and `scope`. */
  get configured(): readonly ExternalIssuer[] {
    const { port } = this.server.address() as AddressInfo;
    const claims = { project: 'project', endpoints: 'endpoints', scope: 'scope' };
    const jwks_url = `http://127.0.0.1:${port}/keys`;
    const { issuer } = TestIssuer;
    return externalIssuersSchema.parse([{ issuer, jwks_url, audience: 'weir', algorithms: 'ES256', claims }]);
  }

  /** Good for an hour from `now`, in milliseconds. */
  token(now: number, claims: { project: string; scope: string; endpoints: readonly string[] }): string {
    const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const iat = Math.floor(now / 1000);
    const payload = { iss: TestIssuer.issuer, aud: 'weir', sub: 'agent', iat, exp: iat + 3600, ...claims };
    const input = `${encoded({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' })}.${encoded(payload)}`;
    const key = { key: this.pair.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
  }

  close(): void {
    this.server.close();
  }
}
