import type { BanStore, ClientStore } from './contracts/clients.js';
import type { IssuerStore, KeyStore } from './contracts/keys.js';
import type { EndpointStore, ProjectStore } from './contracts/projects.js';
import type { AccessLogStore, AuditLog, ChangeLog, FactStore, UsageStore } from './contracts/records.js';
import type { GroupStore, LiveStore } from './contracts/series.js';
import type { SourceStore } from './contracts/sources.js';
import type { DeliveryStore, StreamStore } from './contracts/streams.js';
import type { Doer, IdempotencyStore } from './contracts/writes.js';
import type { Refusals } from './refusals.js';

export * from './contracts/clients.js';
export * from './contracts/keys.js';
export * from './contracts/projects.js';
export * from './contracts/records.js';
export * from './contracts/series.js';
export * from './contracts/sources.js';
export * from './contracts/streams.js';
export * from './contracts/writes.js';

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
