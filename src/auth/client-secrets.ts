import type { Client, ClientSecret } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import type { Soon } from '../domain/soon.js';
import type { Directory, LiveClient } from '../storage/directory.js';
import type { LastUses } from './last-uses.js';
import { OAuthError } from './oauth-error.js';
import type { Proofs } from './proofs.js';
import type { Regulation } from './regulation.js';
import { matchingSecret, type SecretHasher } from './secrets.js';
import type { Candidate, PresentedCredentials } from './token-request.js';

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

interface Attempt {
  readonly presented: PresentedCredentials;
  readonly origin: Origin;
  readonly mayEnter: (client: Client) => boolean;
  /** Monotonic. */
  readonly begun: number;
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
    presented: PresentedCredentials,
    origin: Origin,
    mayEnter: (client: Client) => boolean = () => true,
  ): Soon<ProvedBySecret> {
    const attempt = { presented, origin, mayEnter, begun: this.options.clock.monotonic() };
    const [first, ...others] = presented.candidates;
    const proved = this.tryOne(attempt, first);
    return proved instanceof Promise ? this.tryOthers(attempt, proved, others) : proved;
  }

  private async tryOthers(
    attempt: Attempt,
    first: Promise<ProvedBySecret | undefined>,
    others: readonly Candidate[],
  ): Promise<ProvedBySecret> {
    try {
      let proved = await first;
      for (const other of others) proved ??= await this.tryOne(attempt, other);
      if (proved !== undefined) return proved;
      throw this.refusal(attempt);
    } catch (error) {
      this.options.proofs.bad(attempt.begun, error);
      throw error;
    }
  }

  /** At once only if it is proved; else as long as it takes without such a client (see scripts/timing.ts). */
  private tryOne(
    attempt: Attempt,
    { clientId, secret }: Candidate,
  ): ProvedBySecret | Promise<ProvedBySecret | undefined> {
    const { directory, hasher } = this.options;
    // Never from memory alone: a token issued on the eve of "revoke-tokens" would be dead, and Go scrapers would keep it.
    const live = directory.client(clientId);
    const mac = hasher.mac(secret);
    if (live instanceof Promise)
      return live.then((found) => this.proved(attempt, found, mac) ?? (found && directory.missClient()));
    // It is in memory, where nobody had to look for it in the store.
    return this.proved(attempt, live, mac) ?? directory.missClient();
  }

  private proved(
    { origin, mayEnter, begun }: Attempt,
    live: LiveClient | undefined,
    mac: Buffer,
  ): ProvedBySecret | undefined {
    const { clock, uses, regulation, proofs } = this.options;
    const secret = matchingSecret(live?.secrets ?? [], mac, clock.now());
    if (live === undefined || secret === undefined) return undefined;
    if (live.client.disabledAt !== null || !mayEnter(live.client)) return undefined;
    regulation.succeeded(live.client.id, origin.ip);
    uses.note(secret.id, { at: clock.now(), ip: origin.ip, agent: origin.agent });
    proofs.good(begun);
    return { live, secret };
  }

  private refusal({ presented: { method, candidates }, origin }: Attempt): OAuthError {
    const { directory, regulation } = this.options;
    const [{ clientId, secret }] = candidates;
    const verdict = regulation.failed(clientId, origin.ip, { method, secret });
    if (!verdict.banned)
      return new OAuthError('invalid_client', 'Client id or secret is wrong, or the client is disabled.');
    const sentence = 'Too many wrong secrets for this client from this address; a right one still works.';
    const refusal = new OAuthError('temporarily_unavailable', sentence, 429, verdict.retryAfterSeconds);
    const named = directory.peekClient(clientId)?.client;
    if (named !== undefined) refusal.guessed = { clientId, projectId: named.projectId };
    return refusal;
  }
}
