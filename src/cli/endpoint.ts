import { Command, Option } from 'commander';
import { formatDuration, parseDuration } from '../domain/duration.js';
import { parseMetadata } from '../domain/endpoint.js';
import { endpointLimitNames } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import { parseLimit } from '../domain/limits.js';
import { managing, repeated, withManager } from './common.js';
import type { EndpointFacts } from './manager.js';
import { readRelabelFile } from './relabel-file.js';

const brief = ({ projectId, metricsId, name }: EndpointFacts, externalUrl: string) => ({
  project_id: projectId,
  metrics_id: metricsId,
  name,
  url: `${externalUrl}/api/v1/${projectId}/${metricsId}/metrics`,
});
const whole = (endpoint: EndpointFacts, externalUrl: string) => ({
  ...brief(endpoint, externalUrl),
  lifetime: formatDuration(endpoint.lifetimeMs),
  timestamps: endpoint.timestamps ? 'on' : 'off',
  metadata: Object.entries(endpoint.metadata)
    .map(([name, value]) => `${name}=${value}`)
    .join(' '),
  limits: endpoint.limits,
  dropped_metrics: endpoint.droppedMetrics,
  relabel_rules: endpoint.relabelConfigs.length,
  dropped_labels: endpoint.droppedLabels,
});

interface Settings extends RelabelSettings {
  readonly name?: string;
  readonly lifetime?: string;
  readonly timestamps?: 'on' | 'off';
  /** false: none. */
  readonly metadata?: readonly string[] | false;
  readonly limit?: readonly string[] | false;
}

/** false: none of it. */
interface RelabelSettings {
  readonly droppedMetric?: readonly string[] | false;
  readonly relabelFile?: string | false;
  readonly droppedLabel?: readonly string[] | false;
}

const relabeling = ({ droppedMetric, relabelFile, droppedLabel }: RelabelSettings) => ({
  ...(droppedMetric === undefined ? {} : { droppedMetrics: droppedMetric || [] }),
  ...(relabelFile === undefined ? {} : { relabelConfigs: relabelFile === false ? [] : readRelabelFile(relabelFile) }),
  ...(droppedLabel === undefined ? {} : { droppedLabels: droppedLabel || [] }),
});

const chosen = ({ name, lifetime, timestamps, metadata, limit, ...rules }: Settings) => ({
  ...relabeling(rules),
  ...(name === undefined ? {} : { name }),
  ...(lifetime === undefined ? {} : { lifetimeMs: parseDuration(lifetime) }),
  ...(timestamps === undefined ? {} : { timestamps: timestamps === 'on' }),
  ...(metadata === undefined ? {} : { metadata: parseMetadata(metadata || []) }),
  ...(limit === undefined ? {} : { limits: limitsIn(limit) }),
});

/** Those that are given; without any, none from now on. */
const limitsIn = (given: readonly string[] | false) =>
  Object.fromEntries(
    given === false
      ? endpointLimitNames.map((name) => [name, 0])
      : given.map((each) => parseLimit(each, endpointLimitNames)),
  );

function withRelabeling(command: Command): Command {
  return command
    .addOption(repeated('--dropped-metric <name>', 'A metric that is not served; repeat it for several.'))
    .option('--no-dropped-metric', 'Serve every metric.')
    .option('--relabel-file <file>', "YAML with rules in Prometheus' metric_relabel_configs language.")
    .option('--no-relabel-file', 'No rules.')
    .addOption(repeated('--dropped-label <name>', 'A label that is not served; repeat it for several.'))
    .option('--no-dropped-label', 'Serve every label.');
}

function withEndpointSettings(command: Command): Command {
  return withRelabeling(command)
    .option('--lifetime <duration>', 'How long pushed series live after their last push, such as 5m; 0 until deleted.')
    .addOption(
      new Option('--timestamps <on|off>', 'Whether samples carry the time of their push; it breaks staleness.').choices(
        ['on', 'off'],
      ),
    )
    .addOption(
      repeated(
        '--metadata <name=value>',
        'What you note about it, for service discovery; repeat it for several. All there was gives way.',
      ),
    )
    .option('--no-metadata', 'Take away all metadata.')
    .addOption(
      repeated(
        '--limit <name=value>',
        "A limit of its own, such as series=10000, beside the project's; 0 takes it away. May be repeated.",
      ),
    )
    .option('--no-limit', 'Take away all limits of its own.');
}

