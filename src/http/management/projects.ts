import { z } from '@hono/zod-openapi';
import { defaultTop, mostTop } from '../../admin/projects.js';
import { checkSuppliedId } from '../../domain/ids.js';
import type { Project } from '../../domain/project.js';
import { isoTime, metricsId, nameOf, projectId, time } from './fields.js';
import { ruled } from './input.js';
import { endpointLimits, limitChanges, limits } from './limits.js';
import { type Asking, type Operation, operation } from './operation.js';
import { byCreation, creationPlace, next, paging, readPage } from './paging.js';

const project = z.strictObject({ id: projectId, name: nameOf('project'), created_at: time, limits }).openapi('Project');
const example = { id: 'acme', name: 'Acme', created_at: '2026-01-01T12:00:00.000Z', limits: { series: 100_000 } };

export const representProject = ({ id, name, createdAt, limits }: Project) => ({
  id,
  name,
  created_at: isoTime(createdAt),
  limits,
});

const params = z.strictObject({ project_id: projectId });
const tag = 'Projects';

/** The project, if it is there and the caller reaches it. */
export function reachProject({ caller, admin }: Asking, id: string, field?: string) {
  caller.requireReach(id, field);
  return admin.projects.get(id);
}

/** The project a list is of: a project's client sees its own whether it names it or not. */
export async function listedProject(call: Asking, asked: string | undefined): Promise<string | undefined> {
  if (asked !== undefined) await reachProject(call, asked, 'project_id');
  return asked ?? call.caller.projectId ?? undefined;
}

const list = operation({
  id: 'listProjects',
  method: 'GET',
  path: '/projects',
  tag,
  summary: 'List projects',
  description: "Oldest first. A project's client sees its own only.",
  scope: 'read:projects',
  query: z.strictObject(paging),
  answer: {
    status: 200,
    description: 'The projects.',
    schema: z.strictObject({ projects: z.array(project), next }),
    example: { projects: [example], next: null },
  },
  handle: async ({ query, caller, admin }) => {
    if (caller.projectId !== null) {
      return { body: { projects: [representProject(await admin.projects.get(caller.projectId))], next: null } };
    }
    const page = readPage(query, creationPlace);
    const { items, next } = page.cut(await admin.projects.list(page.stretch), byCreation);
    return { body: { projects: items.map(representProject), next } };
  },
});

const create = operation({
  id: 'createProject',
  method: 'POST',
  path: '/projects',
  tag,
  summary: 'Create a project',
  description: 'A customer: the unit of isolation, limits and usage.',
  scope: 'create:projects',
  body: {
    schema: z
      .strictObject({
        name: nameOf('project'),
        id: ruled(z.string(), (id) => checkSuppliedId('project id', id))
          .optional()
          .openapi({
            description: 'A-Z, a-z, 0-9, "_" and "-"; a UUID when left out.',
            maxLength: 64,
            example: 'acme',
          }),
        limits: limits.optional(),
      })
      .openapi('NewProject'),
    example: { name: 'Acme', id: 'acme', limits: { series: 100_000 } },
  },
  answer: { status: 201, description: 'The project.', schema: project, example },
  mayConflict: true,
  tagged: true,
  idempotent: true,
  handle: async ({ body, admin }) => {
    const { name, id, limits = {} } = body;
    const made = await admin.projects.create({ name, id, limits: limits as Project['limits'] });
    return { body: representProject(made), location: `/projects/${made.id}` };
  },
});

const get = operation({
  id: 'getProject',
  method: 'GET',
  path: '/projects/{project_id}',
  tag,
  summary: 'Show a project',
  description: 'With its limits.',
  scope: 'read:projects',
  params,
  answer: { status: 200, description: 'The project.', schema: project, example },
  tagged: true,
  handle: async (call) => ({ body: representProject(await reachProject(call, call.params.project_id)) }),
});

const update = operation({
  id: 'updateProject',
  method: 'PATCH',
  path: '/projects/{project_id}',
  tag,
  summary: 'Change a project',
  description: 'Its name and its limits; what is left out stays. It shows within a second.',
  scope: 'update:projects',
  params,
  body: {
    schema: z
      .strictObject({ name: nameOf('project').optional(), limits: limitChanges.optional() })
      .openapi('ProjectChanges'),
    example: { name: 'Acme Ltd', limits: { series: 200_000, samples_per_second: null } },
  },
  answer: {
    status: 200,
    description: 'The project.',
    schema: project,
    example: { ...example, name: 'Acme Ltd', limits: { series: 200_000 } },
  },
  tagged: true,
  conditional: true,
  handle: async (call) => {
    const { params, body, admin, expecting } = call;
    await reachProject(call, params.project_id);
    return {
      body: representProject(await admin.projects.update(params.project_id, body, expecting(representProject))),
    };
  },
});

const remove = operation({
  id: 'deleteProject',
  method: 'DELETE',
  path: '/projects/{project_id}',
  tag,
  summary: 'Delete a project',
  description: 'With its endpoints, clients and series. Its tokens end at once.',
  scope: 'delete:projects',
  params,
  answer: { status: 204, description: 'It is gone.' },
  conditional: true,
  handle: async (call) => {
    await reachProject(call, call.params.project_id);
    await call.admin.projects.delete(call.params.project_id, call.expecting(representProject));
    return {};
  },
});

const count = z.int().min(0);
const cardinality = operation({
  id: 'getProjectCardinality',
  method: 'GET',
  path: '/projects/{project_id}/cardinality',
  tag,
  summary: 'Show where the series of a project come from',
  description:
    'The metrics with most series, how many values each of their labels has, and the endpoints with most series; before any relabeling.',
  scope: 'read:usage',
  params,
  query: z.strictObject({
    top: z
      .string()
      .regex(/^([1-9]\d?|100)$/, `a whole number from 1 to ${mostTop}`)
      .optional()
      .openapi({
        type: 'integer',
        minimum: 1,
        maximum: mostTop,
        default: defaultTop,
        description: 'How many metrics, and how many endpoints.',
      }),
  }),
  answer: {
    status: 200,
    description: 'The metrics and endpoints.',
    schema: z
      .strictObject({
        series: count.openapi({ description: 'As they count towards the limit.' }),
        metric_count: count,
        metrics: z.array(
          z.strictObject({
            name: z.string(),
            series: count,
            endpoints: count.openapi({ description: 'That have it.' }),
            labels: z.array(z.strictObject({ name: z.string(), values: count })),
          }),
        ),
        endpoints: z.array(z.strictObject({ metrics_id: metricsId, series: count, limits: endpointLimits })),
      })
      .openapi('Cardinality'),
    example: {
      series: 48_210,
      metric_count: 33,
      metrics: [
        {
          name: 'requests_total',
          series: 41_000,
          endpoints: 2,
          labels: [
            { name: 'session', values: 20_500 },
            { name: 'instance_id', values: 2 },
          ],
        },
      ],
      endpoints: [{ metrics_id: 'db1', series: 28_100, limits: { series: 30_000 } }],
    },
  },
  handle: async (call) => {
    const { params, query, admin } = call;
    const project = await reachProject(call, params.project_id);
    const { series, metricCount, metrics, endpoints } = await admin.projects.cardinality(
      project.id,
      query.top === undefined ? undefined : Number(query.top),
    );
    const named = endpoints.map(({ metricsId, ...of }) => ({ metrics_id: metricsId, ...of }));
    return { body: { series, metric_count: metricCount, metrics, endpoints: named } };
  },
});

export const projectOperations: readonly Operation[] = [list, create, get, update, remove, cardinality];
