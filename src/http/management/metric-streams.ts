import { z } from '@hono/zod-openapi';
import {
  deliveryJson,
  destinationSchema,
  estimateJson,
  newStreamSchema,
  streamJson,
  streamPatchSchema,
  subscriptionSchema,
  subscriptionsSchema,
} from '../../admin/stream-shape.js';
import { WeirError } from '../../domain/errors.js';
import type { Attempt, MetricStream } from '../../domain/stream.js';
import { withoutHealth } from './etag.js';
import { projectId, time } from './fields.js';
import { type Call, type Operation, operation } from './operation.js';
import { creationPlace, next, paging, readPage } from './paging.js';
import { listedProject, reachProject } from './projects.js';

const streamId = z.string().openapi({ description: 'The id of the stream.', example: 'mst_Q29uc29sZXN0cmVh' });
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
const destination = { type: 'datadog', configuration: { api_key: 'YOUR_DATADOG_API_KEY', site: 'app.datadoghq.com' } };
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

const delivery = z
  .strictObject({
    id: z.string().openapi({ example: 'dlv_Q29uc29sZXN0cmVh' }),
    stream_id: streamId,
    metric_type: z.string(),
    status: z.enum(['pending', 'delivered', 'failed', 'dropped']),
    from: time,
    to: time,
    points: z.int(),
    created_at: time,
    finished_at: time.optional(),
    attempts: z.array(
      z.strictObject({
        timestamp: time,
        duration_ms: z.int(),
        status: z.int().nullable().openapi({ description: 'null when the destination did not answer.' }),
        error_message: z.string().optional(),
        answer: z.string().optional().openapi({ description: 'The first 20 kB of it, secrets masked.' }),
      }),
    ),
  })
  .openapi('Delivery');
const deliveryExample = {
  id: 'dlv_Q29uc29sZXN0cmVh',
  stream_id: example.id,
  metric_type: 'api_request.count',
  status: 'delivered',
  from: '2026-01-01T12:00:00.000Z',
  to: '2026-01-01T12:00:10.000Z',
  points: 3,
  created_at: '2026-01-01T12:00:10.000Z',
  finished_at: '2026-01-01T12:00:10.000Z',
  attempts: [{ timestamp: '2026-01-01T12:00:10.000Z', duration_ms: 85, status: 202 }],
};

const testResult = z
  .strictObject({
    delivered: z.boolean(),
    status: z.int().nullable(),
    error: z.string().nullable(),
    duration_ms: z.int(),
    answer: z.string(),
  })
  .openapi('DestinationTest');
const testExample = { delivered: true, status: 202, error: null, duration_ms: 85, answer: '{"errors":[]}' };
const testJson = ({ delivered, status, error, durationMs, answer }: Attempt & { delivered: boolean }) => ({
  delivered,
  status,
  error,
  duration_ms: durationMs,
  answer,
});

const tag = 'Metric streams';
const ofStream = z.strictObject({ stream_id: streamId });
const owner = projectId.optional().openapi({ description: "A project's client may leave it out.", example: 'acme' });

/** Whose it becomes: named by an operator, implied by a client of a project. */
async function ownerOf(call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'admin'>, named: string | undefined) {
  const wanted = named ?? call.caller.projectId;
  if (wanted === null) throw new WeirError('invalid', 'Give project_id.', { field: 'project_id' });
  await reachProject(call, wanted, 'project_id');
  return wanted;
}

async function reachStream(
  { caller, admin }: Pick<Call<unknown, unknown, unknown>, 'caller' | 'admin'>,
  id: string,
): Promise<MetricStream> {
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
    const { after, limit } = page.stretch;
    const all = await admin.streams.list((await listedProject(call, query.project_id)) ?? undefined);
    const isAfter = ({ createdAt, id }: MetricStream): boolean =>
      after === undefined || createdAt > after[0] || (createdAt === after[0] && id > after[1]);
    const { items, next } = page.cut(all.filter(isAfter).slice(0, limit), ({ createdAt, id }) => [createdAt, id]);
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
    schema: newStreamSchema.extend({ project_id: owner }).openapi('NewMetricStream'),
    example: { name: 'datadog-production', project_id: 'acme', subscriptions, destination },
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
  params: ofStream,
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
  params: ofStream,
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
  params: ofStream,
  answer: { status: 204, description: 'It is gone.' },
  handle: async (call) => {
    await reachStream(call, call.params.stream_id);
    await call.admin.streams.delete(call.params.stream_id);
    return {};
  },
});

const test = operation({
  id: 'testMetricStream',
  method: 'POST',
  path: '/metric-streams/{stream_id}/test',
  tag,
  summary: 'Test a metric stream',
  description: 'Sends the gauge weir.stream_test now, whatever the status of the stream.',
  scope: 'update:metric_streams',
  params: ofStream,
  writes: false,
  answer: { status: 200, description: 'What the destination answered.', schema: testResult, example: testExample },
  handle: async (call) => {
    await reachStream(call, call.params.stream_id);
    return { body: testJson(await call.admin.streams.test(call.params.stream_id)) };
  },
});

