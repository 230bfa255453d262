import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';

/** `toEqual` for comparisons by the thousand: it costs more than most of what is compared, and is asked only in doubt. */
export function expectEqual(actual: unknown, wanted: unknown): void {
  if (!isDeepStrictEqual(actual, wanted)) expect(actual).toEqual(wanted);
}
