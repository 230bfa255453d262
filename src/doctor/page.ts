import { reasonAdvice } from '../domain/access-advice.js';
import { WeirError } from '../domain/errors.js';
import { defaultLimits } from '../domain/limits.js';
import { type Exposition, seriesCount } from '../formats/family.js';
import { parseExposition } from '../formats/parse.js';
import { type Finding, linked, ok, problem, warning } from './finding.js';
import type { Reply, Wire } from './wire.js';

/** Prometheus' own time limit, unless it is told another. */
const scrapeTimeoutMs = 10_000;
const slowMs = scrapeTimeoutMs / 2;
const manySeries = 50_000;
/** Producers that push every 10 s to a minute have stopped by then. */
const oldMs = 5 * 60_000;

export interface PageWalk {
  readonly projectId: string;
  readonly metricsId: string | undefined;
  readonly token: string;
  /** 0 for none, or when it is not known. */
  readonly seriesLimit: number;
}

/** Scrapes as Prometheus would, and looks at what came. */
export async function scrape(url: URL, walk: PageWalk, wire: Wire, now: number): Promise<Finding[]> {
  const path = walk.metricsId === undefined ? 'metrics' : `${encodeURIComponent(walk.metricsId)}/metrics`;
  const target = new URL(`/api/v1/${encodeURIComponent(walk.projectId)}/${path}`, url);
  const reply = await wire
    .ask(target, {
      headers: {
        authorization: `Bearer ${walk.token}`,
        accept: 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
        'accept-encoding': 'gzip',
      },
    })
    .catch((error: Error) => error);
  if (reply instanceof Error) {
    return [
      problem('page', `${target.pathname}: ${reply.message}`, {
        cause: 'The page did not come to its end: a proxy gave up, or its buffers are too small for it.',
        cure: "Look at the proxy's log, and raise its time limit above the scrape timeout.",
      }),
    ];
  }
  if (reply.status !== 200) {
    const { detail, type } = problemOf(reply);
    return [linked(refused(target.pathname, reply, detail), type)];
  }
  const size = `${reply.bytes} bytes in ${Math.round(reply.ms)} ms`;
  const findings = [ok('page', `${target.pathname}: ${size}`), inTime(reply)];
  const page = read(reply);
  if (!('bytes' in page)) return [...findings, page];
  return [...findings, ok('format', String(reply.headers['content-type'])), ...judged(page, reply, walk, now)];
}

function refused(path: string, { status, headers }: Reply, detail: unknown): Finding {
  const found = `${path}: status ${status}`;
  const challenge = String(headers['www-authenticate'] ?? '');
  if (status === 401) {
    return problem('page', found, {
      cause: challenge.includes('invalid_token')
        ? 'The token that was just issued is not taken: another gateway answers here than at /oauth/token.'
        : 'The token does not arrive: a proxy takes the Authorization header away or uses it itself.',
      cure: 'Let the proxy pass Authorization on, and send both paths to the same gateway.',
    });
  }
  if (status === 403) return problem('page', found, reasonAdvice.insufficient_scope);
  if (status === 404) return problem('page', found, reasonAdvice.unknown_endpoint);
  if (status === 429) return problem('page', found, reasonAdvice.rate_limited);
  if (status === 503) return problem('page', found, reasonAdvice.unavailable);
  return problem('page', found, {
    cause:
      typeof detail === 'string' ? detail : 'That is no answer of a Weir: a proxy or another service stands at /api/.',
    cure: 'Let the proxy pass /api/ on to Weir.',
  });
}

