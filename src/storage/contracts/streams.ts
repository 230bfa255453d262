import type {
  Attempt,
  Delivery,
  DeliveryStatus,
  MetricKind,
  MetricStream,
  StreamHealth,
  StreamStatus,
} from '../../domain/stream.js';

/** What a person may change about a stream. `secrets` is encrypted. */
export interface StreamSettings extends Pick<MetricStream, 'name' | 'subscriptions' | 'destination'> {
  readonly status: Exclude<StreamStatus, 'suspended'>;
  readonly secrets: Buffer;
}

export interface StoredStream {
  readonly stream: MetricStream;
  /** Encrypted. */
  readonly secrets: Buffer;
}

export interface StreamStore {
  /** Throws `not_found` without the project and `limit_exceeded` when it has `mostStreams` already (0 for no limit). */
  create(stream: MetricStream, secrets: Buffer, mostStreams: number): Promise<MetricStream>;
  /** Of one project or of all, oldest first. */
  list(projectId: string | undefined): Promise<MetricStream[]>;
  get(id: string): Promise<StoredStream | undefined>;
  /**
   * Changes what `change` makes of the stream as it is, in one transaction. Enabling one that was not forgets the last
   * values of its counters, its health and the windows that wait. Throws `not_found`, and what `change` throws.
   */
  update(id: string, change: (stored: StoredStream) => Partial<StreamSettings>): Promise<MetricStream>;
  /** With its windows. Throws `not_found`. */
  delete(id: string): Promise<void>;
  /** What the deliveries have shown. Suspension and refused credentials are written to the audit log. */
  noteHealth(id: string, health: StreamHealth, suspended?: string): Promise<void>;
}

/** A window on its way into the store, together with what the stream must remember after it. */
export interface NewWindow extends Pick<Delivery, 'id' | 'streamId' | 'kind' | 'from' | 'to' | 'points' | 'createdAt'> {
  /** null: nothing to send, only the state has changed. */
  readonly window: Buffer | null;
  readonly state: Buffer;
}

export interface PendingWindow {
  readonly seq: number;
  readonly id: string;
  readonly to: number;
  readonly partsDone: number;
  readonly window: Buffer;
}

export interface DeliveryResult {
  readonly seq: number;
  readonly status: DeliveryStatus;
  readonly partsDone: number;
  /** Absent when a window was dropped without being sent. */
  readonly attempts: readonly Attempt[];
  readonly finishedAt: number | null;
}

/** How much of a stream waits. */
export interface Backlog {
  readonly windows: number;
  readonly bytes: number;
  /** End of the oldest one; null when none waits. */
  readonly oldest: number | null;
}

/** Windows are written before they are sent; the first pending one is where a stream goes on after a restart. */
export interface DeliveryStore {
  /** All of them in one commit. A stream that is gone, or not enabled any more, is passed over. */
  add(windows: readonly NewWindow[]): Promise<void>;
  state(streamId: string, kind: MetricKind): Promise<{ state: Buffer; at: number } | undefined>;
  /** What was written of the window that ends then, whatever became of it, as long as it is kept. */
  window(streamId: string, kind: MetricKind, to: number): Promise<Buffer | undefined>;
  next(streamId: string): Promise<PendingWindow | undefined>;
  backlog(streamId: string): Promise<Backlog>;
  /** All of them in one commit. Results of a stream that is gone are passed over. */
  record(results: readonly DeliveryResult[]): Promise<void>;
  /** Drops pending windows that end before `time`, and the oldest beyond `maxBytes`; gives how many windows and points. */
  drop(streamId: string, time: number, maxBytes: number, now: number): Promise<{ windows: number; points: number }>;
  /** Newest first, those with a smaller number than `before`. Throws nothing for a stream that is not there. */
  list(streamId: string, filter: DeliveryFilter): Promise<Delivery[]>;
  /**
   * Makes windows wait again that can be: one by its id, or those that end from `from` to `to`, whatever became of them.
   * `since` is the end of the oldest that the destination would take. Gives how many.
   */
  redeliver(streamId: string, which: Redelivery): Promise<number>;
  /** Forgets what is over: delivered ones from before `deliveredBefore`, others from before `othersBefore`. */
  prune(deliveredBefore: number, othersBefore: number): Promise<void>;
}

export interface DeliveryFilter {
  readonly limit: number;
  readonly before?: number | undefined;
  readonly status?: DeliveryStatus | undefined;
}

export interface Redelivery {
  readonly id?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly since: number;
}
