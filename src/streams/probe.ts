import type { Clock } from '../domain/clock.js';
import type { Attempt } from '../domain/stream.js';
import type { Reach, Target } from './destinations/destination.js';
import { openDestination } from './destinations/open.js';
import type { Window } from './window.js';

/** Sends one gauge, `weir.stream_test` = 1, as a stream would; gives what came of it. */
export async function probe(
  { projectId, ...target }: Target & { readonly projectId: string },
  reach: Reach,
  clock: Clock,
): Promise<Attempt & { readonly delivered: boolean }> {
  const destination = openDestination(target, reach);
  try {
    const [at, started] = [clock.now(), clock.monotonic()];
    const labels = [['tenant', projectId]] as const;
    const point = { name: 'weir.stream_test', labels, time: at, value: 1 };
    const window: Window = {
      kind: 'project.metrics',
      projectId,
      from: at,
      to: at,
      metrics: [{ name: point.name, type: 'gauge', help: 'Sent to see whether it arrives.', points: [point] }],
      gone: [],
    };
    for await (const part of destination.parts(window)) {
      const { result, status, error, answer } = await destination.send(part);
      const durationMs = Math.round(clock.monotonic() - started);
      return { at, durationMs, status, error, answer, delivered: result === 'delivered' && error === null };
    }
    throw new Error('a window with a point has no request');
  } finally {
    await destination.close();
  }
}
