import type { Clock } from '../domain/clock.js';
import {
  type Attempt,
  type DeliveryStatus,
  type DestinationType,
  failingUntilSuspendedMs,
  failuresUntilSuspended,
  type MetricStream,
  queueLimitBytes,
  type StreamHealth,
  windowAgeLimitMs,
} from '../domain/stream.js';
import type { DeliveryResult, DeliveryStore, PendingWindow, StreamStore } from '../storage/store.js';
import type { Log } from '../telemetry/log.js';
import type { OpenDestination, Outcome } from './destinations/destination.js';
import { backoffMs, credentialRetryMs } from './retry.js';
import { pointCount, unpackWindow, type Window } from './window.js';

/** What happens to windows, for the operator's metrics. */
export interface StreamReport {
  attempt(type: DestinationType, result: Outcome['result']): void;
  delivered(projectId: string, type: DestinationType, points: number): void;
  dropped(type: DestinationType, windows: number): void;
}

export interface RunnerOptions {
  readonly streams: StreamStore;
  readonly deliveries: DeliveryStore;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly report: StreamReport;
}

/**
 * Sends the windows of one stream, one after the other, in the order in which they were written. It waits for nothing but
 * its own destination. A window that can go neither now nor later is left behind; one that may go later holds up those
 * after it, until it is too old.
 */
export class Runner {
  private readonly options: RunnerOptions;
  private stream: MetricStream;
  private destination: OpenDestination;
  private health: StreamHealth;
  private hasWork = true;
  /** Monotonic time. */
  private notBefore = 0;
  private running: Promise<void> | undefined;
  private closed = false;
  private newest: { readonly id: string; readonly window: Window } | undefined;
  /** End of the oldest window that waits; for the lag. */
  private waitingSince: number | undefined;

  constructor(stream: MetricStream, destination: OpenDestination, options: RunnerOptions) {
    this.options = options;
    this.stream = stream;
    this.destination = destination;
    this.health = stream;
  }

  get version(): number {
    return this.stream.version;
  }

  get type(): DestinationType {
    return this.stream.destination.type;
  }

  /** How long the oldest window has waited, in milliseconds. */
  lag(now: number): number {
    return this.waitingSince === undefined ? 0 : Math.max(0, now - this.waitingSince);
  }

  /** Other settings, from the next window on; tried at once. */
  use(stream: MetricStream, destination: OpenDestination): void {
    const former = this.destination;
    this.stream = stream;
    this.health = stream;
    this.destination = destination;
    this.notBefore = 0;
    this.hasWork = true;
    void (this.running ?? Promise.resolve()).then(() => former.close());
  }

  /** There may be windows to send. */
  poke(): void {
    this.hasWork = true;
  }

  /** The same for one that was just written, which then need not be read back. Only the newest is kept. */
  offer(id: string, window: Window): void {
    this.newest = { id, window };
    this.hasWork = true;
  }

  /** Begins to send when it is time; does not wait for the end. */
  wake(): void {
    if (this.closed || this.running !== undefined || !this.hasWork) return;
    if (this.options.clock.monotonic() < this.notBefore) return;
    this.running = this.run()
      .catch((error) => {
        this.options.log.error({ err: error, stream_id: this.stream.id }, 'a stream could not go on');
        this.hasWork = true;
        this.notBefore = this.options.clock.monotonic() + credentialRetryMs / 10;
      })
      .finally(() => {
        this.running = undefined;
      });
  }

  /** Sends no further window; resolves when the request under way is recorded. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
    await this.destination.close();
  }

  private async run(): Promise<void> {
    const { deliveries, clock } = this.options;
    while (!this.closed) {
      this.hasWork = false;
      const next = await deliveries.next(this.stream.id);
      this.waitingSince = next?.to;
      if (next === undefined) return;
      if (next.to < this.oldestAllowed()) {
        await this.dropOld();
        continue;
      }
      const wait = await this.deliver(next);
      if (wait === undefined) continue;
      this.notBefore = wait === 0 ? 0 : clock.monotonic() + wait;
      this.hasWork = true;
      await this.dropOld();
      return;
    }
  }

  /** How long to wait before it is tried again, or `undefined` when the window is done with. */
  private async deliver(next: PendingWindow): Promise<number | undefined> {
    const { clock, deliveries, report } = this.options;
    const { destination, type, version } = this;
    const window = this.newest?.id === next.id ? this.newest.window : await unpackWindow(next.window);
    const attempts: Attempt[] = [];
    let partsDone = 0;
    let last: Outcome | undefined;
    for await (const part of destination.parts(window)) {
      if (partsDone < next.partsDone) {
        partsDone++;
        continue;
      }
      if (this.closed) return 0;
      const [at, started] = [clock.now(), clock.monotonic()];
      last = await destination.send(part);
      report.attempt(type, last.result);
      const { status, error, answer } = last;
      attempts.push({ at, durationMs: Math.round(clock.monotonic() - started), status, error, answer });
      if (last.result !== 'delivered') break;
      partsDone++;
    }
    const result = last?.result ?? 'delivered';
    const status: DeliveryStatus = result === 'delivered' ? 'delivered' : result === 'refused' ? 'failed' : 'pending';
    const finishedAt = status === 'pending' ? null : clock.now();
    const record: DeliveryResult = { seq: next.seq, status, partsDone, attempts, finishedAt };
    await deliveries.record([record]);
    if (this.newest?.id === next.id) this.newest = undefined;
    if (status === 'delivered') report.delivered(this.stream.projectId, type, pointCount(window));
    // What former settings led to says nothing of those there are now.
    if (version !== this.version) return status === 'pending' ? 0 : undefined;
    await this.note(last);
    if (result === 'retry') return last!.retryAfterMs ?? backoffMs(this.health.failures, this.options.random);
    return result === 'credentials' ? credentialRetryMs : undefined;
  }

  private async note(outcome: Outcome | undefined): Promise<void> {
    const { streams, clock, log } = this.options;
    const { id } = this.stream;
    if (outcome === undefined || outcome.result === 'delivered') {
      if (this.health.health === 'ok' && this.health.failures === 0) return;
      this.health = { health: 'ok', reason: null, failures: 0, failingSince: null };
      await streams.noteHealth(id, this.health);
      return;
    }
    const now = clock.now();
    const failingSince = this.health.failingSince ?? now;
    const failures = this.health.failures + 1;
    const health = outcome.result === 'credentials' ? 'credential_error' : 'degraded';
    if (health !== this.health.health) {
      log.warn({ stream_id: id, project_id: this.stream.projectId, health, status: outcome.status }, outcome.error!);
    }
    this.health = { health, reason: outcome.error, failures, failingSince };
    const gaveUp =
      failures >= failuresUntilSuspended || now - failingSince >= failingUntilSuspendedMs
        ? `Nothing got through in ${failures} attempts since ${new Date(failingSince).toISOString()}. ${outcome.error}`
        : undefined;
    if (gaveUp !== undefined) this.closed = true;
    await streams.noteHealth(id, this.health, gaveUp);
  }

  private oldestAllowed(): number {
    return this.options.clock.now() - windowAgeLimitMs[this.type];
  }

  private async dropOld(): Promise<void> {
    const { deliveries, clock, report } = this.options;
    const { id } = this.stream;
    const { windows } = await deliveries.drop(id, this.oldestAllowed(), queueLimitBytes, clock.now());
    if (windows > 0) report.dropped(this.type, windows);
  }
}
