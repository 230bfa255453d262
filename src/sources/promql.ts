import type { Clock } from '../domain/clock.js';
import type { SourceSettings } from '../domain/source.js';
import { type MetricMetadata, readMetadata, readQueryAnswer } from '../formats/promql/answer.js';
import { textOf } from '../formats/promql/exposition.js';
import { formatMatcher, matcherTest, selectorOf } from '../formats/promql/matcher.js';
import type { LabelsOf } from '../formats/selector.js';
import type { Connection } from './connection.js';
import { PullError, type Pulled } from './pulled.js';

/** How long types and help are believed, and after how long they are asked for again when that failed. */
const metadataKeptMs = 600_000;
const metadataRetryMs = 60_000;

type PromqlSettings = Pick<SourceSettings, 'url' | 'matchers' | 'tenant' | 'tenantHeader' | 'timeoutMs'>;

/** Asks a TSDB for the newest value of every series that satisfies the matchers, and checks that all of them do. */
export function openPromql(connection: Connection, settings: PromqlSettings, clock: Clock) {
  const { url, matchers, tenant, tenantHeader, timeoutMs } = settings;
  const headers = tenant === null ? {} : { [tenantHeader.toLowerCase()]: tenant };
  const accept = 'application/json';
  const query = selectorOf(matchers);
  const tests = matchers.map((matcher) => ({ matcher, passes: matcherTest(matcher) }));
  let metadata: ReadonlyMap<string, MetricMetadata> = new Map();
  let askAgainAt = Number.NEGATIVE_INFINITY;

  const check = (labelsOf: LabelsOf): void => {
    const failed = tests.find(({ passes }) => !passes(labelsOf));
    if (failed === undefined) return;
    // Neither its name nor its labels: they are somebody else's.
    throw new PullError('guard', `It gave a series that does not satisfy ${formatMatcher(failed.matcher)}.`);
  };

  /** Types and help matter less than values: without them the page is untyped. */
  const refreshMetadata = async (maxBytes: number): Promise<void> => {
    if (clock.monotonic() < askAgainAt) return;
    askAgainAt = clock.monotonic() + metadataRetryMs;
    try {
      const { body } = await connection.ask({ url: `${url}/api/v1/metadata`, accept, headers, maxBytes });
      metadata = readMetadata(body);
      askAgainAt = clock.monotonic() + metadataKeptMs;
    } catch {
      // Some TSDBs have none.
    }
  };

  return async (maxBytes: number): Promise<Pulled> => {
    const form = { query, timeout: `${timeoutMs / 1000}s` };
    const { body } = await connection.ask({ url: `${url}/api/v1/query`, accept, headers, form, maxBytes });
    const { series, warnings } = readQueryAnswer(body, check);
    await refreshMetadata(maxBytes);
    return { body: textOf(series, metadata), syntax: 'text', warnings };
  };
}
