import { z } from '@hono/zod-openapi';
import { checkLifetime, checkMetricsId } from '../../admin/endpoints.js';
import { formatDuration, parseDuration } from '../../domain/duration.js';
import { checkMetadata, type MetricsEndpoint } from '../../domain/endpoint.js';
import type { EndpointLimitChanges } from '../../domain/endpoint-limits.js';
import { type RelabelConfig, type Relabeling, relabelActions } from '../../domain/relabel.js';
import { checkDroppedLabels, checkDroppedMetrics, readRelabelConfigs } from '../../formats/relabel/config.js';
import { isoTime, metricsId, nameOf, projectId, time } from './fields.js';
import { ruled } from './input.js';
import { endpointLimitChanges, endpointLimits } from './limits.js';
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

const droppedMetrics = ruled(z.array(z.string()), checkDroppedMetrics).openapi({
  description: 'Metrics that are not served, by the name they are pushed under; a histogram goes as a whole.',
  example: ['go_gc_duration_seconds'],
});
const relabelConfig = z
  .strictObject({
    source_labels: z.array(z.string()).optional(),
    separator: z.string().optional(),
    regex: z.string().optional(),
    modulus: z.int().min(0).optional(),
    target_label: z.string().optional(),
    replacement: z.string().optional(),
    action: z.enum(relabelActions).optional(),
  })
  .openapi('RelabelConfig', { description: "One rule of Prometheus' relabel_config; what is absent has its default." });
const relabelConfigs = ruled(z.array(relabelConfig), readRelabelConfigs).openapi({
  description: "Applied to each series when a page is made, in Prometheus' own language; at most 50.",
  example: [{ source_labels: ['__name__'], regex: 'debug_.*', action: 'drop' }],
});
const droppedLabels = ruled(z.array(z.string()), checkDroppedLabels).openapi({
  description: 'Labels that are not served, after the rules. Of series that become equal the first is served.',
  example: ['pod_ip'],
});
const relabeling = {
  dropped_metrics: droppedMetrics,
  metric_relabel_configs: relabelConfigs,
  dropped_labels: droppedLabels,
};
const relabelingChanges = {
  dropped_metrics: droppedMetrics.optional(),
  metric_relabel_configs: relabelConfigs.optional(),
  dropped_labels: droppedLabels.optional(),
};
interface RelabelingBody {
  dropped_metrics?: string[] | undefined;
  metric_relabel_configs?: RelabelConfig[] | undefined;
  dropped_labels?: string[] | undefined;
}
const relabelingOf = (body: RelabelingBody): Partial<Relabeling> => ({
  ...(body.dropped_metrics === undefined ? {} : { droppedMetrics: body.dropped_metrics }),
  ...(body.metric_relabel_configs === undefined ? {} : { relabelConfigs: body.metric_relabel_configs }),
  ...(body.dropped_labels === undefined ? {} : { droppedLabels: body.dropped_labels }),
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
    limits: endpointLimits,
    ...relabeling,
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
  limits: { series: 10_000 },
  dropped_metrics: [],
  metric_relabel_configs: [{ source_labels: ['__name__'], regex: 'debug_.*', action: 'drop' }],
  dropped_labels: ['pod_ip'],
  created_at: '2026-01-01T12:00:00.000Z',
};

const representAt =
  (url: string) =>
  ({ projectId, metricsId, name, lifetimeMs, timestamps, metadata, limits, createdAt, ...rules }: MetricsEndpoint) => ({
    project_id: projectId,
    metrics_id: metricsId,
    name,
    url: `${url}/api/v1/${projectId}/${metricsId}/metrics`,
    lifetime: formatDuration(lifetimeMs),
    timestamps,
    metadata,
    limits,
    dropped_metrics: rules.droppedMetrics,
    metric_relabel_configs: rules.relabelConfigs,
    dropped_labels: rules.droppedLabels,
    created_at: isoTime(createdAt),
  });

const settings = (
  body: RelabelingBody & {
    name?: string | undefined;
    lifetime?: string | undefined;
    timestamps?: boolean | undefined;
    metadata?: Record<string, string> | undefined;
    limits?: EndpointLimitChanges | undefined;
  },
) => ({
  ...relabelingOf(body),
  ...(body.name === undefined ? {} : { name: body.name }),
  ...(body.lifetime === undefined ? {} : { lifetimeMs: parseDuration(body.lifetime) }),
  ...(body.timestamps === undefined ? {} : { timestamps: body.timestamps }),
  ...(body.metadata === undefined ? {} : { metadata: body.metadata }),
  ...(body.limits === undefined ? {} : { limits: body.limits }),
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
        limits: endpointLimitChanges.optional(),
        ...relabelingChanges,
      })
      .openapi('NewEndpoint'),
    example: {
      name: 'Production',
      metrics_id: 'db1',
      lifetime: '5m',
      metadata: { team: 'payments' },
      limits: { series: 10_000 },
    },
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
        limits: endpointLimitChanges.optional(),
        ...relabelingChanges,
      })
      .openapi('EndpointChanges'),
    example: { lifetime: '10m', timestamps: true, limits: { series: 20_000, samples_per_second: null } },
  },
  answer: {
    status: 200,
    description: 'The endpoint.',
    schema: endpoint,
    example: { ...example, lifetime: '10m', timestamps: true, limits: { series: 20_000 } },
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

const count = z.int().min(0);
const preview = operation({
  id: 'previewEndpoint',
  method: 'POST',
  path: '/projects/{project_id}/endpoints/{metrics_id}/preview',
  tag,
  summary: 'Preview what an endpoint serves',
  description:
    'The page as it would be now, samples included, with the relabeling that is given in place of what is set; nothing is changed.',
  scope: 'update:endpoints',
  params: one,
  writes: false,
  body: {
    schema: z.strictObject(relabelingChanges).openapi('EndpointPreviewRequest'),
    example: { metric_relabel_configs: [{ regex: 'pod_.*', action: 'labeldrop' }] },
    optional: true,
  },
  answer: {
    status: 200,
    description: 'The page in the text format, and what became of the series.',
    schema: z
      .strictObject({
        page: z.string(),
        series: count.openapi({ description: "Series the endpoint holds, without the gateway's own." }),
        changed: count.openapi({ description: 'Of them, served under other labels or another name.' }),
        left_out: z
          .strictObject({ rule: count, duplicate: count, invalid: count })
          .openapi({ description: 'Of them, not served, by why.' }),
      })
      .openapi('EndpointPreview'),
    example: {
      page: '# TYPE up gauge\nup{instance_id="db1"} 1\n',
      series: 3,
      changed: 1,
      left_out: { rule: 1, duplicate: 1, invalid: 0 },
    },
  },
  handle: async (call) => {
    const { params, body, admin } = call;
    await reachProject(call, params.project_id);
    const found = await admin.endpoints.preview(params.project_id, params.metrics_id, relabelingOf(body));
    const { page, series, changed, leftOut } = found;
    return { body: { page, series, changed, left_out: leftOut } };
  },
});

export const endpointOperations: readonly Operation[] = [list, create, get, update, remove, preview];
