/** A failure that may pass: what was sent is tried again. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
  readonly afterMs: number | undefined;

  constructor(message: string, afterMs?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.afterMs = afterMs;
  }
}

export interface OutboxOptions<T> {
  /** Rejects with `TryAgain`, or with anything else when it is no use trying again. */
  readonly send: (parcel: T, signal: AbortSignal) => Promise<void>;
  /** How many parcels may wait; one more pushes the oldest out. */
  readonly capacity: number;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly firstBackoffMs?: number;
  readonly longestBackoffMs?: number;
  /** Of all that is not sent, how many measurements it held. */
  readonly dropped: (measurements: number) => void;
  readonly complain: (error: unknown) => void;
  readonly random: () => number;
}

interface Parcel<T> {
  readonly content: T;
  readonly measurements: number;
}

/** A bounded queue before a receiver that may be slow or gone: one parcel under way, the oldest dropped when it is full. */
export class Outbox<T> {
  private readonly options: OutboxOptions<T>;
  private readonly waiting: Parcel<T>[] = [];
  private readonly ended = new AbortController();
  private closing = false;
  private pumping: Promise<void> | undefined;
  private wake: () => void = () => {};

  constructor(options: OutboxOptions<T>) {
    this.options = options;
  }

  push(content: T, measurements: number): void {
    const { capacity, dropped } = this.options;
    if (this.ended.signal.aborted) {
      dropped(measurements);
      return;
    }
    this.waiting.push({ content, measurements });
    while (this.waiting.length > capacity) dropped(this.waiting.shift()!.measurements);
    this.pumping ??= this.pump().finally(() => {
      this.pumping = undefined;
    });
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    while (this.pumping !== undefined) await this.pumping;
  }

  /** Tries what is left once more; what is not sent when `signal` aborts is dropped. */
  async close(signal: AbortSignal): Promise<void> {
    this.closing = true;
    this.wake();
    const end = (): void => {
      this.ended.abort();
      this.wake();
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    await this.settled();
    signal.removeEventListener('abort', end);
    this.ended.abort();
  }

  private async pump(): Promise<void> {
    // The caller is in the middle of something else.
    await new Promise<void>((resolve) => queueMicrotask(resolve));
    for (let parcel = this.waiting.shift(); parcel !== undefined; parcel = this.waiting.shift()) {
      if (!(await this.deliver(parcel))) this.options.dropped(parcel.measurements);
    }
  }

  private async deliver({ content }: Parcel<T>): Promise<boolean> {
    const { send, attempts, timeoutMs, complain } = this.options;
    for (let attempt = 1; !this.ended.signal.aborted; attempt++) {
      try {
        await inTime(timeoutMs, this.ended.signal, (signal) => send(content, signal));
        return true;
      } catch (error) {
        complain(error);
        if (!(error instanceof TryAgain) || attempt >= attempts || this.closing) return false;
        await this.pause(error.afterMs ?? this.backoff(attempt));
      }
    }
    return false;
  }

  private backoff(attempt: number): number {
    const { firstBackoffMs = 1000, longestBackoffMs = 30_000, random } = this.options;
    return Math.min(longestBackoffMs, firstBackoffMs * 2 ** (attempt - 1)) * (0.8 + 0.4 * random());
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, this.options.longestBackoffMs ?? 30_000)).unref();
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Also rejects when `send` does not heed its signal. */
async function inTime(ms: number, ended: AbortSignal, send: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let stop: () => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => {
      reject(new TryAgain('the receiver did not answer in time'));
      controller.abort();
    };
  });
  const timer = setTimeout(stop, ms).unref();
  ended.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([send(controller.signal), stopped]);
  } finally {
    clearTimeout(timer);
    ended.removeEventListener('abort', stop);
  }
}

/** Calls again and again, without keeping the process alive. */
export function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms).unref();
  return () => clearInterval(timer);
}
