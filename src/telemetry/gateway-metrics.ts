import type { UnroutedReason } from '../domain/routing.js';
import type { SourceType } from '../domain/source.js';
import type { StatsdRefusal } from '../domain/statsd.js';
import type { DestinationType } from '../domain/stream.js';
import type { DailyUsage } from '../domain/usage.js';
import { type gatewayDefinitions, httpMethods, type OpenidEndpoint } from './gateway-definitions.js';
import type { CounterHandle, Handle, Metrics, WithOwn } from './metrics/index.js';

/** What this build is; the values of `weir_build_info`. */
export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
}

export type GatewayFacade = Metrics<WithOwn<typeof gatewayDefinitions>>;

/** What becomes of each code: the answers with it by method, and their duration. */
interface Answers {
  readonly took: Handle;
  readonly byMethod: Map<string, CounterHandle>;
}

/** The gateway's own metrics, each series bound once: the cached scrape passes by here. */
export class GatewayMetrics {
  readonly facade: GatewayFacade;
  readonly cacheHit: CounterHandle;
  readonly cacheMiss: CounterHandle;
  readonly pushAccepted: CounterHandle;
  readonly samples: CounterHandle;
  readonly statsdTaken: CounterHandle;
  readonly tokenIssued: CounterHandle;
  readonly groupsExpired: CounterHandle;
  readonly commitWrites: CounterHandle;
  /** In milliseconds. */
  readonly committed: Handle;
  readonly authorized: CounterHandle;
  /** What becomes of metric streams, by the type of their destination: never by stream or customer. */
  readonly streams = {
    attempt: (type: DestinationType, result: string): void => {
      this.facade.counter('stream.attempts').with({ type, result })();
    },
    delivered: (_projectId: string, type: DestinationType, points: number): void => {
      this.facade.counter('stream.points').with({ type })(points);
    },
    dropped: (type: DestinationType, windows: number): void => {
      this.facade.counter('stream.windows_dropped').with({ type })(windows);
    },
  };
  /** What becomes of sources, by their type: never by source or customer. */
  readonly sources = {
    pull: (type: SourceType, result: string): void => {
      this.facade.counter('source.pulls').with({ type, result })();
    },
    guardTripped: (type: SourceType): void => {
      this.facade.counter('source.guard_trips').with({ type })();
    },
  };
  private readonly renderTook: Handle;
  private readonly pageSize: Handle;
  private readonly pushRefusals: CounterHandle;
  private readonly answers = new Map<number, Answers>();
  private readonly bound = new Map<string, Handle | CounterHandle>();

  constructor(facade: GatewayFacade, build: BuildInfo) {
    this.facade = facade;
    facade.level('build_info').with({ ...build, nodeversion: process.versions.node })(1);
    const cache = facade.counter('cache.requests');
    this.cacheHit = cache.with({ result: 'hit' });
    this.cacheMiss = cache.with({ result: 'miss' });
    const pushes = facade.counter('pushes');
    this.pushAccepted = pushes.with({ result: 'accepted' });
    this.pushRefusals = pushes.with({ result: 'refused' });
    this.samples = facade.counter('samples.received').with({});
    this.statsdTaken = facade.counter('statsd.values').with({});
    this.tokenIssued = facade.counter('tokens.issued').with({});
    this.groupsExpired = facade.counter('groups.expired').with({});
    this.commitWrites = facade.counter('storage.writes').with({});
    this.committed = facade.histogram('storage.commit').with({});
    this.authorized = facade.counter('authz').with({ code: '200' });
    this.renderTook = facade.histogram('page.render').with({});
    this.pageSize = facade.histogram('page.size').with({});
  }

  /** An answer on the public listener, `ms` after the request. */
  request(code: number, method: string, ms: number): void {
    const answers = this.answers.get(code) ?? this.answersWith(code);
    (answers.byMethod.get(method) ?? answers.byMethod.get('other')!)();
    answers.took(ms);
  }

