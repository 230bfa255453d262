import type { Socket } from 'node:net';
import { EgressError } from './egress-error.js';

/** One end for all steps of a request: what it owns is destroyed then. */
export class Deadline {
  readonly totalMs: number;
  private readonly sockets: Socket[] = [];
  private readonly passed: Promise<never>;
  private readonly timer: NodeJS.Timeout;

  constructor(totalMs: number) {
    this.totalMs = totalMs;
    let pass: (error: EgressError) => void;
    this.passed = new Promise((_, reject) => {
      pass = reject;
    });
    // Nobody may be waiting for it.
    this.passed.catch(() => {});
    this.timer = setTimeout(() => {
      const error = new EgressError('timeout', `There was no whole answer within ${totalMs / 1000} s.`);
      pass(error);
      for (const socket of this.sockets) socket.destroy(error);
    }, totalMs);
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
    for (const socket of this.sockets) socket.destroy();
  }
}
