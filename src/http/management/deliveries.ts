import { z } from '@hono/zod-openapi';
import { deliveryJson } from '../../admin/stream-shape.js';
import { WeirError } from '../../domain/errors.js';
import { time } from './fields.js';
import { reachStream, streamId, streamParams } from './metric-streams.js';
import { type Operation, operation } from './operation.js';
import { next, paging, readPage } from './paging.js';

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
const example = {
  id: 'dlv_Q29uc29sZXN0cmVh',
  stream_id: 'mst_Q29uc29sZXN0cmVh',
  metric_type: 'api_request.count',
  status: 'delivered',
  from: '2026-01-01T12:00:00.000Z',
  to: '2026-01-01T12:00:10.000Z',
  points: 3,
  created_at: '2026-01-01T12:00:10.000Z',
  finished_at: '2026-01-01T12:00:10.000Z',
  attempts: [{ timestamp: '2026-01-01T12:00:10.000Z', duration_ms: 85, status: 202 }],
};

const tag = 'Metric streams';

const list = operation({
  id: 'listDeliveries',
  method: 'GET',
  path: '/metric-streams/{stream_id}/deliveries',
  tag,
  summary: 'List deliveries',
  description: 'Newest first. Those that went well are kept for an hour, others for a week.',
  scope: 'read:deliveries',
  params: streamParams,
  query: z.strictObject({ ...paging, status: z.enum(['pending', 'delivered', 'failed', 'dropped']).optional() }),
  answer: {
    status: 200,
    description: 'The deliveries with their attempts.',
    schema: z.strictObject({ deliveries: z.array(delivery), next }),
    example: { deliveries: [example], next: null },
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
  params: streamParams,
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

export const deliveryOperations: readonly Operation[] = [list, redeliver];
