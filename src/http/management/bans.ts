import { z } from '@hono/zod-openapi';
import { isoTime, time } from './fields.js';
import { type Operation, operation } from './operation.js';
import { next, paging, readPage } from './paging.js';

const bannedId = z.string().openapi({
  description:
    'As presented, if it has the form of a client id; else `foreign:` and a hash, or `*` for a flood of ids.',
  example: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ',
});
const ban = z
  .strictObject({
    client_id: bannedId,
    address: z.string().openapi({ description: 'IPv4, or the /64 of an IPv6 address.', example: '192.0.2.1' }),
    created_at: time,
    ends_at: time,
  })
  .openapi('Ban');
const example = {
  client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ',
  address: '192.0.2.1',
  created_at: '2026-01-01T12:00:00.000Z',
  ends_at: '2026-01-01T12:05:00.000Z',
};
const tag = 'Bans';

const list = operation({
  id: 'listBans',
  method: 'GET',
  path: '/bans',
  tag,
  summary: 'List who is answered 429 for guessing secrets',
  description: 'The bans that last, oldest first. A right secret works all the same. For operators.',
  scope: 'read:bans',
  query: z.strictObject(paging),
  answer: {
    status: 200,
    description: 'The bans.',
    schema: z.strictObject({ bans: z.array(ban), next }),
    example: { bans: [example], next: null },
  },
  handle: async ({ query, admin }) => {
    const page = readPage(query, z.tuple([z.number(), z.string(), z.string()]));
    const { items, next } = page.cut(await admin.bans.list(page.stretch), ({ createdAt, clientId, address }) => [
      createdAt,
      clientId,
      address,
    ]);
    const bans = items.map(({ clientId, address, createdAt, endsAt }) => ({
      client_id: clientId,
      address,
      created_at: isoTime(createdAt),
      ends_at: isoTime(endsAt),
    }));
    return { body: { bans, next } };
  },
});

const lift = operation({
  id: 'liftBans',
  method: 'DELETE',
  path: '/bans/{client_id}',
  tag,
  summary: 'Lift the bans of a client id',
  description: 'Of all addresses, or of the one that is given. For operators.',
  scope: 'delete:bans',
  params: z.strictObject({ client_id: bannedId }),
  query: z.strictObject({
    address: z
      .string()
      .max(100)
      .optional()
      .openapi({ description: 'Only the one from this address.', example: '192.0.2.1' }),
  }),
  mayBeAbsent: false,
  answer: {
    status: 200,
    description: 'How many were lifted.',
    schema: z.strictObject({ client_id: bannedId, lifted: z.int().min(0) }),
    example: { client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ', lifted: 1 },
  },
  handle: async ({ params, query, admin }) => ({
    body: { client_id: params.client_id, lifted: await admin.bans.lift(params.client_id, query.address) },
  }),
});

export const banOperations: readonly Operation[] = [list, lift];
