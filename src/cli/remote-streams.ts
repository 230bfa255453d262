import {
  type DeliveryFacts,
  type deliveryJson,
  destinationSchema,
  type estimateJson,
  newStreamSchema,
  readBody,
  readSubscriptions,
  type StreamFacts,
  type streamJson,
  streamPatchSchema,
  subscriptionsSchema,
} from '../admin/stream-shape.js';
import { type Destination, type Estimate, metricKind, secretFields } from '../domain/stream.js';
import type { Manager, TestFacts } from './manager.js';
import { type RemoteApi, segment } from './remote-api.js';

type StreamJson = ReturnType<typeof streamJson>;
type DeliveryJson = ReturnType<typeof deliveryJson>;

const msOrNull = (time: string | undefined): number | null => (time === undefined ? null : Date.parse(time));
const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());

const toStream = (json: StreamJson): StreamFacts => ({
  id: json.id,
  projectId: json.project_id,
  name: json.name,
  status: json.status,
  statusReason: json.status_reason ?? null,
  subscriptions: readSubscriptions(json.subscriptions),
  destination: shown(json.destination),
  health: json.health.status,
  reason: json.health.reason ?? null,
  failingSince: msOrNull(json.health.failing_since),
  createdAt: Date.parse(json.created_at),
  updatedAt: Date.parse(json.updated_at),
});

/** Without the secrets, which come as `***`. */
function shown({ type, configuration }: StreamJson['destination']): Destination {
  const fields = Object.entries(configuration).filter(([name]) => !(secretFields as readonly string[]).includes(name));
  return { type, configuration: Object.fromEntries(fields) } as unknown as Destination;
}

const toDelivery = (json: DeliveryJson): DeliveryFacts => ({
  id: json.id,
  streamId: json.stream_id,
  kind: metricKind(json.metric_type),
  status: json.status,
  from: Date.parse(json.from),
  to: Date.parse(json.to),
  points: json.points,
  createdAt: Date.parse(json.created_at),
  finishedAt: msOrNull(json.finished_at),
  attempts: json.attempts.map(({ timestamp, duration_ms, status, error_message, answer }) => ({
    at: Date.parse(timestamp),
    durationMs: duration_ms,
    status,
    error: error_message ?? null,
    answer: answer ?? '',
  })),
});

type TestJson = Omit<TestFacts, 'durationMs'> & { readonly duration_ms: number };
const toTest = ({ duration_ms, ...said }: TestJson): TestFacts => ({ ...said, durationMs: duration_ms });

interface EstimatesJson {
  readonly estimates: readonly ReturnType<typeof estimateJson>[];
}
const toEstimates = ({ estimates }: EstimatesJson): Estimate[] =>
  estimates.map(({ metric_type, series, series_available, points_per_hour }) => ({
    metricType: metric_type,
    series,
    available: series_available,
    pointsPerHour: points_per_hour,
  }));

/** Bodies are checked before they are sent, so that what is wrong with a file is said as it is on the store. */
export function remoteStreams(api: RemoteApi): Manager['streams'] {
  const at = (id: string, ...below: string[]): string => ['/metric-streams', ...[id, ...below].map(segment)].join('/');
  return {
    create: async (projectId, body) => {
      readBody(newStreamSchema, body);
      return toStream(
        await api.ask('POST', '/metric-streams', { body: { ...(body as object), project_id: projectId } }),
      );
    },
    list: async (projectId) =>
      (await api.all<StreamJson>('/metric-streams', 'metric_streams', { project_id: projectId })).map(toStream),
    get: async (id) => toStream(await api.ask('GET', at(id))),
    update: async (id, body) => {
      readBody(streamPatchSchema, body);
      return toStream(await api.ask('PATCH', at(id), { body: body as object }));
    },
    delete: (id) => api.ask('DELETE', at(id)),
    test: async (id) => toTest(await api.ask('POST', at(id, 'test'))),
    testDestination: async (projectId, body) => {
      readBody(destinationSchema, body);
      return toTest(
        await api.ask('POST', '/metric-streams/test', { body: { project_id: projectId, destination: body } }),
      );
    },
    estimate: async (projectId, bodies) => {
      readBody(subscriptionsSchema, bodies);
      const body = { project_id: projectId, subscriptions: bodies };
      return toEstimates(await api.ask('POST', '/metric-streams/estimate', { body }));
    },
    estimateOf: async (id) => toEstimates(await api.ask('GET', at(id, 'estimate'))),
    deliveries: async (id, { limit, status }) =>
      (await api.all<DeliveryJson>(at(id, 'deliveries'), 'deliveries', { status }, limit)).map(toDelivery),
    redeliver: async (id, { id: delivery_id, from, to }) => {
      const body = { delivery_id, from: iso(from), to: iso(to) };
      return (await api.ask<{ redelivered: number }>('POST', at(id, 'redeliver'), { body })).redelivered;
    },
  };
}
