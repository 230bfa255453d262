import { jobComments, staticJob } from './scrape-job.js';
import type { Snippet } from './snippet.js';
import { yamlText } from './yaml-text.js';

const jobAt = 'receivers.prometheus.config.scrape_configs.0';
const file = { file: 'collector.yaml', mediaType: 'application/yaml' } as const;

export const otelcol: Snippet = {
  tool: 'otelcol',
  title: 'OpenTelemetry Collector, with its Prometheus receiver',
  ...file,
  text: (facts) =>
    yamlText(
      {
        receivers: { prometheus: { config: { scrape_configs: [escaped(staticJob(facts))] } } },
        exporters: { debug: {} },
        service: { pipelines: { metrics: { receivers: ['prometheus'], exporters: ['debug'] } } },
      },
      {
        top: ['For the distribution "contrib". Check it with: otelcol-contrib validate --config=collector.yaml'],
        above: {
          ...jobComments(facts, jobAt),
          'exporters.debug': 'Prints how much came. Name your own exporter here and in the pipeline instead.',
        },
      },
    ),
};

export const cloudwatch: Snippet = {
  tool: 'cloudwatch',
  title: 'Amazon CloudWatch, through an OpenTelemetry Collector with the EMF exporter',
  ...file,
  text: (facts) =>
    yamlText(
      {
        receivers: { prometheus: { config: { scrape_configs: [escaped(staticJob(facts))] } } },
        processors: { batch: {} },
        exporters: {
          awsemf: {
            region: `\${env:AWS_REGION}`,
            namespace: `Weir/${facts.projectId}`,
            log_group_name: `/weir/${facts.projectId}`,
            dimension_rollup_option: 'NoDimensionRollup',
          },
        },
        service: {
          pipelines: { metrics: { receivers: ['prometheus'], processors: ['batch'], exporters: ['awsemf'] } },
        },
      },
      {
        top: [
          'For the AWS Distro for OpenTelemetry, or the distribution "contrib". It takes AWS_REGION and the credentials',
          'of AWS from its environment; they need logs:CreateLogGroup, CreateLogStream, PutLogEvents and',
          'PutRetentionPolicy on the log group below.',
        ],
        above: {
          ...jobComments(facts, jobAt),
          'exporters.awsemf.namespace': 'Where CloudWatch shows the metrics.',
          'exporters.awsemf.dimension_rollup_option':
            'CloudWatch charges by combinations of labels. Without this it makes further ones for each metric.',
        },
      },
    ),
};

/** The collector takes `$` for a variable anywhere in its file; two of them are one. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escaped(inner)]));
}
