import type { CreatedClient } from './weir-process.js';

/** How a scraper is configured, in the words of no tool: what is left out is right. */
export interface Scraper {
  readonly client: CreatedClient;
  readonly tokenUrl: string;
  readonly pageUrl: string;
  readonly scopes?: readonly string[];
  /** Id and secret stand on the page's request, and no token is asked for. */
  readonly isBasic?: boolean;
  /** Of the issuer of the gateway's certificate, for the token and the page. */
  readonly caFile?: string;
}

/** What there is for the faults to be made with. */
export interface FaultySetting {
  /** Of a gateway that listens by TLS and has the endpoint `db1` in the project `acme`. */
  readonly url: string;
  readonly caFile: string;
  /** Where http is spoken. */
  readonly plainUrl: string;
  /** Answers everything, by TLS, with a page that asks people to sign in. */
  readonly loginUrl: string;
  readonly clients: Readonly<Record<'good' | 'mistaken' | 'disabled' | 'guessing' | 'pusher', CreatedClient>>;
}

/** A scraper without a fault. */
export const goodScraper = ({ url, caFile, clients }: FaultySetting): Scraper => ({
  client: clients.good,
  tokenUrl: clients.good.token_url,
  pageUrl: `${url}${page}`,
  caFile,
});

/** The faults of docs/troubleshooting.md by their anchors there: in what each scraper differs from the good one. */
export const scrapeFaults = {
  'wrong-secret': ({ clients }) => ({ client: { ...clients.mistaken, client_secret: 'weir_cs_wrong' } }),
  'disabled-client': ({ clients }) => ({ client: clients.disabled }),
  guessing: ({ clients }) => ({ client: { ...clients.guessing, client_secret: 'weir_cs_wrong' } }),
  'scope-too-many': () => ({ scopes: ['read:metrics', 'write:metrics'] }),
  'wrong-token-path': ({ url }) => ({ tokenUrl: `${url}/token` }),
  'login-page': ({ loginUrl }) => ({ tokenUrl: `${loginUrl}/oauth/token` }),
  'gateway-down': () => ({ tokenUrl: 'https://127.0.0.1:1/oauth/token' }),
  'no-such-name': () => ({ tokenUrl: 'https://no-such-host.invalid/oauth/token' }),
  'push-client': ({ clients }) => ({ client: clients.pusher }),
  'wrong-endpoint': ({ url }) => ({ pageUrl: `${url}/api/v1/acme/db9/metrics` }),
  'other-project': ({ url }) => ({ pageUrl: `${url}/api/v1/rival/db1/metrics` }),
  'name-with-slash': ({ url }) => ({ pageUrl: `${url}/api/v1/acme/my/db1/metrics` }),
  'basic-on-page': () => ({ isBasic: true }),
  'login-page-as-page': ({ loginUrl }) => ({ pageUrl: `${loginUrl}${page}` }),
  'https-for-http': ({ plainUrl }) => ({ pageUrl: `${plainUrl.replace('http:', 'https:')}${page}` }),
  'http-for-https': ({ url }) => ({ pageUrl: `${url.replace('https:', 'http:')}${page}` }),
  'unknown-issuer': () => ({ caFile: undefined }),
} as const satisfies Record<string, (setting: FaultySetting) => { [K in keyof Scraper]?: Scraper[K] | undefined }>;

export type ScrapeFault = keyof typeof scrapeFaults;

const page = '/api/v1/acme/db1/metrics';

/** A job of a Prometheus' configuration, which vmagent reads, too. */
export function prometheusJob(name: string, { client, ...scraper }: Scraper, interval: string): object {
  const { protocol, host, pathname } = new URL(scraper.pageUrl);
  const { client_id, client_secret } = client;
  const tls = scraper.caFile === undefined ? {} : { tls_config: { ca_file: scraper.caFile } };
  const scopes = scraper.scopes === undefined ? {} : { scopes: scraper.scopes };
  return {
    job_name: name,
    scrape_interval: interval,
    scheme: protocol.slice(0, -1),
    metrics_path: pathname,
    ...(scraper.isBasic
      ? { basic_auth: { username: client_id, password: client_secret } }
      : { oauth2: { client_id, client_secret, token_url: scraper.tokenUrl, ...scopes, ...tls } }),
    ...tls,
    static_configs: [{ targets: [host] }],
  };
}

/** An instance of Datadog's OpenMetrics check. For its token request the CA file stands in `REQUESTS_CA_BUNDLE`. */
export function datadogInstance({ client, tokenUrl, pageUrl, scopes, isBasic, caFile }: Scraper): object {
  const { client_id, client_secret } = client;
  const options = scopes === undefined ? {} : { options: { scope: scopes.join(' ') } };
  return {
    openmetrics_endpoint: pageUrl,
    namespace: 'weir',
    metrics: ['.*'],
    ...(caFile === undefined ? {} : { tls_ca_cert: caFile }),
    ...(isBasic
      ? { username: client_id, password: client_secret }
      : {
          auth_token: {
            reader: { type: 'oauth', url: tokenUrl, client_id, client_secret, ...options },
            writer: { type: 'header', name: 'Authorization', value: 'Bearer <TOKEN>', placeholder: '<TOKEN>' },
          },
        }),
  };
}
