import { z } from '@hono/zod-openapi';
import { newSourceSchema, probeJson, sourceJson, sourcePatchSchema } from '../../admin/source-shape.js';
import { sourceTypes } from '../../domain/source.js';
import { withoutHealth } from './etag.js';
import { metricsId, projectId, time } from './fields.js';
import { type Asking, type Operation, operation } from './operation.js';
import { creationPlace, cutWhole, next, paging, readPage } from './paging.js';
import { listedProject, reachProject } from './projects.js';

const sourceId = z.string().openapi({ description: 'The id of the source.', example: 'src_Q29uc29sZXNvdXJj' });

const source = z
  .strictObject({
    id: sourceId,
    project_id: projectId,
    metrics_id: metricsId,
    name: z.string().openapi({ description: 'The label `source` of what the page says about it.' }),
    type: z.enum(sourceTypes),
    status: z.enum(['enabled', 'disabled']),
    url: z.string(),
    interval: z.string(),
    timeout: z.string().openapi({ description: 'Of each request.' }),
    stale_limit: z.string().openapi({ description: 'How long the series of the last good answer are served.' }),
    matchers: z.array(z.string()).optional().openapi({
      description: 'What every series must satisfy; of promql sources only, as are tenant and tenant_header.',
    }),
    tenant: z.string().nullable().optional(),
    tenant_header: z.string().optional(),
    labels: z.record(z.string(), z.string()).openapi({ description: 'Labels every series gets.' }),
    auth: z.looseObject({ type: z.enum(['none', 'bearer', 'basic', 'oauth2']) }).openapi({
      description: 'As it was given; what is secret as ***.',
    }),
    metric_relabel_configs: z.array(z.looseObject({})).openapi({
      description: "Prometheus' rules, applied in order to each series before it is stored.",
    }),
    sample_limit: z.int().openapi({ description: 'Series of one answer; 0 for the limit of the project alone.' }),
    body_size_limit: z.int().openapi({ description: 'Bytes of an answer, inflated; 0 for the limit of pushes.' }),
    health: z
      .strictObject({
        status: z.enum(['pending', 'up', 'down', 'guard']),
        reason: z.string().optional(),
        since: time.optional(),
      })
      .openapi({
        description:
          'How asking it goes. guard: it gave a series that the matchers exclude, so nothing of it is served.',
      }),
    created_at: time,
    updated_at: time,
  })
  .openapi('Source');

const wanted = {
  name: 'mimir',
  project_id: 'acme',
  metrics_id: 'db1',
  type: 'promql',
  url: 'https://mimir.example/prometheus',
  matchers: ['project="acme"'],
  tenant: 'vendor',
  interval: '15s',
};
const example = {
  id: 'src_Q29uc29sZXNvdXJj',
  ...wanted,
  status: 'enabled',
  timeout: '10s',
  stale_limit: '1m',
  tenant_header: 'X-Scope-OrgID',
  labels: {},
  auth: { type: 'none' },
  metric_relabel_configs: [],
  sample_limit: 0,
  body_size_limit: 0,
  health: { status: 'up', since: '2026-01-01T12:00:00.000Z' },
  created_at: '2026-01-01T12:00:00.000Z',
  updated_at: '2026-01-01T12:00:00.000Z',
};

const probe = z
  .strictObject({
    pulled: z.boolean(),
    error: z.string().nullable(),
    series: z.int(),
    warnings: z.array(z.string()),
    duration_ms: z.int(),
  })
  .openapi('SourceTest');
const probeExample = { pulled: true, error: null, series: 412, warnings: [], duration_ms: 18 };

const newSource = newSourceSchema.extend({ project_id: projectId });
const tag = 'Sources';
const one = z.strictObject({ source_id: sourceId });

const reachSource = async ({ admin, caller }: Asking, id: string) => {
  const found = await admin.sources.get(id);
  caller.requireReach(found.projectId);
  return found;
};

const list = operation({
  id: 'listSources',
  method: 'GET',
  path: '/sources',
  tag,
  summary: 'List sources',
  description: 'Oldest first; never a secret. For operators, as is all about sources.',
  scope: 'read:sources',
  query: z.strictObject({ ...paging, project_id: projectId.optional() }),
  mayBeAbsent: true,
  answer: {
    status: 200,
    description: 'The sources.',
    schema: z.strictObject({ sources: z.array(source), next }),
    example: { sources: [example], next: null },
  },
  handle: async (call) => {
    const page = readPage(call.query, creationPlace);
    const all = await call.admin.sources.list(await listedProject(call, call.query.project_id));
    const { items, next } = cutWhole(page, all);
    return { body: { sources: items.map(sourceJson), next } };
  },
});

