import type { Envelope } from '../auth/envelope.js';
import type { Clock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import { type LimitsAt, limitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import type { Limits } from '../domain/limits.js';
import {
  type Source,
  type SourceCondition,
  type SourceHealth,
  type SourceState,
  type SourceType,
  sourceGroupText,
} from '../domain/source.js';
import { isTouched, readTouched, type Touched } from '../domain/touched.js';
import type { Exposition } from '../formats/family.js';
import type { Syntax } from '../formats/parse.js';
import type { GroupKey, SourceStore } from '../storage/store.js';
import type { Log } from '../telemetry/log.js';
import type { SourceReach } from './connection.js';
import { openSource, type PullOnce } from './open.js';
import { PullError } from './pulled.js';
import { relabelerOf } from './relabel.js';
import { openSourceSecrets } from './secrets.js';

/**
 * What a source gave, on its way into its endpoint. Sources do not know who takes it in, so that the shape is theirs; where
 * the two are wired, the compiler holds it against what ingest wants.
 */
export interface Taking {
  readonly endpoint: MetricsEndpoint;
  readonly limits: LimitsAt;
  readonly group: GroupKey;
  readonly syntax: Syntax;
  readonly body: Buffer;
  readonly relabel: (exposition: Exposition) => Exposition;
  readonly lifetimeMs: number;
  readonly sampleLimit: number;
  readonly isWanted: () => boolean;
}

export type PullResult = 'ok' | 'incomplete' | 'failed' | 'refused' | 'guard';

export interface SourcesOptions {
  readonly sources: SourceStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly envelope: Envelope;
  readonly reach: SourceReach;
  readonly project: (id: string) => Promise<SourceProject | undefined>;
  /** Puts it in the place of what the source gave before. Throws `WeirError` when it cannot be taken. */
  readonly take: (taking: Taking) => Promise<unknown>;
  /** Takes away what the source gave. */
  readonly remove: (endpoint: MetricsEndpoint, group: GroupKey) => Promise<void>;
  readonly report: {
    pull(type: SourceType, result: PullResult): void;
    guardTripped(type: SourceType): void;
  };
}

interface SourceProject {
  readonly limits: Limits;
  readonly endpoints: ReadonlyMap<string, MetricsEndpoint>;
}

/** What holds for what the source gives. */
const limitsOf = ({ limits, endpoints }: SourceProject, { metricsId }: Source): LimitsAt =>
  limitsAt(limits, endpoints.get(metricsId)?.limits ?? {});

/** A source that is enabled. */
interface Live {
  readonly source: Source;
  readonly pull: PullOnce;
  readonly relabel: Taking['relabel'];
  /** Ends a pull that nobody waits for any more. */
  readonly ending: AbortController;
  condition: SourceCondition;
  state: SourceState;
  /** Monotonic time of the next pull. */
  nextAt: number;
}

/** How a pull went. */
interface Ended {
  readonly result: PullResult;
  readonly reason: string | null;
}

/**
 * All sources that are enabled. Each is asked in its own interval, never twice at once, and waits for no other; what it
 * gave lies in storage, as a group of its endpoint that ends with the source's stale limit.
 */
export class Sources {
  private readonly options: SourcesOptions;
  private readonly live = new Map<string, Live>();
  private byEndpoint = new Map<number, Live[]>();
  /** Ids of those that are being asked. */
  private readonly busy = new Set<string>();
  private working: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(options: SourcesOptions) {
    this.options = options;
  }

  /** Takes up what the store says of these sources, or of all. */
  reload(touched?: Touched): Promise<void> {
    const turn = this.working.then(() => this.readAgain(touched));
    this.working = turn.catch(() => {});
    return turn;
  }

  /** Begins the pulls that are due. To be called several times a second; waits for none of them. */
  async tick(): Promise<void> {
    if (this.closed) return;
    const now = this.options.clock.monotonic();
    const due = [...this.live.values()].filter(({ source, nextAt }) => now >= nextAt && !this.busy.has(source.id));
    due.sort((a, b) => a.nextAt - b.nextAt);
    for (const live of due.slice(0, mostBegunAtOnce)) {
      const { id, intervalMs } = live.source;
      const next = live.nextAt + intervalMs;
      live.nextAt = next > now ? next : now + intervalMs;
      this.busy.add(id);
      this.pull(live)
        .catch((error) => this.options.log.error({ err: error, source_id: id }, 'how a pull went was not noted'))
        .finally(() => this.busy.delete(id));
    }
  }

  /** The sources of an endpoint that are enabled, by their names. */
  of(endpointId: number): readonly SourceState[] {
    return this.byEndpoint.get(endpointId)?.map(({ state }) => state) ?? [];
  }

  /** Per type: how many are enabled in which condition, and how long ago the last good pull of the oldest was, in seconds. */
  levels(): Map<SourceType, { readonly states: Map<'up' | 'failing' | 'dead', number>; readonly ageSeconds: number }> {
    const now = this.options.clock.now();
    const levels = new Map<SourceType, { states: Map<'up' | 'failing' | 'dead', number>; ageSeconds: number }>();
    for (const { source, state, condition } of this.live.values()) {
      const { states, ageSeconds } = levels.get(source.type) ?? { states: new Map(), ageSeconds: 0 };
      const { up = condition.health === 'up' } = state;
      const age = up ? now - (state.pulledAt ?? now) : now - (state.pulledAt ?? condition.since ?? source.createdAt);
      const is = up ? 'up' : age < source.staleMs && condition.health !== 'guard' ? 'failing' : 'dead';
      states.set(is, (states.get(is) ?? 0) + 1);
      levels.set(source.type, { states, ageSeconds: Math.max(ageSeconds, age / 1000) });
    }
    return levels;
  }

  /** Nothing is stored any more, and nobody is asked. */
  close(): void {
    this.closed = true;
    for (const { ending } of this.live.values()) ending.abort();
    this.live.clear();
    this.byEndpoint.clear();
  }

  private async readAgain(touched: Touched | undefined): Promise<void> {
    const { sources } = this.options;
    const found = await readTouched(touched, {
      list: (projectId) => sources.list(projectId),
      get: async (id) => (await sources.get(id))?.source,
    });
    const enabled = new Map(found.filter(({ status }) => status === 'enabled').map((source) => [source.id, source]));
    for (const [id, { source }] of [...this.live]) {
      if (isTouched(touched, source) && !enabled.has(id)) await this.stop(id);
    }
    for (const source of enabled.values()) await this.start(source);
    const sorted = [...this.live.values()].sort((a, b) => (a.source.name < b.source.name ? -1 : 1));
    this.byEndpoint = new Map();
    for (const live of sorted) {
      const { endpointId } = live.source;
      this.byEndpoint.set(endpointId, [...(this.byEndpoint.get(endpointId) ?? []), live]);
    }
  }

  private async start(source: Source): Promise<void> {
    const { sources, envelope, reach, clock, log } = this.options;
    const known = this.live.get(source.id);
    if (known?.source.version === source.version) return;
    const stored = await sources.get(source.id);
    if (stored === undefined || this.closed) return;
    try {
      const settings = stored.source;
      const secrets = openSourceSecrets(envelope, source.id, stored.secrets);
      const { id, name, endpointId, health, reason, since } = settings;
      const isSame = known !== undefined && whatIsAsked(known.source) === whatIsAsked(settings);
      if (known !== undefined && !isSame) await this.forget(known.source);
      const before = isSame ? known.state : undefined;
      known?.ending.abort();
      const ending = new AbortController();
      const ended = { ...reach, signal: ending.signal };
      this.live.set(id, {
        source: settings,
        pull: openSource({ type: settings.type, settings, secrets }, ended, clock),
        relabel: relabelerOf(settings, settings.metricsId),
        ending,
        condition: { health, reason, since },
        state: { id, endpointId, up: before?.up, complete: before?.complete ?? true, pulledAt: before?.pulledAt, name },
        nextAt: clock.monotonic(),
      });
    } catch (error) {
      log.error({ err: error, source_id: source.id }, 'a source cannot be opened');
    }
  }

  private async stop(id: string): Promise<void> {
    const live = this.live.get(id);
    if (live === undefined) return;
    this.live.delete(id);
    live.ending.abort();
    await this.forget(live.source);
  }

  private async forget(source: Source): Promise<void> {
    const endpoint = (await this.options.project(source.projectId))?.endpoints.get(source.metricsId);
    if (endpoint === undefined || endpoint.id !== source.endpointId) return;
    await this.options
      .remove(endpoint, groupOf(source))
      .catch((error) =>
        this.options.log.error({ err: error, source_id: source.id }, "a source's series were not removed"),
      );
  }

  private async pull(live: Live): Promise<void> {
    const { source } = live;
    const { clock, report, log } = this.options;
    const { result, reason } = await this.ask(live).catch((error: unknown): Ended => {
      if (error instanceof PullError) return { result: error.kind, reason: error.message };
      if (error instanceof WeirError) return { result: 'refused', reason: error.message };
      log.error({ err: error, source_id: source.id }, 'a source could not be asked');
      return { result: 'failed', reason: 'The gateway could not ask it; see its log.' };
    });
    if (!this.isLive(live)) return;
    report.pull(source.type, result);
    if (result === 'guard') {
      report.guardTripped(source.type);
      await this.forget(source);
    }
    const isGood = result === 'ok' || result === 'incomplete';
    const pulledAt = isGood ? clock.now() : live.state.pulledAt;
    live.state = { ...live.state, up: isGood, complete: isGood ? result === 'ok' : live.state.complete, pulledAt };
    const health = isGood ? 'up' : result === 'guard' ? 'guard' : 'down';
    await this.note(live, health, reason);
  }

  private async ask(live: Live): Promise<Ended> {
    const { source } = live;
    const before = await this.options.project(source.projectId);
    if (before === undefined) throw new PullError('failed', 'Its project is gone.');
    const { body, syntax, warnings } = await live.pull(limitsOf(before, source));
    // Asked again: it may have taken a while.
    const project = await this.options.project(source.projectId);
    const endpoint = project?.endpoints.get(source.metricsId);
    if (project === undefined || endpoint?.id !== source.endpointId || !this.isLive(live)) {
      throw new PullError('failed', 'Its endpoint is gone.');
    }
    const limits = limitsOf(project, source);
    const { staleMs: lifetimeMs, sampleLimit } = source;
    const isWanted = (): boolean => this.isLive(live);
    await this.options.take({
      endpoint,
      limits,
      group: groupOf(source),
      syntax,
      body,
      relabel: live.relabel,
      lifetimeMs,
      sampleLimit,
      isWanted,
    });
    if (warnings.length === 0) return { result: 'ok', reason: null };
    return { result: 'incomplete', reason: `Its answer is incomplete: ${warnings.join('; ').slice(0, longestReason)}` };
  }

  /** Written down only when there is news. */
  private async note(live: Live, health: SourceHealth, reason: string | null): Promise<void> {
    const { sources, clock, log } = this.options;
    const { source, condition } = live;
    if (condition.health === health && condition.reason === reason) return;
    const since = condition.health === health ? condition.since : clock.now();
    live.condition = { health, reason, since };
    if (condition.health !== health) {
      const about = { source_id: source.id, project_id: source.projectId, health };
      if (health === 'up') log.info(about, 'a source answers');
      else log.warn(about, reason!);
    }
    await sources.noteCondition(source.id, source.version, live.condition);
  }

  private isLive(live: Live): boolean {
    return !this.closed && this.live.get(live.source.id) === live;
  }
}

/** Of those that are due, in one tick: a start with many sources is spread. */
const mostBegunAtOnce = 50;
const longestReason = 500;

const groupOf = ({ id, labels }: Source): GroupKey => ({ text: sourceGroupText(id), labels });

/** What decides which series a source gives; when it changes, those of before are not served any more. */
const whatIsAsked = ({ url, matchers, tenant, tenantHeader, labels, relabelConfigs }: Source): string =>
  JSON.stringify([url, matchers, tenant, tenantHeader, labels, relabelConfigs]);