const testNew = operation({
  id: 'testDestination',
  method: 'POST',
  path: '/metric-streams/test',
  tag,
  summary: 'Test a destination before it is saved',
  description: 'Sends the gauge weir.stream_test now.',
  scope: 'create:metric_streams',
  body: {
    schema: z.strictObject({ project_id: owner, destination: destinationSchema }).openapi('NewDestinationTest'),
    example: { project_id: 'acme', destination },
  },
  mayBeAbsent: true,
  writes: false,
  answer: { status: 200, description: 'What the destination answered.', schema: testResult, example: testExample },
  handle: async (call) => {
    const { project_id, destination: wanted } = call.body;
    return { body: testJson(await call.admin.streams.testDestination(await ownerOf(call, project_id), wanted)) };
  },
});

const estimates = z
  .strictObject({
    estimates: z.array(
      z.strictObject({
        metric_type: z.string(),
        series: z.int().nullable().openapi({ description: 'What it would send now.' }),
        series_available: z.int().nullable().openapi({
          description:
            'What it would send without match, include_tags and exclude_tags; of requests, as many kinds as came lately.',
        }),
        points_per_hour: z.int().nullable().openapi({ description: 'null for requests: as many as come.' }),
      }),
    ),
  })
  .openapi('SeriesEstimate');
const estimateExample = {
  estimates: [{ metric_type: 'project.metrics', series: 120, series_available: 1500, points_per_hour: 14_400 }],
};

const estimateNew = operation({
  id: 'estimateSubscriptions',
  method: 'POST',
  path: '/metric-streams/estimate',
  tag,
  summary: 'Estimate the series of subscriptions before they are saved',
  description: 'From what the project has now.',
  scope: 'read:metric_streams',
  body: {
    schema: z.strictObject({ project_id: owner, subscriptions: subscriptionsSchema }).openapi('NewSubscriptions'),
    example: {
      project_id: 'acme',
      subscriptions: [{ metric_type: 'project.metrics', match: ['{__name__=~"neo4j_.*"}'] }],
    },
  },
  mayBeAbsent: true,
  writes: false,
  answer: { status: 200, description: 'One for each subscription.', schema: estimates, example: estimateExample },
  handle: async (call) => {
    const { project_id, subscriptions: wanted } = call.body;
    const found = await call.admin.streams.estimate(await ownerOf(call, project_id), wanted);
    return { body: { estimates: found.map(estimateJson) } };
  },
});

const estimateOf = operation({
  id: 'estimateMetricStream',
  method: 'GET',
  path: '/metric-streams/{stream_id}/estimate',
  tag,
  summary: 'Estimate the series of a metric stream',
  description: 'From what the project has now.',
  scope: 'read:metric_streams',
  params: ofStream,
  answer: { status: 200, description: 'One for each subscription.', schema: estimates, example: estimateExample },
  handle: async (call) => {
    const { id } = await reachStream(call, call.params.stream_id);
    return { body: { estimates: (await call.admin.streams.estimateOf(id)).map(estimateJson) } };
  },
});

const deliveries = operation({
  id: 'listDeliveries',
  method: 'GET',
  path: '/metric-streams/{stream_id}/deliveries',
  tag,
  summary: 'List deliveries',
  description: 'Newest first. Those that went well are kept for an hour, others for a week.',
  scope: 'read:deliveries',
  params: ofStream,
  query: z.strictObject({ ...paging, status: z.enum(['pending', 'delivered', 'failed', 'dropped']).optional() }),
  answer: {
    status: 200,
    description: 'The deliveries with their attempts.',
    schema: z.strictObject({ deliveries: z.array(delivery), next }),
    example: { deliveries: [deliveryExample], next: null },
  },
  handle: async (call) => {
    const { params, query, admin } = call;
    await reachStream(call, params.stream_id);
    const page = readPage(query, z.number());
    const { after: before, limit } = page.stretch;
    const found = await admin.streams.deliveries(params.stream_id, { limit, before, status: query.status });
    const { items, next } = page.cut(found, ({ seq }) => seq);
    return { body: { deliveries: items.map(deliveryJson), next } };
  },
});

const redeliver = operation({
  id: 'redeliver',
  method: 'POST',
  path: '/metric-streams/{stream_id}/redeliver',
  tag,
  summary: 'Send deliveries again',
  description:
    'One, or all whose windows end within a range, as far as the destination would still take them. What overwrites by ' +
    'time counts nothing twice; delta OTLP and DogStatsD do.',
  scope: 'update:deliveries',
  params: ofStream,
  body: {
    schema: z
      .strictObject({ delivery_id: z.string().optional(), from: time.optional(), to: time.optional() })
      .openapi('Redelivery'),
    example: { from: '2026-01-01T12:00:00.000Z', to: '2026-01-01T12:10:00.000Z' },
  },
  mayConflict: true,
  answer: {
    status: 200,
    description: 'How many wait to be sent again.',
    schema: z.strictObject({ redelivered: z.int() }).openapi('Redelivered'),
    example: { redelivered: 6 },
  },
  handle: async (call) => {
    const { params, body, admin } = call;
    const { delivery_id: id, from, to } = body;
    if (id === undefined && from === undefined && to === undefined) {
      throw new WeirError('invalid', 'Give delivery_id, or from or to.', { field: 'delivery_id' });
    }
    await reachStream(call, params.stream_id);
    const ms = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text));
    return {
      body: { redelivered: await admin.streams.redeliver(params.stream_id, { id, from: ms(from), to: ms(to) }) },
    };
  },
});

export const metricStreamOperations: readonly Operation[] = [
  list,
  create,
  testNew,
  estimateNew,
  get,
  update,
  remove,
  test,
  estimateOf,
  deliveries,
  redeliver,
];
