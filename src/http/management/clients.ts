import { z } from '@hono/zod-openapi';
import { checkJwksUrl } from '../../auth/jwks-url.js';
import type { Client } from '../../domain/client.js';
import { parseDuration } from '../../domain/duration.js';
import { WeirError } from '../../domain/errors.js';
import { checkScopes, inOrder, splitScopes } from '../../domain/scopes.js';
import { clientId, isoTime, isoTimeOrNull, metricsId, nameOf, projectId, time } from './fields.js';
import { ruled } from './input.js';
import { type Asking, type Operation, operation } from './operation.js';
import { byCreation, creationPlace, next, paging, readPage } from './paging.js';
import { listedProject, reachProject } from './projects.js';

const scope = z.string().openapi({
  description: 'Scopes with blanks between, as in a token.',
  example: 'read:metrics write:metrics',
});
const status = z
  .enum(['enabled', 'disabled'])
  .openapi({ description: 'A disabled client is refused, with its tokens.' });
const allowBasic = z.boolean().openapi({
  description: 'Whether scrapes and pushes take its id and secret by HTTP Basic, for what cannot do OAuth2.',
  example: false,
});
const jwksUrl = ruled(z.string().max(2000).nullable(), checkJwksUrl).openapi({
  description: 'Where it publishes the public keys it proves itself with (https, a public address); null for nowhere.',
  example: null,
});
const endpoints = z.array(metricsId).openapi({ description: 'The metricsIds of the endpoints it is narrowed to.' });

const fields = {
  client_id: clientId,
  project_id: projectId.nullable().openapi({ description: 'null for a client of the operator.', example: 'acme' }),
  name: nameOf('client'),
  scope,
  endpoints: endpoints.nullable().openapi({ description: 'null for every endpoint, present and future.' }),
  allow_basic: allowBasic,
  status,
  disabled_at: time.nullable(),
  jwks_url: jwksUrl,
  created_at: time,
};
const client = z.strictObject(fields).openapi('Client');
const secret = z.string().openapi({
  description: 'Shown this once; `***` when the request is repeated with its Idempotency-Key.',
  example: 'weir_cs_…',
});
const newClient = z.strictObject({ ...fields, client_secret: secret, token_url: z.url() }).openapi('CreatedClient');
const example = {
  client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ',
  project_id: 'acme',
  name: 'Prometheus',
  scope: 'read:metrics',
  endpoints: null,
  allow_basic: false,
  status: 'enabled',
  disabled_at: null,
  jwks_url: null,
  created_at: '2026-01-01T12:00:00.000Z',
};

export const representClient = (client: Client) => ({
  client_id: client.id,
  project_id: client.projectId,
  name: client.name,
  scope: client.scopes.join(' '),
  endpoints: client.endpoints,
  allow_basic: client.allowBasic,
  status: client.disabledAt === null ? ('enabled' as const) : ('disabled' as const),
  disabled_at: isoTimeOrNull(client.disabledAt),
  jwks_url: client.jwksUrl,
  created_at: isoTime(client.createdAt),
});

export const clientParams = z.strictObject({ client_id: clientId });
const tag = 'Clients';

/** The client, if it is there and the caller reaches it. */
export async function reachClient({ caller, admin }: Asking, id: string): Promise<Client> {
  const found = await admin.clients.get(id);
  caller.requireReach(found.projectId);
  return found;
}

const list = operation({
  id: 'listClients',
  method: 'GET',
  path: '/clients',
  tag,
  summary: 'List clients',
  description: "Oldest first; never a secret. A project's client sees those of its project, an operator all.",
  scope: 'read:clients',
  query: z.strictObject({ ...paging, project_id: projectId.optional() }),
  mayBeAbsent: true,
  answer: {
    status: 200,
    description: 'The clients.',
    schema: z.strictObject({ clients: z.array(client), next }),
    example: { clients: [example], next: null },
  },
  handle: async (call) => {
    const { query, admin } = call;
    const of = await listedProject(call, query.project_id);
    const page = readPage(query, creationPlace);
    const { items, next } = page.cut(await admin.clients.list(of, page.stretch), byCreation);
    return { body: { clients: items.map(representClient), next } };
  },
});

