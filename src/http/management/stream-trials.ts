import { z } from '@hono/zod-openapi';
import { destinationSchema, estimateJson, subscriptionsSchema } from '../../admin/stream-shape.js';
import type { Attempt } from '../../domain/stream.js';
import { destinationExample, ownerOf, reachStream, streamOwner, streamParams } from './metric-streams.js';
import { type Operation, operation } from './operation.js';

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

const test = operation({
  id: 'testMetricStream',
  method: 'POST',
  path: '/metric-streams/{stream_id}/test',
  tag,
  summary: 'Test a metric stream',
  description: 'Sends the gauge weir.stream_test now, whatever the status of the stream.',
  scope: 'update:metric_streams',
  params: streamParams,
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
    schema: z.strictObject({ project_id: streamOwner, destination: destinationSchema }).openapi('NewDestinationTest'),
    example: { project_id: 'acme', destination: destinationExample },
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
    schema: z.strictObject({ project_id: streamOwner, subscriptions: subscriptionsSchema }).openapi('NewSubscriptions'),
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
  params: streamParams,
  answer: { status: 200, description: 'One for each subscription.', schema: estimates, example: estimateExample },
  handle: async (call) => {
    const { id } = await reachStream(call, call.params.stream_id);
    return { body: { estimates: (await call.admin.streams.estimateOf(id)).map(estimateJson) } };
  },
});

export const streamTrialOperations: readonly Operation[] = [testNew, estimateNew, test, estimateOf];
