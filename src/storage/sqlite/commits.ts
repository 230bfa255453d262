import { WeirError } from '../../domain/errors.js';
import type { Db } from './database.js';

/** One write, to be made when its turn comes: within a transaction, and in memory. A `WeirError` refuses it alone. */
type Apply = (now: number) => void;

interface Pending {
  readonly apply: Apply;
  /** Monotonic time it was queued at. */
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Who keeps in memory what the commits write. */
export interface Participant {
  /** Within each transaction, before its writes. */
  begin(now: number): void;
  /** The transaction failed: what is in memory may be ahead of the disk. */
  rolledBack(): void;
}

export interface CommitsOptions {
  readonly now: () => number;
  /** Told after each commit how many writes shared it and how long it took. */
  readonly onCommit?: (writes: number, seconds: number) => void;
}

const largestBatch = 256;
/** Writes that may wait for their commit; each holds its whole body. */
const largestQueue = 4096;
/** How long a push waits for another process that is writing, and how often it looks. */
const longestWaitMs = 5_000;
const retryMs = 10;
const failureIsNewsMs = 10_000;

const queueFull = (): WeirError =>
  new WeirError('unavailable', `${largestQueue} pushes are waiting to be stored already. Try again.`, {
    retryAfterSeconds: 5,
  });

const isBusy = (error: unknown): boolean => (error as { code?: string }).code?.startsWith('SQLITE_BUSY') ?? false;

/**
 * The queue of all that producers and streams write. What arrives together shares one transaction, and so one sync of the disk. A
 * batch runs in one synchronous turn: nobody sees it half done.
 */
export class Commits {
  private readonly db: Db;
  private readonly now: () => number;
  private readonly onCommit: CommitsOptions['onCommit'];
  private readonly participants: Participant[] = [];
  private queue: Pending[] = [];
  private scheduled = false;
  private failure: { at: number; error: Error } | undefined;

  constructor(db: Db, { now, onCommit }: CommitsOptions) {
    this.db = db;
    this.now = now;
    this.onCommit = onCommit;
  }

  join(participant: Participant): void {
    this.participants.push(participant);
  }

  /** Resolves after COMMIT. Rejects with what `apply` throws, or `unavailable` when the disk refuses. */
  write(apply: Apply): Promise<void> {
    if (this.queue.length >= largestQueue) return Promise.reject(queueFull());
    return new Promise((resolve, reject) => {
      this.queue.push({ apply, since: performance.now(), resolve, reject });
      // After the current round of I/O: what has arrived until then goes into the same commit.
      if (!this.scheduled) {
        this.scheduled = true;
        setImmediate(() => this.flush());
      }
    });
  }

  /** Throws when no more writes are taken. */
  checkQueue(): void {
    if (this.queue.length >= largestQueue) throw queueFull();
  }

  /** Throws why the last commit failed, for as long as that is news. */
  checkLastCommit(): void {
    if (this.failure !== undefined && performance.now() - this.failure.at < failureIsNewsMs) throw this.failure.error;
  }

  /** Commits what is queued. */
  flush(): void {
    this.scheduled = false;
    while (this.queue.length > 0 && this.tryCommit(this.queue.splice(0, largestBatch)));
  }

  /** Resolves when nothing is queued any more. */
  async drain(): Promise<void> {
    this.flush();
    while (this.queue.length > 0) await new Promise((resolve) => setTimeout(resolve, retryMs));
  }

  /** False when another process is writing: then the batch waits without holding up anything else. */
  private tryCommit(batch: Pending[]): boolean {
    try {
      this.db.$client.exec('BEGIN IMMEDIATE');
    } catch (error) {
      const patient = performance.now() - batch[0]!.since < longestWaitMs;
      if (!patient || !isBusy(error)) return this.refuse(batch, error);
      this.queue.unshift(...batch);
      this.scheduled = true;
      setTimeout(() => this.flush(), retryMs);
      return false;
    }
    this.commit(batch);
    return true;
  }

  private refuse(batch: readonly Pending[], error: unknown): true {
    this.failure = { at: performance.now(), error: error as Error };
    const sentence = 'The push could not be stored; nothing of it was kept. Try again.';
    const refused = new WeirError('unavailable', sentence, { retryAfterSeconds: 5 }, error);
    for (const { reject } of batch) reject(refused);
    return true;
  }

  /** Within the transaction that was begun. */
  private commit(batch: readonly Pending[]): void {
    const started = performance.now();
    const { $client } = this.db;
    const failed = new Map<Pending, unknown>();
    try {
      const now = this.now();
      for (const participant of this.participants) participant.begin(now);
      for (const pending of batch) {
        try {
          pending.apply(now);
        } catch (error) {
          // A refusal concerns this write alone; a disk that is full or broken, all of them.
          if (!(error instanceof WeirError)) throw error;
          failed.set(pending, error);
        }
      }
      $client.exec('COMMIT');
    } catch (error) {
      if ($client.inTransaction) $client.exec('ROLLBACK');
      for (const participant of this.participants) participant.rolledBack();
      this.refuse(batch, error);
      return;
    }
    this.failure = undefined;
    this.onCommit?.(batch.length, (performance.now() - started) / 1000);
    // In the next turn, as answering is work, too.
    setImmediate(() => {
      for (const pending of batch) {
        if (failed.has(pending)) pending.reject(failed.get(pending));
        else pending.resolve();
      }
    });
  }
}
