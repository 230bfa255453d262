import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { jwtBearerGrant } from '../auth/assertion.js';
import { signatureAlgorithms } from '../auth/client-keys.js';
import { OAuthError } from '../auth/oauth-error.js';
import type { SigningKeys } from '../auth/signing-keys.js';
import { readJsonParameters } from '../auth/token-json.js';
import { readParameters, type TokenParameters } from '../auth/token-request.js';
import type { TokenRequest, TokenResponse, TokenService } from '../auth/token-service.js';
import type { TokenStatus } from '../auth/token-status.js';
import { WeirError } from '../domain/errors.js';
import { scopes } from '../domain/scopes.js';
import { jwksCachedSeconds } from '../domain/signing.js';
import { type Soon, thenSoon } from '../domain/soon.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { AccessNotes } from './access-notes.js';
import { originOf, type TrustedProxies } from './client-address.js';
import { type Ctx, header, readBody } from './context.js';
import { counted, knownGrant, type RequestCounting } from './requests.js';

export interface OAuthOptions extends RequestCounting {
  readonly service: TokenService;
  readonly status: TokenStatus;
  readonly keys: SigningKeys;
  readonly metrics: GatewayMetrics;
  readonly trustedProxies: TrustedProxies;
  readonly accessNotes: AccessNotes;
  /** The external URL, which is the issuer. */
  readonly issuer: () => string;
}

const authentication = (operation_name: string) => ({ api: 'AUTHENTICATION', operation_name }) as const;

const largestBody = 16 * 1024;

/** `POST /oauth/token` (RFC 6749 §3.2). */
export async function postToken(c: Ctx, options: OAuthOptions): Promise<Response> {
  const { service, metrics, trustedProxies, usage, clock, accessNotes } = options;
  let parameters: TokenParameters = new Map();
  try {
    parameters = await readFormOrJson(c);
    const operation = { ...authentication('POST /oauth/token'), ...knownGrant(parameters.get('grant_type')) };
    const issued = (response: TokenResponse): Response => {
      metrics.tokenIssued();
      const { projectId } = c.env.caller!;
      if (projectId !== null) usage.of(projectId).token(clock.now());
      accessNotes.tokenIssued(c);
      return sendToken(c, response);
    };
    const response = counted(options, c, operation, () =>
      thenSoon(inTime(service.token(requestOf(c, parameters, trustedProxies))), issued),
    );
    // An await of what is there already would be another turn.
    return response instanceof Promise ? await response : response;
  } catch (error) {
    accessNotes.tokenRefused(c, parameters, error);
    if (error instanceof OAuthError) metrics.tokenRefused(error.code);
    else if (error instanceof WeirError && error.code === 'rate_limited')
      metrics.tokenRefused('temporarily_unavailable');
    throw error;
  }
}

/** Go's clients have no time limit for the token endpoint, and all targets of a job wait with them. */
const longestMs = 4_500;

