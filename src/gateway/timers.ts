import { setImmediate } from 'node:timers/promises';
import type { Soon } from '../domain/soon.js';
import type { Log } from '../telemetry/log.js';

export type Job = readonly [everyMs: number, run: () => Soon<unknown>];

/** A failing job is logged and tried again; timers do not keep the process alive. */
export function startTimers(log: Log, jobs: readonly Job[]): () => void {
  const timers = jobs.map(([everyMs, run]) =>
    setInterval(async () => {
      try {
        await run();
      } catch (error) {
        log.error({ err: error }, 'housekeeping failed');
      }
    }, everyMs).unref(),
  );
  return () => timers.forEach(clearInterval);
}

/** Writes some, and says whether there is more. */
export type Write = () => Promise<boolean>;

/** A turn of the event loop for each portion, so that no scrape waits for all of them; what is left after `most` waits for the next time. */
export async function inPortions(write: Write, most = Number.POSITIVE_INFINITY): Promise<void> {
  for (let portion = 0; portion < most && (await write()); portion++) await setImmediate();
}
