import type { BackendContext, MetricsBackend } from './backend.js';
import { type HttpParcel, post } from './http-sender.js';
import { every, Outbox } from './outbox.js';

export interface HttpParts {
  readonly headers: Readonly<Record<string, string>>;
  /** How many parcels may wait. */
  readonly capacity: number;
  readonly everyMs: number;
  /** Puts there what the registry, which is up to date, has to send. */
  readonly gather: (outbox: Outbox<HttpParcel>) => void;
  /** For the log. */
  readonly whenGatheringFails: string;
  readonly whenSendingFails: string;
}

/** What backends have in common that read the registry in their own interval and post what they make of it. */
export function httpBackend(
  { headers, capacity, everyMs, gather, whenGatheringFails, whenSendingFails }: HttpParts,
  { collect, complain, dropped, random, fetch }: BackendContext,
): { backend: Required<Pick<MetricsBackend, 'flush' | 'close'>>; outbox: Outbox<HttpParcel> } {
  const outbox = new Outbox<HttpParcel>({
    send: (parcel, signal) => post(parcel, headers, { fetch, signal }),
    capacity,
    timeoutMs: 10_000,
    attempts: 5,
    dropped,
    complain: (error) => complain(error, whenSendingFails),
    random,
  });
  const flush = async (): Promise<void> => {
    try {
      await collect();
      gather(outbox);
    } catch (error) {
      complain(error, whenGatheringFails);
    }
  };
  const stop = every(everyMs, () => void flush());
  const backend = {
    flush: async () => {
      await flush();
      await outbox.settled();
    },
    close: async (signal: AbortSignal) => {
      stop();
      await flush();
      await outbox.close(signal);
    },
  };
  return { backend, outbox };
}
