import { Command, Option } from 'commander';
import { defaultTop, mostTop } from '../admin/projects.js';
import { limitNames, parseLimit } from '../domain/limits.js';
import type { Project } from '../domain/project.js';
import { collect, managing, withManager } from './common.js';
import { isoTime } from './output.js';

const brief = ({ id, name, createdAt }: Project) => ({ id, name, created_at: isoTime(createdAt) });
const whole = (project: Project) => ({ ...brief(project), limits: project.limits });

export function projectCommand(): Command {
  const project = new Command('project').description('Customers: the unit of isolation, limits and usage.');

  const create = managing(project.command('create').argument('<name>')).description('Create a project.');
  create.option('--id <id>', 'Its id (A-Z, a-z, 0-9, "_", "-"); a UUID when left out.');
  create.action((name: string, { id }: { id?: string }) =>
    withManager(create, async ({ admin, one }) => one(brief(await admin.projects.create({ name, id })))),
  );

  const list = managing(project.command('list')).description('List all projects.');
  list.action(() =>
    withManager(list, async ({ admin, many }) =>
      many(
        (await admin.projects.list()).map(brief),
        'There are no projects; create one with "weir project create NAME".',
      ),
    ),
  );

  const get = managing(project.command('get').argument('<id>')).description('Show a project with its limits.');
  get.action((id: string) => withManager(get, async ({ admin, one }) => one(whole(await admin.projects.get(id)))));

  const set = managing(project.command('set').argument('<id>')).description('Set limits of a project.');
  set.requiredOption(
    '--limit <name=value>',
    `A limit, such as series=100000; 0 switches it off. May be repeated. Names: ${limitNames.join(', ')}.`,
    collect,
  );
  set.action((id: string, { limit }: { limit: string[] }) =>
    withManager(set, async ({ admin, one }) =>
      one(
        whole(
          await admin.projects.setLimits(id, Object.fromEntries(limit.map((each) => parseLimit(each, limitNames)))),
        ),
      ),
    ),
  );

  const cardinality = managing(project.command('cardinality').argument('<id>'));
  cardinality
    .description('Show which metrics and which of their labels, or which endpoints, make the series of a project.')
    .option('--top <count>', `How many of them, up to ${mostTop}.`, String(defaultTop))
    .addOption(
      new Option('--by <noun>', 'What to list: metrics, or endpoints with the limits of their own.')
        .choices(['metric', 'endpoint'])
        .default('metric'),
    );
  cardinality.action((id: string, { top, by }: { top: string; by: 'metric' | 'endpoint' }) =>
    withManager(cardinality, async ({ admin, many }) => {
      const { metrics, endpoints } = await admin.projects.cardinality(id, Number(top));
      const none = `Project "${id}" holds no series.`;
      if (by === 'endpoint') {
        many(
          endpoints.map(({ metricsId, series, limits }) => ({ metrics_id: metricsId, series, limits })),
          none,
        );
        return;
      }
      const rows = metrics.map(({ name, series, endpoints, labels }) => ({
        metric: name,
        series,
        endpoints,
        values: Object.fromEntries(labels.map((label) => [label.name, label.values])),
      }));
      many(rows, none);
    }),
  );

  const remove = managing(project.command('delete').argument('<id>'));
  remove.description('Delete a project with its endpoints, clients and series. Its tokens end within a second.');
  remove.action((id: string) =>
    withManager(remove, async ({ admin, one }) => {
      await admin.projects.delete(id);
      one({ id, deleted: true });
    }),
  );
  return project;
}
