import { z } from '@hono/zod-openapi';
import { accessOperations, accessReasons } from '../../domain/access.js';
import type { AccessRecord } from '../../storage/store.js';
import { clientId, isoTime, metricsId, projectId, time } from './fields.js';
import { type Operation, operation } from './operation.js';
import { next, paging, readPage } from './paging.js';
import { listedProject } from './projects.js';

const entry = z
  .strictObject({
    at: time,
    project_id: projectId,
    client_id: clientId.openapi({ description: 'The id of the client; `<issuer>#<client>` with tokens of others.' }),
    proved: z.boolean().openapi({
      description: 'Whether it was the client; false for who only used its id, with a wrong secret say.',
      example: true,
    }),
    operation: z.enum(accessOperations),
    endpoint_id: metricsId.nullable().openapi({
      description: 'The metricsId that was asked for; null for the whole project, and for tokens.',
    }),
    status: z.int().openapi({ description: 'Of the answer.', example: 200 }),
    reason: z.enum(accessReasons).nullable().openapi({ description: 'Why it was refused, or what was wrong with it.' }),
    format: z.string().nullable().openapi({ description: 'Of the page.', example: 'openmetrics' }),
    bytes: z.int().nullable().openapi({ description: 'Of the page, as it was sent.', example: 8192 }),
    duration_ms: z.number().openapi({ description: 'Until the answer was ready.', example: 0.4 }),
    interval_ms: z.number().nullable().openapi({
      description: 'Since the one before of the same client and endpoint; null for the oldest that is kept.',
      example: 15_000,
    }),
    address: z.string().openapi({ description: 'Where it came from.', example: '192.0.2.1' }),
    user_agent: z.string().nullable().openapi({ example: 'Prometheus/3.5.0' }),
  })
  .openapi('AccessLogEntry');

const represent = (record: AccessRecord) => ({
  at: isoTime(record.at),
  project_id: record.projectId,
  client_id: record.clientId,
  proved: record.proved,
  operation: record.operation,
  endpoint_id: record.endpointId,
  status: record.status,
  reason: record.reason,
  format: record.format,
  bytes: record.bytes,
  duration_ms: record.durationMs,
  interval_ms: record.intervalMs,
  address: record.address,
  user_agent: record.agent,
});

const list = operation({
  id: 'listAccessLog',
  method: 'GET',
  path: '/access-log',
  tag: 'Access log',
  summary: 'List the last scrapes and token requests of clients',
  description:
    'Newest first: the last 20 of each client and endpoint, and of each client those for tokens, those for what is not ' +
    "there, and those that only used its id. A project's client sees those of its project. The last seconds are not in it yet.",
  scope: 'read:access_log',
  query: z.strictObject({
    ...paging,
    project_id: projectId.optional(),
    client_id: z.string().optional().openapi({ description: 'Only those of this client.' }),
    endpoint_id: metricsId.optional().openapi({ description: 'Only scrapes of this endpoint.' }),
  }),
  mayBeAbsent: true,
  answer: {
    status: 200,
    description: 'The entries.',
    schema: z.strictObject({ access_log: z.array(entry), next }),
    example: {
      access_log: [
        {
          at: '2026-01-01T12:00:00.000Z',
          project_id: 'acme',
          client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ',
          proved: true,
          operation: 'scrape',
          endpoint_id: 'db1',
          status: 401,
          reason: 'expired_token',
          format: null,
          bytes: null,
          duration_ms: 0.4,
          interval_ms: 15_000,
          address: '192.0.2.1',
          user_agent: 'Prometheus/3.5.0',
        },
      ],
      next: null,
    },
  },
  handle: async (call) => {
    const { query, admin } = call;
    const projectId = await listedProject(call, query.project_id);
    const page = readPage(query, z.tuple([z.number(), z.int(), z.int()]).readonly());
    const filter = { projectId, clientId: query.client_id, endpointId: query.endpoint_id };
    const { items, next } = page.cut(await admin.accessLog.list({ ...filter, ...page.stretch }), ({ place }) => place);
    return { body: { access_log: items.map(represent), next } };
  },
});

export const accessLogOperations: readonly Operation[] = [list];
