import { z } from '@hono/zod-openapi';
import type { ScrapeToken } from '../../domain/client.js';
import { parseDuration } from '../../domain/duration.js';
import { clientParams, hidden, reachClient } from './clients.js';
import { clientId, isoTime, isoTimeOrNull, nameOf, time } from './fields.js';
import { ruled } from './input.js';
import { type Operation, operation } from './operation.js';

const tokenId = z.string().openapi({ description: 'The id of the scrape token.', example: 'weir_tok_dG9rZW4tMTEx' });
const fields = {
  token_id: tokenId,
  name: nameOf('token').nullable(),
  status: z.enum(['live', 'expired']),
  created_at: time,
  expires_at: time,
  last_used_at: time.nullable().openapi({ description: 'May be a minute older than the truth.' }),
  last_used_ip: z.string().nullable(),
  last_used_agent: z.string().nullable(),
};
const token = z.strictObject(fields).openapi('ScrapeToken');
const example = {
  token_id: 'weir_tok_dG9rZW4tMTEx',
  name: 'edge collector',
  status: 'live',
  created_at: '2026-01-01T12:00:00.000Z',
  expires_at: '2026-04-01T12:00:00.000Z',
  last_used_at: null,
  last_used_ip: null,
  last_used_agent: null,
};

const represent = ({ id, name, createdAt, expiresAt, lastUse }: ScrapeToken, now: number) => ({
  token_id: id,
  name,
  status: expiresAt <= now ? ('expired' as const) : ('live' as const),
  created_at: isoTime(createdAt),
  expires_at: isoTime(expiresAt),
  last_used_at: isoTimeOrNull(lastUse?.at ?? null),
  last_used_ip: lastUse?.ip ?? null,
  last_used_agent: lastUse?.agent ?? null,
});

const tag = 'Clients';

const list = operation({
  id: 'listScrapeTokens',
  method: 'GET',
  path: '/clients/{client_id}/scrape-tokens',
  tag,
  summary: 'List the scrape tokens of a client',
  description: 'Oldest first, with their last use; never the tokens themselves.',
  scope: 'read:clients',
  params: clientParams,
  answer: {
    status: 200,
    description: 'The scrape tokens.',
    schema: z.strictObject({ client_id: clientId, scrape_tokens: z.array(token) }),
    example: { client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ', scrape_tokens: [example] },
  },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    const tokens = await call.admin.clients.scrapeTokens(id);
    return { body: { client_id: id, scrape_tokens: tokens.map((each) => represent(each, call.now)) } };
  },
});

const create = operation({
  id: 'createScrapeToken',
  method: 'POST',
  path: '/clients/{client_id}/scrape-tokens',
  tag,
  summary: 'Create a scrape token',
  description:
    'A long-lived token for a scraper that cannot do OAuth2. It opens what the client may scrape and push, never this API. ' +
    'It is in this answer and nowhere else.',
  scope: 'update:clients',
  params: clientParams,
  body: {
    optional: true,
    schema: z
      .strictObject({
        name: nameOf('token').optional(),
        expires_in: ruled(z.string(), parseDuration)
          .optional()
          .openapi({ description: 'How long it is good: 1s to 366d, 90d when left out.', example: '90d' }),
      })
      .openapi('NewScrapeToken'),
    example: { name: 'edge collector', expires_in: '90d' },
  },
  mayConflict: true,
  idempotent: true,
  answer: {
    status: 201,
    description: 'The scrape token.',
    schema: z
      .strictObject({
        ...fields,
        client_id: clientId,
        token: z.string().openapi({ description: 'Shown this once.', example: 'weir_st_…' }),
      })
      .openapi('CreatedScrapeToken'),
    example: { ...example, client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ', token: 'weir_st_…' },
  },
  handle: async (call) => {
    const { params, body, admin, now } = call;
    const { id } = await reachClient(call, params.client_id);
    const lifetimeMs = parseDuration(body.expires_in ?? '90d');
    const { token, scrapeToken } = await admin.clients.createScrapeToken(id, { lifetimeMs, name: body.name });
    const shown = { ...represent(scrapeToken, now), client_id: id, token };
    return { body: shown, repeated: { ...shown, token: hidden } };
  },
});

const revoke = operation({
  id: 'revokeScrapeToken',
  method: 'DELETE',
  path: '/clients/{client_id}/scrape-tokens/{token_id}',
  tag,
  summary: 'Refuse a scrape token',
  description: 'At once and for good.',
  scope: 'update:clients',
  params: clientParams.extend({ token_id: tokenId }),
  answer: { status: 204, description: 'It is refused.' },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    await call.admin.clients.revokeScrapeToken(id, call.params.token_id);
    return {};
  },
});

export const clientTokenOperations: readonly Operation[] = [list, create, revoke];
