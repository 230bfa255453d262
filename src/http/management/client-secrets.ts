import { z } from '@hono/zod-openapi';
import { type ClientSecret, secretStatus } from '../../domain/client.js';
import { clientParams, reachClient } from './clients.js';
import { clientId, isoTime, isoTimeOrNull, time } from './fields.js';
import { type Operation, operation } from './operation.js';

const secretId = z.string().openapi({ description: 'The id of the secret.', example: 'weir_sec_c2VjcmV0LTEx' });
const secret = z
  .strictObject({
    secret_id: secretId,
    status: z.enum(['live', 'expired', 'revoked']),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable().openapi({ description: 'Written down every 2 seconds.' }),
    last_used_ip: z.string().nullable(),
    last_used_agent: z.string().nullable(),
  })
  .openapi('ClientSecret');
const example = {
  secret_id: 'weir_sec_c2VjcmV0LTEx',
  status: 'live',
  created_at: '2026-01-01T12:00:00.000Z',
  expires_at: null,
  revoked_at: null,
  last_used_at: '2026-01-01T12:15:00.000Z',
  last_used_ip: '192.0.2.1',
  last_used_agent: 'Prometheus/3.8.0',
};

const represent = (secret: ClientSecret, now: number) => ({
  secret_id: secret.id,
  status: secretStatus(secret, now),
  created_at: isoTime(secret.createdAt),
  expires_at: isoTimeOrNull(secret.expiresAt),
  revoked_at: isoTimeOrNull(secret.revokedAt),
  last_used_at: isoTimeOrNull(secret.lastUse?.at ?? null),
  last_used_ip: secret.lastUse?.ip ?? null,
  last_used_agent: secret.lastUse?.agent ?? null,
});

const tag = 'Clients';

const list = operation({
  id: 'listClientSecrets',
  method: 'GET',
  path: '/clients/{client_id}/secrets',
  tag,
  summary: 'List the secrets of a client',
  description: 'Newest first, with their last use; never the secrets themselves.',
  scope: 'read:clients',
  params: clientParams,
  answer: {
    status: 200,
    description: 'The secrets.',
    schema: z.strictObject({ client_id: clientId, secrets: z.array(secret) }),
    example: { client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ', secrets: [example] },
  },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    const secrets = await call.admin.clients.secrets(id);
    return { body: { client_id: id, secrets: secrets.map((each) => represent(each, call.now)) } };
  },
});

const revoke = operation({
  id: 'revokeClientSecret',
  method: 'DELETE',
  path: '/clients/{client_id}/secrets/{secret_id}',
  tag,
  summary: 'End a secret of a client',
  description: 'And every token it obtained, at once.',
  scope: 'update:clients',
  params: clientParams.extend({ secret_id: secretId }),
  answer: { status: 204, description: 'It is refused.' },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    await call.admin.clients.revokeSecret(id, call.params.secret_id);
    return {};
  },
});

export const clientSecretOperations: readonly Operation[] = [list, revoke];
