import type { AccessEntry, AccessPlace } from '../domain/access.js';
import type { Client, ClientKey, ClientSecret, LastUse, ScrapeToken } from '../domain/client.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { Limits } from '../domain/limits.js';
import type { CreationPlace, Stretch } from '../domain/page.js';
import type { Project } from '../domain/project.js';
import type { Relabeling } from '../domain/relabel.js';
import type { Source, SourceCondition, SourceSettings } from '../domain/source.js';
import type {
  Attempt,
  Delivery,
  DeliveryStatus,
  MetricKind,
  MetricStream,
  StreamHealth,
  StreamStatus,
} from '../domain/stream.js';
import type { DailyUsage } from '../domain/usage.js';
import type { Exposition, FamilyType } from '../formats/family.js';
import type { Recorder } from './live/record.js';
import type { SeriesTable } from './live/series-table.js';
import type { RefusalReason, Refusals } from './refusals.js';

/**
 * The contracts of storage. All are async, so that a database across a network can stand behind them. A write is
 * durable when its promise resolves. Writes to projects, endpoints, clients and keys enter the change log in the same
 * transaction, which is how other processes on the same store learn of them; and they enter the audit log there, under the
 * name of whoever opened the store, or of whom it is used for by `as`.
 */
export interface Store extends Managed {
  readonly issuers: IssuerStore;
  readonly idempotency: IdempotencyStore;
  readonly changes: ChangeLog;
  readonly facts: FactStore;
  readonly groups: GroupStore;
  readonly live: LiveStore;
  readonly refusals: Pick<Refusals, 'of'>;
  /** Throws when so many writes are waiting that no more are taken. */
  checkQueue(): void;
  /** Size of what is committed but not yet in the database's own place. */
  walBytes(): number;
  /** The same, on somebody's behalf: their name enters the audit log. */
  as(by: Doer): Managed;
  /** Whether a write would go through now; rejects with the reason when not. */
  checkWritable(): Promise<void>;
  /** Commits what is queued, then lets go of the database. */
  close(): Promise<void>;
}

/** What people manage. */
export interface Managed {
  readonly projects: ProjectStore;
  readonly endpoints: EndpointStore;
  readonly clients: ClientStore;
  readonly keys: KeyStore;
  readonly bans: BanStore;
  readonly streams: StreamStore;
  readonly deliveries: DeliveryStore;
  readonly sources: SourceStore;
  readonly audit: AuditLog;
  readonly usage: UsageStore;
  readonly accessLog: AccessLogStore;
}

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

export interface ProjectStore {
  /** Throws `conflict` when the id is taken. */
  create(project: Project): Promise<void>;
  /** Oldest first. */
  list(stretch?: Stretch<CreationPlace>): Promise<Project[]>;
  get(id: string): Promise<Project | undefined>;
  /** Sets what is given and leaves the rest; throws `not_found`. */
  update(id: string, changes: ProjectChanges, expect?: Expectation<Project>): Promise<Project>;
  /** With its endpoints, clients and groups; throws `not_found`. */
  delete(id: string, expect?: Expectation<Project>): Promise<void>;
}

export interface ProjectChanges {
  readonly name?: string | undefined;
  /** null takes a limit back to that of the configuration. */
  readonly limits?: { readonly [name in keyof Limits]?: number | null | undefined } | undefined;
}

export type EndpointSettings = Pick<
  MetricsEndpoint,
  'name' | 'lifetimeMs' | 'timestamps' | 'metadata' | keyof Relabeling
>;

export interface EndpointStore {
  /** Throws `not_found` without the project and `conflict` when the metricsId is taken in it. */
  create(endpoint: Omit<MetricsEndpoint, 'id' | 'version'>): Promise<MetricsEndpoint>;
  /** Oldest first. */
  list(projectId: string, stretch?: Stretch<readonly [createdAt: number, id: number]>): Promise<MetricsEndpoint[]>;
  /** A new lifetime also moves the end of the groups that live; those that ended stay ended. Throws `not_found`. */
  update(
    projectId: string,
    metricsId: string,
    settings: Partial<EndpointSettings>,
    expect?: Expectation<MetricsEndpoint>,
  ): Promise<MetricsEndpoint>;
  /** With its groups; throws `not_found`. */
  delete(projectId: string, metricsId: string, expect?: Expectation<MetricsEndpoint>): Promise<void>;
}

/** A client with all that it can prove itself with, and all of it that no longer counts. */
export interface ClientRecord {
  readonly client: Client;
  /** Ended and revoked ones included, until the last of their tokens has ended. */
  readonly secrets: readonly ClientSecret[];
  readonly keys: readonly ClientKey[];
  readonly scrapeTokens: readonly ScrapeToken[];
  /** The `jti` of access tokens that are refused before their end. */
  readonly revokedTokens: ReadonlySet<string>;
}

export type ClientSettings = Partial<
  Pick<Client, 'name' | 'scopes' | 'endpoints' | 'allowBasic' | 'jwksUrl' | 'disabledAt'>
>;

