import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { secretStatus } from '../domain/client.js';
import { parseDuration } from '../domain/duration.js';
import { OperatorError } from '../domain/errors.js';
import { splitScopes } from '../domain/scopes.js';
import { clientTokenCommand } from './client-token.js';
import { collect, managing, withManager } from './common.js';
import type { ClientFacts, SecretFacts } from './manager.js';
import { isoTime } from './output.js';

const brief = (client: ClientFacts) => ({
  client_id: client.id,
  project_id: client.projectId,
  name: client.name,
  scope: client.scopes.join(' '),
  endpoints: client.endpoints,
  allow_basic: client.allowBasic,
  status: client.disabledAt === null ? 'enabled' : 'disabled',
  created_at: isoTime(client.createdAt),
});

export function clientCommand(): Command {
  const client = new Command('client').description(
    'OAuth2 clients: scrapers and producers of a project, and those that use the management API.',
  );

  const create = managing(client.command('create').argument('<name>')).description(
    'Create a client. Its secret is printed this once and cannot be shown again.',
  );
  create
    .option('--project <id>', 'Its project.')
    .option(
      '--operator',
      'Instead of --project: a client of the operator, for the management API; with --scope write:metrics it may write for all customers.',
    )
    .requiredOption(
      '--scope <scope>',
      'read:metrics, write:metrics, or a verb and noun of the management API such as read:clients. May be repeated.',
      collect,
    )
    .option('--endpoint <metrics-id>', 'Narrow it to this endpoint. May be repeated.', collect)
    .option(
      '--allow-basic',
      'Take its id and secret by HTTP Basic on scrapes and pushes, too: for what cannot do OAuth2.',
    );
  create.action((name: string, options: NewClientOptions) =>
    withManager(create, async ({ admin, externalUrl, one }) => {
      const scopes = options.scope.flatMap(splitScopes);
      const { endpoint: endpoints, allowBasic } = options;
      const projectId = ownerOf(options);
      const { client: made, secret } = await admin.clients.create({ name, projectId, scopes, endpoints, allowBasic });
      one({
        client_id: made.id,
        client_secret: secret,
        project_id: made.projectId,
        scope: made.scopes.join(' '),
        token_url: `${externalUrl}/oauth/token`,
      });
    }),
  );

  const list = managing(client.command('list')).description('List clients; never a secret.');
  list.option('--project <id>', 'Only those of this project.');
  list.action(({ project }: { project?: string }) =>
    withManager(list, async ({ admin, many }) =>
      many(
        (await admin.clients.list(project)).map(brief),
        'There are no clients; create one with "weir client create NAME".',
      ),
    ),
  );

  const rotate = managing(client.command('rotate').argument('<client-id>')).description(
    'Give a client another secret, printed this once. The one before goes on for the overlap (24h when left out); a third ' +
      'ends the oldest at once. Nothing breaks: tokens are not touched, and "weir client secret list" shows when the old ' +
      'secret was used last.',
  );
  rotate.option('--overlap <duration>', 'How long the secret before goes on: 0 to 7d.', '24h');
  rotate.action((id: string, { overlap }: { overlap: string }) =>
    withManager(rotate, async ({ admin, one }) => {
      const { secret, previousEndsAt } = await admin.clients.rotate(id, parseDuration(overlap));
      const ends = previousEndsAt === null ? null : isoTime(previousEndsAt);
      one({ client_id: id, client_secret: secret, previous_secret_expires_at: ends });
    }),
  );

  client.addCommand(secretCommand());
  client.addCommand(clientKeyCommand());
  client.addCommand(clientTokenCommand());

  client.addCommand(setCommand());

  const disable = managing(client.command('disable').argument('<client-id>')).description(
    'Refuse a client and its tokens within a second, until "enable" lets it in again: tokens that have not expired by then ' +
      'work at once.',
  );
  disable.action((id: string) =>
    withManager(disable, async ({ admin, one }) => one(brief(await admin.clients.disable(id)))),
  );

  const enable = managing(client.command('enable').argument('<client-id>')).description(
    'Let a disabled client in again; its tokens that have not expired work at once.',
  );
  enable.action((id: string) =>
    withManager(enable, async ({ admin, one }) => one(brief(await admin.clients.enable(id)))),
  );

  const revoke = managing(client.command('revoke-tokens').argument('<client-id>')).description(
    'Refuse every token the client has, within a second, those of "weir client token" included; its secrets go on. ' +
      'Scrapers written in Go keep a dead token until it expires: their scrapes fail for up to 15 minutes, others ask for a ' +
      'new one at once.',
  );
  revoke.action((id: string) =>
    withManager(revoke, async ({ admin, one }) => {
      await admin.clients.revokeTokens(id);
      one({ client_id: id, tokens_revoked: true });
    }),
  );

  const remove = managing(client.command('delete').argument('<client-id>')).description(
    'Delete a client for good; its tokens are refused within a second.',
  );
  remove.action((id: string) =>
    withManager(remove, async ({ admin, one }) => {
      await admin.clients.delete(id);
      one({ client_id: id, deleted: true });
    }),
  );
  return client;
}

interface ChangeOptions {
  readonly jwksUrl?: string;
  readonly allowBasic?: 'on' | 'off';
  readonly scope?: string[];
  readonly endpoint?: string[];
  readonly allEndpoints?: true;
}

