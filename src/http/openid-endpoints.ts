import type { OpenidEndpoint } from '../telemetry/gateway-definitions.js';

const endpoints = new Map<string, OpenidEndpoint>([
  ['/oauth/token', 'token'],
  ['/oauth/introspect', 'introspection'],
  ['/oauth/revoke', 'revocation'],
  ['/.well-known/jwks.json', 'jwks'],
  ['/.well-known/oauth-authorization-server', 'oauth_configuration'],
  ['/.well-known/oauth-protected-resource', 'protected_resource'],
]);

/** Which of OAuth's endpoints a request was for, by the names Authelia's metrics have. */
export const openidEndpoint = (url: string): OpenidEndpoint | undefined =>
  endpoints.get(url.includes('?') ? url.slice(0, url.indexOf('?')) : url);
