import { readClientKeys } from '../auth/client-keys.js';
import { checkJwksUrl } from '../auth/jwks-url.js';
import type { SecretHasher } from '../auth/secrets.js';
import type { Client, ClientKey, ClientSecret, ScrapeToken } from '../domain/client.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import {
  checkName,
  newClientId,
  newClientSecret,
  newScrapeToken,
  newScrapeTokenId,
  type RandomBytes,
} from '../domain/ids.js';
import type { CreationPlace, Stretch } from '../domain/page.js';
import { checkScopes, inOrder } from '../domain/scopes.js';
import type { ClientRecord, ClientSettings, Expectation, Managed } from '../storage/store.js';

export interface NewClient {
  readonly name: string;
  /** null for a client of the operator. */
  readonly projectId: string | null;
  readonly scopes: readonly string[];
  /** metricsIds it is narrowed to; none for all of the project. */
  readonly endpoints?: readonly string[] | undefined;
  readonly allowBasic?: boolean | undefined;
}

export interface NewScrapeToken {
  readonly lifetimeMs: number;
  readonly name?: string | undefined;
}

export interface ClientChanges {
  readonly name?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  /** metricsIds it is narrowed to; null for all of the project. */
  readonly endpoints?: readonly string[] | null | undefined;
  readonly jwksUrl?: string | null | undefined;
  readonly allowBasic?: boolean | undefined;
  readonly disabled?: boolean | undefined;
}

/** What may be done to clients. Throws `WeirError` with a sentence for whoever asked. */
export class ClientAdmin {
  private readonly store: Managed;
  private readonly clock: Clock;
  private readonly random: RandomBytes;
  private readonly hasher: SecretHasher;

  constructor(store: Managed, clock: Clock, random: RandomBytes, hasher: SecretHasher) {
    this.store = store;
    this.clock = clock;
    this.random = random;
    this.hasher = hasher;
  }

  /** The secret is in the answer and nowhere else: only its HMAC is kept. */
  async create(wanted: NewClient): Promise<{ client: Client; secret: string }> {
    const { name, projectId, scopes, endpoints, allowBasic = false } = wanted;
    const narrowed = endpoints === undefined || endpoints.length === 0 ? null : [...new Set(endpoints)];
    if (narrowed !== null) await this.checkEndpoints(projectId, narrowed);
    const now = this.clock.now();
    const client: Client = {
      id: newClientId(this.random),
      projectId,
      name: checkName('client', name),
      scopes: checkScopes(scopes, { operator: projectId === null, narrowed: narrowed !== null }),
      endpoints: narrowed,
      createdAt: now,
      disabledAt: null,
      allowBasic,
      jwksUrl: null,
      tokenGeneration: 1,
    };
    const secret = newClientSecret(this.random);
    await this.store.clients.create(client, this.hasher.newRecord(client.id, secret, now, this.random));
    return { client, secret };
  }

  /** Of one project or all, oldest first. */
  list(projectId?: string, stretch?: Stretch<CreationPlace>): Promise<Client[]> {
    return this.store.clients.list(projectId, stretch);
  }

  async get(id: string): Promise<Client> {
    return (await this.record(id)).client;
  }

  /** Its tokens are refused within a second; nothing is forgotten. */
  disable(id: string): Promise<Client> {
    return this.store.clients.setDisabled(id, this.clock.now());
  }

  enable(id: string): Promise<Client> {
    return this.store.clients.setDisabled(id, null);
  }

  delete(id: string, expect?: Expectation<Client>): Promise<void> {
    return this.store.clients.delete(id, expect);
  }

  /**
   * Several settings at once, which must fit together as they then are. A scope or endpoint that is taken away is gone from
   * the tokens there are, too; one that is given comes with the next token.
   */
  async update(id: string, changes: ClientChanges, expect?: Expectation<Client>): Promise<Client> {
    const { name, jwksUrl, allowBasic, disabled, scopes, endpoints } = changes;
    if (Object.values(changes).every((value) => value === undefined)) {
      throw new WeirError('invalid', 'Nothing to set; say what is to change.');
    }
    const narrowed = endpoints && [...new Set(endpoints)];
    if (narrowed?.length === 0) {
      throw new WeirError('invalid', 'Name an endpoint, or let it see all of them.', { field: 'endpoints' });
    }
    if (narrowed) await this.checkEndpoints((await this.get(id)).projectId, narrowed);
    const settings: ClientSettings = {
      ...(name === undefined ? {} : { name: checkName('client', name) }),
      ...(scopes === undefined ? {} : { scopes: inOrder(scopes) }),
      ...(narrowed === undefined ? {} : { endpoints: narrowed }),
      ...(jwksUrl === undefined ? {} : { jwksUrl: checkJwksUrl(jwksUrl) }),
      ...(allowBasic === undefined ? {} : { allowBasic }),
      ...(disabled === undefined ? {} : { disabledAt: disabled ? this.clock.now() : null }),
    };
    return this.store.clients.set(id, settings, (before) => {
      expect?.(before);
      if (scopes === undefined && narrowed === undefined) return;
      const after = { ...before, ...settings };
      checkScopes(scopes ?? before.scopes, { operator: after.projectId === null, narrowed: after.endpoints !== null });
    });
  }

