import { WeirError } from '../domain/errors.js';

/** Seconds between two scrapes. Pages are renewed every 30 s: less than that gives the same numbers again. */
export const intervals = [30, 60, 120] as const;
export type Interval = (typeof intervals)[number];

export const defaultInterval: Interval = 60;
export const defaultSecretFile = '/etc/weir/client-secret';

/** What snippets are filled in with. None of it is a secret. */
export interface SnippetFacts {
  /** Where clients reach the gateway. */
  readonly gatewayUrl: string;
  readonly projectId: string;
  /** Endpoints that are scraped one by one; with none the project's page, which has all that the client sees. */
  readonly metricsIds: readonly string[];
  readonly clientId: string;
  /** Which of the client's registered keys, for tools that sign; they leave it out when there is none. */
  readonly keyId?: string | undefined;
  /** Where the tool finds the secret: a file with nothing else in it. */
  readonly secretFile: string;
  readonly intervalSeconds: Interval;
  /** An authority that signed the gateway's certificate and is not among those the system knows. */
  readonly caFile?: string | undefined;
}

/** A page as its parts: tools ask for them apart. */
export interface ScrapedPage {
  /** Of the one endpoint it is of. */
  readonly metricsId?: string;
  readonly url: string;
  readonly path: string;
}

/** URLs of a gateway, as text that needs no more than quotes in any of the syntaxes here. */
export interface Places {
  readonly base: string;
  readonly scheme: string;
  /** With the port, unless it is the scheme's own. */
  readonly host: string;
  readonly tokenUrl: string;
  readonly pages: readonly ScrapedPage[];
  /** Prometheus' service discovery of the project. */
  readonly discoveryUrl: string;
  readonly isHttps: boolean;
}

export function placesOf({ gatewayUrl, projectId, metricsIds }: SnippetFacts): Places {
  const url = new URL(gatewayUrl);
  const base = `${url.origin}${encoded(url.pathname)}`.replace(/\/+$/, '');
  const pageAt = (path: string) => {
    const page = `${base}/api/v1/${projectId}/${path}`;
    return { url: page, path: page.slice(url.origin.length) };
  };
  return {
    base,
    scheme: url.protocol.slice(0, -1),
    host: url.host,
    tokenUrl: `${base}/oauth/token`,
    pages:
      metricsIds.length === 0
        ? [pageAt('metrics')]
        : metricsIds.map((metricsId) => ({ metricsId, ...pageAt(`${metricsId}/metrics`) })),
    discoveryUrl: pageAt('sd').url,
    isHttps: url.protocol === 'https:',
  };
}

/** Some tools take `$` and `%{` for variables, in quotes or not; as escapes they mean the same to every server. */
const encoded = (path: string): string =>
  path.replace(/[^A-Za-z0-9\-._~/%]/g, (character) => `%${character.codePointAt(0)!.toString(16).toUpperCase()}`);

/** The longest a scrape may take; tools refuse one that is longer than the interval. */
export const timeoutSeconds = ({ intervalSeconds }: Pick<SnippetFacts, 'intervalSeconds'>): number =>
  Math.min(30, intervalSeconds);

/** Why this interval, for a comment. */
export const intervalReason = ({ intervalSeconds }: Pick<SnippetFacts, 'intervalSeconds'>): string =>
  ({
    30: 'Every 30 s: as often as pages are renewed, for what is watched closely.',
    60: 'Every 60 s suits most. Pages are renewed every 30 s; more often than that gives the same numbers again.',
    120: 'Every 120 s: the least load, for what may wait two minutes. Pages are renewed every 30 s.',
  })[intervalSeconds];

export const timeoutReason =
  'A large page over a slow line takes longer than the usual 10 s. It must not exceed the interval.';

export const secretReason = 'A file with the client secret and nothing else, readable by this program alone.';

/** A path as somebody gave it. It stands in comments, too, so that what ends a line is refused. */
export function checkPath(field: string, path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  const isOneLine = !/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/.test(path) && !/\p{Surrogate}/u.test(path);
  if (path !== '' && path.length <= 4096 && isOneLine) return path;
  const rule = 'must be a path of 1 to 4096 characters, without control characters';
  throw new WeirError('invalid', `The ${field.replaceAll('_', ' ')} ${rule}.`, { field });
}

/** Seconds as somebody wrote them: `60` or `60s`. */
export function checkInterval(text: string): Interval {
  const seconds = /^(\d{1,4})s?$/.exec(text)?.[1];
  const interval = intervals.find((each) => seconds !== undefined && each === Number(seconds));
  if (interval !== undefined) return interval;
  const why = 'pages are renewed every 30 s, and an alert should not wait for more than two minutes';
  throw new WeirError('invalid', `The interval must be ${intervals.map((each) => `${each}s`).join(', ')}: ${why}.`, {
    field: 'interval',
  });
}
