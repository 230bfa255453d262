import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { type PublicKey, readJwk } from './client-keys.js';

/** The network as an argument: one GET without redirects. Rejects when there is no answer. */
export type FetchKeys = (
  url: string,
  limits: { readonly timeoutMs: number; readonly maxBytes: number },
) => Promise<{ readonly status: number; readonly body: Buffer }>;

export interface RemoteJwksOptions {
  readonly fetch: FetchKeys;
  readonly clock: Clock;
  readonly freshMs?: number;
  /** Sets kept at once; the one used longest ago makes room. */
  readonly maxSets?: number;
  /** A fetch failed; whether old keys still serve or not. */
  readonly onFailure?: (url: string, error: unknown) => void;
}

/**
 * The keys that others publish under a URL. A set is used for 10 minutes, then fetched again while it goes on being used
 * (for 10 more), and earlier when a token names a key that is not in it: a rotation elsewhere is seen at once. Whatever happens, a URL is asked at most once in
 * 30 seconds and by one request at a time, and while it fails its last good keys serve for a day.
 */
export class RemoteJwks {
  private readonly options: RemoteJwksOptions;
  private readonly sets: LRUCache<string, KeySet>;

  constructor(options: RemoteJwksOptions) {
    this.options = options;
    this.sets = new LRUCache(atMost(options.maxSets ?? 500));
  }

  /** All usable keys of the set; `kid` says which is wanted. Throws `unavailable` when there never were any. */
  async keys(url: string, kid?: string): Promise<readonly PublicKey[]> {
    let set = this.sets.get(url);
    if (set === undefined) {
      set = new KeySet(url, this.options);
      this.sets.set(url, set);
    }
    return set.keys(kid);
  }
}

const defaultFreshMs = 10 * 60_000;
const restMs = 30_000;
const keptMs = 24 * 3_600_000;
/** Who waits is answered in 4.5 s at the latest: what there is besides must be tried before that. */
const limits = { timeoutMs: 3_000, maxBytes: 256 * 1024 };
const maxKeys = 100;

class KeySet {
  private readonly url: string;
  private readonly options: RemoteJwksOptions;
  private good: { readonly keys: readonly PublicKey[]; readonly at: number } | undefined;
  private askedAt = Number.NEGATIVE_INFINITY;
  private underWay: Promise<void> | undefined;

  constructor(url: string, options: RemoteJwksOptions) {
    this.url = url;
    this.options = options;
  }

  async keys(kid: string | undefined): Promise<readonly PublicKey[]> {
    const need = this.need(kid);
    if (need === 'now') await this.refresh();
    // Nobody waits for a slow host as long as what is here will do.
    if (need === 'soon') void this.refresh();
    if (this.good === undefined || this.age(this.good.at) >= keptMs) {
      const retryAfterSeconds = restMs / 1000;
      throw new WeirError('unavailable', 'The public keys for this token cannot be fetched at the moment.', {
        retryAfterSeconds,
      });
    }
    return this.good.keys;
  }

  private need(kid: string | undefined): 'now' | 'soon' | 'nothing' {
    if (this.good === undefined) return 'now';
    if (kid !== undefined && !this.good.keys.some((key) => key.kid === kid)) return 'now';
    const [age, freshMs] = [this.age(this.good.at), this.options.freshMs ?? defaultFreshMs];
    if (age >= 2 * freshMs) return 'now';
    return age >= freshMs ? 'soon' : 'nothing';
  }

  /** Waits for the fetch under way, starts one, or does nothing because the last one is too recent. */
  private async refresh(): Promise<void> {
    if (this.underWay === undefined) {
      if (this.age(this.askedAt) < restMs) return;
      this.askedAt = this.options.clock.monotonic();
      this.underWay = this.fetch().finally(() => {
        this.underWay = undefined;
      });
    }
    await this.underWay;
  }

  private async fetch(): Promise<void> {
    try {
      const { status, body } = await this.options.fetch(this.url, limits);
      if (status !== 200) throw new Error(`the answer has status ${status}`);
      this.good = { keys: await readKeySet(body), at: this.options.clock.monotonic() };
    } catch (error) {
      this.options.onFailure?.(this.url, error);
    }
  }

  private age(since: number): number {
    return this.options.clock.monotonic() - since;
  }
}

/** Keys that are not for us (encryption, other kinds) are passed over, because issuers publish all in one place. */
async function readKeySet(body: Buffer): Promise<PublicKey[]> {
  if (body.length > limits.maxBytes) throw new Error('the key set is larger than 256 KiB');
  const { keys } = JSON.parse(body.toString('utf8')) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the answer is no key set (RFC 7517 §5)');
  if (keys.length > maxKeys) throw new Error(`the key set holds ${keys.length} keys; ${maxKeys} are allowed`);
  const read = await Promise.allSettled(keys.map((jwk) => readJwk(jwk)));
  return read.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
