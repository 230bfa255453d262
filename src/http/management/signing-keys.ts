import { z } from '@hono/zod-openapi';
import { signingAlgorithms } from '../../domain/signing.js';
import type { StoredKey } from '../../storage/store.js';
import { isoTime, isoTimeOrNull, time } from './fields.js';
import { type Operation, operation } from './operation.js';

const kid = z.string().openapi({
  description: 'The id of the key.',
  example: 'gMNJyzQnsTQYwE2ZkQFq4DPwUqZWz6WrVYEFkEJzK-I',
});
const alg = z.enum(signingAlgorithms);
const key = z
  .strictObject({
    kid,
    alg,
    state: z.enum(['next', 'current', 'retired']),
    created_at: time,
    ends_at: time.nullable().openapi({ description: 'From then on its tokens are refused; null while it may sign.' }),
  })
  .openapi('SigningKey');
const answered = z.strictObject({ signing_keys: z.array(key) });
const example = {
  signing_keys: [
    {
      kid: 'gMNJyzQnsTQYwE2ZkQFq4DPwUqZWz6WrVYEFkEJzK-I',
      alg: 'ES256',
      state: 'current',
      created_at: '2026-01-01T12:00:00.000Z',
      ends_at: null,
    },
  ],
};

const represent = (keys: readonly StoredKey[]) => ({
  signing_keys: keys.map(({ kid, alg, state, createdAt, endsAt }) => ({
    kid,
    alg,
    state,
    created_at: isoTime(createdAt),
    ends_at: isoTimeOrNull(endsAt),
  })),
});

const tag = 'Signing keys';

const list = operation({
  id: 'listSigningKeys',
  method: 'GET',
  path: '/signing-keys',
  tag,
  summary: 'List the keys that sign access tokens',
  description: 'Those that verify or will sign, oldest first. For operators.',
  scope: 'read:signing_keys',
  answer: { status: 200, description: 'The keys.', schema: answered, example },
  handle: async ({ admin }) => ({ body: represent(await admin.keys.list()) }),
});

const rotate = operation({
  id: 'rotateSigningKeys',
  method: 'POST',
  path: '/signing-keys/rotate',
  tag,
  summary: 'Make the next key the current one',
  description:
    'Another is published as the next. Nothing breaks: the old one verifies until the last token it signed has ended. With ' +
    'another algorithm than that of the next key, a new key of it takes over at once. For operators.',
  scope: 'update:signing_keys',
  body: {
    optional: true,
    schema: z.strictObject({ alg: alg.optional() }).openapi('SigningKeyRotation'),
    example: { alg: 'ES256' },
  },
  idempotent: true,
  answer: { status: 200, description: 'The keys.', schema: answered, example },
  handle: async ({ body, admin }) => ({ body: represent(await admin.keys.rotate(body.alg)) }),
});

const retire = operation({
  id: 'retireSigningKey',
  method: 'POST',
  path: '/signing-keys/{kid}/retire',
  tag,
  summary: 'Refuse all tokens of a key',
  description:
    'For a key that is known to others. Every scraper with such a token fails until it gets a new one; those written in ' +
    'Go keep it until it expires. For operators.',
  scope: 'update:signing_keys',
  params: z.strictObject({ kid }),
  answer: { status: 200, description: 'The keys that are left.', schema: answered, example },
  handle: async ({ params, admin }) => ({ body: represent(await admin.keys.retire(params.kid)) }),
});

export const signingKeyOperations: readonly Operation[] = [list, rotate, retire];
