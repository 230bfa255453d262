import { LRUCache } from 'lru-cache';
import { type AccessTokens, liveToken } from '../auth/access-token.js';
import type { ClientSecrets } from '../auth/client-secrets.js';
import type { ExternalIssuers } from '../auth/external-issuers.js';
import type { LastUses } from '../auth/last-uses.js';
import { OAuthError } from '../auth/oauth-error.js';
import type { ScrapeTokens } from '../auth/scrape-tokens.js';
import { type PresentedCredentials, readBasic } from '../auth/token-request.js';
import { maySee, type Sight } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import { outOfReach } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { clientOfScrapeToken } from '../domain/ids.js';
import type { Scope } from '../domain/scopes.js';
import type { Directory, LiveClient, LiveProject } from '../storage/directory.js';
import { bearerToken, canonicalHeader, isBasic } from './authorization.js';
import { originOf, type TrustedProxies } from './client-address.js';
import type { Ctx } from './context.js';

/** Who is calling and what it may do, by credentials that are good now. */
export interface Access {
  /** Of ours, or `<issuer>#<client>` of somebody else's. */
  readonly clientId: string;
  /** null for a client of the operator: no project is its own. */
  readonly projectId: string | null;
  readonly scopes: readonly Scope[];
  /** The same object for the same caller, as long as nothing about it has changed. */
  readonly sight: Sight;
  /** Stale when something about the caller has changed: then all of this counts no more. */
  readonly live: Readonly<Pick<LiveClient, 'stale'>>;
  /** Wall-clock milliseconds from which the credentials have to be checked anew. */
  readonly endsAt: number;
}

export interface AuthenticatorOptions {
  readonly tokens: AccessTokens;
  readonly scrapeTokens: ScrapeTokens;
  readonly secrets: ClientSecrets;
  readonly externalIssuers: ExternalIssuers;
  readonly uses: LastUses;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly trustedProxies: TrustedProxies;
}

/**
 * What is not a token of ours is checked anew this often: lasting credentials, so that their last use is known without
 * writing at every request, and tokens of others, so that it is seen when they withdraw a key.
 */
const rememberedMs = 60_000;

/** What all headers that are remembered may weigh together, and what each of them weighs without its text. */
const rememberedBytes = 96 * 1024 * 1024;
const entryBytes = 1200;

/**
 * The `Authorization` header of the metrics routes to who sends it. What was good is remembered until its end; whether
 * its client may still come in is looked up on every request, in memory.
 */
export class Authenticator {
  private readonly options: AuthenticatorOptions;
  /**
   * By the whole `Authorization` header in its canonical spelling, which is what nearly all clients send: what is equal to a
   * header that was good needs no parsing.
   */
  private readonly verified = new LRUCache<string, Access>({
    maxSize: rememberedBytes,
    sizeCalculation: (_, header) => header.length + entryBytes,
  });
  private epoch = 0;

  constructor(options: AuthenticatorOptions) {
    this.options = options;
  }

  /** The caller, if memory alone can tell. */
  peek(authorization: string | undefined): Access | undefined {
    if (authorization === undefined) return undefined;
    const access = this.verified.get(authorization);
    if (access === undefined || access.live.stale || access.endsAt <= this.options.clock.now()) return undefined;
    return access;
  }

  /** Checks everything anew: a signing key may have been retired. */
  forget(): void {
    this.epoch++;
    this.verified.clear();
  }

  /** The caller, or `unauthenticated`, `invalid_token`, `invalid`, `wrong_credentials`, `rate_limited`. */
  async authenticate(c: Ctx): Promise<Access> {
    const { authorization } = c.env.incoming.headers;
    const access = this.peek(authorization) ?? (await this.lookUp(authorization, c));
    c.env.caller = access;
    return access;
  }

  private async lookUp(authorization: string | undefined, c: Ctx): Promise<Access> {
    const header = authorization && canonicalHeader(authorization);
    const known = header === authorization ? undefined : this.peek(header);
    if (known !== undefined) return known;
    const { epoch } = this;
    const access = await this.check(authorization, c);
    // What was checked while the keys changed is good for this request, and checked anew for the next.
    if (header !== undefined && epoch === this.epoch) this.verified.set(header, access);
    return access;
  }

  private async check(authorization: string | undefined, c: Ctx): Promise<Access> {
    if (authorization !== undefined && isBasic(authorization)) return this.byBasic(authorization, c);
    const token = bearerToken(authorization);
    const access =
      (await this.byScrapeToken(token, c)) ??
      (await this.byAccessToken(token, c)) ??
      (await this.byExternalToken(token));
    if (access === undefined) throw invalidToken();
    return access;
  }

