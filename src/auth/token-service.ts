import type { Client } from '../domain/client.js';
import { inOrder, ourSpelling, type Scope } from '../domain/scopes.js';
import { type Soon, thenSoon } from '../domain/soon.js';
import type { Directory } from '../storage/directory.js';
import type { AccessTokens } from './access-token.js';
import { type Assertions, clientAssertionType, jwtBearerGrant } from './assertion.js';
import type { ClientSecrets, Origin } from './client-secrets.js';
import { OAuthError } from './oauth-error.js';
import type { Proofs } from './proofs.js';
import { readCredentials, type TokenParameters } from './token-request.js';

/** The successful answer of RFC 6749 §5.1; `expires_in` is an integer, which Go's client insists on. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly scope: string;
}

export interface TokenServiceOptions {
  readonly directory: Directory;
  readonly secrets: ClientSecrets;
  readonly tokens: AccessTokens;
  readonly assertions: Assertions;
  /** Whether the client, which has proved itself, may ask for another token, or revoke one, now; throws `rate_limited`. */
  readonly admit: Admit;
  readonly proofs: Proofs;
  /** The external URL: issuer, and audience of every token. */
  readonly issuer: () => string;
}

/** Who asks, and by which secret it is known. */
interface Authenticated {
  readonly client: Client;
  readonly secretId: string | undefined;
}

/** A request at the token endpoint. */
export interface TokenRequest {
  readonly authorization: string | undefined;
  readonly parameters: TokenParameters;
  readonly origin: Origin;
  /** Told who asks as soon as that is proved, whatever becomes of the request. */
  readonly onClient: (client: Client) => void;
}

type Admit = (client: Client) => Soon<void>;

const uncounted: Admit = () => undefined;

type AssertionFault = 'invalid_client' | 'invalid_grant';

type Grant = (request: TokenRequest) => Soon<TokenResponse>;

/** `POST /oauth/token`: who asks, by which grant, for what. Throws `OAuthError`. */
export class TokenService {
  private readonly options: TokenServiceOptions;
  private readonly grants: ReadonlyMap<string, Grant>;

  constructor(options: TokenServiceOptions) {
    this.options = options;
    this.grants = new Map<string, Grant>([
      ['client_credentials', (request) => this.clientCredentials(request)],
      [jwtBearerGrant, (request) => this.jwtBearer(request)],
    ]);
  }

  token(request: TokenRequest): Soon<TokenResponse> {
    const grantType = request.parameters.get('grant_type');
    const grant = grantType === undefined ? undefined : this.grants.get(grantType);
    if (grant !== undefined) return grant(request);
    // Who is nobody learns nothing of what there is.
    return thenSoon(this.admitted(request), () => {
      if (grantType === undefined) throw new OAuthError('invalid_request', 'The parameter grant_type is missing.');
      throw new OAuthError('unsupported_grant_type', `Supported grant types: ${[...this.grants.keys()].join(', ')}.`);
    });
  }

  /** The client, by its secret or by an assertion it signed, whichever was sent. */
  authenticate(request: TokenRequest): Soon<Authenticated> {
    return this.proved(request, uncounted);
  }

  /** The same, for requests that count: throws `rate_limited` when it has had too many. */
  admitted(request: TokenRequest): Soon<Authenticated> {
    return this.proved(request, this.options.admit);
  }

  private proved(request: TokenRequest, admit: Admit): Soon<Authenticated> {
    if (request.parameters.has('client_assertion')) return this.byAssertion(request, admit);
    return thenSoon(this.bySecret(request), (who) => {
      request.onClient(who.client);
      return thenSoon(admit(who.client), () => who);
    });
  }

  private bySecret({ authorization, parameters, origin }: TokenRequest): Soon<Authenticated> {
    const proved = this.options.secrets.authenticate(readCredentials(authorization, parameters), origin);
    return thenSoon(proved, ({ live, secret }) => ({ client: live.client, secretId: secret.id }));
  }

