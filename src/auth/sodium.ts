import { createRequire } from 'node:module';

type Sodium = typeof import('sodium-native');

let loaded: Sodium | undefined | null = null;

/** libsodium; `undefined` where there is no build of it, as on musl. Loaded when somebody first asks. */
export function sodium(): Sodium | undefined {
  if (loaded === null) loaded = load();
  return loaded;
}

function load(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native');
  } catch {
    // An optional dependency.
    return undefined;
  }
}
