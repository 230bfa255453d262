import { reasonAdvice } from '../domain/access-advice.js';
import { type Finding, ok, problem, skipped, warning } from './finding.js';
import type { Asked } from './records.js';

/** Pages are at most this old, and as good as the last when asked for sooner. */
const cacheMs = 30_000;
/** Scrapers do not wait to the millisecond. */
const tolerance = 0.8;
/** Go's scrapers ask for a token when theirs ends. */
const recentMs = 60 * 60_000;

/** What the access log says of a client, or of all of the project. */
export function history(asked: readonly Asked[], now: number): Finding[] {
  const recent = asked.filter(({ at }) => now - at < recentMs);
  const scrapes = recent.filter(({ operation }) => operation === 'scrape');
  return [interval(scrapes), ...lastOf(recent, now)];
}

function interval(scrapes: readonly Asked[]): Finding {
  const served = scrapes.filter(({ status, intervalMs }) => status === 200 && intervalMs !== null);
  if (served.length === 0) return skipped('interval', 'too few scrapes within the last hour');
  const sorted = served.map(({ intervalMs }) => intervalMs!).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  const found = `every ${Math.round(median / 1000)} s`;
  if (median >= cacheMs * tolerance) return ok('interval', found);
  return warning('interval', found, {
    cause: 'Pages come from a cache of 30 s: scraping sooner stores the same values again and costs both sides.',
    cure: 'Set scrape_interval to 30s, 60s or 120s; or two scrapers share one client: give each its own.',
  });
}

/** The newest entry of each page and of the tokens, when it was a refusal. */
function lastOf(recent: readonly Asked[], now: number): Finding[] {
  if (recent.length === 0) return [skipped('last scrapes', 'none within the last hour')];
  const seen = new Set<string>();
  const findings: Finding[] = [];
  for (const { at, clientId, operation, endpointId, status, reason, agent, address } of recent) {
    const place = `${clientId} ${operation} ${endpointId ?? ''} ${address}`;
    if (seen.has(place)) continue;
    seen.add(place);
    if (reason === null) continue;
    const what = operation === 'token' ? 'a token request' : `a scrape of ${endpointId ?? 'the project'}`;
    const by = `${clientId} from ${address}${agent === null ? '' : ` (${agent})`}`;
    const ago = Math.round((now - at) / 1000);
    const state = reason === 'incomplete_page' ? warning : problem;
    findings.push(state('last scrapes', `${what} by ${by} ${ago} s ago: ${status} ${reason}`, reasonAdvice[reason]));
  }
  if (findings.length > 0) return findings;
  return [ok('last scrapes', `${recent.length} within the last hour, the newest of each page and client good`)];
}
