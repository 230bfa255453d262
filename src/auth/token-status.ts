import { WeirError } from '../domain/errors.js';
import type { Directory } from '../storage/directory.js';
import type { ClientStore } from '../storage/store.js';
import { type AccessTokens, liveToken, type VerifiedToken } from './access-token.js';
import type { FoundScrapeToken, ScrapeTokens } from './scrape-tokens.js';

/** RFC 7662 §2.2. Dead tokens say nothing but that they are. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true;
      readonly scope: string;
      readonly client_id: string;
      readonly sub: string;
      /** None for the token of an operator client. */
      readonly project?: string;
      readonly token_type: 'Bearer';
      readonly iss: string;
      readonly aud: string;
      readonly iat: number;
      readonly exp: number;
      readonly jti: string;
    };

export interface TokenStatusOptions {
  readonly tokens: AccessTokens;
  readonly scrapeTokens: ScrapeTokens;
  readonly directory: Directory;
  readonly store: ClientStore;
  readonly issuer: () => string;
}

/** Introspection and revocation of our own access and scrape tokens, for clients of the token's project. */
export class TokenStatus {
  private readonly options: TokenStatusOptions;

  constructor(options: TokenStatusOptions) {
    this.options = options;
  }

  /** A token of another project looks like one that is dead: nothing is told of what is not the caller's. Operator
   * clients are told of one another's. */
  async introspect(token: string, callerProjectId: string | null): Promise<Introspection> {
    const found = await this.options.scrapeTokens.find(token);
    const facts = found === undefined ? await this.alive(token) : factsOf(found);
    if (facts === undefined || facts.projectId !== callerProjectId) return { active: false };
    const issuer = this.options.issuer();
    return {
      active: true,
      scope: facts.scopes.join(' '),
      client_id: facts.clientId,
      sub: facts.clientId,
      ...(facts.projectId === null ? {} : { project: facts.projectId }),
      token_type: 'Bearer',
      iss: issuer,
      aud: issuer,
      iat: facts.issuedAt,
      exp: facts.expiresAt,
      jti: facts.jti,
    };
  }

  /** RFC 7009 §2.1: only the client it was issued to can revoke a token; everything else is no error and no effect. */
  async revoke(token: string, callerId: string, ip: string): Promise<void> {
    const { tokens, scrapeTokens, store } = this.options;
    const found = await scrapeTokens.find(token);
    if (found?.live.client.id === callerId) {
      await store.removeScrapeToken(callerId, found.scrapeToken.id, ip).catch(unlessGone);
    } else {
      const verified = await tokens.verify(token);
      if (verified === undefined || verified.clientId !== callerId) return;
      await store.revokeToken(callerId, verified.jti, verified.endsAt, ip);
    }
    // So that the next request is refused, not only those after the next look at the change log.
    await this.options.directory.sync();
  }

  private async alive(token: string): Promise<VerifiedToken | undefined> {
    const verified = await this.options.tokens.verify(token);
    const live = verified && (await this.options.directory.client(verified.clientId));
    return live && liveToken(verified!, live);
  }
}

type TokenFacts = Omit<VerifiedToken, 'endsAt' | 'generation' | 'secretId'>;

const factsOf = ({ live: { client }, scrapeToken: { id, createdAt, expiresAt } }: FoundScrapeToken): TokenFacts => ({
  clientId: client.id,
  projectId: client.projectId,
  scopes: client.scopes,
  jti: id,
  issuedAt: Math.floor(createdAt / 1000),
  expiresAt: Math.floor(expiresAt / 1000),
});

/** Somebody else was faster. */
function unlessGone(error: unknown): void {
  if (!(error instanceof WeirError && error.code === 'not_found')) throw error;
}
