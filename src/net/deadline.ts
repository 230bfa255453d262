import type { Socket } from 'node:net';
import { EgressError } from './egress-error.js';

/** One end for all steps of a request: what it owns is destroyed then. */
export class Deadline {
  readonly totalMs: number;
  private readonly sockets: Socket[] = [];
  private readonly passed: Promise<never>;
  private readonly timer: NodeJS.Timeout;
  private readonly signal: AbortSignal | undefined;
  private readonly abort: () => void;

  constructor(totalMs: number, signal?: AbortSignal) {
    this.totalMs = totalMs;
    let pass: (error: EgressError) => void;
    this.passed = new Promise((_, reject) => {
      pass = reject;
    });
    // Nobody may be waiting for it.
    this.passed.catch(() => {});
    const giveUp = (sentence: string): void => {
      const error = new EgressError('timeout', sentence);
      pass(error);
      for (const socket of this.sockets) socket.destroy(error);
    };
    this.timer = setTimeout(() => giveUp(`There was no whole answer within ${totalMs / 1000} s.`), totalMs);
    this.abort = () => giveUp('The request was given up.');
    this.signal = signal;
    signal?.addEventListener('abort', this.abort, { once: true });
    if (signal?.aborted) this.abort();
  }

  owns<S extends Socket>(socket: S): S {
    this.sockets.push(socket);
    // Who waits on it hears of errors himself; between two steps nobody does.
    socket.on('error', () => {});
    return socket;
  }

  bounds<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.passed]);
  }

  end(): void {
    clearTimeout(this.timer);
    this.signal?.removeEventListener('abort', this.abort);
    for (const socket of this.sockets) socket.destroy();
  }
}
