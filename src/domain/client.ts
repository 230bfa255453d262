import type { Scope } from './scopes.js';

/** An OAuth2 client of one project, or of the operator. */
export interface Client {
  readonly id: string;
  /** null for a client of the operator, which manages all projects and scrapes none. */
  readonly projectId: string | null;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The metricsIds it may see; `null` for every endpoint of its project, present and future. */
  readonly endpoints: readonly string[] | null;
  readonly createdAt: number;
  readonly disabledAt: number | null;
  /** Whether the metrics routes take its id and secret by HTTP Basic, for scrapers that cannot do OAuth2. */
  readonly allowBasic: boolean;
  /** Where it publishes the public keys it proves itself with, beside those registered here. */
  readonly jwksUrl: string | null;
  /** Tokens carry the number they were issued under; raising it ends all of them. */
  readonly tokenGeneration: number;
}

/** Which endpoints of its project a caller sees. */
export type Sight = Pick<Client, 'endpoints'>;

/** When, from where and with what a credential was used last. */
export interface LastUse {
  readonly at: number;
  readonly ip: string;
  readonly agent: string;
}

/** The stored half of a client secret: an HMAC, never the secret. */
export interface ClientSecret {
  readonly id: string;
  readonly clientId: string;
  readonly mac: Buffer;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** Set when its tokens are refused, too. */
  readonly revokedAt: number | null;
  readonly lastUse: LastUse | null;
}

type SecretEnds = Pick<ClientSecret, 'expiresAt' | 'revokedAt'>;

export const isSecretAlive = ({ expiresAt, revokedAt }: SecretEnds, now: number): boolean =>
  revokedAt === null && (expiresAt === null || expiresAt > now);

export const secretStatus = (secret: SecretEnds, now: number): 'live' | 'expired' | 'revoked' => {
  if (secret.revokedAt !== null) return 'revoked';
  return isSecretAlive(secret, now) ? 'live' : 'expired';
};

/** Live access tokens a client may have revoked one by one: all are read with the client, which each revocation makes anew. */
export const mostRevokedTokens = 1000;

/** A public key the client proves itself with, instead of a secret. */
export interface ClientKey {
  readonly kid: string;
  readonly jwk: Record<string, unknown>;
  readonly createdAt: number;
}

/** A long-lived opaque token for a scraper that cannot do OAuth2; of it, too, only an HMAC is kept. */
export interface ScrapeToken {
  readonly id: string;
  readonly clientId: string;
  /** For people: which scraper has it. */
  readonly name: string | null;
  readonly mac: Buffer;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastUse: LastUse | null;
}

export const maySee = ({ endpoints }: Sight, metricsId: string): boolean =>
  endpoints === null || endpoints.includes(metricsId);
