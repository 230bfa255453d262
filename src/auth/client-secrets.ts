import type { Client, ClientSecret } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import type { Directory, LiveClient } from '../storage/directory.js';
import type { LastUses } from './last-uses.js';
import { OAuthError } from './oauth-error.js';
import type { Proofs } from './proofs.js';
import type { Regulation } from './regulation.js';
import type { SecretHasher } from './secrets.js';
import type { PresentedCredentials } from './token-request.js';

/** Where a request comes from, for the record of last use. */
export interface Origin {
  readonly ip: string;
  readonly agent: string;
}

/** A client that has proved itself, and by which of its secrets. */
export interface ProvedBySecret {
  readonly live: LiveClient;
  readonly secret: ClientSecret;
}

export interface ClientSecretsOptions {
  readonly directory: Directory;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly uses: LastUses;
  readonly regulation: Regulation;
  readonly proofs: Proofs;
}

/** The check of client id and secret, one for all doors: the guesses at each count together. */
export class ClientSecrets {
  private readonly options: ClientSecretsOptions;

  constructor(options: ClientSecretsOptions) {
    this.options = options;
  }

  /**
   * The client behind the credentials. Unknown, wrong, ended, disabled or not let in by `mayEnter`: `invalid_client` for
   * all, counted as a guess for all; `temporarily_unavailable` (429) after too many.
   */
  authenticate(
    credentials: PresentedCredentials,
    origin: Origin,
    mayEnter: (client: Client) => boolean = () => true,
  ): Promise<ProvedBySecret> {
    return this.options.proofs.checked(() => this.check(credentials, origin, mayEnter));
  }

  private async check(
    { method, candidates }: PresentedCredentials,
    origin: Origin,
    mayEnter: (client: Client) => boolean,
  ): Promise<ProvedBySecret> {
    const { directory, hasher, clock, uses, regulation } = this.options;
    for (const { clientId, secret } of candidates) {
      // Never from memory alone: a token issued on the eve of "revoke-tokens" would be dead, and Go scrapers would keep it.
      const live = await directory.client(clientId);
      const matched = hasher.match(live?.secrets ?? [], secret, clock.now());
      if (live === undefined) continue;
      if (matched === undefined || live.client.disabledAt !== null || !mayEnter(live.client)) {
        // What is known is in memory, and the answer came sooner than for an unknown client (see scripts/timing.ts).
        await directory.missClient();
        continue;
      }
      regulation.succeeded(clientId, origin.ip);
      uses.note(matched.id, { at: clock.now(), ...origin });
      return { live, secret: matched };
    }
    const [{ clientId, secret }] = candidates;
    const verdict = regulation.failed(clientId, origin.ip, { method, secret });
    if (verdict.banned) {
      const sentence = 'Too many wrong secrets for this client from this address; a right one still works.';
      const refusal = new OAuthError('temporarily_unavailable', sentence, 429, verdict.retryAfterSeconds);
      const named = directory.peekClient(clientId)?.client;
      if (named !== undefined) refusal.guessed = { clientId, projectId: named.projectId };
      throw refusal;
    }
    throw new OAuthError('invalid_client', 'Client id or secret is wrong, or the client is disabled.');
  }
}
