import type { Client, ClientKey, ClientSecret, LastUse, ScrapeToken } from '../../domain/client.js';
import type { CreationPlace, Stretch } from '../../domain/page.js';
import type { Expectation } from './writes.js';

/** A client with all that it can prove itself with, and all of it that no longer counts. */
export interface ClientRecord {
  readonly client: Client;
  /** Ended and revoked ones included, until the last of their tokens has ended. */
  readonly secrets: readonly ClientSecret[];
  readonly keys: readonly ClientKey[];
  readonly scrapeTokens: readonly ScrapeToken[];
  /** The `jti` of access tokens that are refused before their end. */
  readonly revokedTokens: ReadonlySet<string>;
}

export type ClientSettings = Partial<
  Pick<Client, 'name' | 'scopes' | 'endpoints' | 'allowBasic' | 'jwksUrl' | 'disabledAt'>
>;

export interface ClientStore {
  /** Throws `not_found` without its project. */
  create(client: Client, secret: ClientSecret): Promise<void>;
  /** Of one project or all, oldest first. */
  list(projectId: string | undefined, stretch?: Stretch<CreationPlace>): Promise<Client[]>;
  get(id: string): Promise<ClientRecord | undefined>;
  // All of these throw `not_found` for an unknown client.
  setDisabled(id: string, disabledAt: number | null): Promise<Client>;
  set(id: string, settings: ClientSettings, expect?: Expectation<Client>): Promise<Client>;
  delete(id: string, expect?: Expectation<Client>): Promise<void>;
  /**
   * Adds a secret. The one before it ends at `previousEndsAt`, unless it ends earlier anyway; older ones end now. Gives
   * the end of the one before, null when there was none.
   */
  rotate(id: string, secret: ClientSecret, previousEndsAt: number): Promise<number | null>;
  /** Also throws `not_found` for an unknown secret. */
  revokeSecret(id: string, secretId: string): Promise<void>;
  /** Ends every access token of the client, and every scrape token. Those that were revoked one by one need not be kept. */
  revokeTokens(id: string): Promise<void>;
  /**
   * At the client's own wish, from `ip`: refuses one access token until its end, `endsAt`. Nothing happens when the client is
   * gone: so are its tokens. Throws `rate_limited` while `mostRevokedTokens` of them have not ended.
   */
  revokeToken(id: string, jti: string, endsAt: number, ip: string): Promise<void>;
  addKeys(id: string, keys: readonly ClientKey[]): Promise<void>;
  removeKey(id: string, kid: string): Promise<void>;
  addScrapeToken(token: ScrapeToken): Promise<void>;
  /** By the operator, or from `ip` at the client's own wish. Also throws `not_found` for an unknown token. */
  removeScrapeToken(id: string, tokenId: string, ip?: string): Promise<void>;
  /** By the id of a secret or scrape token. Not in the change log: nothing depends on it. */
  noteUses(uses: ReadonlyMap<string, LastUse>): Promise<void>;
  wasAssertionTaken(clientId: string, jti: string): Promise<boolean>;
  /** True the first time only. Kept until `endsAt`. */
  takeAssertion(clientId: string, jti: string, endsAt: number): Promise<boolean>;
  /** Forgets what has ended before `time`: assertions, refused tokens, secrets; scrape tokens a month later. */
  prune(time: number): Promise<void>;
}

/**
 * Until `endsAt`, wrong secrets for this client id from this address are answered 429. A ban outlives a process and is
 * shared by several.
 */
export interface Ban {
  /** As presented, if it has the form of our ids; otherwise `foreign:` and a hash, or `*` for a flood of ids. */
  readonly clientId: string;
  /** IPv4, or the /64 of an IPv6 address. */
  readonly address: string;
  readonly createdAt: number;
  readonly endsAt: number;
}

export type BanPlace = readonly [createdAt: number, clientId: string, address: string];

/** Where bans are kept. What is lifted here bites when the processes on the store read it again. */
export interface BanStore {
  /** Those that last at `now`, oldest first. */
  list(now: number, stretch?: Stretch<BanPlace>): Promise<Ban[]>;
  /** In place of the one the pair had; gives the number of the change. */
  add(ban: Ban): Promise<number>;
  /** Of the client, from the address or from all; gives how many. */
  lift(clientId: string, address: string | undefined): Promise<number>;
}
