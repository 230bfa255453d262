/** When to try again. All times in milliseconds. */

const [firstMs, longestMs] = [1000, 60_000];
/** Wrong credentials seldom mend themselves; whoever gives new ones is tried at once. */
export const credentialRetryMs = 600_000;
const longestRetryAfterMs = 3_600_000;

/** Doubling from 1 s to 60 s, ±20 %. `random` gives 0 to 1. */
export function backoffMs(failures: number, random: () => number): number {
  const base = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 10));
  return Math.round(base * (0.8 + 0.4 * random()));
}

/** `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), an hour at most; `undefined` for what is neither. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const wait = /^\d{1,9}$/.test(text)
    ? Number(text) * 1000
    : /[A-Za-z]/.test(text)
      ? Date.parse(text) - now
      : Number.NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), longestRetryAfterMs);
}
