import { z } from '@hono/zod-openapi';
import { type DailyUsage, dayText, parseDay } from '../../domain/usage.js';
import { projectId } from './fields.js';
import { type Operation, operation } from './operation.js';
import { next, paging, readPage } from './paging.js';
import { listedProject } from './projects.js';

const count = (description: string, example: number) => z.int().min(0).openapi({ description, example });
const day = z.iso.date({ error: 'a day such as 2026-01-31' }).openapi({ example: '2026-01-01' });

const dailyUsage = z
  .strictObject({
    project_id: projectId,
    day: day.openapi({ description: 'In UTC.' }),
    scrapes: count('Pages served.', 5760),
    bytes_served: count('Of these pages, as they were sent: compressed, if so.', 47_185_920),
    samples_in: count('Samples taken in: pushed, by remote write and by OTLP.', 2_880_000),
    points_streamed: count('Points that destinations of metric streams have taken.', 1_440_000),
    tokens_issued: count('Access tokens issued to clients of the project.', 96),
  })
  .openapi('DailyUsage');

const represent = (usage: DailyUsage) => ({
  project_id: usage.projectId,
  day: dayText(usage.day),
  scrapes: usage.scrapes,
  bytes_served: usage.bytesServed,
  samples_in: usage.samplesIn,
  points_streamed: usage.pointsStreamed,
  tokens_issued: usage.tokensIssued,
});

const list = operation({
  id: 'listUsage',
  method: 'GET',
  path: '/usage',
  tag: 'Usage',
  summary: 'List what projects used, day by day',
  description:
    "Newest day first, then by project; a day on which a project used nothing is left out. A project's client sees its " +
    'own. What was used in the last seconds is not in it yet; days are kept for 400 days.',
  scope: 'read:usage',
  query: z.strictObject({
    ...paging,
    project_id: projectId.optional(),
    from: day.optional().openapi({ description: 'The first day, in UTC.' }),
    to: day.optional().openapi({ description: 'The last day, in UTC.' }),
  }),
  mayBeAbsent: true,
  answer: {
    status: 200,
    description: 'The days.',
    schema: z.strictObject({ usage: z.array(dailyUsage), next }),
    example: {
      usage: [
        {
          project_id: 'acme',
          day: '2026-01-01',
          scrapes: 5760,
          bytes_served: 47_185_920,
          samples_in: 2_880_000,
          points_streamed: 1_440_000,
          tokens_issued: 96,
        },
      ],
      next: null,
    },
  },
  handle: async (call) => {
    const { query, admin } = call;
    const projectId = await listedProject(call, query.project_id);
    const [from, to] = [query.from, query.to].map((text) => (text === undefined ? undefined : parseDay(text)));
    const page = readPage(query, z.tuple([z.int(), z.string()]));
    const found = await admin.usage.list({ projectId, from, to, ...page.stretch });
    const { items, next } = page.cut(found, ({ day, projectId }) => [day, projectId]);
    return { body: { usage: items.map(represent), next } };
  },
});

export const usageOperations: readonly Operation[] = [list];
