import { LRUCache } from 'lru-cache';
import type { pushGroup } from '../../../db/schema.js';
import { type MetricsEndpoint, outOfReach } from '../../domain/endpoint.js';
import type { Steps, Turns } from '../../domain/turns.js';
import { indexLines, seriesCount } from '../../formats/family.js';
import type { Refusals } from '../refusals.js';
import type { Group, GroupDecision, GroupKey, GroupStore, GroupView } from '../store.js';
import type { Commits, Participant } from './commits.js';
import type { Db } from './database.js';
import { prepareGroups } from './group-statements.js';
import { KnownFamilies, writtenFamilies } from './known-families.js';
import type { SqliteLive } from './live.js';
import { groupOverhead, Shelf } from './shelf.js';

export interface GroupStoreOptions {
  readonly now: () => number;
  /** How much of the groups is kept in memory, whole endpoints at a time. */
  readonly memoryBytes: number;
  /** Series that come in pieces, beside the groups. */
  readonly live: Pick<SqliteLive, 'seriesOf' | 'seriesOfEndpoint' | 'groupOf'>;
  readonly refusals: Refusals;
  readonly turns: Turns;
}

/**
 * Groups on disk, and whole endpoints of them in memory. This process is the only one that writes groups (the serve
 * lock sees to that), so what is in memory is what was committed; other processes only delete, and the change log
 * tells which project to forget. A batch of writes runs in one synchronous turn: nobody sees it half done.
 */
export class SqliteGroups implements GroupStore, Participant {
  private readonly commits: Commits;
  private readonly live: GroupStoreOptions['live'];
  private readonly refusals: Refusals;
  private readonly turns: Turns;
  private readonly now: () => number;
  private readonly shelves: LRUCache<number, Shelf>;
  private readonly projectSeries = new Map<string, number>();
  private readonly families = new KnownFamilies();
  private readonly statements: ReturnType<typeof prepareGroups>;
  private version: number;
  /** No group ends before this. */
  private nextExpiry: number;

  constructor(db: Db, commits: Commits, { now, memoryBytes, live, refusals, turns }: GroupStoreOptions) {
    this.commits = commits;
    this.live = live;
    this.refusals = refusals;
    this.turns = turns;
    this.now = now;
    this.shelves = new LRUCache({ maxSize: memoryBytes, sizeCalculation: (shelf) => shelf.bytes + groupOverhead });
    this.statements = prepareGroups(db);
    // Beyond the last one that is left, also when newer ones were deleted: no number is given twice.
    this.version = Math.max(this.statements.lastVersion.get()?.version ?? 0, now() * 1000);
    this.nextExpiry = 0;
    commits.join(this);
  }

  update(at: MetricsEndpoint, key: GroupKey, decide: (view: GroupView) => GroupDecision): Promise<void> {
    return this.commits.write((now) => this.apply(at, key, decide, now));
  }

  /** Within each transaction: what has died is not seen by its writes. */
  begin(now: number): void {
    this.sweep(now);
  }

  rolledBack(): void {
    this.forget(undefined);
  }

  async snapshot(endpoints: readonly MetricsEndpoint[]): Promise<Group[]> {
    const now = this.now();
    // What there is now; only writing it down takes several turns.
    const taken = endpoints.map((at) => {
      const groups = [...this.shelf(at.id, at.projectId).groups.values()].filter((group) => isAlive(group, now));
      groups.sort((a, b) => (a.key.text < b.key.text ? -1 : 1));
      return { groups, live: this.live.groupOf(at, groups, now) };
    });
    return taken.some(({ live }) => live !== undefined)
      ? this.turns.do(allGroups(taken))
      : taken.flatMap(({ groups }) => groups);
  }

  peek(endpointId: number, key: string): Group | undefined {
    return this.shelves.get(endpointId)?.groups.get(key);
  }

  async seriesOf(projectId: string): Promise<number> {
    const now = this.now();
    this.sweep(now);
    return this.countSeries(projectId, now) + this.live.seriesOf(projectId);
  }

  forget(projectId: string | undefined): void {
    this.nextExpiry = 0;
    if (projectId === undefined) {
      this.shelves.clear();
      this.projectSeries.clear();
      return;
    }
    for (const [id, shelf] of this.shelves.entries()) if (shelf.projectId === projectId) this.shelves.delete(id);
    this.projectSeries.delete(projectId);
  }

  async removeExpired(): Promise<number> {
    return this.sweep(this.now());
  }