  /**
   * Another secret; the one before goes on for `overlapMs`, older ones end now. Tokens are not touched, whatever the
   * overlap. Gives when the one before ends, null when there was none.
   */
  async rotate(id: string, overlapMs: number): Promise<{ secret: string; previousEndsAt: number | null }> {
    if (!(overlapMs >= 0 && overlapMs <= longestOverlapMs)) {
      throw new WeirError('invalid', 'The overlap must be 0 to 7d.', { field: 'overlap' });
    }
    const now = this.clock.now();
    const secret = newClientSecret(this.random);
    const record = this.hasher.newRecord(id, secret, now, this.random);
    return { secret, previousEndsAt: await this.store.clients.rotate(id, record, now + overlapMs) };
  }

  /** Newest first; never the secrets themselves. */
  async secrets(id: string): Promise<readonly ClientSecret[]> {
    return (await this.record(id)).secrets;
  }

  /** Ends a secret and every token it obtained, at once. */
  revokeSecret(id: string, secretId: string): Promise<void> {
    return this.store.clients.revokeSecret(id, secretId);
  }

  /** Ends every token of the client, scrape tokens included, at once; its secrets go on. */
  revokeTokens(id: string): Promise<void> {
    return this.store.clients.revokeTokens(id);
  }

  /** Registers public keys (PEM, JWK or JWKS) it may prove itself with; gives their ids. */
  async addKeys(id: string, content: Buffer): Promise<ClientKey[]> {
    const createdAt = this.clock.now();
    const keys = (await readClientKeys(content)).map(({ kid, jwk }) => ({ kid, jwk: { ...jwk }, createdAt }));
    await this.store.clients.addKeys(id, keys);
    return keys;
  }

  async keys(id: string): Promise<readonly ClientKey[]> {
    return (await this.record(id)).keys;
  }

  removeKey(id: string, kid: string): Promise<void> {
    return this.store.clients.removeKey(id, kid);
  }

  /** Where the client publishes its keys; null for nowhere. */
  setJwksUrl(id: string, url: string | null): Promise<Client> {
    return this.update(id, { jwksUrl: url });
  }

  /** Whether the metrics routes take its id and secret by HTTP Basic. */
  setAllowBasic(id: string, allowBasic: boolean): Promise<Client> {
    return this.update(id, { allowBasic });
  }

  /** A long-lived opaque token with all that the client may do. It is in the answer and nowhere else. */
  async createScrapeToken(
    id: string,
    { lifetimeMs, name }: NewScrapeToken,
  ): Promise<{ token: string; scrapeToken: ScrapeToken }> {
    if (!(lifetimeMs >= 1000 && lifetimeMs <= longestScrapeTokenMs)) {
      throw new WeirError('invalid', 'A scrape token must live 1s to 366d.');
    }
    const now = this.clock.now();
    const alive = (await this.scrapeTokens(id)).filter(({ expiresAt }) => expiresAt > now);
    if (alive.length >= mostScrapeTokens) {
      const sentence = `The client "${id}" has ${mostScrapeTokens} scrape tokens already; revoke one that is not used.`;
      throw new WeirError('conflict', sentence);
    }
    const token = newScrapeToken(id, this.random);
    const scrapeToken: ScrapeToken = {
      id: newScrapeTokenId(this.random),
      clientId: id,
      name: name === undefined ? null : checkName('token', name),
      mac: this.hasher.mac(token),
      createdAt: now,
      expiresAt: now + lifetimeMs,
      lastUse: null,
    };
    await this.store.clients.addScrapeToken(scrapeToken);
    return { token, scrapeToken };
  }

  /** Oldest first; never the tokens themselves. */
  async scrapeTokens(id: string): Promise<readonly ScrapeToken[]> {
    return (await this.record(id)).scrapeTokens;
  }

  /** It is refused within a second. */
  revokeScrapeToken(id: string, tokenId: string): Promise<void> {
    return this.store.clients.removeScrapeToken(id, tokenId);
  }

  private async checkEndpoints(projectId: string | null, metricsIds: readonly string[]): Promise<void> {
    if (projectId === null) {
      throw new WeirError('invalid', 'An operator client cannot be narrowed to endpoints.', { field: 'endpoints' });
    }
    const there = new Set((await this.store.endpoints.list(projectId)).map(({ metricsId }) => metricsId));
    const missing = metricsIds.find((metricsId) => !there.has(metricsId));
    if (missing !== undefined) {
      const sentence = `There is no endpoint "${missing}" in project "${projectId}".`;
      throw new WeirError('not_found', sentence, { field: 'endpoints' });
    }
  }

  private async record(id: string): Promise<ClientRecord> {
    const record = await this.store.clients.get(id);
    if (record === undefined) throw new WeirError('not_found', `There is no client "${id}".`);
    return record;
  }
}

const longestOverlapMs = 7 * 86_400_000;
const longestScrapeTokenMs = 366 * 86_400_000;
const mostScrapeTokens = 20;