export interface ClientStore {
  /** Throws `not_found` without its project. */
  create(client: Client, secret: ClientSecret): Promise<void>;
  /** Of one project or all, oldest first. */
  list(projectId: string | undefined, stretch?: Stretch<CreationPlace>): Promise<Client[]>;
  get(id: string): Promise<ClientRecord | undefined>;
  // All of these throw `not_found` for an unknown client.
  setDisabled(id: string, disabledAt: number | null): Promise<Client>;
  set(id: string, settings: ClientSettings, expect?: Expectation<Client>): Promise<Client>;
  delete(id: string, expect?: Expectation<Client>): Promise<void>;
  /**
   * Adds a secret. The one before it ends at `previousEndsAt`, unless it ends earlier anyway; older ones end now. Gives
   * the end of the one before, null when there was none.
   */
  rotate(id: string, secret: ClientSecret, previousEndsAt: number): Promise<number | null>;
  /** Also throws `not_found` for an unknown secret. */
  revokeSecret(id: string, secretId: string): Promise<void>;
  /** Ends every access token of the client, and every scrape token. */
  revokeTokens(id: string): Promise<void>;
  /** At the client's own wish, from `ip`: refuses one access token until its end, `endsAt`. Nothing happens when the client is gone: so are its tokens. */
  revokeToken(id: string, jti: string, endsAt: number, ip: string): Promise<void>;
  addKeys(id: string, keys: readonly ClientKey[]): Promise<void>;
  removeKey(id: string, kid: string): Promise<void>;
  addScrapeToken(token: ScrapeToken): Promise<void>;
  /** By the operator, or from `ip` at the client's own wish. Also throws `not_found` for an unknown token. */
  removeScrapeToken(id: string, tokenId: string, ip?: string): Promise<void>;
  /** By the id of a secret or scrape token. Not in the change log: nothing depends on it. */
  noteUses(uses: ReadonlyMap<string, LastUse>): Promise<void>;
  /** True the first time only. Kept until `endsAt`. */
  takeAssertion(clientId: string, jti: string, endsAt: number): Promise<boolean>;
  /** Forgets what has ended before `time`: assertions, refused tokens, secrets; scrape tokens a month later. */
  prune(time: number): Promise<void>;
}

export type KeyState = 'next' | 'current' | 'retired';

export interface StoredKey {
  readonly kid: string;
  readonly alg: string;
  readonly state: KeyState;
  readonly publicJwk: string;
  /** Encrypted. */
  readonly privateJwk: Buffer;
  readonly createdAt: number;
  /** From then on its tokens are refused; null while it may sign. */
  readonly endsAt: number | null;
}

/** What becomes of the keys, and what the audit log says of it: `key.<action>` of `kid`. */
export interface KeyChange {
  readonly action: string;
  readonly kid: string;
  readonly keys: readonly StoredKey[];
}

export interface KeyStore {
  list(): Promise<StoredKey[]>;
  /**
   * Replaces what is there by what `change` makes of it, in one transaction; gives the result. Nothing is written when
   * `change` gives nothing.
   */
  update(change: (keys: readonly StoredKey[]) => KeyChange | undefined): Promise<StoredKey[]>;
  /**
   * Replaces every private key, and the secrets of every stream and source, by what `reseal` makes of them, in one
   * transaction; others that do so wait. The audit log says `encryption.rotate` of the encryption key that `reseal` names.
   * What it throws changes nothing.
   */
  reseal(reseal: (sealed: Omit<Resealed, 'name'>) => Resealed): Promise<void>;
}

export interface Resealed {
  /** Of the encryption key. */
  readonly name: string;
  readonly keys: readonly StoredKey[];
  readonly streams: readonly SealedSecrets[];
  readonly sources: readonly SealedSecrets[];
}

export interface IssuerStore {
  /** Notes that tokens are issued under this URL now; gives every URL used since `since`. */
  use(url: string, now: number, since: number): Promise<string[]>;
  /** The URL used last. */
  latest(): Promise<string | undefined>;
}

/**
 * Until `endsAt`, wrong secrets for this client id from this address are answered 429. A ban outlives a process and is
 * shared by several.
 */
export interface Ban {
  /** As presented, if it has the form of our ids; otherwise `foreign:` and a hash, or `*` for a flood of ids. */
  readonly clientId: string;
  /** IPv4, or the /64 of an IPv6 address. */
  readonly address: string;
  readonly createdAt: number;
  readonly endsAt: number;
}

export type BanPlace = readonly [createdAt: number, clientId: string, address: string];

/** Where bans are kept. What is lifted here bites when the processes on the store read it again. */
export interface BanStore {
  /** Those that last at `now`, oldest first. */
  list(now: number, stretch?: Stretch<BanPlace>): Promise<Ban[]>;
  /** In place of the one the pair had. */
  add(ban: Ban): Promise<void>;
  /** Of the client, from the address or from all; gives how many. */
  lift(clientId: string, address: string | undefined): Promise<number>;
}

/** What a person may change about a stream. `secrets` is encrypted. */
export interface StreamSettings extends Pick<MetricStream, 'name' | 'subscriptions' | 'destination'> {
  readonly status: Exclude<StreamStatus, 'suspended'>;
  readonly secrets: Buffer;
}

