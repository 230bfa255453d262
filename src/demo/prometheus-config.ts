import { placesOf, type SnippetFacts } from '../snippets/facts.js';
import { jobComments, staticJob } from '../snippets/scrape-job.js';
import { yamlText } from '../snippets/yaml-text.js';

/** Its `metricsIds` are the instances behind the project page, named in a comment. */
export interface PrometheusConfigOptions extends Omit<SnippetFacts, 'intervalSeconds'> {
  /** The operator listener, e.g. `http://127.0.0.1:9460`. */
  readonly operatorUrl: string;
  /** Alert rules to load; a relative path starts at the configuration's folder. */
  readonly ruleFile?: string;
}

/** The text of a `prometheus.yml` that scrapes one project, as customers get it, and the gateway itself. */
export function prometheusConfig({ operatorUrl, ruleFile, ...options }: PrometheusConfigOptions): string {
  const single: SnippetFacts = { ...options, intervalSeconds: 30 };
  const facts = { ...single, metricsIds: [] };
  const operator = new URL(operatorUrl);
  return yamlText(
    {
      ...(ruleFile === undefined ? {} : { rule_files: [ruleFile] }),
      scrape_configs: [
        staticJob(facts),
        {
          job_name: 'weir-operator',
          scrape_interval: '30s',
          scrape_timeout: '10s',
          metrics_path: '/metrics',
          scheme: operator.protocol.slice(0, -1),
          static_configs: [{ targets: [operator.host] }],
        },
      ],
    },
    {
      top: [
        'Scrapes all instances of the project at once. The metrics_path of one alone:',
        ...placesOf(single).pages.map(({ path }) => `  ${path}`),
      ],
      above: jobComments(facts, 'scrape_configs.0'),
    },
  );
}
