import { type Client, projectScopes, type Scope } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import type { Directory, LiveClient } from '../storage/directory.js';
import type { AccessTokens } from './access-token.js';
import { OAuthError } from './oauth-error.js';
import type { SecretHasher } from './secrets.js';
import { type PresentedCredentials, readCredentials, type TokenParameters } from './token-request.js';

/** The successful answer of RFC 6749 §5.1; `expires_in` is an integer, which Go's client insists on. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly scope: string;
}

export interface TokenServiceOptions {
  readonly directory: Directory;
  readonly hasher: SecretHasher;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  /** The external URL: issuer, and audience of every token. */
  readonly issuer: () => string;
}

type Grant = (client: Client, parameters: TokenParameters) => TokenResponse;

/** `POST /oauth/token`: who asks, by which grant, for what. Throws `OAuthError`. */
export class TokenService {
  private readonly options: TokenServiceOptions;
  private readonly grants: ReadonlyMap<string, Grant>;

  constructor(options: TokenServiceOptions) {
    this.options = options;
    this.grants = new Map<string, Grant>([
      ['client_credentials', (client, parameters) => this.clientCredentials(client, parameters)],
    ]);
  }

  async token(authorization: string | undefined, parameters: TokenParameters): Promise<TokenResponse> {
    const credentials = readCredentials(authorization, parameters);
    const grantType = parameters.get('grant_type');
    if (grantType === undefined) throw new OAuthError('invalid_request', 'The parameter grant_type is missing.');
    const grant = this.grants.get(grantType);
    const client = await this.authenticate(credentials);
    if (grant === undefined) {
      throw new OAuthError('unsupported_grant_type', `Supported grant types: ${[...this.grants.keys()].join(', ')}.`);
    }
    return grant(client, parameters);
  }

  /** Unknown client, wrong secret, ended secret, disabled client: one answer for all. */
  private async authenticate({ candidates }: PresentedCredentials): Promise<Client> {
    const { directory, hasher, clock } = this.options;
    const grants = (live: LiveClient | undefined, secret: string): live is LiveClient =>
      hasher.match(live?.secrets ?? [], secret, clock.now()) !== undefined && live?.client.disabledAt === null;
    for (const { clientId, secret } of candidates) {
      const known = directory.peekClient(clientId);
      if (grants(known, secret)) return known.client;
      // What memory refuses, the store may have granted since.
      const stored = await directory.client(clientId);
      if (grants(stored, secret)) return stored.client;
    }
    throw new OAuthError('invalid_client', 'Client id or secret is wrong, or the client is disabled.');
  }

  private clientCredentials(client: Client, parameters: TokenParameters): TokenResponse {
    this.checkAudience(parameters);
    const scopes = grantedScopes(client, parameters.get('scope'));
    const { token, expiresIn } = this.options.tokens.issue(client, scopes);
    return { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope: scopes.join(' ') };
  }

  /** `resource` (RFC 8707) and Auth0's `audience` may name this gateway or something on it, nothing else. */
  private checkAudience(parameters: TokenParameters): void {
    const issuer = this.options.issuer();
    for (const name of ['resource', 'audience']) {
      for (const wanted of (parameters.get(name) ?? '').split(' ').filter((value) => value !== '')) {
        const target = wanted.replace(/\/$/, '');
        if (target !== issuer && !target.startsWith(`${issuer}/`)) {
          throw new OAuthError(
            'invalid_target',
            `Tokens are issued for ${issuer} only; leave out ${name} or set it to that.`,
          );
        }
      }
    }
  }
}

/** All the client has when none are asked for (RFC 6749 §3.3); never more than it has. */
function grantedScopes(client: Client, asked: string | undefined): readonly Scope[] {
  if (asked === undefined) return client.scopes;
  const wanted = asked.split(' ').filter((scope) => scope !== '');
  if (!wanted.every((scope) => (client.scopes as readonly string[]).includes(scope))) {
    // What was asked for is not repeated: it may be a secret in the wrong place.
    throw new OAuthError(
      'invalid_scope',
      `The client does not have every scope asked for; it has: ${client.scopes.join(' ')}.`,
    );
  }
  return projectScopes.filter((scope) => wanted.includes(scope));
}