function setCommand(): Command {
  const set = managing(new Command('set').argument('<client-id>')).description('Change settings of a client.');
  set
    .option(
      '--scope <scope>',
      'All that it may do from now on; may be repeated. What is taken away is gone from its tokens within a second, what is ' +
        'given comes with the next token.',
      collect,
    )
    .option('--endpoint <metrics-id>', 'Narrow it to this endpoint, and no others. May be repeated.', collect)
    .option('--all-endpoints', 'Instead of --endpoint: every endpoint of its project, present and future.')
    .option('--jwks-url <url>', 'Where it publishes its public keys (https, a public address); "none" for nowhere.')
    .addOption(
      new Option(
        '--allow-basic <on|off>',
        'Whether scrapes and pushes take its id and secret by HTTP Basic, for what cannot do OAuth2. "off" bites within a second.',
      ).choices(['on', 'off']),
    );
  return set.action((id: string, { jwksUrl, allowBasic, scope, endpoint, allEndpoints }: ChangeOptions) =>
    withManager(set, async ({ admin, one }) => {
      if ([jwksUrl, allowBasic, scope, endpoint, allEndpoints].every((given) => given === undefined)) {
        throw new OperatorError(
          'Nothing to set; give --scope, --endpoint, --all-endpoints, --jwks-url or --allow-basic.',
        );
      }
      if (endpoint !== undefined && allEndpoints)
        throw new OperatorError('Give --endpoint or --all-endpoints, not both.');
      const changed = await admin.clients.update(id, {
        scopes: scope?.flatMap(splitScopes),
        endpoints: allEndpoints ? null : endpoint,
        jwksUrl: jwksUrl === 'none' ? null : jwksUrl,
        allowBasic: allowBasic && allowBasic === 'on',
      });
      one({ ...brief(changed), jwks_url: changed.jwksUrl });
    }),
  );
}

interface NewClientOptions {
  readonly project?: string;
  readonly operator?: boolean;
  readonly scope: string[];
  readonly endpoint?: string[];
  readonly allowBasic?: true;
}

function ownerOf({ project, operator = false }: NewClientOptions): string | null {
  if ((project === undefined) !== operator) {
    throw new OperatorError('A client needs either --project, for one of that project, or --operator.');
  }
  return project ?? null;
}

function secretCommand(): Command {
  const secret = new Command('secret').description('The secrets of a client; never the secrets themselves.');

  const list = managing(secret.command('list').argument('<client-id>'));
  list.description('List secrets with their last use, which is written down every 2 seconds.');
  list.action((id: string) =>
    withManager(list, async ({ admin, many }) =>
      many(
        (await admin.clients.secrets(id)).map(secretRow),
        `The client "${id}" has no secrets; "weir client rotate" makes one.`,
      ),
    ),
  );

  const revoke = managing(secret.command('revoke').argument('<client-id>').argument('<secret-id>')).description(
    'End a secret and every token it obtained, within a second. Scrapers that still use it fail until they get another; ' +
      'those written in Go keep a dead token until it expires (15 minutes at most).',
  );
  revoke.action((id: string, secretId: string) =>
    withManager(revoke, async ({ admin, one }) => {
      await admin.clients.revokeSecret(id, secretId);
      one({ client_id: id, secret_id: secretId, revoked: true });
    }),
  );
  return secret;
}

const secretRow = (secret: SecretFacts) => ({
  secret_id: secret.id,
  status: secretStatus(secret, Date.now()),
  created_at: isoTime(secret.createdAt),
  expires_at: secret.expiresAt === null ? null : isoTime(secret.expiresAt),
  last_used_at: secret.lastUse === null ? null : isoTime(secret.lastUse.at),
  last_used_ip: secret.lastUse?.ip ?? null,
  last_used_agent: secret.lastUse?.agent ?? null,
});

function clientKeyCommand(): Command {
  const key = new Command('key').description('Public keys a client proves itself with, instead of a secret.');

  const add = managing(key.command('add').argument('<client-id>').argument('<file>')).description(
    'Register a public key (PEM, JWK or JWKS): RSA of 2048 bits or more, EC P-256, or Ed25519.',
  );
  add.action((id: string, file: string) =>
    withManager(add, async ({ admin, one, many }) => {
      const rows = (await admin.clients.addKeys(id, readFileSync(file))).map(({ kid }) => ({ client_id: id, kid }));
      if (rows.length === 1) one(rows[0]!);
      else many(rows, 'The file holds no keys.');
    }),
  );

  const list = managing(key.command('list').argument('<client-id>')).description('List the keys of a client.');
  list.action((id: string) =>
    withManager(list, async ({ admin, many }) => {
      const rows = (await admin.clients.keys(id)).map(({ kid, jwk, createdAt }) => ({
        client_id: id,
        kid,
        kty: jwk.kty,
        created_at: isoTime(createdAt),
      }));
      many(rows, `The client "${id}" has no keys.`);
    }),
  );

  const remove = managing(key.command('remove').argument('<client-id>').argument('<kid>')).description(
    'Take a key away; tokens it obtained go on until they expire. Write "--" before arguments that begin with "-".',
  );
  remove.action((id: string, kid: string) =>
    withManager(remove, async ({ admin, one }) => {
      await admin.clients.removeKey(id, kid);
      one({ client_id: id, kid, removed: true });
    }),
  );
  return key;
}
