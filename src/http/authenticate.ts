import { LRUCache } from 'lru-cache';
import { type AccessTokens, isTokenGood, type VerifiedToken } from '../auth/access-token.js';
import { type Client, maySee, type Scope } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import { outOfReach } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import type { Directory, LiveClient, LiveProject } from '../storage/directory.js';

/** Who is calling, by a token that is good now. */
export interface Access {
  readonly token: VerifiedToken;
  readonly live: LiveClient;
}

export interface AuthenticatorOptions {
  readonly tokens: AccessTokens;
  readonly directory: Directory;
  readonly clock: Clock;
}

/**
 * Bearer tokens to clients. A token's signature is checked once and remembered until its end; whether its client may
 * still come in is looked up on every request, in memory.
 */
export class Authenticator {
  private readonly options: AuthenticatorOptions;
  /** By the whole `Authorization` header: what is equal to a header that was good needs no parsing. */
  private epoch = 0;
  private readonly verified = new LRUCache<string, Access>({ max: 50_000 });

  constructor(options: AuthenticatorOptions) {
    this.options = options;
  }

  /** The caller, if memory alone can tell. */
  peek(authorization: string | undefined): Access | undefined {
    if (authorization === undefined) return undefined;
    const access = this.verified.get(authorization);
    if (access === undefined || access.live.stale || access.token.endsAt <= this.options.clock.now()) return undefined;
    return access;
  }

  /** Checks every token anew: a signing key may have been retired. */
  forget(): void {
    this.epoch++;
    this.verified.clear();
  }

  /** The caller, or `unauthenticated`, `invalid_token`, `invalid`. */
  async authenticate(authorization: string | undefined): Promise<Access> {
    const known = this.peek(authorization);
    if (known !== undefined) return known;
    const { epoch } = this;
    const token = await this.options.tokens.verify(bearerToken(authorization));
    if (token === undefined) throw invalidToken();
    const live = await this.options.directory.client(token.clientId);
    if (live === undefined || !isTokenGood(token, live)) throw invalidToken();
    const access = { token, live };
    // What was checked while the keys changed is good for this request, and checked anew for the next.
    if (epoch === this.epoch) this.verified.set(authorization!, access);
    return access;
  }
}

/** RFC 6750 §2.1. The scheme's case does not matter, the token's form does. */
function bearerToken(authorization: string | undefined): string {
  const detail = 'A bearer token is needed; get one from POST /oauth/token with the client credentials.';
  if (authorization === undefined) throw new WeirError('unauthenticated', detail);
  const scheme = /^([^ ]*)/.exec(authorization)![1]!;
  if (scheme.toLowerCase() !== 'bearer') throw new WeirError('unauthenticated', detail);
  const match = /^[^ ]+ +([A-Za-z0-9._~+/-]+=*) *$/.exec(authorization);
  if (match === null) {
    throw new WeirError('invalid', 'The Authorization header must be "Bearer", a blank and one token.', {
      field: 'Authorization',
    });
  }
  return match[1]!;
}

const invalidToken = (): WeirError =>
  new WeirError(
    'invalid_token',
    'The token is malformed, expired or revoked, or its client is disabled; get a new one.',
  );

export function requireScope({ token }: Access, scope: Scope): void {
  if (!token.scopes.includes(scope)) {
    throw new WeirError(
      'insufficient_scope',
      `The token needs the scope ${scope}; it has: ${token.scopes.join(' ')}.`,
      {
        scope,
      },
    );
  }
}

/** The project of the path, if the token is for it. */
export async function reachProject(access: Access, projectId: string, directory: Directory): Promise<LiveProject> {
  if (access.token.projectId !== projectId) throw outOfReach();
  const project = directory.peekProject(projectId) ?? (await directory.project(projectId));
  if (project === undefined) throw outOfReach();
  return project;
}

/** What of the project the client sees under this metricsId: looked up again in the store before it is refused. */
export async function reachEndpoint(access: Access, project: LiveProject, metricsId: string, directory: Directory) {
  const seen = (in_: LiveProject) => visibleEndpoint(in_, access.live.client, metricsId);
  const known = seen(project);
  if (known !== undefined) return known;
  const fresh = await directory.project(project.project.id);
  const found = fresh && seen(fresh);
  if (found === undefined) throw outOfReach();
  return found;
}

export function visibleEndpoint(project: LiveProject, client: Client, metricsId: string) {
  const endpoint = project.endpoints.get(metricsId);
  return endpoint !== undefined && maySee(client, metricsId) ? endpoint : undefined;
}
