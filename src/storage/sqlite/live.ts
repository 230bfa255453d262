import { asc, eq, sql } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import { endpoint, liveBase, liveDelta } from '../../../db/schema.js';
import { instanceLabel, type MetricsEndpoint, outOfReach } from '../../domain/endpoint.js';
import type { Steps } from '../../domain/turns.js';
import { withoutPushed } from '../live/duplicates.js';
import { liveExposition } from '../live/exposition.js';
import { encodeTable, Recorder, tableOf } from '../live/record.js';
import type { SeriesTable } from '../live/series-table.js';
import type { Refusals } from '../refusals.js';
import type { Group, LiveStore, LiveWrite } from '../store.js';
import type { Commits, Participant } from './commits.js';
import type { Db } from './database.js';

/** The live series of one endpoint in memory. */
interface Kept {
  readonly endpointId: number;
  readonly projectId: string;
  table: SeriesTable;
  baseBytes: number;
  deltaBytes: number;
}

/** What is known of an endpoint that has live series, whether they are in memory or not. */
interface Known {
  readonly endpointId: number;
  readonly projectId: string;
  lifetimeMs: number;
  /** `undefined` until they have been read. */
  living: number | undefined;
  /** None of them ends before this. */
  nextEnd: number;
}

export interface LiveOptions {
  readonly now: () => number;
  readonly memoryBytes: number;
  readonly refusals: Refusals;
  /** Series that the project holds besides. */
  readonly otherSeries: (projectId: string, now: number) => number;
  /** The same of an endpoint. */
  readonly otherSeriesAt: (at: MetricsEndpoint) => number;
  /** Records of an endpoint are folded when they weigh more than this, and than twice their base. */
  readonly foldBytes?: number;
}

const smallestFold = 4 * 1024 * 1024;
const deadKept = 1024;
/** Endpoints that are read for the first time in one sweep: each may be large. */
const readsPerSweep = 16;
const liveKey = { text: 'live', labels: [] } as const;

/**
 * Live series on disk, as a base and what was written since, and whole endpoints of them in memory. As with the groups,
 * this process alone writes them.
 */
export class SqliteLive implements LiveStore, Participant {
  private readonly commits: Commits;
  private readonly options: LiveOptions;
  private readonly statements: ReturnType<typeof prepare>;
  private readonly tables: LRUCache<number, Kept>;
  private readonly known = new Map<number, Known>();
  private nextEnd = 0;

  constructor(db: Db, commits: Commits, options: LiveOptions) {
    this.commits = commits;
    this.options = options;
    this.statements = prepare(db);
    this.tables = new LRUCache({
      maxSize: options.memoryBytes,
      sizeCalculation: ({ table }) => table.weight,
    });
    this.learn(undefined);
    commits.join(this);
  }

  async write<T>(at: MetricsEndpoint, decide: (write: LiveWrite) => T): Promise<T> {
    let result: T | undefined;
    await this.commits.write((now) => {
      const before = this.knownOf(at);
      this.sweep(before, this.keptOf(before), now);
      // When all have ended, nothing is left: the table is a new one.
      const known = this.knownOf(at);
      const kept = this.keptOf(known);
      const record = new Recorder(kept.table);
      const { table } = kept;
      const projectSeries = (): number => this.seriesOf(at.projectId) + this.options.otherSeries(at.projectId, now);
      const endpointSeries = (): number => this.seriesOfEndpoint(at.id) + this.options.otherSeriesAt(at);
      const refuse: LiveWrite['refuse'] = (reason, series) => this.options.refusals.count(at.id, reason, series);
      result = decide({ table, record, now, projectSeries, endpointSeries, refuse });
      this.append(known, kept, record);
      if (table.living === 0 && table.count === 0 && table.descriptions.size === 0) this.drop(known);
    });
    return result as T;
  }

  peekTable(endpointId: number): SeriesTable | undefined {
    return this.tables.get(endpointId)?.table;
  }

  /** Series that live in the project, besides its groups. */
  seriesOf(projectId: string): number {
    let series = 0;
    for (const known of this.known.values()) {
      if (known.projectId === projectId) series += this.livingOf(known);
    }
    return series;
  }