const create = operation({
  id: 'createClient',
  method: 'POST',
  path: '/clients',
  tag,
  summary: 'Create a client',
  description:
    'Its secret is in this answer and nowhere else. The caller can give it scopes of the management API only if its own ' +
    'token has them.',
  scope: 'create:clients',
  body: {
    schema: z
      .strictObject({
        name: nameOf('client'),
        scope,
        project_id: projectId.optional().openapi({
          description: "Its project; a project's client may leave it out.",
          example: 'acme',
        }),
        operator: z
          .literal(true)
          .optional()
          .openapi({ description: 'Instead of project_id: a client of the operator.' }),
        endpoints: endpoints.min(1).max(1000).optional(),
        allow_basic: allowBasic.optional(),
      })
      .openapi('NewClient'),
    example: { name: 'Prometheus', project_id: 'acme', scope: 'read:metrics' },
  },
  mayBeAbsent: true,
  idempotent: true,
  answer: {
    status: 201,
    description: 'The client with its secret.',
    schema: newClient,
    example: { ...example, client_secret: 'weir_cs_…', token_url: 'https://weir.example/oauth/token' },
  },
  handle: async (call) => {
    const { body, caller, admin, url } = call;
    const { name, endpoints, allow_basic: allowBasic } = body;
    const projectId = ownerOf(body, caller.projectId);
    if (projectId === null) caller.requireReach(null, 'operator');
    else await reachProject(call, projectId, 'project_id');
    const scopes = splitScopes(body.scope);
    const checkedScopes = checkScopes(scopes, { operator: projectId === null, narrowed: endpoints !== undefined });
    caller.requireToPassOn(checkedScopes);
    const { client: made, secret } = await admin.clients.create({ name, projectId, scopes, endpoints, allowBasic });
    const shown = { ...representClient(made), client_secret: secret, token_url: `${url}/oauth/token` };
    return { body: shown, repeated: { ...shown, client_secret: hidden }, location: `/clients/${made.id}` };
  },
});

/** What stands for a secret that was shown before. */
export const hidden = '***';

/** Whose it becomes; a caller of a project need not say so. */
function ownerOf(
  body: { project_id?: string | undefined; operator?: true | undefined },
  own: string | null,
): string | null {
  const named = body.project_id ?? (body.operator === undefined ? (own ?? undefined) : undefined);
  if ((named === undefined) !== (body.operator === true)) {
    throw new WeirError('invalid', 'Give either project_id, for a client of that project, or operator: true.', {
      field: 'project_id',
    });
  }
  return named ?? null;
}

const get = operation({
  id: 'getClient',
  method: 'GET',
  path: '/clients/{client_id}',
  tag,
  summary: 'Show a client',
  description: 'Never its secrets.',
  scope: 'read:clients',
  params: clientParams,
  tagged: true,
  answer: { status: 200, description: 'The client.', schema: client, example },
  handle: async (call) => ({ body: representClient(await reachClient(call, call.params.client_id)) }),
});