function inTime<T>(work: Soon<T>): Soon<T> {
  if (!(work instanceof Promise)) return work;
  return new Promise((resolve, reject) => {
    const sentence = 'The gateway could not answer in time; try again.';
    const timer = setTimeout(() => reject(new OAuthError('temporarily_unavailable', sentence)), longestMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** `POST /oauth/introspect` (RFC 7662), for clients that authenticate as at the token endpoint. */
export async function postIntrospect(c: Ctx, options: OAuthOptions): Promise<Response> {
  const parameters = await readForm(c);
  return counted(options, c, authentication('POST /oauth/introspect'), async () => {
    const { client } = await options.service.authenticate(requestOf(c, parameters, options.trustedProxies));
    return json(await options.status.introspect(requiredToken(parameters), client.projectId));
  });
}

/** `POST /oauth/revoke` (RFC 7009): 200 also for tokens that are unknown or somebody else's. */
export async function postRevoke(c: Ctx, options: OAuthOptions): Promise<Response> {
  const parameters = await readForm(c);
  return counted(options, c, authentication('POST /oauth/revoke'), async () => {
    const { client } = await options.service.admitted(requestOf(c, parameters, options.trustedProxies));
    const hint = parameters.get('token_type_hint');
    if (hint === 'refresh_token') {
      throw new OAuthError('unsupported_token_type', 'There are no refresh tokens here; access tokens can be revoked.');
    }
    await options.status.revoke(requiredToken(parameters), client.id, originOf(c, options.trustedProxies).ip);
    return new Response(null, { status: 200, headers: { ...noStore, 'content-length': '0' } });
  });
}

/** `GET /.well-known/oauth-authorization-server` (RFC 8414). */
export function getMetadata({ issuer }: OAuthOptions): Response {
  const url = issuer();
  const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];
  return publicJson({
    issuer: url,
    token_endpoint: `${url}/oauth/token`,
    introspection_endpoint: `${url}/oauth/introspect`,
    revocation_endpoint: `${url}/oauth/revoke`,
    jwks_uri: `${url}/.well-known/jwks.json`,
    response_types_supported: [],
    grant_types_supported: ['client_credentials', jwtBearerGrant],
    scopes_supported: scopes,
    token_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: signatureAlgorithms,
    introspection_endpoint_auth_signing_alg_values_supported: signatureAlgorithms,
    revocation_endpoint_auth_signing_alg_values_supported: signatureAlgorithms,
  });
}

/** `GET /.well-known/jwks.json` (RFC 7517 §5): every key that verifies now, and the one that will sign next. */
export const getJwks = ({ keys }: OAuthOptions): Response => publicJson({ keys: keys.publicKeys() });

/** `GET /.well-known/oauth-protected-resource` (RFC 9728). */
export function getResourceMetadata({ issuer }: OAuthOptions): Response {
  const url = issuer();
  return publicJson({
    resource: url,
    authorization_servers: [url],
    scopes_supported: scopes,
    bearer_methods_supported: ['header'],
    resource_name: 'Weir metrics',
  });
}

const requestOf = (c: Ctx, parameters: TokenParameters, trustedProxies: TrustedProxies): TokenRequest => ({
  authorization: header(c, 'authorization'),
  parameters,
  origin: originOf(c, trustedProxies),
  onClient: ({ id: clientId, projectId }) => {
    c.env.caller = { clientId, projectId };
  },
});

function requiredToken(parameters: TokenParameters): string {
  const token = parameters.get('token');
  if (token === undefined) throw new OAuthError('invalid_request', 'The parameter token is missing.');
  return token;
}

const form = 'application/x-www-form-urlencoded';

async function readForm(c: Ctx): Promise<TokenParameters> {
  refuseQuery(c);
  if (contentType(c) !== form) throw wrongType(c, form);
  return readParameters(await readWhole(c));
}

/** Auth0's clients send JSON to the token endpoint; no RFC asks for it. */
function readFormOrJson(c: Ctx): Promise<TokenParameters> {
  refuseQuery(c);
  const type = contentType(c);
  if (type === form) return readWhole(c).then(readParameters);
  if (type === 'application/json') return readWhole(c).then(readJsonParameters);
  throw wrongType(c, `${form} or application/json`);
}

const contentType = (c: Ctx): string => (header(c, 'content-type') ?? '').split(';')[0]!.trim().toLowerCase();

const wrongType = (c: Ctx, wanted: string): OAuthError =>
  new OAuthError('invalid_request', `The body must be ${wanted}.`, contentType(c) === '' ? 400 : 415);

const readWhole = (c: Ctx): Promise<Buffer> =>
  readBody(c, largestBody, () => new WeirError('too_large', `The body is larger than ${largestBody} bytes.`));

const secretParameters = ['client_id', 'client_secret', 'client_assertion', 'assertion', 'token'];

/** RFC 6749 §2.3.1: credentials must not stand in the URL, where logs and proxies keep them. */
function refuseQuery(c: Ctx): void {
  const { url = '' } = c.env.incoming;
  if (!url.includes('?')) return;
  const query = url.slice(url.indexOf('?') + 1);
  const parameters = new URLSearchParams(query);
  if (secretParameters.some((name) => parameters.has(name))) {
    const sentence = 'Client credentials must not stand in the URL; send them by HTTP Basic or in the body.';
    throw new OAuthError('invalid_request', sentence);
  }
}

const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' };

/** Straight to Node's response: a `Response` object would cost a tenth of the whole request. */
function sendToken({ env }: Ctx, response: TokenResponse): Response {
  const body = `${JSON.stringify(response)}\n`;
  env.outgoing.writeHead(200, {
    'content-type': 'application/json;charset=UTF-8',
    ...noStore,
    'content-length': Buffer.byteLength(body),
  });
  env.outgoing.end(body);
  return RESPONSE_ALREADY_SENT;
}

const json = (value: unknown): Response =>
  new Response(`${JSON.stringify(value)}\n`, {
    headers: { 'content-type': 'application/json;charset=UTF-8', ...noStore },
  });

/** What anybody may read, and keep for a while: shorter than `next` is published before it signs, unless keys are rotated sooner. */
const publicJson = (value: unknown): Response =>
  new Response(`${JSON.stringify(value)}\n`, {
    headers: { 'content-type': 'application/json', 'cache-control': `public, max-age=${jwksCachedSeconds}` },
  });
