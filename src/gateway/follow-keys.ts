import type { SigningKeys } from '../auth/signing-keys.js';
import type { Authenticator } from '../http/authenticate.js';
import type { Directory } from '../storage/directory.js';
import type { Log } from '../telemetry/log.js';

interface Followers {
  readonly directory: Directory;
  readonly authenticator: Authenticator;
  readonly log: Log;
}

/**
 * Has the signing keys read again whenever they may have changed, and every token checked anew when other keys live. Gives
 * the job that tries again what failed, until it succeeds.
 */
export function followKeys(keys: SigningKeys, { directory, authenticator, log }: Followers): () => Promise<void> {
  keys.onChange(() => authenticator.forget());
  directory.onChange((changes) => {
    if (changes?.every(({ noun }) => noun !== 'key')) return;
    keys.load().catch((error) => log.error({ err: error }, 'the signing keys could not be read again'));
  });
  return async () => {
    if (!keys.isBehind) return;
    // Why not was logged the first time, and /-/ready says it.
    await keys.load().then(
      () => log.info('the signing keys could be read again'),
      () => {},
    );
  };
}