const update = operation({
  id: 'updateClient',
  method: 'PATCH',
  path: '/clients/{client_id}',
  tag,
  summary: 'Change, disable or enable a client',
  description:
    'What is left out stays. A disabled client and its tokens are refused at once; when it is enabled again, tokens that ' +
    'have not expired by then are good again. A scope or endpoint that is taken away is gone from its tokens at once; one ' +
    'that is given comes with the next token. The caller can add scopes of the management API only if its own token has ' +
    'them. A JWKS URL gives credentials, so the token must have every scope of the management API that the client has.',
  scope: 'update:clients',
  params: clientParams,
  body: {
    schema: z
      .strictObject({
        name: nameOf('client').optional(),
        scope: scope.optional(),
        endpoints: endpoints.min(1).max(1000).nullable().optional().openapi({
          description:
            'The metricsIds of the endpoints it is narrowed to; null for every endpoint, present and future.',
        }),
        status: status.optional(),
        allow_basic: allowBasic.optional(),
        jwks_url: jwksUrl.optional(),
      })
      .openapi('ClientChanges'),
    example: { status: 'disabled' },
  },
  tagged: true,
  conditional: true,
  answer: {
    status: 200,
    description: 'The client.',
    schema: client,
    example: { ...example, status: 'disabled', disabled_at: '2026-01-02T12:00:00.000Z' },
  },
  handle: async (call) => {
    const { params, body, caller, admin, expecting } = call;
    const { name, status, allow_basic: allowBasic, jwks_url: jwksUrl, endpoints } = body;
    const scopes = body.scope === undefined ? undefined : splitScopes(body.scope);
    const before = await reachClient(call, params.client_id);
    const disabled = status === undefined ? undefined : status === 'disabled';
    const expected = expecting(representClient);
    const expect = (now: Client): void => {
      expected?.(now);
      caller.requireToPassOn(inOrder(scopes ?? []).filter((each) => !now.scopes.includes(each)));
      if (jwksUrl !== undefined && jwksUrl !== null) caller.requireToPassOn(now.scopes);
    };
    const changes = { name, scopes, endpoints, allowBasic, jwksUrl, disabled };
    return { body: representClient(await admin.clients.update(before.id, changes, expect)) };
  },
});

const remove = operation({
  id: 'deleteClient',
  method: 'DELETE',
  path: '/clients/{client_id}',
  tag,
  summary: 'Delete a client',
  description: 'For good; its tokens are refused at once.',
  scope: 'delete:clients',
  params: clientParams,
  conditional: true,
  answer: { status: 204, description: 'It is gone.' },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    await call.admin.clients.delete(id, call.expecting(representClient));
    return {};
  },
});

const rotate = operation({
  id: 'rotateClientSecret',
  method: 'POST',
  path: '/clients/{client_id}/rotate',
  tag,
  summary: 'Give a client another secret',
  description:
    'The one before goes on for the overlap, a third ends the oldest at once; tokens are not touched. The token must have ' +
    'every scope of the management API that the client has.',
  scope: 'update:clients',
  params: clientParams,
  body: {
    optional: true,
    schema: z
      .strictObject({
        overlap: ruled(z.string(), parseDuration)
          .optional()
          .openapi({ description: 'How long the secret before goes on: 0 to 7d, 24h when left out.', example: '24h' }),
      })
      .openapi('Rotation'),
    example: { overlap: '24h' },
  },
  idempotent: true,
  answer: {
    status: 201,
    description: 'The new secret.',
    schema: z
      .strictObject({ client_id: clientId, client_secret: secret, previous_secret_expires_at: time.nullable() })
      .openapi('RotatedSecret'),
    example: {
      client_id: example.client_id,
      client_secret: 'weir_cs_…',
      previous_secret_expires_at: '2026-01-02T12:00:00.000Z',
    },
  },
  handle: async (call) => {
    const { params, body, caller, admin } = call;
    const { id, scopes } = await reachClient(call, params.client_id);
    caller.requireToPassOn(scopes);
    const { secret, previousEndsAt } = await admin.clients.rotate(id, parseDuration(body.overlap ?? '24h'));
    const shown = { client_id: id, client_secret: secret, previous_secret_expires_at: isoTimeOrNull(previousEndsAt) };
    return { body: shown, repeated: { ...shown, client_secret: hidden } };
  },
});

const revokeTokens = operation({
  id: 'revokeClientTokens',
  method: 'POST',
  path: '/clients/{client_id}/revoke-tokens',
  tag,
  summary: 'Refuse every token a client has',
  description:
    'Scrape tokens included, from the next request on; its secrets go on. Scrapers written in Go keep a dead token until it expires.',
  scope: 'update:clients',
  params: clientParams,
  answer: { status: 204, description: 'They are refused.' },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    await call.admin.clients.revokeTokens(id);
    return {};
  },
});

export const clientOperations: readonly Operation[] = [list, create, get, update, remove, rotate, revokeTokens];
