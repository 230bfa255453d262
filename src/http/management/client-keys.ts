import { z } from '@hono/zod-openapi';
import type { ClientKey } from '../../domain/client.js';
import { WeirError } from '../../domain/errors.js';
import { clientParams, reachClient } from './clients.js';
import { clientId, isoTime, time } from './fields.js';
import { type Operation, operation } from './operation.js';

const kid = z.string().openapi({ description: 'The id of the key.', example: 'prometheus-2026' });
const jwk = z.record(z.string(), z.unknown());
const key = z
  .strictObject({
    kid,
    kty: z.string().openapi({ example: 'EC' }),
    created_at: time,
  })
  .openapi('ClientKey');
const example = { kid: 'prometheus-2026', kty: 'EC', created_at: '2026-01-01T12:00:00.000Z' };

const represent = ({ kid, jwk, createdAt }: ClientKey) => ({
  kid,
  kty: String(jwk.kty),
  created_at: isoTime(createdAt),
});

const answered = z.strictObject({ client_id: clientId, keys: z.array(key) });
const answeredExample = { client_id: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ', keys: [example] };
const tag = 'Clients';

const list = operation({
  id: 'listClientKeys',
  method: 'GET',
  path: '/clients/{client_id}/keys',
  tag,
  summary: 'List the public keys of a client',
  description: 'Those registered here, oldest first.',
  scope: 'read:clients',
  params: clientParams,
  answer: { status: 200, description: 'The keys.', schema: answered, example: answeredExample },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    return { body: { client_id: id, keys: (await call.admin.clients.keys(id)).map(represent) } };
  },
});

const add = operation({
  id: 'addClientKeys',
  method: 'POST',
  path: '/clients/{client_id}/keys',
  tag,
  summary: 'Register public keys of a client',
  description:
    'RSA of 2048 bits or more, EC P-256, or Ed25519, up to ten at once. Who has the private half can get tokens as this ' +
    'client, so the token must have every scope of the management API that the client has.',
  scope: 'update:clients',
  params: clientParams,
  body: {
    schema: z
      .strictObject({
        pem: z.string().optional().openapi({ description: 'One key: SPKI, PKCS #1, or a certificate.' }),
        keys: z.array(jwk).min(1).optional().openapi({ description: 'Or several as in a JWKS (RFC 7517 §5).' }),
      })
      .openapi('NewClientKeys'),
    example: {
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
          y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
          kid: 'prometheus-2026',
        },
      ],
    },
  },
  mayConflict: true,
  idempotent: true,
  answer: { status: 201, description: 'The keys that were added.', schema: answered, example: answeredExample },
  handle: async (call) => {
    const { params, body, caller, admin } = call;
    const { pem, keys } = body;
    const { id, scopes } = await reachClient(call, params.client_id);
    caller.requireToPassOn(scopes);
    if ((pem === undefined) === (keys === undefined)) {
      throw new WeirError('invalid', 'Give either pem or keys.', { field: 'keys' });
    }
    const added = await admin.clients.addKeys(id, Buffer.from(pem ?? JSON.stringify({ keys })));
    return { body: { client_id: id, keys: added.map(represent) } };
  },
});

const remove = operation({
  id: 'removeClientKey',
  method: 'DELETE',
  path: '/clients/{client_id}/keys/{kid}',
  tag,
  summary: 'Take a public key of a client away',
  description: 'Tokens it obtained go on until they expire.',
  scope: 'update:clients',
  params: clientParams.extend({ kid }),
  answer: { status: 204, description: 'It is gone.' },
  handle: async (call) => {
    const { id } = await reachClient(call, call.params.client_id);
    await call.admin.clients.removeKey(id, call.params.kid);
    return {};
  },
});

export const clientKeyOperations: readonly Operation[] = [list, add, remove];
