import { basename, dirname } from 'node:path/posix';
import { placesOf, type SnippetFacts } from './facts.js';
import { shellWord } from './quote.js';
import { jobComments, projectLabel, staticJob } from './scrape-job.js';
import type { Snippet } from './snippet.js';
import { yamlText } from './yaml-text.js';

/** The agent hands each job on to the Prometheus it runs; only targets have another form. */
export const newrelic: Snippet = {
  tool: 'newrelic',
  title: "New Relic's Prometheus agent, by its Helm chart",
  file: 'values.yaml',
  mediaType: 'application/yaml',
  text: (facts) =>
    yamlText(
      {
        config: { static_targets: { jobs: jobs(facts) } },
        extraVolumes: [{ name: 'weir', secret: { secretName: 'weir-client-secret' } }],
        extraVolumeMounts: [{ name: 'weir', mountPath: dirname(facts.secretFile), readOnly: true }],
      },
      {
        top: [
          'Part of values.yaml of the chart newrelic/newrelic-prometheus-agent, beside licenseKey and cluster.',
          'The secret comes from Kubernetes:',
          `  kubectl create secret generic weir-client-secret --from-file=${shellWord(basename(facts.secretFile))}`,
        ],
        above: jobComments(facts, 'config.static_targets.jobs.0'),
      },
    ),
};

function jobs(facts: SnippetFacts): object[] {
  const { pages, host } = placesOf(facts);
  return pages.map(({ metricsId }) => {
    const one = { ...facts, metricsIds: metricsId === undefined ? [] : [metricsId] };
    const { job_name, static_configs: _, ...job } = staticJob(one);
    return {
      job_name: pages.length === 1 ? job_name : `${job_name}-${metricsId}`,
      targets: [host],
      labels: projectLabel(facts),
      ...job,
    };
  });
}

/** Who runs no Prometheus: the gateway sends the project's series by a metric stream. */
export const newrelicOtlp: Snippet = {
  tool: 'newrelic-otlp',
  title: 'New Relic by OTLP: the gateway sends, nothing is installed',
  file: 'new-relic-stream.sh',
  mediaType: 'text/plain',
  needs: 'the scope create:metric_streams',
  text: (facts) => {
    const { base, tokenUrl } = placesOf(facts);
    const ca = facts.caFile === undefined ? '' : ` --cacert ${shellWord(facts.caFile)}`;
    const stream: string = JSON.stringify({
      name: 'new-relic',
      subscriptions: [{ metric_type: 'project.metrics', interval: `${facts.intervalSeconds}s`, ...chosen(facts) }],
      destination: {
        type: 'otlp',
        configuration: {
          endpoint: 'https://otlp.nr-data.net',
          protocol: 'http',
          temporality: 'delta',
          auth_type: 'api_key',
          auth_header_name: 'api-key',
          api_key: hole,
        },
      },
    });
    // The last: an id that is the same word stands before it. printf is of the shell, so that no list shows the key.
    const at = stream.lastIndexOf(hole);
    return `#!/bin/sh
# Makes a metric stream, once. Give your license key (of type INGEST) in NEW_RELIC_LICENSE_KEY.
# Accounts in the EU: https://otlp.eu01.nr-data.net instead. The client needs the scope create:metric_streams.
set -eu
: "\${NEW_RELIC_LICENSE_KEY:?set it to your license key}"

# A file with the client secret and nothing else.
secret=$(cat ${shellWord(facts.secretFile)})
token=$(curl -sS --fail${ca} -u ${shellWord(facts.clientId)}:"$secret" -d grant_type=client_credentials \\
  ${shellWord(tokenUrl)} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
printf '%s' ${shellWord(stream.slice(0, at))} "$NEW_RELIC_LICENSE_KEY" ${shellWord(stream.slice(at + hole.length))} |
  curl -sS --fail-with-body${ca} -H "Authorization: Bearer $token" -H 'Content-Type: application/json' --data @- \\
    ${shellWord(`${base}/api/v2/metric-streams`)}
`;
  },
};

const hole = 'LICENSE_KEY';

const chosen = ({ metricsIds }: SnippetFacts) =>
  metricsIds.length === 0 ? {} : { match: metricsIds.map((metricsId) => `{instance_id="${metricsId}"}`) };
