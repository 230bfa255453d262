import { Command, Option } from 'commander';
import type { SourceJson } from '../admin/source-shape.js';
import { WeirError } from '../domain/errors.js';
import { type SourceType, sourceTypes } from '../domain/source.js';
import { managing, withManager, withSettings } from './common.js';
import type { Manager } from './manager.js';
import { type SourceFlags, sourceBody, withRemovals, withSourceFlags } from './source-flags.js';

interface NewSourceFlags extends SourceFlags {
  readonly project?: string;
  readonly endpoint?: string;
  readonly type?: SourceType;
}

const brief = ({ id, project_id, metrics_id, name, type, url, status, health }: SourceJson) => ({
  id,
  project_id,
  metrics_id,
  name,
  type,
  url,
  status,
  health: health.status,
  reason: health.reason ?? null,
});

export function sourceCommand(): Command {
  const source = new Command('source').description(
    'Sources: series of an endpoint that are fetched, from an exporter or from a TSDB (Prometheus, Mimir, Thanos, VictoriaMetrics).',
  );
  const managed = (command: Command): Command => managing(command, '--server');

  const create = withSourceFlags(withPlace(managed(source.command('create').argument('<name>'))));
  create.description('Create a source; it is asked at once.').addHelpText('after', whatIsNeeded);
  create.action((name: string, flags: NewSourceFlags) =>
    withManager(create, async ({ admin, one }) => {
      const { project, body } = placed({ ...flags, name });
      one(brief(await admin.sources.create(project, body)));
    }),
  );

  const list = managed(source.command('list')).option('--project <id>', 'Only those of this project.');
  list.description('List sources and how asking them goes.');
  list.action(({ project }: NewSourceFlags) =>
    withManager(list, async ({ admin, many }) => {
      const none = 'There are no sources; create one with "weir source create NAME --project ID --endpoint ID …".';
      many((await admin.sources.list(project)).map(brief), none);
    }),
  );

  const get = managed(source.command('get').argument('<source-id>')).description('Show a source; its secrets as ***.');
  get.action((id: string) => withManager(get, async ({ admin, one }) => one(await admin.sources.get(id))));

  const set = withRemovals(withSourceFlags(managed(source.command('set').argument('<source-id>'))));
  set.description('Change settings of a source; a running server follows within a second.');
  set.option('--name <name>', 'A new name.');
  set.action((id: string, flags: SourceFlags) =>
    withManager(set, async ({ admin, one }) => one(await admin.sources.update(id, sourceBody(flags)))),
  );

  const remove = managed(source.command('delete').argument('<source-id>'));
  remove.description('Delete a source with the series that came from it.');
  remove.action((id: string) =>
    withManager(remove, async ({ admin, one }) => {
      await admin.sources.delete(id);
      one({ id, deleted: true });
    }),
  );

  const test = withSourceFlags(withPlace(managed(source.command('test').argument('[source-id]'))));
  withSettings(test, ['sources.allowed-networks', 'sources.allow-http']);
  test.description(
    'Ask a source now, from here (or from the server), and say what came; or one that is not saved yet, by its flags.',
  );
  test.action((id: string | undefined, flags: NewSourceFlags) =>
    withManager(test, async ({ admin, one }) => {
      const said = await tested(admin.sources, id, flags);
      one(said);
      if (!said.pulled) process.exitCode = 1;
    }),
  );
  return source;
}

const whatIsNeeded = `
Required: --project, --endpoint, --type and --url; with --type promql also a --matcher of the form label="value".
URLs with http need the server's --sources.allow-http, addresses that are not public its --sources.allowed-networks.`;

const withPlace = (command: Command): Command =>
  command
    .option('--project <id>', 'Its project.')
    .option('--endpoint <metrics-id>', 'The endpoint whose series it gives.')
    .addOption(new Option('--type <type>', 'exporter: a metrics page; promql: a TSDB.').choices(sourceTypes));

function tested(sources: Manager['sources'], id: string | undefined, flags: NewSourceFlags) {
  if (id === undefined) {
    const { project, body } = placed({ name: 'test', ...flags });
    return sources.testNew(project, body);
  }
  const { options } = withSourceFlags(withPlace(new Command()));
  const stray = options.find((option) => flags[option.attributeName() as keyof NewSourceFlags] !== undefined);
  if (stray === undefined) return sources.test(id);
  throw new WeirError('invalid', `A saved source is asked as it is: leave out ${stray.long}, or the id.`);
}

/** All that a new source must say. */
function placed({ project, endpoint, type, ...flags }: NewSourceFlags): { project: string; body: object } {
  if (project === undefined || endpoint === undefined || type === undefined || flags.url === undefined) {
    throw new WeirError('invalid', 'Give --project, --endpoint, --type and --url.');
  }
  return { project, body: { ...sourceBody(flags), metrics_id: endpoint, type } };
}
