import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload } from 'jose';
import type { Clock } from '../domain/clock.js';
import { metricsScopes, type Scope } from '../domain/scopes.js';
import { leewaySeconds } from './access-token.js';
import { type SignatureAlgorithm, verifiedClaims } from './client-keys.js';
import type { RemoteJwks } from './remote-jwks.js';

/** An issuer of tokens that the vendor has anyway, and how its claims read here. */
export interface ExternalIssuer {
  /** Exactly as it stands in `iss`. */
  readonly issuer: string;
  readonly jwksUrl: string;
  /** Networks its keys may be fetched from although they are not public. */
  readonly jwksNetworks: readonly string[];
  readonly audiences: readonly string[];
  /** In lower case, without `application/`. */
  readonly types: readonly string[];
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly claims: ClaimMapping;
}

/** Names of claims (see `claimAt`). With a map only what it lists counts; without, values are taken as they are. */
export interface ClaimMapping {
  readonly project: string;
  readonly endpoints: string | undefined;
  readonly scope: string;
  readonly projectMap: ReadonlyMap<string, string> | undefined;
  readonly scopeMap: ReadonlyMap<string, readonly Scope[]> | undefined;
}

/** A token of one of the issuers, in our words. */
export interface ExternalToken {
  /** `<issuer>#<client>`: a stable name for logs and limits, never that of a client of ours. */
  readonly clientId: string;
  readonly projectId: string;
  /** `null` for every endpoint of the project. */
  readonly endpoints: readonly string[] | null;
  readonly scopes: readonly Scope[];
  /** Wall-clock milliseconds from which it is refused: `exp` and the leeway. */
  readonly endsAt: number;
}

export interface ExternalIssuersOptions {
  readonly issuers: readonly ExternalIssuer[];
  readonly jwks: Pick<RemoteJwks, 'keys'>;
  readonly clock: Clock;
}

/** Takes the tokens of configured issuers as bearer tokens. For any other issuer nothing is fetched, ever. */
export class ExternalIssuers {
  private byIssuer: ReadonlyMap<string, ExternalIssuer> = new Map();
  private readonly jwks: Pick<RemoteJwks, 'keys'>;
  private readonly clock: Clock;

  constructor({ issuers, jwks, clock }: ExternalIssuersOptions) {
    this.jwks = jwks;
    this.clock = clock;
    this.replace(issuers);
  }

  /** From now on these and no others; keys that were fetched before are kept. */
  replace(issuers: readonly ExternalIssuer[]): void {
    this.byIssuer = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
  }

  /** Where the keys under this URL may be fetched from although it is not public. */
  networksOf(jwksUrl: string): string[] {
    return [...this.byIssuer.values()].flatMap((issuer) => (issuer.jwksUrl === jwksUrl ? issuer.jwksNetworks : []));
  }