/** Of problem+json; empty for what is not. */
function problemOf({ body }: Reply): { detail?: unknown; type?: unknown } {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function inTime({ ms, bytes }: Reply): Finding {
  const found = `${Math.round(ms)} ms`;
  if (ms < slowMs) return ok('time', found);
  return warning('time', `${found} for ${bytes} bytes`, {
    cause: `Prometheus gives up after ${scrapeTimeoutMs / 1000} s unless told otherwise; the page is large or the way is slow.`,
    cure: 'Raise scrape_timeout (it must not exceed scrape_interval), or scrape endpoints one by one.',
  });
}

function read({ body }: Reply): Exposition | Finding {
  try {
    return parseExposition(body, { syntax: 'text', labels: [], limits: unlimited, reservedPrefix: '\0' });
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return problem('format', error.message, {
      cause: 'What came is not the Prometheus text format: a proxy changed it or answered itself.',
      cure: 'Ask for the same URL with curl, and compare.',
    });
  }
}

const unlimited = Object.fromEntries(
  Object.keys(defaultLimits).map((name) => [name, 0]),
) as unknown as typeof defaultLimits;

/** Age, completeness and cardinality, as the page itself tells them. */
function judged(page: Exposition, { headers }: Reply, { seriesLimit }: PageWalk, now: number): Finding[] {
  const own = ownValues(page);
  const ofProducers = seriesCount(page) - [...own.values()].reduce((sum, values) => sum + values.length, 0);
  return [ageOf(own, ofProducers, now), completeness(headers), cardinality(ofProducers, seriesLimit)];
}

function ageOf(own: ReadonlyMap<string, readonly number[]>, ofProducers: number, now: number): Finding {
  const times = [
    'weir_group_last_push_timestamp_seconds',
    'weir_live_last_sample_timestamp_seconds',
    'weir_source_last_success_timestamp_seconds',
  ].flatMap((name) => own.get(name) ?? []);
  if (ofProducers === 0) {
    return problem('age', 'the page has no series', {
      cause: 'Nothing was pushed to it yet, or everything has outlived its lifetime since its producer stopped.',
      cure: 'Look whether the producer runs and what its pushes are answered; "weir endpoint list" shows lifetimes.',
    });
  }
  if (times.length === 0) return ok('age', 'not told by the page');
  const oldest = now - Math.min(...times) * 1000;
  const newest = now - Math.max(...times) * 1000;
  const found = `the last push is ${seconds(newest)} old, the oldest group ${seconds(oldest)}`;
  if (newest < oldMs) return ok('age', found);
  return warning('age', found, {
    cause: 'Nothing has come in for a while: a producer has stopped, or its pushes are refused.',
    cure: "Look at the producer's log and at weir_pushes_refused_total on the operator's page.",
  });
}

const seconds = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s`;

function completeness(headers: Reply['headers']): Finding {
  const said = String(headers['x-weir-completeness'] ?? 'not told');
  if (said !== 'partial') return ok('completeness', said);
  return warning('completeness', said, reasonAdvice.incomplete_page);
}

function cardinality(series: number, limit: number): Finding {
  const found = limit > 0 ? `${series} series of at most ${limit}` : `${series} series`;
  if (limit > 0 && series > limit * 0.9) {
    return warning('cardinality', found, {
      cause: 'At the limit new series are refused, and pushes that bring one with them.',
      cure: '"weir project cardinality" shows which metric and label take the room; drop one, or raise the limit.',
    });
  }
  if (series <= manySeries) return ok('cardinality', found);
  return warning('cardinality', found, {
    cause: 'A page of that size takes Prometheus long to scrape and much memory to keep.',
    cure: 'Scrape endpoints one by one, or drop what nobody looks at with metric_relabel_configs.',
  });
}

/** Values of the series that the gateway says about the page itself. */
function ownValues({ families, lines, bytes }: Exposition): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { header, first, last } of families) {
    if (!header.name.startsWith('weir_')) continue;
    const values: number[] = [];
    for (let line = first; line < last; line++) {
      const text = bytes.toString('latin1', lines[line], lines[line + 1]);
      values.push(
        Number(
          text
            .slice(text.lastIndexOf('}') + 1)
            .trim()
            .split(' ')[0],
        ),
      );
    }
    found.set(header.name, values);
  }
  return found;
}
