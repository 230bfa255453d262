import { type Client, type ClientSecret, projectScopes, type Scope } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import type { Directory, LiveClient } from '../storage/directory.js';
import type { AccessTokens } from './access-token.js';
import type { LastUses } from './last-uses.js';
import { OAuthError } from './oauth-error.js';
import type { Regulation } from './regulation.js';
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
  readonly uses: LastUses;
  readonly regulation: Regulation;
  /** The external URL: issuer, and audience of every token. */
  readonly issuer: () => string;
}

/** Where a request comes from, for the record of last use. */
export interface Origin {
  readonly ip: string;
  readonly agent: string;
}

/** Who asks, and by which secret it is known. */
interface Authenticated {
  readonly client: Client;
  readonly secretId: string | undefined;
}

type Grant = (who: Authenticated, parameters: TokenParameters) => TokenResponse;

/** `POST /oauth/token`: who asks, by which grant, for what. Throws `OAuthError`. */
export class TokenService {
  private readonly options: TokenServiceOptions;
  private readonly grants: ReadonlyMap<string, Grant>;

  constructor(options: TokenServiceOptions) {
    this.options = options;
    this.grants = new Map<string, Grant>([
      ['client_credentials', (who, parameters) => this.clientCredentials(who, parameters)],
    ]);
  }

  async token(authorization: string | undefined, parameters: TokenParameters, origin: Origin): Promise<TokenResponse> {
    const credentials = readCredentials(authorization, parameters);
    const grantType = parameters.get('grant_type');
    if (grantType === undefined) throw new OAuthError('invalid_request', 'The parameter grant_type is missing.');
    const grant = this.grants.get(grantType);
    const who = await this.authenticate(credentials, origin);
    if (grant === undefined) {
      throw new OAuthError('unsupported_grant_type', `Supported grant types: ${[...this.grants.keys()].join(', ')}.`);
    }
    return grant(who, parameters);
  }

  /** The client behind the credentials. Unknown, wrong, ended or disabled: one answer for all. */
  async authenticate({ method, candidates }: PresentedCredentials, origin: Origin): Promise<Authenticated> {
    const { directory, hasher, clock, uses, regulation } = this.options;
    const secretOf = (live: LiveClient | undefined, secret: string): ClientSecret | undefined => {
      const matched = hasher.match(live?.secrets ?? [], secret, clock.now());
      return live?.client.disabledAt === null ? matched : undefined;
    };
    for (const { clientId, secret } of candidates) {
      // Never from memory alone: a token issued on the eve of "revoke-tokens" would be dead, and Go scrapers would keep it.
      const live = await directory.client(clientId);
      const matched = secretOf(live, secret);
      if (live === undefined || matched === undefined) continue;
      regulation.succeeded(clientId, origin.ip);
      uses.note(matched.id, { at: clock.now(), ...origin });
      return { client: live.client, secretId: matched.id };
    }
    const [{ clientId, secret }] = candidates;
    const verdict = regulation.failed(clientId, origin.ip, { method, secret });
    if (verdict.banned) {
      const sentence = 'Too many wrong secrets for this client from this address; a right one still works.';
      throw new OAuthError('temporarily_unavailable', sentence, 429, verdict.retryAfterSeconds);
    }
    throw new OAuthError('invalid_client', 'Client id or secret is wrong, or the client is disabled.');
  }

  private clientCredentials({ client, secretId }: Authenticated, parameters: TokenParameters): TokenResponse {
    this.checkAudience(parameters);
    const scopes = grantedScopes(client, parameters.get('scope'));
    const { token, expiresIn } = this.options.tokens.issue(client, scopes, secretId);
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