  /** The same of the endpoint. */
  seriesOfEndpoint(endpointId: number): number {
    const known = this.known.get(endpointId);
    return known === undefined ? 0 : this.livingOf(known);
  }

  private livingOf(known: Known): number {
    if (known.living === undefined) this.keptOf(known);
    return known.living!;
  }

  /** The live series of the endpoint as they are now, as a group, without what the pushed groups have too. */
  groupOf(at: MetricsEndpoint, pushed: readonly Group[], now: number): Steps<Group | undefined> | undefined {
    if (!this.known.has(at.id)) return undefined;
    const { table } = this.keptOf(this.knownOf(at));
    const since = at.lifetimeMs === 0 ? 0 : Math.max(0, now - at.lifetimeMs);
    return groupSteps(at, pushed, liveExposition(table, since, [[instanceLabel, at.metricsId]]));
  }

  forget(projectId: string | undefined): void {
    const now = this.options.now();
    for (const known of [...this.known.values()]) {
      if (projectId !== undefined && known.projectId !== projectId) continue;
      const kept = this.tables.peek(known.endpointId);
      // A new lifetime must not bring back what ended under the old one.
      try {
        if (kept !== undefined) this.sweep(known, kept, now);
      } catch {
        // The disk takes no writes: then they end at the next sweep, by the lifetime they have now.
      }
      this.tables.delete(known.endpointId);
      this.known.delete(known.endpointId);
    }
    this.learn(projectId);
  }

  async removeExpired(): Promise<number> {
    let reads = 0;
    let ended = 0;
    for (const known of [...this.known.values()]) {
      if (known.living === undefined && reads++ >= readsPerSweep) continue;
      const kept = this.keptOf(known);
      ended += this.sweep(known, kept, this.options.now());
    }
    return ended;
  }

  begin(now: number): void {
    if (now < this.nextEnd) return;
    this.nextEnd = Number.POSITIVE_INFINITY;
    for (const known of [...this.known.values()]) {
      if (known.living === undefined) continue;
      if (known.nextEnd <= now) this.sweep(known, this.keptOf(known), now);
      this.nextEnd = Math.min(this.nextEnd, known.nextEnd);
    }
  }

  rolledBack(): void {
    this.tables.clear();
    this.known.clear();
    this.learn(undefined);
  }

  /** Reads which endpoints have live series. */
  private learn(projectId: string | undefined): void {
    for (const { endpointId, ...row } of this.statements.endpoints.all()) {
      if (projectId !== undefined && row.projectId !== projectId) continue;
      this.known.set(endpointId, { endpointId, ...row, living: undefined, nextEnd: 0 });
    }
    this.nextEnd = 0;
  }

  private knownOf({ id, projectId, lifetimeMs }: MetricsEndpoint): Known {
    let known = this.known.get(id);
    if (known === undefined) {
      known = { endpointId: id, projectId, lifetimeMs, living: 0, nextEnd: Number.POSITIVE_INFINITY };
      this.known.set(id, known);
    }
    return known;
  }

  private keptOf(known: Known): Kept {
    const { endpointId, projectId } = known;
    let kept = this.tables.get(endpointId);
    if (kept !== undefined) return kept;
    const base = this.statements.base.get({ endpointId })?.record;
    const deltas = this.statements.deltas.all({ endpointId }).map(({ record }) => record);
    const table = tableOf(base === undefined ? deltas : [base, ...deltas]);
    const deltaBytes = deltas.reduce((sum, { length }) => sum + length, 0);
    kept = { endpointId, projectId, table, baseBytes: base?.length ?? 0, deltaBytes };
    this.tables.set(endpointId, kept);
    this.note(known, kept);
    return kept;
  }

  private note(known: Known, { table }: Kept): void {
    known.living = table.living;
    known.nextEnd =
      known.lifetimeMs === 0 || table.living === 0 ? Number.POSITIVE_INFINITY : table.oldest + known.lifetimeMs;
    this.nextEnd = Math.min(this.nextEnd, known.nextEnd);
  }

