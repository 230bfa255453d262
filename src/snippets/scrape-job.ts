import { intervalReason, placesOf, type SnippetFacts, secretReason, timeoutReason, timeoutSeconds } from './facts.js';
import { regexOf } from './quote.js';

/** An entry of `scrape_configs`, for all that read Prometheus' form. */
export type ScrapeJob = Readonly<Record<string, unknown>>;

/** Trust in the gateway's certificate: asked for twice, once for the token and once for the page. */
export const tlsConfig = (facts: SnippetFacts) =>
  facts.caFile !== undefined && placesOf(facts).isHttps ? { tls_config: { ca_file: facts.caFile } } : {};

export const secretLogin = (facts: SnippetFacts) => ({
  client_id: facts.clientId,
  client_secret_file: facts.secretFile,
  token_url: placesOf(facts).tokenUrl,
  scopes: ['read:metrics'],
  ...tlsConfig(facts),
});

/** Pages do not say whose they are; dashboards of several projects ask by this label. */
export const projectLabel = ({ projectId }: SnippetFacts) => ({ project: projectId });

const pace = (facts: SnippetFacts) => ({
  scrape_interval: `${facts.intervalSeconds}s`,
  scrape_timeout: `${timeoutSeconds(facts)}s`,
});

/** Pages with `/api/v1/…` in their path, by targets that are written down. */
export function staticJob(facts: SnippetFacts, oauth2: object = secretLogin(facts)): ScrapeJob {
  const { scheme, host, pages } = placesOf(facts);
  const [only] = pages;
  const isOne = pages.length === 1;
  return {
    job_name: 'weir',
    honor_labels: true,
    ...pace(facts),
    ...(isOne ? { metrics_path: only!.path } : {}),
    scheme,
    static_configs: isOne
      ? [{ targets: [host], labels: projectLabel(facts) }]
      : pages.map(({ path, metricsId }) => ({
          targets: [host],
          labels: { __metrics_path__: path, instance_id: metricsId, ...projectLabel(facts) },
        })),
    oauth2,
    ...tlsConfig(facts),
  };
}

/** The targets that the gateway names, asked for with the credentials they are scraped with. */
export function discoveredJob(facts: SnippetFacts): ScrapeJob {
  const { discoveryUrl, pages } = placesOf(facts);
  const chosen = facts.metricsIds.length === 0 ? [] : pages.map(({ path }) => regexOf(path));
  const oauth2 = secretLogin(facts);
  return {
    job_name: 'weir',
    honor_labels: true,
    ...pace(facts),
    http_sd_configs: [{ url: discoveryUrl, refresh_interval: '60s', oauth2, ...tlsConfig(facts) }],
    relabel_configs: [
      ...(chosen.length === 0
        ? []
        : [{ source_labels: ['__metrics_path__'], regex: chosen.join('|'), action: 'keep' }]),
      { target_label: 'project', replacement: facts.projectId },
    ],
    oauth2,
    ...tlsConfig(facts),
  };
}

/** For the keys of a job that stands at this path. */
export const jobComments = (
  facts: SnippetFacts,
  at: string,
  login: Readonly<Record<string, string>> = { client_secret_file: secretReason },
): Record<string, string> => ({
  [`${at}.honor_labels`]: 'Keeps the labels the metrics come with, such as job, instead of renaming them.',
  [`${at}.scrape_interval`]: intervalReason(facts),
  [`${at}.scrape_timeout`]: timeoutReason,
  ...Object.fromEntries(Object.entries(login).map(([key, reason]) => [`${at}.oauth2.${key}`, reason])),
});
