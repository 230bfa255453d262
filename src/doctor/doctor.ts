import { obtainToken, type PresentedSecret, type Token } from './credentials.js';
import { type Finding, ok, problem, skipped, warning } from './finding.js';
import { history } from './history.js';
import { scrape } from './page.js';
import { reach } from './reach.js';
import type { Records } from './records.js';
import { doctorAgent, type Wire } from './wire.js';

export interface Patient {
  readonly url: string;
  readonly projectId: string;
  /** The endpoints to scrape; none for the page of the whole project. */
  readonly metricsIds: readonly string[];
  /** Only with it are tokens and pages asked for. */
  readonly secret: PresentedSecret | undefined;
}

const mostSkewMs = 10_000;
/** How long after its end the gateway takes a token, and how far ahead of its clock. */
const leewayMs = 60_000;

/**
 * Walks the path a scraper takes, step by step, and says of each what it found; what cannot be reached any more is skipped.
 * Never rejects for what it finds.
 */
export async function examine(
  { url: text, projectId, metricsIds, secret }: Patient,
  { wire, records, now }: { wire: Wire; records: Records | undefined; now: () => number },
): Promise<Finding[]> {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    const advice = { cause: 'That is not an http or https URL.', cure: 'Write it like https://metrics.example.com.' };
    return [problem('address', text, advice)];
  }
  const findings: Finding[] = [];
  const hasFailed = (): boolean => findings.some(({ status }) => status === 'problem');
  const url = new URL(text);
  findings.push(...(await reach(url, wire, now())));
  if (!hasFailed()) findings.push(...(await gateway(url, wire, now)));
  if (!hasFailed()) findings.push(...(await project(projectId, records)));

  let token: Token | undefined;
  if (secret === undefined) findings.push(skipped('token', 'no --client and --client-secret-file were given'));
  else if (hasFailed()) findings.push(skipped('token', 'the gateway was not reached'));
  else {
    const walk = await obtainToken(url, secret, wire, records);
    findings.push(...walk.findings);
    token = walk.token;
  }

  if (token === undefined) findings.push(skipped('page', 'there is no token'));
  else {
    for (const metricsId of metricsIds.length === 0 ? [undefined] : metricsIds) {
      const seriesLimit = (await records?.seriesLimit(metricsId)) ?? 0;
      findings.push(...(await scrape(url, { projectId, metricsId, token: token.token, seriesLimit }, wire, now())));
    }
  }

  const isThere = findings.every(({ check, status }) => check !== 'project' || status === 'ok');
  const asked = isThere ? await records?.lastAsked() : undefined;
  if (asked === undefined)
    findings.push(
      skipped(
        'last scrapes',
        isThere ? 'the access log is not at hand; leave out --url beside the server' : 'there is no project',
      ),
    );
  else {
    const ofScrapers = asked.filter(({ agent }) => agent !== doctorAgent);
    const ofClient = ofScrapers.filter(({ clientId }) => secret === undefined || clientId === secret.clientId);
    findings.push(...history(ofClient, now()));
  }
  return findings;
}

/** Not said at all where it cannot be known. */
async function project(id: string, records: Records | undefined): Promise<Finding[]> {
  const cure = 'Take the id that "weir project list" shows.';
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) {
    const cause = 'Ids are made of A-Z, a-z, 0-9, "_" and "-"; this is a name, or part of a path.';
    return [problem('project', `"${id}" is no project id`, { cause, cure })];
  }
  if (records === undefined) return [];
  if (await records.hasProject()) return [ok('project', id)];
  return [problem('project', `there is no project ${id}`, { cause: 'It was deleted, or this is a slip.', cure })];
}

/** Whether a Weir answers, under the name it has itself, and whether its clock is ours. */
async function gateway(url: URL, wire: Wire, now: () => number): Promise<Finding[]> {
  const before = now();
  const reply = await wire.ask(new URL('/.well-known/oauth-authorization-server', url)).catch((error: Error) => error);
  const after = now();
  const stranger = {
    cause: 'Something else answers there: a proxy, its login page, or another service.',
    cure: 'Let the proxy pass /oauth/, /api/ and /.well-known/ on to Weir.',
  };
  if (reply instanceof Error) return [problem('gateway', `no answer: ${reply.message}`, stranger)];
  const issuer = issuerOf(reply.body);
  if (reply.status !== 200 || issuer === undefined) return [problem('gateway', `status ${reply.status}`, stranger)];
  return [
    issuer === url.origin
      ? ok('gateway', `a Weir, which calls itself ${issuer}`)
      : warning('gateway', `a Weir, which calls itself ${issuer}`, {
          cause:
            'It is reached under another URL than it knows. Tokens work; assertions and service discovery name the other one.',
          cure: `Set --web.external-url to the URL that customers use, or use ${issuer}.`,
        }),
    clock(Date.parse(String(reply.headers.date)), before, after),
  ];
}

function issuerOf(body: Buffer): string | undefined {
  try {
    const { issuer } = JSON.parse(body.toString('utf8')) as { issuer?: unknown };
    return typeof issuer === 'string' ? issuer : undefined;
  } catch {
    return undefined;
  }
}

/** `Date` has whole seconds, and the answer took its time. */
function clock(theirs: number, before: number, after: number): Finding {
  if (Number.isNaN(theirs)) return skipped('clock', 'the answer has no Date');
  const skew = theirs + 1000 < before ? theirs + 1000 - before : Math.max(0, theirs - after);
  const found =
    skew === 0
      ? 'the same as here'
      : `the gateway is ${Math.abs(Math.round(skew / 1000))} s ${skew > 0 ? 'ahead' : 'behind'}`;
  if (Math.abs(skew) < mostSkewMs) return ok('clock', found);
  const advice = {
    cause: 'Times of tokens and samples are compared with this clock; more than a minute apart, tokens are refused.',
    cure: 'Set both clocks by NTP.',
  };
  return Math.abs(skew) < leewayMs ? warning('clock', found, advice) : problem('clock', found, advice);
}