  /** RFC 7523 §2.2. */
  private async byAssertion(request: TokenRequest, admit: Admit): Promise<Authenticated> {
    const { authorization, parameters } = request;
    const assertion = parameters.get('client_assertion')!;
    if (parameters.get('client_assertion_type') !== clientAssertionType) {
      throw new OAuthError('invalid_request', `The client_assertion_type must be ${clientAssertionType}.`);
    }
    if (authorization !== undefined || parameters.has('client_secret')) {
      throw new OAuthError('invalid_request', 'Send either a client assertion or a client secret.');
    }
    const { assertions, proofs } = this.options;
    return proofs.checked(async () => {
      const letIn = this.lettingIn(admit, request, 'invalid_client');
      const { clientId } = await assertions.authenticateClient(assertion, parameters.get('client_id'), letIn);
      return this.byName(clientId, 'invalid_client');
    });
  }

  /** Tells of a client whose assertion has proved who it is, and lets it in, before the assertion is used up. */
  private lettingIn(admit: Admit, { onClient }: TokenRequest, otherwise: AssertionFault) {
    return async (clientId: string): Promise<void> => {
      const { client } = await this.byName(clientId, otherwise);
      onClient(client);
      await admit(client);
    };
  }

  /** After an assertion of its own has proved who it is. */
  private async byName(clientId: string, otherwise: AssertionFault): Promise<Authenticated> {
    const live = await this.options.directory.client(clientId);
    if (live === undefined || live.client.disabledAt !== null) {
      throw new OAuthError(otherwise, 'The client of the assertion is unknown or disabled.');
    }
    return { client: live.client, secretId: undefined };
  }

  /** RFC 6749 §4.4. */
  private clientCredentials(request: TokenRequest): Soon<TokenResponse> {
    const { parameters } = request;
    return thenSoon(this.admitted(request), (who) => this.issue(who, parameters, parameters.get('scope')));
  }

  /** RFC 7523 §2.1: the assertion is grant and proof in one. Prometheus puts the scope into it. */
  private async jwtBearer(request: TokenRequest): Promise<TokenResponse> {
    const { parameters } = request;
    const assertion = parameters.get('assertion');
    if (assertion === undefined) throw new OAuthError('invalid_request', 'The parameter assertion is missing.');
    const provesBeside =
      request.authorization !== undefined || ['client_secret', 'client_assertion'].some((one) => parameters.has(one));
    const beside = provesBeside ? await this.besideAssertion(request) : parameters.get('client_id');
    // Who proved itself beside it was counted there.
    const letIn = this.lettingIn(provesBeside ? uncounted : this.options.admit, request, 'invalid_grant');
    const { assertions, proofs } = this.options;
    const { who, scope } = await proofs.checked(async () => {
      const granted = await assertions.grant(assertion, beside, letIn);
      return { who: await this.byName(granted.clientId, 'invalid_grant'), scope: granted.scope };
    });
    return this.issue(who, parameters, parameters.get('scope') ?? scope);
  }

  /** Who the assertion must be of. RFC 7521 §4.1: credentials beside it are not needed, but must hold when they are there. */
  private async besideAssertion(request: TokenRequest): Promise<string> {
    const { client } = await this.admitted(request);
    const live = await this.options.directory.client(client.id);
    if (client.jwksUrl === null && live?.keys.length === 0) {
      throw new OAuthError('unauthorized_client', 'The client has no public key, so that it cannot sign assertions.');
    }
    return client.id;
  }

  private issue({ client, secretId }: Authenticated, parameters: TokenParameters, scope?: string): TokenResponse {
    this.checkAudience(parameters);
    const scopes = grantedScopes(client, scope);
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
  if (!wanted.every((scope) => (client.scopes as readonly string[]).includes(ourSpelling(scope)))) {
    // What was asked for is not repeated: it may be a secret in the wrong place.
    throw new OAuthError(
      'invalid_scope',
      `The client does not have every scope asked for; it has: ${client.scopes.join(' ')}.`,
    );
  }
  return inOrder(wanted);
}
