import type { MetricsEndpoint } from '../../domain/endpoint.js';
import type { Exposition, FamilyType } from '../../formats/family.js';
import type { Recorder } from '../live/record.js';
import type { SeriesTable } from '../live/series-table.js';
import type { RefusalReason } from '../refusals.js';

/** What names a group within its endpoint. */
export interface GroupKey {
  /** Canonical text of the labels. */
  readonly text: string;
  readonly labels: readonly (readonly [string, string])[];
}

/** What one producer replaces as a whole. Immutable. */
export interface Group {
  readonly endpointId: number;
  readonly key: GroupKey;
  readonly exposition: Exposition;
  readonly pushedAt: number;
  /** null: until replaced or deleted. */
  readonly expiresAt: number | null;
  /** The number of the write that made it. */
  readonly version: number;
  /** Present on the live series of the endpoint, which no producer replaces as a whole: by line, its own time. */
  readonly times?: Float64Array;
}

/** What a write to a group can see while it decides. Only what lives. */
export interface GroupView {
  readonly current: Group | undefined;
  /** The type the endpoint's other groups give a family; `undefined` when none has it. */
  typeElsewhere(family: string): FamilyType | undefined;
  /** Series of a family in all groups of the endpoint, `current` included. */
  seriesOf(family: string): number;
  /**
   * The other groups that could hold a series of this one: those whose grouping labels do not contradict its own.
   * Groups with the same label names always do, so there are normally none.
   */
  compatible(): readonly Group[];
  /** Series the project holds now, those of `current` included. A group without series counts as one. */
  readonly projectSeries: number;
  /** Series the endpoint holds now, those of `current` and live ones included. */
  endpointSeries(): number;
  /** Counts series that are about to be refused. */
  refuse(reason: RefusalReason, series: number): void;
}

/** A group lives as long as its endpoint says, unless it is told how long. */
export type GroupDecision =
  | { readonly put: Exposition; readonly lifetimeMs?: number | undefined }
  | { readonly remove: true };

export interface GroupStore {
  /**
   * One write to one group. `decide` runs when its turn comes, after all writes before it and before all after it; it
   * must not wait, and what it throws rejects this write alone. Resolves after COMMIT; writes that arrive together
   * share one. Throws `not_found` when the endpoint is gone and `unavailable` when the disk refuses.
   */
  update(endpoint: MetricsEndpoint, key: GroupKey, decide: (view: GroupView) => GroupDecision): Promise<void>;
  /**
   * The living groups of the endpoints at one moment, in the order of the endpoints, then of the keys. The last of an
   * endpoint are its live series, if it has any: as a group without labels, and without what a pushed group has too.
   */
  snapshot(endpoints: readonly MetricsEndpoint[]): Promise<Group[]>;
  /** The group as last read or written, if it is in memory: a hint for the parser, not a promise. */
  peek(endpointId: number, key: string): Group | undefined;
  /** Living series of the project. A group without series counts as one. */
  seriesOf(projectId: string): Promise<number>;
  /** Lets go of what is kept in memory for a project that another process changed; all projects without an id. */
  forget(projectId: string | undefined): void;
  /** Deletes groups whose lifetime has ended; gives how many. */
  removeExpired(): Promise<number>;
}

/** What a write to the live series of an endpoint works on. */
export interface LiveWrite {
  readonly table: SeriesTable;
  /** Every change of a value goes through this, and so to disk. */
  readonly record: Recorder;
  /** When it comes; milliseconds since the epoch. */
  readonly now: number;
  /** Series the project holds now: of its groups, and live ones. */
  projectSeries(): number;
  /** Series the endpoint holds now: of its groups, and live ones. */
  endpointSeries(): number;
  /** Counts series that are refused. */
  refuse(reason: RefusalReason, series: number): void;
}

/** Series that come in pieces: each request brings samples of some of them, each series ends by itself. */
export interface LiveStore {
  /**
   * One write to the live series of one endpoint, in the same queue and the same commits as the pushes; gives what
   * `decide` gives, after COMMIT. `decide` must not wait; it may throw before it has changed anything. Throws
   * `not_found` when the endpoint is gone and `unavailable` when the disk refuses.
   */
  write<T>(endpoint: MetricsEndpoint, decide: (write: LiveWrite) => T): Promise<T>;
  /**
   * The live series of the endpoint, if they are in memory. What is found there holds in a write that is handed the same
   * table, whatever was written in between: series keep their number.
   */
  peekTable(endpointId: number): SeriesTable | undefined;
  /** Lets go of what is kept in memory for a project that another process changed; all projects without an id. */
  forget(projectId: string | undefined): void;
  /** Ends the series whose lifetime has ended; gives how many. */
  removeExpired(): Promise<number>;
}
