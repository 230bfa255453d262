import { Document } from 'yaml';

export interface PrometheusConfigOptions {
  /** Where the gateway is reached, e.g. `https://127.0.0.1:8460`. */
  readonly publicUrl: string;
  /** The operator listener, e.g. `http://127.0.0.1:9460`. */
  readonly operatorUrl: string;
  readonly projectId: string;
  /** The instances behind the project page, named in a comment. */
  readonly metricsIds: readonly string[];
  readonly clientId: string;
  readonly clientSecret: string;
  /** The authority that signed the gateway's certificate, when the system does not know it. */
  readonly caFile?: string;
  /** Alert rules to load; a relative path starts at the configuration's folder. */
  readonly ruleFile?: string;
}

/** The text of a `prometheus.yml` that scrapes one project and the gateway itself, ready to use: it holds the secret. */
export function prometheusConfig(options: PrometheusConfigOptions): string {
  const gateway = new URL(options.publicUrl);
  const operator = new URL(options.operatorUrl);
  const base = gateway.href.replace(/\/+$/, '');
  const pathOf = (page: string): string => new URL(`${base}/api/v1/${options.projectId}/${page}`).pathname;
  const tls = options.caFile !== undefined && gateway.protocol === 'https:';
  const tlsConfig = tls ? { tls_config: { ca_file: options.caFile } } : {};

  // Version 1.1, as Prometheus reads it: quotes the words (yes, on) and numbers that only 1.1 takes for something else.
  const config = new Document(
    {
      ...(options.ruleFile === undefined ? {} : { rule_files: [options.ruleFile] }),
      scrape_configs: [
        {
          job_name: 'weir',
          honor_labels: true,
          scrape_interval: '30s',
          scrape_timeout: '10s',
          metrics_path: pathOf('metrics'),
          scheme: schemeOf(gateway),
          static_configs: [{ targets: [gateway.host] }],
          oauth2: {
            client_id: options.clientId,
            client_secret: options.clientSecret,
            token_url: `${base}/oauth/token`,
            scopes: ['read:metrics'],
            ...tlsConfig,
          },
          ...tlsConfig,
        },
        {
          job_name: 'weir-operator',
          scrape_interval: '30s',
          scrape_timeout: '10s',
          metrics_path: '/metrics',
          scheme: schemeOf(operator),
          static_configs: [{ targets: [operator.host] }],
        },
      ],
    },
    // The two tls_config blocks are spelled out, not an anchor and an alias.
    { version: '1.1', aliasDuplicateObjects: false },
  );
  const instances = options.metricsIds.map((id) => `\n   ${pathOf(`${id}/metrics`)}`);
  config.commentBefore = ` Scrapes all instances of the project at once. The metrics_path of one alone:${instances.join('')}`;
  return config.toString({ lineWidth: 0 });
}

const schemeOf = (url: URL): string => url.protocol.slice(0, -1);
