import { WeirError } from '../../domain/errors.js';

/** Does a write that a request waits for. When another process or the disk is in the way: `unavailable`, with the cause. */
export function orUnavailable<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: { code?: string } };
    if (!(code ?? cause?.code)?.startsWith('SQLITE_')) throw error;
    throw new WeirError('unavailable', 'The gateway cannot write at the moment; try again.', retrySoon, error);
  }
}

const retrySoon = { retryAfterSeconds: 5 };