const create = operation({
  id: 'createSource',
  method: 'POST',
  path: '/sources',
  tag,
  summary: 'Create a source',
  description: 'Series of an endpoint that are fetched: from an exporter, or from a TSDB that understands PromQL.',
  scope: 'create:sources',
  body: { schema: newSource.openapi('NewSource'), example: wanted },
  mayBeAbsent: true,
  mayConflict: true,
  idempotent: true,
  tagged: withoutHealth,
  answer: { status: 201, description: 'The source.', schema: source, example },
  handle: async (call) => {
    const { project_id, ...body } = call.body;
    await reachProject(call, project_id, 'project_id');
    const made = await call.admin.sources.create(project_id, body);
    return { body: sourceJson(made), location: `/sources/${made.id}` };
  },
});

const get = operation({
  id: 'getSource',
  method: 'GET',
  path: '/sources/{source_id}',
  tag,
  summary: 'Show a source',
  description: 'With its settings and how asking it goes.',
  scope: 'read:sources',
  params: one,
  tagged: withoutHealth,
  answer: { status: 200, description: 'The source.', schema: source, example },
  handle: async (call) => ({ body: sourceJson(await reachSource(call, call.params.source_id)) }),
});

const update = operation({
  id: 'updateSource',
  method: 'PATCH',
  path: '/sources/{source_id}',
  tag,
  summary: 'Change a source',
  description:
    'What is left out stays; auth is replaced as a whole. A secret given as *** stays, as long as it goes to the same host. ' +
    'When it asks for something else from then on, its series of before are no longer served.',
  scope: 'update:sources',
  params: one,
  body: { schema: sourcePatchSchema.extend({}).openapi('SourceChanges'), example: { interval: '30s' } },
  mayConflict: true,
  conditional: true,
  tagged: withoutHealth,
  answer: { status: 200, description: 'The source.', schema: source, example: { ...example, interval: '30s' } },
  handle: async (call) => {
    const { params, body, admin, expecting } = call;
    await reachSource(call, params.source_id);
    return {
      body: sourceJson(
        await admin.sources.update(
          params.source_id,
          body,
          expecting((each) => withoutHealth(sourceJson(each))),
        ),
      ),
    };
  },
});

const remove = operation({
  id: 'deleteSource',
  method: 'DELETE',
  path: '/sources/{source_id}',
  tag,
  summary: 'Delete a source',
  description: 'With the series that came from it.',
  scope: 'delete:sources',
  params: one,
  answer: { status: 204, description: 'It is gone.' },
  handle: async (call) => {
    await reachSource(call, call.params.source_id);
    await call.admin.sources.delete(call.params.source_id);
    return {};
  },
});

const test = operation({
  id: 'testSource',
  method: 'POST',
  path: '/sources/{source_id}/test',
  tag,
  summary: 'Test a source',
  description: 'Asks it now, whatever its status, and stores nothing.',
  scope: 'update:sources',
  params: one,
  writes: false,
  answer: { status: 200, description: 'What came of it.', schema: probe, example: probeExample },
  handle: async (call) => {
    await reachSource(call, call.params.source_id);
    return { body: probeJson(await call.admin.sources.test(call.params.source_id)) };
  },
});

const testNew = operation({
  id: 'testNewSource',
  method: 'POST',
  path: '/sources/test',
  tag,
  summary: 'Test a source before it is saved',
  description: 'Asks it now, and stores nothing.',
  scope: 'create:sources',
  body: { schema: newSource.openapi('NewSourceTest'), example: wanted },
  mayBeAbsent: true,
  writes: false,
  answer: { status: 200, description: 'What came of it.', schema: probe, example: probeExample },
  handle: async (call) => {
    const { project_id, ...body } = call.body;
    await reachProject(call, project_id, 'project_id');
    return { body: probeJson(await call.admin.sources.testNew(project_id, body)) };
  },
});

export const sourceOperations: readonly Operation[] = [list, create, testNew, get, update, remove, test];
