import { z } from '@hono/zod-openapi';
import { newStreamSchema, streamJson, streamPatchSchema, subscriptionSchema } from '../../admin/stream-shape.js';
import { WeirError } from '../../domain/errors.js';
import type { MetricStream } from '../../domain/stream.js';
import { withoutHealth } from './etag.js';
import { projectId, time } from './fields.js';
import { type Asking, type Operation, operation } from './operation.js';
import { creationPlace, cutWhole, next, paging, readPage } from './paging.js';
import { listedProject, reachProject } from './projects.js';

export const streamId = z.string().openapi({ description: 'The id of the stream.', example: 'mst_Q29uc29sZXN0cmVh' });
const configuration = z.looseObject({}).openapi({ description: 'As it was given; what is secret as ***.' });

const stream = z
  .strictObject({
    id: streamId,
    project_id: projectId,
    status: z.enum(['enabled', 'disabled', 'suspended']),
    status_reason: z.string().optional().openapi({ description: 'Why the gateway has suspended it.' }),
    name: z.string(),
    created_at: time,
    updated_at: time,
    subscriptions: z.array(subscriptionSchema),
    destination: z.strictObject({ type: z.string(), configuration }),
    health: z
      .strictObject({
        status: z.enum(['ok', 'degraded', 'credential_error']),
        reason: z.string().optional(),
        failing_since: time.optional(),
      })
      .openapi({ description: 'How its deliveries go.' }),
  })
  .openapi('MetricStream');

const subscriptions = [{ metric_type: 'auth0.api_request.count' }];
export const destinationExample = {
  type: 'datadog',
  configuration: { api_key: 'YOUR_DATADOG_API_KEY', site: 'app.datadoghq.com' },
};
const example = {
  id: 'mst_Q29uc29sZXN0cmVh',
  project_id: 'acme',
  status: 'enabled',
  name: 'datadog-production',
  created_at: '2026-01-01T12:00:00.000Z',
  updated_at: '2026-01-01T12:00:00.000Z',
  subscriptions,
  destination: { type: 'datadog', configuration: { site: 'app.datadoghq.com', api_key: '***' } },
  health: { status: 'ok' },
};

const tag = 'Metric streams';
export const streamParams = z.strictObject({ stream_id: streamId });
export const streamOwner = projectId
  .optional()
  .openapi({ description: "A project's client may leave it out.", example: 'acme' });

/** Whose it becomes: named by an operator, implied by a client of a project. */
export async function ownerOf(call: Asking, named: string | undefined) {
  const wanted = named ?? call.caller.projectId;
  if (wanted === null) throw new WeirError('invalid', 'Give project_id.', { field: 'project_id' });
  await reachProject(call, wanted, 'project_id');
  return wanted;
}

/** The stream, if it is there and the caller reaches it. */
export async function reachStream({ caller, admin }: Asking, id: string): Promise<MetricStream> {
  const found = await admin.streams.get(id);
  caller.requireReach(found.projectId);
  return found;
}

const list = operation({
  id: 'listMetricStreams',
  method: 'GET',
  path: '/metric-streams',
  tag,
  summary: 'List metric streams',
  description: "Oldest first; never a secret. A project's client sees those of its project, an operator all.",
  scope: 'read:metric_streams',
  query: z.strictObject({ ...paging, project_id: projectId.optional() }),
  mayBeAbsent: true,
  answer: {
    status: 200,
    description: 'The streams.',
    schema: z.strictObject({ metric_streams: z.array(stream), next }),
    example: { metric_streams: [example], next: null },
  },
  handle: async (call) => {
    const { query, admin } = call;
    const page = readPage(query, creationPlace);
    const all = await admin.streams.list(await listedProject(call, query.project_id));
    const { items, next } = cutWhole(page, all);
    return { body: { metric_streams: items.map(streamJson), next } };
  },
});

const create = operation({
  id: 'createMetricStream',
  method: 'POST',
  path: '/metric-streams',
  tag,
  summary: 'Create a metric stream',
  description: "It sends at once. Auth0's bodies are taken as they stand, and both spellings of its metric.",
  scope: 'create:metric_streams',
  body: {
    schema: newStreamSchema.extend({ project_id: streamOwner }).openapi('NewMetricStream'),
    example: { name: 'datadog-production', project_id: 'acme', subscriptions, destination: destinationExample },
  },
  mayBeAbsent: true,
  idempotent: true,
  tagged: withoutHealth,
  answer: { status: 201, description: 'The stream.', schema: stream, example },
  handle: async (call) => {
    const { project_id, ...body } = call.body;
    const made = await call.admin.streams.create(await ownerOf(call, project_id), body);
    return { body: streamJson(made), location: `/metric-streams/${made.id}` };
  },
});

const get = operation({
  id: 'getMetricStream',
  method: 'GET',
  path: '/metric-streams/{stream_id}',
  tag,
  summary: 'Show a metric stream',
  description: 'With its status and how its deliveries go.',
  scope: 'read:metric_streams',
  params: streamParams,
  tagged: withoutHealth,
  answer: { status: 200, description: 'The stream.', schema: stream, example },
  handle: async (call) => ({ body: streamJson(await reachStream(call, call.params.stream_id)) }),
});

const update = operation({
  id: 'updateMetricStream',
  method: 'PATCH',
  path: '/metric-streams/{stream_id}',
  tag,
  summary: 'Change a metric stream',
  description:
    'What is left out stays. A secret given as *** stays, too, as long as it goes to the same host. ' +
    '{"status":"enabled"} lifts a suspension.',
  scope: 'update:metric_streams',
  params: streamParams,
  body: { schema: streamPatchSchema.extend({}).openapi('MetricStreamChanges'), example: { status: 'disabled' } },
  conditional: true,
  tagged: withoutHealth,
  answer: { status: 200, description: 'The stream.', schema: stream, example: { ...example, status: 'disabled' } },
  handle: async (call) => {
    const { params, body, admin, expecting } = call;
    await reachStream(call, params.stream_id);
    return {
      body: streamJson(
        await admin.streams.update(params.stream_id, body, {
          expect: expecting((each) => withoutHealth(streamJson(each))),
        }),
      ),
    };
  },
});

const remove = operation({
  id: 'deleteMetricStream',
  method: 'DELETE',
  path: '/metric-streams/{stream_id}',
  tag,
  summary: 'Delete a metric stream',
  description: 'With its deliveries.',
  scope: 'delete:metric_streams',
  params: streamParams,
  answer: { status: 204, description: 'It is gone.' },
  handle: async (call) => {
    await reachStream(call, call.params.stream_id);
    await call.admin.streams.delete(call.params.stream_id);
    return {};
  },
});

export const metricStreamOperations: readonly Operation[] = [list, create, get, update, remove];