  private async byAccessToken(token: string, c: Ctx): Promise<Access | undefined> {
    const { tokens, directory } = this.options;
    const read = await tokens.read(token);
    if (read === undefined) return undefined;
    const { clientId, projectId, endsAt } = read.token;
    if (read.expired) {
      c.env.suspect = { clientId, proved: true, reason: 'expired_token' };
      return undefined;
    }
    const live = await directory.client(clientId);
    const good = live && liveToken(read.token, live);
    if (live === undefined || good === undefined) {
      const reason = live?.client.disabledAt ? 'disabled_client' : 'revoked_token';
      c.env.suspect = { clientId, proved: true, reason };
      return undefined;
    }
    const { scopes } = good;
    return { clientId, projectId, scopes, sight: live.client, live, endsAt };
  }

  /** Nobody here stands behind it: project and endpoints are looked up in every request, as for all. */
  private async byExternalToken(token: string): Promise<Access | undefined> {
    const external = await this.options.externalIssuers.verify(token);
    if (external === undefined) return undefined;
    const { clientId, projectId, scopes, endpoints, endsAt } = external;
    return { clientId, projectId, scopes, sight: { endpoints }, live: neverStale, endsAt: this.recheckAt(endsAt) };
  }

  private async byScrapeToken(token: string, c: Ctx): Promise<Access | undefined> {
    const { scrapeTokens, uses, clock, trustedProxies } = this.options;
    const found = await scrapeTokens.read(token);
    if (found === undefined || found.fault !== undefined) {
      const clientId = clientOfScrapeToken(token);
      if (found?.fault) c.env.suspect = { clientId: found.live.client.id, proved: true, reason: found.fault };
      else if (clientId !== undefined) c.env.suspect = { clientId, proved: false, reason: 'unknown_token' };
      return undefined;
    }
    const { live, scrapeToken } = found;
    uses.note(scrapeToken.id, { at: clock.now(), ...originOf(c, trustedProxies) });
    return this.lasting(live, scrapeToken.expiresAt);
  }

  private async byBasic(authorization: string, c: Ctx): Promise<Access> {
    const { secrets, trustedProxies } = this.options;
    let presented: PresentedCredentials | undefined;
    try {
      presented = readBasic(authorization);
      const origin = originOf(c, trustedProxies);
      const { live, secret } = await secrets.authenticate(presented, origin, ({ allowBasic }) => allowBasic);
      return this.lasting(live, secret.expiresAt);
    } catch (error) {
      if (presented !== undefined) c.env.suspect = { clientId: presented.candidates[0].clientId, proved: false };
      throw error instanceof OAuthError ? refusedBasic(error) : error;
    }
  }

  /** All that the client has, remembered for a while. */
  private lasting(live: LiveClient, expiresAt: number | null): Access {
    const { id: clientId, projectId, scopes } = live.client;
    return { clientId, projectId, scopes, sight: live.client, live, endsAt: this.recheckAt(expiresAt) };
  }

  private recheckAt(expiresAt: number | null): number {
    return Math.min(expiresAt ?? Number.POSITIVE_INFINITY, this.options.clock.now() + rememberedMs);
  }
}

const neverStale = { stale: false } as const;

export const invalidToken = (): WeirError =>
  new WeirError(
    'invalid_token',
    'The token is malformed, expired or revoked, or its client is disabled; get a new one.',
  );

/** One sentence for all that may be wrong, so that nobody learns which clients exist or may use Basic. */
function refusedBasic({ status, message, retryAfterSeconds }: OAuthError): WeirError {
  if (status === 429) return new WeirError('rate_limited', message, { retryAfterSeconds: retryAfterSeconds! });
  return new WeirError(
    'wrong_credentials',
    'Client id or secret is wrong, or the client is disabled or may not use HTTP Basic here; with them, get a token ' +
      'at POST /oauth/token, or allow Basic with "weir client set ID --allow-basic on".',
  );
}

export function requireScope({ scopes }: Access, scope: Scope): void {
  if (!scopes.includes(scope)) {
    throw new WeirError('insufficient_scope', `This needs the scope ${scope}; granted are: ${scopes.join(' ')}.`, {
      scope,
    });
  }
}

/** The project of the path, if the caller's. */
export async function reachProject(access: Access, projectId: string, directory: Directory): Promise<LiveProject> {
  if (access.projectId !== projectId) throw outOfReach();
  const project = directory.peekProject(projectId) ?? (await directory.project(projectId));
  if (project === undefined) throw outOfReach();
  return project;
}

/** What of the project the caller sees under this metricsId: looked up again in the store before it is refused. */
export async function reachEndpoint(access: Access, project: LiveProject, metricsId: string, directory: Directory) {
  const seen = (in_: LiveProject) => visibleEndpoint(in_, access, metricsId);
  const known = seen(project);
  if (known !== undefined) return known;
  const fresh = await directory.project(project.project.id);
  const found = fresh && seen(fresh);
  if (found === undefined) throw outOfReach();
  return found;
}

export function visibleEndpoint(project: LiveProject, { sight }: Access, metricsId: string) {
  const endpoint = project.endpoints.get(metricsId);
  return endpoint !== undefined && maySee(sight, metricsId) ? endpoint : undefined;
}
