import { type Touched, touchedBy } from '../domain/touched.js';
import type { Directory } from '../storage/directory.js';
import type { Log } from '../telemetry/log.js';

/** Has what is open of this noun read again whenever some of it may have changed. */
export function follow(
  directory: Directory,
  noun: 'source' | 'stream',
  open: { reload(touched?: Touched): Promise<void> },
  log: Log,
): void {
  directory.onChange((changes) => {
    const touched = touchedBy(changes, noun);
    if (touched?.ids.size === 0 && touched.projectIds.size === 0) return;
    open.reload(touched).catch((error) => log.error({ err: error }, `${noun}s were not read again`));
  });
}
