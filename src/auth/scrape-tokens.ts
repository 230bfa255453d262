import type { ScrapeToken } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import { clientOfScrapeToken } from '../domain/ids.js';
import type { Directory, LiveClient } from '../storage/directory.js';
import { type SecretHasher, withMac } from './secrets.js';

/** A scrape token that is good now, and its client. */
export interface FoundScrapeToken {
  readonly live: LiveClient;
  readonly scrapeToken: ScrapeToken;
}

/** A scrape token there is, and why it is not good. */
export interface ReadScrapeToken extends FoundScrapeToken {
  readonly fault: 'expired_token' | 'disabled_client' | undefined;
}

export interface ScrapeTokensOptions {
  readonly directory: Directory;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
}

/** Long-lived opaque tokens, for scrapers that cannot do OAuth2. They have no leeway: nobody fetches them anew. */
export class ScrapeTokens {
  private readonly options: ScrapeTokensOptions;

  constructor(options: ScrapeTokensOptions) {
    this.options = options;
  }

  /** `undefined` for what is none, unknown, ended or revoked, and for those of a disabled client. */
  async find(token: string): Promise<FoundScrapeToken | undefined> {
    const found = await this.read(token);
    return found?.fault === undefined ? found : undefined;
  }

  /** The same, with those that have ended or whose client is disabled. */
  async read(token: string): Promise<ReadScrapeToken | undefined> {
    const { directory, hasher, clock } = this.options;
    const clientId = clientOfScrapeToken(token);
    if (clientId === undefined) return undefined;
    const live = await directory.clientInEqualTime(clientId);
    const scrapeToken = withMac(live?.scrapeTokens ?? [], hasher.mac(token));
    if (live === undefined || scrapeToken === undefined) return undefined;
    if (live.client.disabledAt !== null) return { live, scrapeToken, fault: 'disabled_client' };
    return { live, scrapeToken, fault: scrapeToken.expiresAt <= clock.now() ? 'expired_token' : undefined };
  }
}
