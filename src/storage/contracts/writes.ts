/** On whose behalf something is done. */
export interface Doer {
  /** As in an audit event. */
  readonly actor: string;
  readonly ip: string | null;
  /** Under this key one write only: the next that comes with it throws `RepeatedRequest`, and nothing is written. */
  readonly once?: Once | undefined;
}

/** What names a request that must not be done twice, until `endsAt`. */
export interface Once {
  readonly clientId: string;
  readonly key: string;
  readonly digest: Buffer;
  readonly endsAt: number;
}

/** What was asked for with this `Once` has been done. */
export class RepeatedRequest extends Error {
  override readonly name = 'RepeatedRequest';
}

export interface IdempotencyStore {
  /** What was done under the key, if its time has not ended. `answer` is null until it was noted. */
  find(
    clientId: string,
    key: string,
  ): Promise<{ readonly digest: Buffer; readonly object: string; readonly answer: string | null } | undefined>;
  note(clientId: string, key: string, answer: string): Promise<void>;
  /** Forgets what has ended before `time`. */
  prune(time: number): Promise<void>;
}

/** Looks at what is there, within the transaction that is about to change it; what it throws prevents the change. */
export type Expectation<T> = (before: T) => void;
