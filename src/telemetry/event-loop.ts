import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../domain/clock.js';

const resolutionMs = 20;
const windowMs = 10_000;

export interface EventLoopDelay {
  /** Seconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How late the event loop is. Each window is ten seconds or more, however often and by how many it is asked. */
export function watchEventLoop(clock: Clock): { delay(): EventLoopDelay; stop(): void } {
  const monitor = monitorEventLoopDelay({ resolution: resolutionMs });
  monitor.enable();
  let began = clock.monotonic();
  let last: EventLoopDelay = { p50: 0, p99: 0, max: 0 };
  /** The monitor counts from one of its own ticks to the next. */
  const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000);
  return {
    delay: () => {
      const now = clock.monotonic();
      if (now - began < windowMs) return last;
      began = now;
      if (monitor.count > 0) {
        last = {
          p50: seconds(monitor.percentile(50)),
          p99: seconds(monitor.percentile(99)),
          max: seconds(monitor.max),
        };
      }
      monitor.reset();
      return last;
    },
    stop: () => monitor.disable(),
  };
}
