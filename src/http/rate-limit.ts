import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import type { Clock } from '../domain/clock.js';
import { type ErrorFacts, WeirError } from '../domain/errors.js';
import type { Limits } from '../domain/limits.js';

/** Limits that are counted for each client. */
export type RateLimitName = 'token_requests_per_minute' | 'scrapes_per_minute' | 'api_requests_per_minute';

/** What may still be taken at a moment; it fills up again at the limit's rate, to one minute's worth at most. */
interface Bucket {
  left: number;
  at: number;
}

/**
 * How many requests of one kind a client may send per minute; a whole minute's worth may come at once. Per client,
 * never per address, and only for a client that has proved who it is: otherwise one could use up another's.
 * Refused requests cost nothing.
 */
export class RateLimit {
  private readonly limit: RateLimitName;
  private readonly clock: Clock;
  /** Whoever is pushed out starts with a full bucket, which is what a client has that was idle for a minute. */
  private readonly buckets: LRUCache<string, Bucket>;

  constructor(limit: RateLimitName, clock: Clock, maxClients = 100_000) {
    this.limit = limit;
    this.clock = clock;
    this.buckets = new LRUCache(atMost(maxClients));
  }

  /** Counts a request; throws `rate_limited` when it may not pass. */
  check(clientId: string, limits: Limits): void {
    const max = limits[this.limit];
    const retryAfterSeconds = this.take(clientId, max);
    if (retryAfterSeconds === undefined) return;
    const sentence = `${sentences[this.limit]}: ${this.limit} = ${max}. Try again in ${retryAfterSeconds} s.`;
    throw new WeirError('rate_limited', sentence, { limit: this.limit, max, retryAfterSeconds });
  }

  /** Counts a request; gives the seconds to wait when it may not pass. A limit of 0 is off. */
  take(clientId: string, perMinute: number): number | undefined {
    if (perMinute === 0) return undefined;
    const now = this.clock.monotonic();
    let bucket = this.buckets.get(clientId);
    if (bucket === undefined) {
      bucket = { left: perMinute, at: now };
      this.buckets.set(clientId, bucket);
    }
    bucket.left = Math.min(perMinute, bucket.left + ((now - bucket.at) * perMinute) / 60_000);
    bucket.at = now;
    // Whoever waits as long as told is not refused for a rounding error.
    if (bucket.left < 1 - 1e-6) return Math.max(1, Math.ceil(((1 - bucket.left) * 60) / perMinute));
    bucket.left -= 1;
    return undefined;
  }
}

const sentences: Record<RateLimitName, string> = {
  token_requests_per_minute: 'The client asks for or revokes too many tokens; one serves until it expires',
  scrapes_per_minute: 'The client scrapes too often',
  api_requests_per_minute: 'The client uses the management API too often; larger pages need fewer requests',
};

/**
 * What a refusal by one of these limits says beside `Retry-After`, which is what clients obey. `RateLimit-Limit`,
 * `-Remaining` and `-Reset` (seconds, not a time of day) are the fields that programs read today; they are from
 * draft-ietf-httpapi-ratelimit-headers up to -06. `RateLimit-Policy` and `RateLimit` are what it has become: structured
 * fields, here as in -08 to -10. Their parameters still change from draft to draft, so they are sent beside the old
 * ones, not instead; the names do not collide. All tell the same moment, as the draft wants it.
 */
export function rateLimitHeaders({ limit, max, retryAfterSeconds }: ErrorFacts): Record<string, string> {
  if (limit === undefined || !Object.hasOwn(sentences, limit)) return {};
  const policy = limit.replace(/_per_minute$/, '').replaceAll('_', '-');
  return {
    'ratelimit-policy': `"${policy}";q=${max};w=60`,
    ratelimit: `"${policy}";r=0;t=${retryAfterSeconds}`,
    'ratelimit-limit': String(max),
    'ratelimit-remaining': '0',
    'ratelimit-reset': String(retryAfterSeconds),
  };
}