export function endpointCommand(): Command {
  const endpoint = new Command('endpoint').description('Metrics endpoints: what is monitored, each with its own URL.');
  const ofProject = (command: Command): Command => managing(command).requiredOption('--project <id>', 'Its project.');

  const create = withEndpointSettings(ofProject(endpoint.command('create').argument('<name>')));
  create
    .description('Create a metrics endpoint.')
    .option('--metrics-id <id>', 'Its metricsId; 8 hex digits when left out.');
  create.action((name: string, options: Settings & { project: string; metricsId?: string }) =>
    withManager(create, async ({ admin, externalUrl, one }) => {
      const { project: projectId, metricsId } = options;
      one(brief(await admin.endpoints.create({ ...chosen(options), name, projectId, metricsId }), externalUrl));
    }),
  );

  const list = ofProject(endpoint.command('list')).description('List the endpoints of a project.');
  list.action(({ project }: { project: string }) =>
    withManager(list, async ({ admin, externalUrl, many }) => {
      const rows = (await admin.endpoints.list(project)).map((each) => brief(each, externalUrl));
      many(
        rows,
        `Project "${project}" has no endpoints; create one with "weir endpoint create NAME --project ${project}".`,
      );
    }),
  );

  const get = ofProject(endpoint.command('get').argument('<metrics-id>')).description(
    'Show an endpoint with its settings.',
  );
  get.action((metricsId: string, { project }: { project: string }) =>
    withManager(get, async ({ admin, externalUrl, one }) =>
      one(whole(await admin.endpoints.get(project, metricsId), externalUrl)),
    ),
  );

  const set = withEndpointSettings(ofProject(endpoint.command('set').argument('<metrics-id>')));
  set.description('Change settings of an endpoint; they show within a second.').option('--name <name>', 'A new name.');
  set.action((metricsId: string, options: Settings & { project: string }) =>
    withManager(set, async ({ admin, externalUrl, one }) =>
      one(whole(await admin.endpoints.set(options.project, metricsId, chosen(options)), externalUrl)),
    ),
  );

  const preview = withRelabeling(
    managing(endpoint.command('preview').usage('[options] <metrics-id>'))
      .argument('<metrics-id...>', 'The endpoint; without --project its project stands before it.')
      .option('--project <id>', 'Its project.'),
  );
  preview
    .description('Print what an endpoint would serve now, with other relabeling than it has if you give some.')
    .addHelpText('after', '\nThrough a server (--url) this needs update:endpoints and shows samples.');
  preview.action((ids: string[], { project, ...options }: RelabelSettings & { project?: string }) =>
    withManager(preview, async ({ admin, one }) => {
      const [projectId, metricsId, ...more] = project === undefined ? ids : [project, ...ids];
      if (projectId === undefined || metricsId === undefined || more.length > 0) {
        throw new WeirError('invalid', 'Give one endpoint, and --project.');
      }
      const { page, series, changed, leftOut } = await admin.endpoints.preview(
        projectId,
        metricsId,
        relabeling(options),
      );
      const { rule, duplicate, invalid } = leftOut;
      if (preview.opts<{ format: string }>().format === 'json') {
        one({ page, series, changed, left_out: leftOut });
        return;
      }
      process.stdout.write(
        `${page}# ${series} series; ${changed} changed; ${rule} dropped, ${duplicate} duplicates and ${invalid} invalid left out\n`,
      );
    }),
  );

  const remove = ofProject(endpoint.command('delete').argument('<metrics-id>'));
  remove.description('Delete an endpoint with its series.');
  remove.action((metricsId: string, { project }: { project: string }) =>
    withManager(remove, async ({ admin, one }) => {
      await admin.endpoints.delete(project, metricsId);
      one({ project_id: project, metrics_id: metricsId, deleted: true });
    }),
  );
  return endpoint;
}
