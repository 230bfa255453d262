import { Command } from 'commander';
import { type Client, projectScopes } from '../domain/client.js';
import { collect, onStore, withStore } from './common.js';
import { isoTime } from './output.js';

const brief = (client: Client) => ({
  client_id: client.id,
  project_id: client.projectId,
  name: client.name,
  scope: client.scopes.join(' '),
  endpoints: client.endpoints,
  status: client.disabledAt === null ? 'enabled' : 'disabled',
  created_at: isoTime(client.createdAt),
});

export function clientCommand(): Command {
  const client = new Command('client').description('OAuth2 clients of a project: scrapers and producers.');

  const create = onStore(client.command('create').argument('<name>')).description(
    'Create a client. Its secret is printed this once and cannot be shown again.',
  );
  create
    .requiredOption('--project <id>', 'Its project.')
    .requiredOption('--scope <scope>', `${projectScopes.join(' or ')}. May be repeated.`, collect)
    .option('--endpoint <metrics-id>', 'Narrow it to this endpoint. May be repeated.', collect);
  create.action((name: string, options: { project: string; scope: string[]; endpoint?: string[] }) =>
    withStore(create, async ({ admin, externalUrl, one }) => {
      const scopes = options.scope.flatMap((scope) => scope.split(/[ ,]+/).filter(Boolean));
      const { project: projectId, endpoint: endpoints } = options;
      const { client: made, secret } = await admin.clients.create({ name, projectId, scopes, endpoints });
      one({
        client_id: made.id,
        client_secret: secret,
        project_id: made.projectId,
        scope: made.scopes.join(' '),
        token_url: `${externalUrl}/oauth/token`,
      });
    }),
  );

  const list = onStore(client.command('list')).description('List clients; never a secret.');
  list.option('--project <id>', 'Only those of this project.');
  list.action(({ project }: { project?: string }) =>
    withStore(list, async ({ admin, many }) =>
      many(
        (await admin.clients.list(project)).map(brief),
        'There are no clients; create one with "weir client create NAME".',
      ),
    ),
  );

  const disable = onStore(client.command('disable').argument('<client-id>')).description(
    'Refuse a client and its tokens within a second. Reversible. Scrapers written in Go keep their dead token until it ' +
      'expires (15 minutes at most), so after "enable" they may fail that long.',
  );
  disable.action((id: string) =>
    withStore(disable, async ({ admin, one }) => one(brief(await admin.clients.disable(id)))),
  );

  const enable = onStore(client.command('enable').argument('<client-id>')).description(
    'Let a disabled client in again; its tokens that have not expired work at once.',
  );
  enable.action((id: string) =>
    withStore(enable, async ({ admin, one }) => one(brief(await admin.clients.enable(id)))),
  );

  const remove = onStore(client.command('delete').argument('<client-id>')).description(
    'Delete a client for good; its tokens are refused within a second.',
  );
  remove.action((id: string) =>
    withStore(remove, async ({ admin, one }) => {
      await admin.clients.delete(id);
      one({ client_id: id, deleted: true });
    }),
  );
  return client;
}
