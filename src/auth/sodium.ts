import { createRequire } from 'node:module';

export type Sodium = typeof import('sodium-native');

/** libsodium; `undefined` where no build of it can be loaded, as on musl or beside glibc before 2.33. Loaded when somebody first asks. */
export function sodium(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native');
  } catch {
    // An optional dependency.
    return undefined;
  }
}
