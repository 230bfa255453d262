import { z } from '@hono/zod-openapi';
import { checkLifetime, checkMetricsId } from '../../admin/endpoints.js';
import { formatDuration, parseDuration } from '../../domain/duration.js';
import { checkMetadata, type MetricsEndpoint } from '../../domain/endpoint.js';
import { isoTime, metricsId, nameOf, projectId, time } from './fields.js';
import { ruled } from './input.js';
import { type Operation, operation } from './operation.js';
import { next, paging, readPage } from './paging.js';
import { reachProject } from './projects.js';

const lifetime = ruled(z.string(), (text) => checkLifetime(parseDuration(text))).openapi({
  description: 'How long pushed series live after their last push, such as 5m or 1h30m; 0 until they are deleted.',
  example: '5m',
});
const timestamps = z.boolean().openapi({
  description: "Whether samples carry the time of their push; it breaks Prometheus' staleness.",
  example: false,
});
const metadata = ruled(z.record(z.string(), z.string()), checkMetadata).openapi({
  description:
    'What you note about it: names of labels, values of up to 256 characters. Service discovery hands it out as ' +
    '__meta_weir_metadata_<name>; no series carries it. Given, it takes the place of all there was.',
  example: { team: 'payments' },
});

const endpoint = z
  .strictObject({
    project_id: projectId,
    metrics_id: metricsId,
    name: nameOf('endpoint'),
    url: z
      .url()
      .openapi({ description: 'What scrapers ask.', example: 'https://weir.example/api/v1/acme/db1/metrics' }),
    lifetime,
    timestamps,
    metadata,
    created_at: time,
  })
  .openapi('Endpoint');
const example = {
  project_id: 'acme',
  metrics_id: 'db1',
  name: 'Production',
  url: 'https://weir.example/api/v1/acme/db1/metrics',
  lifetime: '5m',
  timestamps: false,
  metadata: { team: 'payments' },
  created_at: '2026-01-01T12:00:00.000Z',
};

const representAt =
  (url: string) =>
  ({ projectId, metricsId, name, lifetimeMs, timestamps, metadata, createdAt }: MetricsEndpoint) => ({
    project_id: projectId,
    metrics_id: metricsId,
    name,
    url: `${url}/api/v1/${projectId}/${metricsId}/metrics`,
    lifetime: formatDuration(lifetimeMs),
    timestamps,
    metadata,
    created_at: isoTime(createdAt),
  });

const settings = (body: {
  name?: string | undefined;
  lifetime?: string | undefined;
  timestamps?: boolean | undefined;
  metadata?: Record<string, string> | undefined;
}) => ({
  ...(body.name === undefined ? {} : { name: body.name }),
  ...(body.lifetime === undefined ? {} : { lifetimeMs: parseDuration(body.lifetime) }),
  ...(body.timestamps === undefined ? {} : { timestamps: body.timestamps }),
  ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
});

const ofProject = z.strictObject({ project_id: projectId });
const one = z.strictObject({ project_id: projectId, metrics_id: metricsId });
const tag = 'Endpoints';

const list = operation({
  id: 'listEndpoints',
  method: 'GET',
  path: '/projects/{project_id}/endpoints',
  tag,
  summary: 'List the endpoints of a project',
  description: 'Oldest first.',
  scope: 'read:endpoints',
  params: ofProject,
  query: z.strictObject(paging),
  answer: {
    status: 200,
    description: 'The endpoints.',
    schema: z.strictObject({ endpoints: z.array(endpoint), next }),
    example: { endpoints: [example], next: null },
  },
  handle: async (call) => {
    const { params, query, admin, url } = call;
    await reachProject(call, params.project_id);
    const page = readPage(query, z.tuple([z.number(), z.number()]));
    const { items, next } = page.cut(
      await admin.endpoints.list(params.project_id, page.stretch),
      ({ createdAt, id }) => [createdAt, id],
    );
    return { body: { endpoints: items.map(representAt(url)), next } };
  },
});

