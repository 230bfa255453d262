import { LRUCache } from 'lru-cache';
import type { Clock } from '../domain/clock.js';

/** The answer's part of a 429. */
export interface RateLimited {
  readonly retryAfterSeconds: number;
  readonly headers: Readonly<Record<string, string>>;
}

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
  private readonly name: string;
  private readonly clock: Clock;
  /** Whoever is pushed out starts with a full bucket, which is what a client has that was idle for a minute. */
  private readonly buckets: LRUCache<string, Bucket>;

  /** The name is what the answer calls the policy: lower-case letters and hyphens. */
  constructor(name: 'token-requests' | 'scrapes', clock: Clock, maxClients = 100_000) {
    this.name = name;
    this.clock = clock;
    this.buckets = new LRUCache({ max: maxClients });
  }

  /** Counts a request; `undefined` when it may pass. A limit of 0 is off. */
  take(clientId: string, perMinute: number): RateLimited | undefined {
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
    if (bucket.left < 1 - 1e-6) return this.refusal(perMinute, bucket.left);
    bucket.left -= 1;
    return undefined;
  }

  /**
   * `Retry-After` is what clients obey (RFC 9110 §10.2.3). `RateLimit-Limit`, `-Remaining` and `-Reset` (seconds, not a
   * time of day) are the fields that programs read today; they are from draft-ietf-httpapi-ratelimit-headers up to -06.
   * `RateLimit-Policy` and `RateLimit` are what it has become: structured fields, here as in -08 to -10. Their
   * parameters still change from draft to draft, so they are sent beside the old ones, not instead; the names do not
   * collide. All tell the same moment, as the draft wants it.
   */
  private refusal(perMinute: number, left: number): RateLimited {
    const retryAfterSeconds = Math.max(1, Math.ceil(((1 - left) * 60) / perMinute));
    const seconds = String(retryAfterSeconds);
    return {
      retryAfterSeconds,
      headers: {
        'retry-after': seconds,
        'ratelimit-policy': `"${this.name}";q=${perMinute};w=60`,
        ratelimit: `"${this.name}";r=0;t=${seconds}`,
        'ratelimit-limit': String(perMinute),
        'ratelimit-remaining': '0',
        'ratelimit-reset': seconds,
      },
    };
  }
}