  openid(endpoint: OpenidEndpoint, code: number, ms: number): void {
    const took = this.once(`openid ${endpoint} ${code}`, () =>
      this.facade.histogram('request_duration_openid_connect').with({ endpoint, code: String(code) }),
    );
    took(ms);
  }

  /** A bearer token that was not let in. */
  unauthorized(code: number): void {
    this.facade.counter('authz').with({ code: String(code) })();
  }

  /** A client that proved who it is, or did not. */
  authenticated({ success, banned, ms }: { success: boolean; banned: boolean; ms: number }): void {
    const tags = { success: String(success), banned: String(banned) };
    this.once<CounterHandle>(`authn ${success} ${banned}`, () => this.facade.counter('authn').with(tags))();
    const took = this.once(`authn_duration ${success}`, () =>
      this.facade.histogram('authn_duration').with({ success: tags.success }),
    );
    took(ms);
  }

  tokenRefused(error: string): void {
    this.facade.counter('tokens.refused').with({ error })();
  }

  pushRefused(reason: string): void {
    this.pushRefusals();
    this.facade.counter('pushes.refused').with({ reason })();
  }

  statsdRefused(reason: StatsdRefusal, values: number): void {
    this.once<CounterHandle>(`statsd ${reason}`, () => this.facade.counter('statsd.refused').with({ reason }))(values);
  }

  unrouted(reason: UnroutedReason, samples: number): void {
    this.facade.counter('samples.unrouted').with({ reason })(samples);
  }

  rendered(ms: number, bytes: number): void {
    this.renderTook(ms);
    this.pageSize(bytes);
  }

  /** What projects have used since the last time, by their ids. */
  used(usage: readonly DailyUsage[]): void {
    for (const { projectId: project, scrapes, bytesServed, samplesIn, pointsStreamed, tokensIssued } of usage) {
      this.facade.counter('usage.scrapes').with({ project })(scrapes);
      this.facade.counter('usage.served').with({ project })(bytesServed);
      this.facade.counter('usage.samples').with({ project })(samplesIn);
      this.facade.counter('usage.points_streamed').with({ project })(pointsStreamed);
      this.facade.counter('usage.tokens').with({ project })(tokensIssued);
    }
  }

  /** Whether the run before this one left without closing the store. */
  previousShutdown(unclean: boolean): void {
    this.facade.level('previous_shutdown_unclean').with({})(unclean ? 1 : 0);
    if (!unclean) return;
    const text = 'The gateway started after a run that did not close its store: a crash, a kill or a power cut.';
    this.facade.event('Weir was not stopped cleanly', text, { alertType: 'warning' });
  }

  /** The names on the page are those of Prometheus and Alertmanager. */
  configReloaded(successful: boolean, atMs: number): void {
    this.facade.level('config.last_reload_successful').with({})(successful ? 1 : 0);
    if (successful) this.facade.level('config.last_reload_success_timestamp').with({})(atMs / 1000);
  }

  ban(event: 'banned' | 'lifted' | 'not_stored'): void {
    this.facade.counter('bans').with({ event })();
  }

  /** Bound by whoever comes first: to bind a series takes longer than all else about it. */
  private once<H extends Handle | CounterHandle>(name: string, bind: () => H): H {
    let handle = this.bound.get(name);
    if (handle === undefined) {
      handle = bind();
      this.bound.set(name, handle);
    }
    return handle as H;
  }

  private answersWith(code: number): Answers {
    const counter = this.facade.counter('request');
    // What is no method of HTTP's common ones is counted as one: the label must not grow with what callers invent.
    const byMethod = new Map<string, CounterHandle>();
    for (const method of [...httpMethods, 'other']) {
      let handle: CounterHandle | undefined;
      byMethod.set(method, () => {
        handle ??= counter.with({ code: String(code), method });
        handle();
      });
    }
    const answers = { took: this.facade.histogram('request_duration').with({ code: String(code) }), byMethod };
    this.answers.set(code, answers);
    return answers;
  }
}