const create = operation({
  id: 'createEndpoint',
  method: 'POST',
  path: '/projects/{project_id}/endpoints',
  tag,
  summary: 'Create an endpoint',
  description: 'One thing that is monitored, with a metrics URL of its own.',
  scope: 'create:endpoints',
  params: ofProject,
  body: {
    schema: z
      .strictObject({
        name: nameOf('endpoint'),
        metrics_id: ruled(z.string(), checkMetricsId).optional().openapi({
          description: 'A-Z, a-z, 0-9, "_" and "-"; 8 hex digits when left out.',
          maxLength: 64,
          example: 'db1',
        }),
        lifetime: lifetime.optional(),
        timestamps: timestamps.optional(),
        metadata: metadata.optional(),
      })
      .openapi('NewEndpoint'),
    example: { name: 'Production', metrics_id: 'db1', lifetime: '5m', metadata: { team: 'payments' } },
  },
  answer: { status: 201, description: 'The endpoint.', schema: endpoint, example },
  mayConflict: true,
  tagged: true,
  idempotent: true,
  handle: async (call) => {
    const { params, body, admin, url } = call;
    await reachProject(call, params.project_id);
    const made = await admin.endpoints.create({
      ...settings(body),
      name: body.name,
      projectId: params.project_id,
      metricsId: body.metrics_id,
    });
    return {
      body: representAt(url)(made),
      location: `/projects/${made.projectId}/endpoints/${made.metricsId}`,
    };
  },
});

const get = operation({
  id: 'getEndpoint',
  method: 'GET',
  path: '/projects/{project_id}/endpoints/{metrics_id}',
  tag,
  summary: 'Show an endpoint',
  description: 'With its settings.',
  scope: 'read:endpoints',
  params: one,
  answer: { status: 200, description: 'The endpoint.', schema: endpoint, example },
  tagged: true,
  handle: async (call) => {
    const { params, admin, url } = call;
    await reachProject(call, params.project_id);
    return { body: representAt(url)(await admin.endpoints.get(params.project_id, params.metrics_id)) };
  },
});

const update = operation({
  id: 'updateEndpoint',
  method: 'PATCH',
  path: '/projects/{project_id}/endpoints/{metrics_id}',
  tag,
  summary: 'Change settings of an endpoint',
  description: 'What is left out stays. It shows within a second.',
  scope: 'update:endpoints',
  params: one,
  body: {
    schema: z
      .strictObject({
        name: nameOf('endpoint').optional(),
        lifetime: lifetime.optional(),
        timestamps: timestamps.optional(),
        metadata: metadata.optional(),
      })
      .openapi('EndpointChanges'),
    example: { lifetime: '10m', timestamps: true },
  },
  answer: {
    status: 200,
    description: 'The endpoint.',
    schema: endpoint,
    example: { ...example, lifetime: '10m', timestamps: true },
  },
  tagged: true,
  conditional: true,
  handle: async (call) => {
    const { params, body, admin, url, expecting } = call;
    await reachProject(call, params.project_id);
    const expect = expecting(representAt(url));
    const changed = await admin.endpoints.set(params.project_id, params.metrics_id, settings(body), expect);
    return { body: representAt(url)(changed) };
  },
});

const remove = operation({
  id: 'deleteEndpoint',
  method: 'DELETE',
  path: '/projects/{project_id}/endpoints/{metrics_id}',
  tag,
  summary: 'Delete an endpoint',
  description: 'With its series.',
  scope: 'delete:endpoints',
  params: one,
  answer: { status: 204, description: 'It is gone.' },
  conditional: true,
  handle: async (call) => {
    const { params, admin, url, expecting } = call;
    await reachProject(call, params.project_id);
    await admin.endpoints.delete(params.project_id, params.metrics_id, expecting(representAt(url)));
    return {};
  },
});

export const endpointOperations: readonly Operation[] = [list, create, get, update, remove];
