import type { Clock } from '../../domain/clock.js';
import { type StatsdRefusal, type StatsdSettings, unixScheme } from '../../domain/statsd.js';
import type { Doer } from '../../storage/store.js';
import type { Routed } from '../routed.js';
import { type StatsdPart, statsdParts } from './parts.js';
import { openSocket, type PacketSocket } from './sockets.js';
import { StatsdWindow } from './window.js';

export interface StatsdOptions {
  readonly settings: StatsdSettings;
  readonly routed: Routed;
  readonly clock: Clock;
  readonly taken: (values: number) => void;
  readonly refused: (reason: StatsdRefusal, values: number) => void;
  /** Told of what goes wrong without anyone to answer to. */
  readonly fault: (error: unknown) => void;
}

/** Flushes that wait for a disk that takes nothing; then the oldest is given up. */
const mostWaiting = 6;
const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
const by: Doer = { actor: 'system', ip: null };

/** One socket of StatsD, whose lines become live series every few seconds. */
export class StatsdReceiver {
  private readonly options: StatsdOptions;
  private readonly window: StatsdWindow;
  private readonly waiting: StatsdPart[][] = [];
  private readonly socket: PacketSocket;
  private readonly timer: NodeJS.Timeout;
  private flushing: Promise<void> = Promise.resolve();

  private constructor(options: StatsdOptions, window: StatsdWindow, socket: PacketSocket) {
    this.options = options;
    this.window = window;
    this.socket = socket;
    this.timer = setInterval(() => void this.flush(), options.settings.flushMs).unref();
  }

  /** Listens. Rejects with an `OperatorError` when it cannot. */
  static async open(options: StatsdOptions): Promise<StatsdReceiver> {
    const { settings, routed, refused, fault } = options;
    const window = new StatsdWindow({ settings, refused, routing: () => routed.router.settings });
    const socket = await openSocket(settings.listen, {
      packet: (bytes) => window.packet(bytes),
      tooLong: () => refused('too_long', 1),
      fault,
    });
    return new StatsdReceiver(options, window, socket);
  }

  /** As `listen` of the settings, with the port there really is. */
  get address(): string {
    return this.socket.address;
  }

  get isUnix(): boolean {
    return this.address.startsWith(unixScheme);
  }

  /** Stores what has come; never rejects. */
  flush(): Promise<void> {
    this.flushing = this.flushing.then(() => this.store());
    return this.flushing;
  }

  /** Takes no more, and stores what has come. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.socket.close();
    await this.flush();
  }

  private async store(): Promise<void> {
    const { clock, routed, refused, taken, fault } = this.options;
    const parts = statsdParts(this.window.take(), (kind) => this.window.boundsOf(kind), clock.now());
    if (parts.length > 0) this.waiting.push(parts);
    while (this.waiting.length > 0) {
      const first = this.waiting[0]!;
      const outcomes = await routed.takeEach(first, by).catch((error) => first.map(() => ({ error })));
      const failed: StatsdPart[] = [];
      outcomes.forEach((outcome, i) => {
        const part = first[i]!;
        if ('error' in outcome) {
          if (failed.length === 0) fault(outcome.error);
          failed.push(part);
          return;
        }
        // What is unrouted is counted there.
        if (!outcome.isRouted) return;
        const { samples, refusedSamples, refused: points = [] } = outcome.taken;
        if (refusedSamples > 0) refused('refused', refusedSamples);
        if (samples > 0) taken(sumOf(part.values) - sumOf(points.map((point) => part.values[point]!)));
      });
      if (failed.length === 0) {
        this.waiting.shift();
        continue;
      }
      // In its own place: what comes later must not be stored before.
      this.waiting[0] = failed;
      break;
    }
    while (this.waiting.length > mostWaiting) {
      refused('unavailable', sumOf(this.waiting.shift()!.map(({ values }) => sumOf(values))));
    }
  }
}