  /** One write, on disk (within the transaction) and in memory. */
  private apply(at: MetricsEndpoint, key: GroupKey, decide: (view: GroupView) => GroupDecision, now: number): void {
    const shelf = this.shelf(at.id, at.projectId);
    const projectSeries = this.countSeries(at.projectId, now) + this.live.seriesOf(at.projectId);
    const endpointSeries = (): number => shelf.series + this.live.seriesOfEndpoint(at.id);
    const refuse: GroupView['refuse'] = (reason, series) => this.refusals.count(at.id, reason, series);
    const decision = decide({ ...shelf.view(key, projectSeries), endpointSeries, refuse });
    if ('remove' in decision) {
      this.statements.remove.run({ endpointId: at.id, key: key.text });
      this.replace(shelf, at, key, undefined);
      return;
    }
    const { lifetimeMs = at.lifetimeMs } = decision;
    const expiresAt = lifetimeMs === 0 ? null : now + lifetimeMs;
    const group: Group = {
      endpointId: at.id,
      key,
      exposition: decision.put,
      pushedAt: now,
      expiresAt,
      version: this.version + 1,
    };
    const before = shelf.groups.get(key.text);
    const written = before !== undefined && this.writeSamples(group, before) ? group : this.writeAll(group);
    this.version++;
    if (expiresAt !== null) this.nextExpiry = Math.min(this.nextExpiry, expiresAt);
    this.replace(shelf, at, key, written);
  }

  /** What nearly every push changes. False when more has changed since `before`, or the row is gone. */
  private writeSamples(group: Group, before: Group): boolean {
    return (
      group.exposition.families === before.exposition.families &&
      this.statements.putSamples.run({ ...address(group), ...samplesColumns(group) }).changes === 1
    );
  }

  private writeAll(group: Group): Group {
    const text = writtenFamilies(group.exposition.families);
    const labels = JSON.stringify(group.key.labels);
    try {
      this.statements.put.run({ ...address(group), ...samplesColumns(group), families: text, labels });
    } catch (error) {
      // The endpoint was deleted by another process.
      if ((error as { code?: string }).code === 'SQLITE_CONSTRAINT_FOREIGNKEY') throw outOfReach();
      throw error;
    }
    const families = this.families.intern(text, group.exposition.families);
    return { ...group, exposition: { ...group.exposition, families } };
  }

  private replace(shelf: Shelf, at: MetricsEndpoint, key: GroupKey, group: Group | undefined): void {
    const gained = shelf.replace(key.text, group);
    this.projectSeries.set(at.projectId, (this.projectSeries.get(at.projectId) ?? 0) + gained);
    this.weigh(at.id, shelf);
  }

  /** The cache asks for a weight only when an entry is new to it. */
  private weigh(endpointId: number, shelf: Shelf): void {
    this.shelves.delete(endpointId);
    this.shelves.set(endpointId, shelf);
  }

  private shelf(endpointId: number, projectId: string): Shelf {
    const there = this.shelves.get(endpointId);
    if (there !== undefined) return there;
    const shelf = new Shelf(projectId);
    for (const row of this.statements.ofEndpoint.all({ endpointId })) shelf.replace(row.key, this.fromRow(row));
    this.shelves.set(endpointId, shelf);
    return shelf;
  }

  /** Series of the project's groups, without the live ones. */
  countSeries(projectId: string, now: number): number {
    let series = this.projectSeries.get(projectId);
    if (series === undefined) {
      series = this.statements.seriesOfProject.get({ projectId, now })?.series ?? 0;
      this.projectSeries.set(projectId, series);
    }
    return series;
  }

  /** Series of the endpoint's groups, without the live ones. */
  seriesOfEndpoint({ id, projectId }: MetricsEndpoint): number {
    return this.shelf(id, projectId).series;
  }

  /** Deletes the dead. Cheap when nothing has died: the next death is known. */
  private sweep(now: number): number {
    if (now < this.nextExpiry) return 0;
    const dead = this.statements.removeExpired.all({ now });
    for (const { endpointId, key } of dead) {
      const shelf = this.shelves.get(endpointId);
      // Which project they were of is not worth a join: the counts are read again when asked for.
      if (shelf === undefined) {
        this.projectSeries.clear();
        continue;
      }
      const { projectId } = shelf;
      const series = this.projectSeries.get(projectId);
      const gained = shelf.replace(key, undefined);
      if (series !== undefined) this.projectSeries.set(projectId, series + gained);
      this.weigh(endpointId, shelf);
    }
    this.nextExpiry = this.statements.nextExpiry.get()?.at ?? Number.POSITIVE_INFINITY;
    return dead.length;
  }

  private fromRow(row: typeof pushGroup.$inferSelect): Group {
    return {
      endpointId: row.endpointId,
      key: { text: row.key, labels: JSON.parse(row.labels) as [string, string][] },
      exposition: {
        families: this.families.read(row.families),
        bytes: row.samples,
        lines: indexLines(row.samples, row.series),
      },
      pushedAt: row.pushedAt,
      expiresAt: row.expiresAt,
      version: row.version,
    };
  }
}

const isAlive = (group: Group, now: number): boolean => group.expiresAt === null || group.expiresAt > now;

const address = ({ endpointId, key }: Group) => ({ endpointId, key: key.text });

const samplesColumns = ({ exposition, pushedAt, expiresAt, version }: Group) => ({
  samples: exposition.bytes,
  series: seriesCount(exposition),
  pushedAt,
  expiresAt,
  version,
});

function* allGroups(
  taken: readonly { groups: readonly Group[]; live: Steps<Group | undefined> | undefined }[],
): Steps<Group[]> {
  const all: Group[] = [];
  for (const { groups, live } of taken) {
    all.push(...groups);
    const group = live && (yield* live);
    if (group !== undefined) all.push(group);
  }
  return all;
}
