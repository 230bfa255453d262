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
