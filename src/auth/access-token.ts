import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Client } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import type { RandomBytes } from '../domain/ids.js';
import type { Scope } from '../domain/scopes.js';
import type { ClientRecord } from '../storage/store.js';
import type { SigningKeys } from './signing-keys.js';

/** How long after its `exp` a token is still taken: Datadog refreshes exactly at expiry, and clocks differ. */
export const leewaySeconds = 60;

const idBytes = 12;

/** What a good token says. */
export interface VerifiedToken {
  readonly clientId: string;
  /** null for the token of an operator client. */
  readonly projectId: string | null;
  readonly scopes: readonly Scope[];
  readonly jti: string;
  /** Seconds since the epoch, as in the token. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** The client's `tokenGeneration` when it was issued. */
  readonly generation: number;
  /** The secret it was obtained with; none when the client proved itself otherwise. */
  readonly secretId: string | undefined;
  /** Wall-clock milliseconds from which it is refused: `exp` and the leeway. */
  readonly endsAt: number;
}

/** A token of ours, and whether its time is over. */
export interface ReadToken {
  readonly token: VerifiedToken;
  readonly expired: boolean;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresIn: number;
}

export interface AccessTokenOptions {
  readonly keys: SigningKeys;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly lifetimeSeconds: number;
}

/** Issues and checks access tokens in the JWT profile (RFC 9068). The audience is the gateway itself. */
export class AccessTokens {
  private readonly options: AccessTokenOptions;
  /** Random bytes for the next ids: asking for a few at a time costs as much as asking for many. */
  private spare: Buffer = Buffer.alloc(0);
  private issuer = '';
  private accepted: string[] = [];
  private lifetimeSeconds: number;

  constructor(options: AccessTokenOptions) {
    this.options = options;
    this.lifetimeSeconds = options.lifetimeSeconds;
  }

  /** Of the tokens issued from now on. */
  setLifetime(seconds: number): void {
    this.lifetimeSeconds = seconds;
  }

  /** The external URL, known once the gateway listens, and those it had while tokens alive now were issued. */
  setIssuer(issuer: string, accepted: readonly string[]): void {
    this.issuer = issuer;
    this.accepted = [...new Set([issuer, ...accepted])];
  }

  /** `secretId` is the secret the client proved itself with, if it was one. */
  issue(client: Client, scopes: readonly Scope[], secretId: string | undefined): IssuedToken {
    const { keys, clock } = this.options;
    const { lifetimeSeconds } = this;
    const iat = Math.floor(clock.now() / 1000);
    const token = keys.sign({
      iss: this.issuer,
      aud: this.issuer,
      sub: client.id,
      client_id: client.id,
      ...(client.projectId === null ? {} : { project: client.projectId }),
      scope: scopes.join(' '),
      iat,
      exp: iat + lifetimeSeconds,
      jti: this.newId(),
      gen: client.tokenGeneration,
      ...(secretId === undefined ? {} : { sec: secretId }),
    });
    return { token, expiresIn: lifetimeSeconds };
  }

  private newId(): string {
    if (this.spare.length === 0) this.spare = this.options.random(idBytes * 64);
    const id = this.spare.toString('base64url', 0, idBytes);
    this.spare = this.spare.subarray(idBytes);
    return id;
  }

  /** `undefined` for anything that is not a token of ours in its time; never throws for what a caller sent. */
  async verify(token: string): Promise<VerifiedToken | undefined> {
    const read = await this.read(token);
    return read?.expired ? undefined : read?.token;
  }

  /** The same, with those whose time is over: they prove nothing now, but whose they were. */
  async read(token: string): Promise<ReadToken | undefined> {
    if (token.length > 4096 || !hasCanonicalSignature(token)) return undefined;
    try {
      const key = this.options.keys.find(decodeProtectedHeader(token).kid);
      if (key === undefined) return undefined;
      const { payload } = await jwtVerify(token, key.key, {
        algorithms: [key.alg],
        typ: 'at+jwt',
        issuer: this.accepted,
        audience: this.accepted,
        clockTolerance: leewaySeconds,
        currentDate: new Date(this.options.clock.now()),
        requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'scope', 'jti'],
      });
      return this.tokenOf(payload, false);
    } catch (error) {
      // jose looks at the time last: signature, issuer and audience are good.
      if (error instanceof errors.JWTExpired) return this.tokenOf(error.payload, true);
      // A TypeError is what jose and node:crypto make of text that is no token at all.
      if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof SyntaxError)
        return undefined;
      throw error;
    }
  }

  private tokenOf(payload: JWTPayload, expired: boolean): ReadToken | undefined {
    const { client_id, sub, project, scope, jti, exp, iat } = payload;
    if (typeof client_id !== 'string' || client_id !== sub) return undefined;
    if (project !== undefined && typeof project !== 'string') return undefined;
    if (typeof scope !== 'string' || typeof jti !== 'string') return undefined;
    if (iat! * 1000 > this.options.clock.now() + leewaySeconds * 1000) return undefined;
    const token: VerifiedToken = {
      clientId: client_id,
      projectId: project ?? null,
      scopes: scope.split(' ') as Scope[],
      jti,
      issuedAt: iat!,
      expiresAt: exp!,
      generation: Number(payload.gen),
      secretId: typeof payload.sec === 'string' ? payload.sec : undefined,
      endsAt: (exp! + leewaySeconds) * 1000,
    };
    return { token, expired };
  }
}

/**
 * What the token is worth now; `undefined` when the client no longer stands behind it: disabled, revoked, its secret
 * revoked. Of its scopes those count that the client still has: what was taken from the client is taken from its tokens.
 */
export function liveToken(
  token: VerifiedToken,
  { client, secrets, revokedTokens }: ClientRecord,
): VerifiedToken | undefined {
  if (client.disabledAt !== null || client.projectId !== token.projectId) return undefined;
  if (client.tokenGeneration !== token.generation || revokedTokens.has(token.jti)) return undefined;
  if (secrets.some(({ id, revokedAt }) => id === token.secretId && revokedAt !== null)) return undefined;
  return { ...token, scopes: token.scopes.filter((scope) => client.scopes.includes(scope)) };
}

/** One spelling per token: base64url leaves bits of the last character unused, and jose takes padding (RFC 7515 §2). */
function hasCanonicalSignature(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}