/** The secrets of a stream or source, encrypted. */
export interface SealedSecrets {
  readonly id: string;
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

export interface StoredSource {
  readonly source: Source;
  /** Encrypted. */
  readonly secrets: Buffer;
}

/** What may be changed about a source. `secrets` is encrypted. */
export type SourceChange = Partial<SourceSettings> & { readonly secrets?: Buffer };

export interface SourceStore {
  /** Throws `not_found` without the endpoint and `conflict` when it has a source of that name. */
  create(
    source: Omit<Source, keyof SourceCondition | 'endpointId' | 'version' | 'updatedAt'>,
    secrets: Buffer,
  ): Promise<Source>;
  /** Of one project or of all, oldest first. */
  list(projectId: string | undefined): Promise<Source[]>;
  get(id: string): Promise<StoredSource | undefined>;
  /**
   * Changes what `change` makes of the source as it is, in one transaction; its health is then `pending`. Throws
   * `not_found`, `conflict` as above, and what `change` throws.
   */
  update(id: string, change: (stored: StoredSource) => SourceChange): Promise<Source>;
  /** With the series that came from it. Throws `not_found`. */
  delete(id: string): Promise<void>;
  /** What pulls with the settings of this version have shown. That its guard has tripped is written to the audit log. */
  noteCondition(id: string, version: number, condition: SourceCondition): Promise<void>;
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

/** Who did what to which noun, from where, when. */
export interface AuditEvent {
  readonly at: number;
  /** `cli:<user>`, `client:<id>` or `system`. */
  readonly actor: string;
  /** Noun and verb: `client.rotate`. */
  readonly action: string;
  /** `client:<id>`. */
  readonly object: string;
  readonly projectId: string | null;
  readonly ip: string | null;
}

/** Rising with every event. */
export type AuditRecord = AuditEvent & { readonly id: number };

/** All of it must hold; times are from `since` on, before `until`. */
export interface AuditFilter {
  readonly projectId?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly object?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export interface AuditLog {
  record(event: AuditEvent): Promise<void>;
  /** Newest first; `after` is the id of the last one seen. */
  list(filter: AuditFilter & Stretch<number>): Promise<AuditRecord[]>;
}

/** Days are the moments they begin at. */
export interface UsageStore {
  /** Adds to what is there, in one transaction; leaves out projects that are gone. */
  add(usage: readonly DailyUsage[]): Promise<void>;
  /** Newest day first, then by project; `from` and `to` are the first and the last day. */
  list(
    filter: {
      readonly projectId?: string | undefined;
      readonly from?: number | undefined;
      readonly to?: number | undefined;
    } & Stretch<UsagePlace>,
  ): Promise<DailyUsage[]>;
  /** Forgets days before `time`. */
  prune(time: number): Promise<void>;
}
export type UsagePlace = readonly [day: number, projectId: string];

export interface AccessFilter {
  readonly projectId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly endpointId?: string | undefined;
}

export interface AccessRecord extends AccessEntry {
  readonly projectId: string;
  readonly clientId: string;
  /** Whether it was the client, or somebody who only used its name. */
  readonly proved: boolean;
  /** Since the one before of the same client and endpoint; null for the oldest that is kept. */
  readonly intervalMs: number | null;
  readonly place: readonly [at: number, ring: number, entry: number];
}

/** The newest scrapes and token requests of each client and endpoint. */
export interface AccessLogStore {
  /** Adds to what is there, in one transaction, and forgets the oldest; leaves out projects and clients that are gone. */
  append(batches: readonly (AccessPlace & { readonly entries: readonly AccessEntry[] })[]): Promise<void>;
  /** Newest first; `after` is the `place` of the last one seen. */
  list(filter: AccessFilter & Stretch<AccessRecord['place']>): Promise<AccessRecord[]>;
  /** Forgets what had no entry since `time`, and the oldest when there is too much. */
  prune(time: number): Promise<void>;
}

export interface Change {
  readonly seq: number;
  readonly noun: 'project' | 'client' | 'key' | 'ban' | 'stream' | 'source';
  readonly id: string;
}

export interface ChangeLog {
  /** The number of the newest change, 0 when there was none. */
  latest(): Promise<number>;
  /** In order. `undefined` when the log no longer reaches back that far: then everything may have changed. */
  since(seq: number): Promise<Change[] | undefined>;
  /** Forgets changes from before `time`, but the newest. */
  prune(time: number): Promise<void>;
}

/** Single facts about this store, such as the fingerprint of the pepper its secrets were made with. */
export interface FactStore {
  /** Sets the fact unless it is set; gives what it is then. */
  establish(key: string, value: string): Promise<string>;
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

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
  /** Series the project holds now, those of `current` included. */
  readonly projectSeries: number;
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
  /** Living series of the project. */
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
  /** Lets go of what is kept in memory for a project that another process changed; all projects without an id. */
  forget(projectId: string | undefined): void;
  /** Ends the series whose lifetime has ended; gives how many. */
  removeExpired(): Promise<number>;
}
