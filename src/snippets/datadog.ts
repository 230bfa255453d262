import { dirname } from 'node:path/posix';
import { intervalReason, placesOf, type SnippetFacts, timeoutReason, timeoutSeconds } from './facts.js';
import type { Snippet } from './snippet.js';
import { yamlText } from './yaml-text.js';

export const datadog: Snippet = {
  tool: 'datadog',
  title: 'Datadog Agent 7.75 or newer, with its OpenMetrics check',
  file: 'conf.d/openmetrics.d/conf.yaml',
  mediaType: 'application/yaml',
  httpsOnly: true,
  text: (facts) =>
    yamlText(
      { init_config: {}, instances: placesOf(facts).pages.map(({ url }) => instance(facts, url)) },
      {
        top: [
          'conf.d/openmetrics.d/conf.yaml of the Agent, which takes tokens by https alone.',
          'The Agent puts the secret in for ENC[…] when datadog.yaml says (older Agents: docs of secret_backend_command):',
          '  secret_backend_type: file.text',
          '  secret_backend_config:',
          `    secrets_path: ${JSON.stringify(dirname(facts.secretFile))}`,
          'The file holds the secret without a line end (printf, not echo) and belongs to the user dd-agent.',
        ],
        above: {
          'instances.0.min_collection_interval': intervalReason(facts),
          'instances.0.timeout': timeoutReason,
          'instances.0.max_returned_metrics': 'The Agent drops what is beyond this number; it is 2000 unless set.',
        },
      },
    ),
};

const instance = (facts: SnippetFacts, url: string) => ({
  openmetrics_endpoint: url,
  namespace: 'weir',
  metrics: ['.*'],
  tags: [`project:${facts.projectId}`],
  min_collection_interval: facts.intervalSeconds,
  timeout: timeoutSeconds(facts),
  max_returned_metrics: 100_000,
  ...(facts.caFile === undefined ? {} : { tls_ca_cert: facts.caFile }),
  auth_token: {
    reader: {
      type: 'oauth',
      url: placesOf(facts).tokenUrl,
      client_id: facts.clientId,
      client_secret: `ENC[${facts.secretFile}]`,
      options: { scope: 'read:metrics' },
    },
    writer: { type: 'header', name: 'Authorization', value: 'Bearer <TOKEN>', placeholder: '<TOKEN>' },
  },
});