  /** Ends what has outlived its lifetime, also on disk: it must not come back with a longer one. */
  private sweep(known: Known, kept: Kept, now: number): number {
    const { table } = kept;
    const expired = table.expired(now, known.lifetimeMs);
    const record = new Recorder(table);
    for (const series of expired) record.end(series, table.times[series]!);
    if (expired.length > 0 && table.living === 0) this.drop(known);
    else this.append(known, kept, record);
    return expired.length;
  }

  private append(known: Known, kept: Kept, record: Recorder): void {
    if (!record.isEmpty) {
      const { endpointId } = kept;
      const bytes = record.encode();
      try {
        this.statements.append.run({ endpointId, record: bytes });
      } catch (error) {
        // The endpoint was deleted by another process.
        if ((error as { code?: string }).code !== 'SQLITE_CONSTRAINT_FOREIGNKEY') throw error;
        this.tables.delete(endpointId);
        this.known.delete(endpointId);
        throw outOfReach();
      }
      kept.deltaBytes += bytes.length;
      const { table } = kept;
      const worthwhile = kept.deltaBytes > Math.max(this.options.foldBytes ?? smallestFold, 2 * kept.baseBytes);
      if (worthwhile || table.count - table.living > table.living + deadKept) this.fold(kept);
      // The cache asks for a weight only when an entry is new to it.
      this.tables.delete(endpointId);
      this.tables.set(endpointId, kept);
    }
    this.note(known, kept);
  }

  /** Base and deltas become one new base, without what has ended. */
  private fold(kept: Kept): void {
    const { endpointId } = kept;
    kept.table = kept.table.compacted();
    const record = encodeTable(kept.table);
    this.statements.putBase.run({ endpointId, record });
    this.statements.removeDeltas.run({ endpointId });
    kept.baseBytes = record.length;
    kept.deltaBytes = 0;
  }

  private drop({ endpointId }: Known): void {
    this.statements.removeDeltas.run({ endpointId });
    this.statements.removeBase.run({ endpointId });
    this.tables.delete(endpointId);
    this.known.delete(endpointId);
  }
}

function* groupSteps(
  { id, lifetimeMs }: MetricsEndpoint,
  pushed: readonly Group[],
  exposition: ReturnType<typeof liveExposition>,
): Steps<Group | undefined> {
  const all = yield* exposition;
  const expositions = pushed.map((group) => group.exposition);
  const live = all && (yield* withoutPushed(all, expositions));
  return (
    live && {
      endpointId: id,
      key: liveKey,
      exposition: live.exposition,
      times: live.times,
      pushedAt: live.newest,
      expiresAt: lifetimeMs === 0 ? null : live.oldest + lifetimeMs,
      version: live.newest,
    }
  );
}

function prepare(db: Db) {
  const value = sql.placeholder;
  const ofEndpoint = {
    base: eq(liveBase.endpointId, value('endpointId')),
    delta: eq(liveDelta.endpointId, value('endpointId')),
  };
  const record = value('record');
  return {
    endpoints: db
      .select({ endpointId: endpoint.id, projectId: endpoint.projectId, lifetimeMs: endpoint.lifetimeMs })
      .from(endpoint)
      .where(
        sql`${endpoint.id} IN (SELECT ${liveBase.endpointId} FROM ${liveBase} UNION SELECT ${liveDelta.endpointId} FROM ${liveDelta})`,
      )
      .prepare(),
    base: db.select({ record: liveBase.record }).from(liveBase).where(ofEndpoint.base).prepare(),
    deltas: db
      .select({ record: liveDelta.record })
      .from(liveDelta)
      .where(ofEndpoint.delta)
      .orderBy(asc(liveDelta.seq))
      .prepare(),
    append: db
      .insert(liveDelta)
      .values({ endpointId: value('endpointId'), record })
      .prepare(),
    putBase: db
      .insert(liveBase)
      .values({ endpointId: value('endpointId'), record })
      .onConflictDoUpdate({ target: liveBase.endpointId, set: { record: sql`excluded.record` } })
      .prepare(),
    removeDeltas: db.delete(liveDelta).where(ofEndpoint.delta).prepare(),
    removeBase: db.delete(liveBase).where(ofEndpoint.base).prepare(),
  };
}
