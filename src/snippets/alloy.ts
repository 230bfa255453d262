import { intervalReason, placesOf, type SnippetFacts, secretReason, timeoutReason, timeoutSeconds } from './facts.js';
import { literal } from './quote.js';
import { projectLabel } from './scrape-job.js';
import type { Snippet } from './snippet.js';

export const alloy: Snippet = {
  tool: 'alloy',
  title: 'Grafana Alloy',
  file: 'config.alloy',
  mediaType: 'text/plain',
  text: (facts) => {
    const { scheme, host, tokenUrl, pages } = placesOf(facts);
    const targets = pages.map(({ path, metricsId }) => {
      const labels = metricsId === undefined || pages.length === 1 ? {} : { instance_id: metricsId };
      return `    ${object({ __address__: host, __metrics_path__: path, ...labels, ...projectLabel(facts) })},`;
    });
    return `// Part of config.alloy. Check it with: alloy validate config.alloy
prometheus.scrape "weir" {
  targets = [
${targets.join('\n')}
  ]

  // Where the series go: the component that writes to your database, by the name it has in Grafana's examples.
  forward_to = [prometheus.remote_write.default.receiver]

  job_name = "weir"
  scheme   = ${literal(scheme)}

  // Keeps the labels the metrics come with, such as job, instead of renaming them.
  honor_labels = true

  // ${intervalReason(facts)}
  scrape_interval = "${facts.intervalSeconds}s"

  // ${timeoutReason}
  scrape_timeout = "${timeoutSeconds(facts)}s"
${tls(facts, '  ')}
  oauth2 {
    client_id = ${literal(facts.clientId)}

    // ${secretReason}
    client_secret_file = ${literal(facts.secretFile)}

    token_url = ${literal(tokenUrl)}
    scopes    = ["read:metrics"]
${tls(facts, '    ')}  }
}
`;
  },
};

const object = (labels: Readonly<Record<string, string>>): string =>
  `{ ${Object.entries(labels)
    .map(([name, value]) => `${literal(name)} = ${literal(value)}`)
    .join(', ')} }`;

function tls(facts: SnippetFacts, indent: string): string {
  if (facts.caFile === undefined || !placesOf(facts).isHttps) return '';
  return `\n${indent}tls_config {\n${indent}  ca_file = ${literal(facts.caFile)}\n${indent}}\n`;
}