  /**
   * `undefined` for anything that is not a good token of one of the issuers. Throws `unavailable` when the issuer's
   * keys cannot be had: then nobody can say whether it is.
   */
  async verify(token: string): Promise<ExternalToken | undefined> {
    const claimed = this.claimedIssuer(token);
    if (claimed === undefined) return undefined;
    const { issuer, kid } = claimed;
    const keys = await this.jwks.keys(issuer.jwksUrl, kid);
    try {
      const claims = await verifiedClaims(token, keys, issuer.algorithms, {
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        clockTolerance: leewaySeconds,
        currentDate: new Date(this.clock.now()),
      });
      if (claims === undefined || isFromFuture(claims, this.clock) || isOtherKind(claims)) return undefined;
      return translated(claims, issuer);
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  /** By what the token says unproved: enough to choose whose keys to check it with, and to refuse what cannot be. */
  private claimedIssuer(token: string): { issuer: ExternalIssuer; kid: string | undefined } | undefined {
    if (this.byIssuer.size === 0 || token.length > maxLength) return undefined;
    try {
      const { alg, typ, kid, crit } = decodeProtectedHeader(token);
      const issuer = this.byIssuer.get(decodeJwt(token).iss ?? '');
      if (issuer === undefined || crit !== undefined) return undefined;
      if (typeof typ !== 'string' || !issuer.types.includes(bareType(typ))) return undefined;
      if (!issuer.algorithms.includes(alg as SignatureAlgorithm)) return undefined;
      if (kid !== undefined && typeof kid !== 'string') return undefined;
      return { issuer, kid };
    } catch {
      return undefined;
    }
  }
}

const maxLength = 8192;

export const bareType = (typ: string): string => typ.toLowerCase().replace(/^application\//, '');

const isFromFuture = ({ iat }: JWTPayload, clock: Clock): boolean =>
  iat !== undefined && iat * 1000 > clock.now() + leewaySeconds * 1000;

/** ID tokens bear the type `JWT` too; Keycloak names the kind in a claim. The audience is the first guard, not this. */
const isOtherKind = (claims: JWTPayload): boolean =>
  ['nonce', 'at_hash', 'c_hash', 's_hash'].some((name) => Object.hasOwn(claims, name)) ||
  (typeof claims.typ === 'string' && claims.typ.toLowerCase() !== 'bearer');

function translated(claims: JWTPayload, { issuer, claims: mapping }: ExternalIssuer): ExternalToken | undefined {
  const client = clientOf(claims);
  const projectId = projectOf(claims, mapping);
  const endpoints = endpointsOf(claims, mapping);
  const scopes = scopesOf(claims, mapping);
  if (client === undefined || projectId === undefined || endpoints === undefined || scopes.length === 0) {
    return undefined;
  }
  if (!Number.isFinite(claims.exp)) return undefined;
  return {
    clientId: `${issuer}#${client}`,
    projectId,
    endpoints,
    scopes,
    endsAt: (claims.exp! + leewaySeconds) * 1000,
  };
}

/** Auth0, Entra and Keycloak say `azp`, RFC 9068 `client_id`, Okta `cid`, Entra's first version `appid`. */
function clientOf(claims: JWTPayload): string | undefined {
  for (const name of ['azp', 'client_id', 'cid', 'appid', 'sub']) {
    const value = claims[name];
    if (value !== undefined) return typeof value === 'string' && /^[\x21-\x7e]{1,200}$/.test(value) ? value : undefined;
  }
  return undefined;
}

/** A project or endpoint of ours. */
export const ourId = /^[A-Za-z0-9_-]{1,64}$/;

function projectOf(claims: JWTPayload, { project, projectMap }: ClaimMapping): string | undefined {
  const theirs = claimAt(claims, project);
  if (typeof theirs !== 'string') return undefined;
  const ours = projectMap === undefined ? theirs : projectMap.get(theirs);
  return ours !== undefined && ourId.test(ours) ? ours : undefined;
}

/** A claim that should narrow and is not there, or is not understood, must not widen: `undefined`. */
function endpointsOf(claims: JWTPayload, { endpoints }: ClaimMapping): readonly string[] | null | undefined {
  if (endpoints === undefined) return null;
  const listed = words(claimAt(claims, endpoints));
  return listed?.every((metricsId) => ourId.test(metricsId)) ? [...new Set(listed)] : undefined;
}

/** In our order, and only such as open metrics; others (`openid`, `profile`) are passed over. */
function scopesOf(claims: JWTPayload, { scope, scopeMap }: ClaimMapping): Scope[] {
  const theirs = words(claimAt(claims, scope)) ?? [];
  const ours = new Set(scopeMap === undefined ? theirs : theirs.flatMap((word) => scopeMap.get(word) ?? []));
  return metricsScopes.filter((known) => ours.has(known));
}

/** Text with blanks, or a list. */
function words(value: unknown): string[] | undefined {
  if (typeof value === 'string') return value.split(' ').filter((word) => word !== '');
  return Array.isArray(value) && value.every((word) => typeof word === 'string') ? value : undefined;
}

/**
 * The value under a name such as `project`, `https://acme.example/project` or `resource_access.weir.roles`. A claim of
 * exactly that name comes first; else the longest part before a dot that is one, and the rest is looked for in it.
 */
export function claimAt(claims: unknown, name: string): unknown {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined;
  const own = claims as Record<string, unknown>;
  if (Object.hasOwn(own, name)) return own[name];
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    const head = name.slice(0, dot);
    if (Object.hasOwn(own, head)) return claimAt(own[head], name.slice(dot + 1));
  }
  return undefined;
}
