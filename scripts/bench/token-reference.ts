import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';

// The reference for tokens: oidc-provider with everything in memory, for one client that may have JWT access tokens by
// client_credentials and nothing else. Argument: ES256 or EdDSA.
const alg = process.argv[2] === 'EdDSA' ? 'EdDSA' : 'ES256';
const { privateKey } =
  alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
const resource = 'https://metrics.example.com';
const scope = 'read:metrics write:metrics';

const configuration: Configuration = {
  clients: [
    {
      client_id: 'bench',
      client_secret: 'weir_cs_0123456789012345678901234567890123456789012',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
      scope,
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: 'bench' }] },
  scopes: scope.split(' '),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: () => ({
        scope,
        audience: resource,
        accessTokenTTL: 900,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg } },
      }),
    },
  },
};

const server = createServer();
server.keepAliveTimeout = 310_000;
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', new Provider(url, configuration).callback());
  process.stdout.write(`listening on ${url}\n`);
});
process.on('SIGTERM', () => process.exit(0));
