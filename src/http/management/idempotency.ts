import { WeirError } from '../../domain/errors.js';
import type { IdempotencyStore, Once } from '../../storage/store.js';
import { RepeatedRequest } from '../../storage/store.js';

/** How long a repeated request gets the answer of the first. */
export const rememberedMs = 24 * 3_600_000;

/** What is kept of an answer: never anything that is shown once. */
export interface KeptAnswer {
  readonly body: unknown;
  readonly location: string | undefined;
}

/** The key in an `Idempotency-Key` header, quoted (draft-ietf-httpapi-idempotency-key-header) or bare. */
export function readKey(text: string): string {
  const key = /^"([\x20-\x7e]*)"$/.exec(text)?.[1] ?? text;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new WeirError('invalid', 'The Idempotency-Key must be 1 to 255 printable ASCII characters without blanks.', {
      field: 'Idempotency-Key',
    });
  }
  return key;
}

/**
 * Does the work unless it was done under this key before. That it was done is written in the transaction that does it, so
 * two requests that meet do it once; whoever comes second gets the first one's answer, or `conflict` while there is none.
 */
export async function doOnce<T extends KeptAnswer>(
  store: IdempotencyStore,
  once: Once,
  work: () => Promise<{ answer: T; kept: KeptAnswer }>,
  onNotKept: (error: unknown) => void,
): Promise<{ first: T } | { repeated: KeptAnswer }> {
  const known = await earlier(store, once);
  if (known !== undefined) return { repeated: known };
  try {
    const { answer, kept } = await work();
    // It is done, and must not be answered as if it were not: who repeats it is told what was made.
    await store.note(once.clientId, once.key, JSON.stringify(kept)).catch(onNotKept);
    return { first: answer };
  } catch (error) {
    if (!(error instanceof RepeatedRequest)) throw error;
    const meanwhile = await earlier(store, once);
    if (meanwhile === undefined) throw error;
    return { repeated: meanwhile };
  }
}

async function earlier(store: IdempotencyStore, { clientId, key, digest }: Once): Promise<KeptAnswer | undefined> {
  const found = await store.find(clientId, key);
  if (found === undefined) return undefined;
  if (!found.digest.equals(digest)) {
    throw new WeirError('key_reused', 'This Idempotency-Key stands for another request; take a new one.', {
      field: 'Idempotency-Key',
    });
  }
  if (found.answer === null) {
    const sentence = `The first request with this Idempotency-Key has made ${found.object}, but has not been answered yet.`;
    throw new WeirError('conflict', sentence, { field: 'Idempotency-Key', retryAfterSeconds: 1 });
  }
  return JSON.parse(found.answer) as KeptAnswer;
}
