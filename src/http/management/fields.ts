import { z } from '@hono/zod-openapi';
import { checkName } from '../../domain/ids.js';
import { ruled } from './input.js';

/** Fields that several nouns have. */

export const nameOf = (kind: string) =>
  ruled(z.string(), (text) => checkName(kind, text)).openapi({
    description: 'For people: 1 to 200 characters without control characters.',
    minLength: 1,
    maxLength: 200,
    example: `${kind[0]!.toUpperCase()}${kind.slice(1)} one`,
  });

export const time = z.iso.datetime().openapi({ example: '2026-01-01T12:00:00.000Z' });
export const isoTime = (ms: number): string => new Date(ms).toISOString();
export const isoTimeOrNull = (ms: number | null): string | null => (ms === null ? null : isoTime(ms));

export const projectId = z.string().openapi({ description: 'The id of the project.', example: 'acme' });
export const metricsId = z.string().openapi({ description: 'The metricsId of the endpoint.', example: 'db1' });
export const clientId = z.string().openapi({
  description: 'The id of the client.',
  example: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ',
});
