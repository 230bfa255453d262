import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import { maySee, type Sight } from '../domain/client.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { Limits } from '../domain/limits.js';
import type { Project } from '../domain/project.js';
import type { Soon } from '../domain/soon.js';
import type { Change, ClientRecord, Store } from './store.js';

/** A client as it is now. Whoever keeps one must look at `stale` before trusting it. */
export interface LiveClient extends ClientRecord {
  /** Set when the store has said something newer, or when it is no longer watched. */
  stale: boolean;
}

export interface LiveProject {
  readonly project: Project;
  /** The configuration's limits with the project's own over them. */
  readonly limits: Limits;
  readonly endpoints: ReadonlyMap<string, MetricsEndpoint>;
  /** By who sees them, the endpoints it may see; filled by whoever asks first. */
  readonly visible: WeakMap<Sight, VisibleEndpoints>;
}

export interface VisibleEndpoints {
  readonly endpoints: readonly MetricsEndpoint[];
  /** Names these endpoints with these settings, for cache keys. */
  readonly key: string;
}

/**
 * Clients, projects and endpoints in memory, for paths that must not wait for storage. `peek…` only look in memory;
 * the others first read the change log, so that they never refuse on old knowledge. What is allowed from memory is at
 * most as old as the last `sync`.
 */
export class Directory {
  private readonly store: Store;
  private baseLimits: Limits;
  private readonly clients = new LRUCache<string, LiveClient>({
    ...atMost(50_000),
    // Whoever keeps a client that memory has no room for would not learn of its end.
    dispose: (client) => {
      client.stale = true;
    },
  });
  private readonly projects = new LRUCache<string, LiveProject>(atMost(10_000));
  private readonly listeners: ((changes: readonly Change[] | undefined) => void)[] = [];
  private seen = 0;
  private misses = 0;
  /** One that is always found: to find a client in memory takes half a microsecond more than not to. */
  private readonly decoys = new LRUCache<string, object>({ max: 1 });
  private syncing: Promise<void> | undefined;

  constructor(store: Store, baseLimits: Limits) {
    this.store = store;
    this.baseLimits = baseLimits;
    this.decoys.set(nobody, {});
  }

  /** Calls back with what other processes changed; `undefined` means anything may have changed. */
  onChange(listener: (changes: readonly Change[] | undefined) => void): void {
    this.listeners.push(listener);
  }

  /** The configuration's limits, for clients of no project. */
  get limitsOutsideProjects(): Limits {
    return this.baseLimits;
  }

  /** The configuration's limits from now on. */
  setBaseLimits(limits: Limits): void {
    this.baseLimits = limits;
    this.projects.clear();
  }

  /**
   * Forgets what the change log says has changed: nothing if there is nothing new. What is said of the log is never older than
   * the call; calls share only what one of them is still reading, within one turn of the event loop.
   */
  sync(): Soon<void> {
    if (this.syncing !== undefined) return this.syncing;
    const latest = this.store.changes.latest();
    if (latest === this.seen) return;
    this.syncing = this.readLog(latest).finally(() => {
      this.syncing = undefined;
    });
    return this.syncing;
  }

  peekClient(id: string): LiveClient | undefined {
    return this.clients.get(id);
  }

  client(id: string): Soon<LiveClient | undefined> {
    const synced = this.sync();
    const known = synced === undefined ? this.clients.get(id) : undefined;
    return known ?? this.readClient(id, synced);
  }

  private async readClient(id: string, synced: Soon<void>): Promise<LiveClient | undefined> {
    await synced;
    // Without a wait it was looked for a moment ago.
    const known = synced === undefined ? undefined : this.clients.get(id);
    if (known !== undefined) return known;
    const { seen } = this;
    const stored = await this.store.clients.get(id);
    if (stored === undefined) {
      this.decoys.get(nobody);
      return undefined;
    }
    const live: LiveClient = { ...stored, stale: false };
    // What was read while the log moved on may be old already.
    if (seen === this.seen) this.clients.set(id, live);
    else live.stale = true;
    return live;
  }

  /**
   * After a client was found: what is left of looking for one that is not there, for who must not be able to tell by the time. The
   * same way, with an id in the form of theirs that was not looked for before, as SQLite is quicker with one it knows.
   */
  missClient(): Promise<undefined> {
    this.misses = (this.misses + 1) % 900_000_000;
    return this.miss(nobody + (100_000_000 + this.misses)).then(() => undefined);
  }

  private async miss(id: string): Promise<void> {
    await undefined;
    this.clients.get(id);
    await this.store.clients.get(id);
  }

  /** As `client`, and it takes as long whether the client is there or not. */
  async clientInEqualTime(id: string): Promise<LiveClient | undefined> {
    await this.sync();
    const known = this.clients.get(id);
    if (known === undefined) return this.readClient(id, undefined);
    await this.missClient();
    return known;
  }

  peekProject(id: string): LiveProject | undefined {
    return this.projects.get(id);
  }

  async project(id: string): Promise<LiveProject | undefined> {
    await this.sync();
    const known = this.projects.get(id);
    if (known !== undefined) return known;
    const { seen } = this;
    const project = await this.store.projects.get(id);
    if (project === undefined) return undefined;
    const endpoints = new Map((await this.store.endpoints.list(id)).map((endpoint) => [endpoint.metricsId, endpoint]));
    const limits = { ...this.baseLimits, ...project.limits };
    const live: LiveProject = { project, limits, endpoints, visible: new WeakMap() };
    if (seen === this.seen) this.projects.set(id, live);
    return live;
  }

  private async readLog(newest: Soon<number>): Promise<void> {
    const latest = await newest;
    if (latest === this.seen) return;
    const changes = await this.store.changes.since(this.seen);
    this.seen = latest;
    for (const change of changes ?? []) this.evict(change);
    if (changes === undefined) this.evictAll();
    for (const listener of this.listeners) listener(changes);
  }

  private evict({ noun, id }: Change): void {
    if (noun === 'client') this.clients.delete(id);
    if (noun === 'project') {
      this.projects.delete(id);
      // Its clients may have gone with it.
      for (const [clientId, live] of this.clients.entries()) {
        if (live.client.projectId === id) this.clients.delete(clientId);
      }
    }
  }

  private evictAll(): void {
    this.clients.clear();
    this.projects.clear();
  }
}

/** As long as a client id with the nine digits that follow, and none. */
const nobody = 'weir_cid_-------------';

/** The endpoints of the project that the caller may see, in the order of their creation. */
export function visibleTo(project: LiveProject, sight: Sight): VisibleEndpoints {
  let visible = project.visible.get(sight);
  if (visible === undefined) {
    const endpoints = [...project.endpoints.values()].filter(({ metricsId }) => maySee(sight, metricsId));
    visible = { endpoints, key: endpoints.map(({ id, version }) => `${id}.${version}`).join(',') };
    project.visible.set(sight, visible);
  }
  return visible;
}
