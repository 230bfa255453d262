import { intervalReason, placesOf } from './facts.js';
import { hclString } from './quote.js';
import type { Snippet } from './snippet.js';

export const grafanaCloud: Snippet = {
  tool: 'grafana-cloud',
  title: "Grafana Cloud's hosted scraper (Metrics Endpoint), by Basic",
  file: 'weir.tf',
  mediaType: 'text/plain',
  httpsOnly: true,
  needs: 'HTTP Basic: weir client set CLIENT_ID --allow-basic on',
  text: (facts) => {
    const { pages } = placesOf(facts);
    const resources = pages.map(({ url, metricsId }, index) => {
      const name = metricsId === undefined ? facts.projectId : `${facts.projectId}-${metricsId}`;
      return `
resource "grafana_connections_metrics_endpoint_scrape_job" "weir_${index}" {
  stack_id = var.stack_id
  name     = ${hclString(`weir-${name}`)}
  enabled  = true
  url      = ${hclString(url)}

  # ${intervalReason(facts)}
  scrape_interval_seconds = ${facts.intervalSeconds}

  # A file with the client secret and nothing else. It comes into Terraform's state, which is to be kept as safe.
  authentication_method         = "basic"
  authentication_basic_username = ${hclString(facts.clientId)}
  authentication_basic_password = trimspace(file(${hclString(facts.secretFile)}))
}
`;
    });
    return `# For Terraform with the provider grafana/grafana. By hand: Connections, Metrics Endpoint, with the same values.
# This scraper knows no OAuth2, so the client has to be allowed HTTP Basic:
#   weir client set ${facts.clientId} --allow-basic on
variable "stack_id" {
  description = "The id of your Grafana Cloud stack."
  type        = string
}
${resources.join('')}`;
  },
};
