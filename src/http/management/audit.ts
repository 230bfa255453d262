import { z } from '@hono/zod-openapi';
import type { AuditRecord } from '../../storage/store.js';
import { isoTime, projectId, time } from './fields.js';
import { type Operation, operation } from './operation.js';
import { next, paging, readPage } from './paging.js';
import { listedProject } from './projects.js';

const actor = z.string().openapi({
  description: '`cli:<user>`, `client:<id>` or `system`.',
  example: 'client:weir_cid_Q29uc29sZS1jbGllbnQtMQ',
});
const action = z.string().openapi({ description: 'Noun and verb.', example: 'project.create' });
const object = z.string().openapi({ description: 'What it was done to.', example: 'project:acme' });

const event = z
  .strictObject({
    id: z.int(),
    at: time,
    actor,
    action,
    object,
    project_id: projectId.nullable(),
    ip: z.string().nullable().openapi({
      description: 'Where the request came from; null for a command. Of `ban.add`, the address that is banned.',
    }),
  })
  .openapi('AuditEvent');

const represent = ({ id, at, actor, action, object, projectId, ip }: AuditRecord) => ({
  id,
  at: isoTime(at),
  actor,
  action,
  object,
  project_id: projectId,
  ip,
});

const moment = z.iso.datetime({ offset: true, error: 'a time such as 2026-01-01T12:00:00Z' });

const list = operation({
  id: 'listAuditEvents',
  method: 'GET',
  path: '/audit-events',
  tag: 'Audit',
  summary: 'List who did what to which noun',
  description: "Newest first. All filters must hold. A project's client sees the events of its project.",
  scope: 'read:audit',
  query: z.strictObject({
    ...paging,
    project_id: projectId.optional(),
    actor: actor.optional(),
    action: action.optional(),
    object: object.optional(),
    since: moment.optional().openapi({ description: 'From then on.' }),
    until: moment.optional().openapi({ description: 'Before then.' }),
  }),
  mayBeAbsent: true,
  answer: {
    status: 200,
    description: 'The events.',
    schema: z.strictObject({ audit_events: z.array(event), next }),
    example: {
      audit_events: [
        {
          id: 7,
          at: '2026-01-01T12:00:00.000Z',
          actor: 'client:weir_cid_Q29uc29sZS1jbGllbnQtMQ',
          action: 'project.create',
          object: 'project:acme',
          project_id: 'acme',
          ip: '192.0.2.1',
        },
      ],
      next: null,
    },
  },
  handle: async (call) => {
    const { query, admin } = call;
    const { actor, action, object, since, until } = query;
    const projectId = await listedProject(call, query.project_id);
    const times = { since: since && Date.parse(since), until: until && Date.parse(until) };
    const filter = { projectId, actor, action, object, ...(times as { since?: number; until?: number }) };
    const page = readPage(query, z.int());
    const { items, next } = page.cut(await admin.audit.list({ ...filter, ...page.stretch }), ({ id }) => id);
    return { body: { audit_events: items.map(represent), next } };
  },
});

export const auditOperations: readonly Operation[] = [list];
