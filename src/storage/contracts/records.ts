import type { AccessEntry, AccessPlace } from '../../domain/access.js';
import type { Stretch } from '../../domain/page.js';
import type { Soon } from '../../domain/soon.js';
import type { DailyUsage } from '../../domain/usage.js';

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
  latest(): Soon<number>;
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
