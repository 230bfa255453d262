import { createHash } from 'node:crypto';
import { WeirError } from '../../domain/errors.js';
import type { Expectation } from '../../storage/store.js';

/** A strong validator of a representation (RFC 9110 §8.8.3): the same as long as it says the same. */
export const etagOf = (representation: unknown): string =>
  `"${createHash('sha256').update(JSON.stringify(representation)).digest('base64url').slice(0, 22)}"`;

/** How things go changes by itself: who changes settings need not have seen it. */
export function withoutHealth<T extends object>(representation: T): Omit<T, 'health'> {
  const { health: _, ...settings } = representation as T & { health?: unknown };
  return settings;
}

/** What `If-Match` (RFC 9110 §13.1.1) asks for; nothing without it. */
export function expectation<T>(
  ifMatch: string | undefined,
  represent: (thing: T) => unknown,
): Expectation<T> | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const wanted = ifMatch.split(',').map((tag) => tag.trim());
  return (before) => {
    if (wanted.includes(etagOf(represent(before)))) return;
    throw new WeirError(
      'precondition_failed',
      'It has changed since; read it again, and send the ETag of what you read.',
      {
        field: 'If-Match',
      },
    );
  };
}
