import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What this build is; the values of `weir_build_info`. */
export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
}

/** Plain numbers on the hot paths; prom-client reads them when the page is asked for. */
class Tally {
  private readonly counts = new Map<string, { labels: Record<string, string>; count: number }>();

  constructor(registry: Registry, name: string, help: string, labelNames: readonly string[]) {
    const counts = this.counts;
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, count } of counts.values()) this.inc(labels, count);
      },
    });
  }

  /** The same labels in the same order each time; gives the function that counts them. */
  with(labels: Record<string, string>): (amount?: number) => void {
    const key = Object.values(labels).join('\n');
    let entry = this.counts.get(key);
    if (entry === undefined) {
      entry = { labels, count: 0 };
      this.counts.set(key, entry);
    }
    const counted = entry;
    return (amount = 1) => {
      counted.count += amount;
    };
  }
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
const tokenErrors = [
  'invalid_request',
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'server_error',
  'temporarily_unavailable',
];

/** The gateway's own metrics for its operator, in a registry of their own. Known series begin at zero. */
export class OperatorMetrics {
  readonly registry = new Registry();
  readonly cacheHit: (amount?: number) => void;
  readonly cacheMiss: (amount?: number) => void;
  readonly pushAccepted: (amount?: number) => void;
  readonly pushRefused: (amount?: number) => void;
  readonly samples: (amount?: number) => void;
  readonly tokenIssued: (amount?: number) => void;
  readonly groupsExpired: (amount?: number) => void;
  readonly renderSeconds: Histogram;
  readonly commitSeconds: Histogram;
  readonly commitWrites: (amount?: number) => void;
  private readonly reloadSuccessful: Gauge;
  private readonly reloadedAt: Gauge;
  private readonly requests: Tally;
  private readonly refusals: Tally;
  private readonly requestCounters = new Map<string, (amount?: number) => void>();

  constructor(build: BuildInfo) {
    const { registry } = this;
    collectDefaultMetrics({ register: registry });
    // Gauges that prom-client names like counters, which `promtool check metrics` refuses.
    for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`);
    new Gauge({
      name: 'weir_build_info',
      help: 'What is running; the value is always 1.',
      labelNames: ['version', 'revision', 'nodeversion'],
      registers: [registry],
    }).set({ ...build, nodeversion: process.versions.node }, 1);
    this.reloadSuccessful = new Gauge({
      name: 'weir_config_last_reload_successful',
      help: 'Whether the configuration was good when it was last read.',
      registers: [registry],
    });
    this.reloadedAt = new Gauge({
      name: 'weir_config_last_reload_success_timestamp_seconds',
      help: 'When a good configuration was last read.',
      registers: [registry],
    });
    const tally = (name: string, help: string, labelNames: string[] = []) =>
      new Tally(registry, name, help, labelNames);
    this.requests = tally('weir_request_total', 'Requests on the public listener.', ['code', 'method']);
    for (const method of methods) this.requests.with({ code: '200', method });
    const cache = tally('weir_cache_requests_total', 'Scrapes by whether the page was in the cache.', ['result']);
    this.cacheHit = cache.with({ result: 'hit' });
    this.cacheMiss = cache.with({ result: 'miss' });
    const pushes = tally('weir_pushes_total', 'Pushes by outcome; accepted ones are on disk.', ['result']);
    this.pushAccepted = pushes.with({ result: 'accepted' });
    this.pushRefused = pushes.with({ result: 'refused' });
    this.samples = tally('weir_samples_received_total', 'Samples of accepted pushes.').with({});
    this.tokenIssued = tally('weir_tokens_issued_total', 'Access tokens issued.').with({});
    this.refusals = tally('weir_tokens_refused_total', 'Token requests refused, by OAuth error code.', ['error']);
    for (const error of tokenErrors) this.refusals.with({ error });
    this.groupsExpired = tally('weir_groups_expired_total', 'Push groups that ended their lifetime.').with({});
    this.renderSeconds = new Histogram({
      name: 'weir_page_render_seconds',
      help: 'Time to render a page that was not in the cache.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers: [registry],
    });
    this.commitSeconds = new Histogram({
      name: 'weir_storage_commit_seconds',
      help: 'Time to write and sync a commit of pushes.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers: [registry],
    });
    this.commitWrites = tally('weir_storage_writes_total', 'Writes to push groups; several may share a commit.').with(
      {},
    );
  }

  /** The names are those of Prometheus and Alertmanager. */
  configReloaded(successful: boolean, atMs: number): void {
    this.reloadSuccessful.set(successful ? 1 : 0);
    if (successful) this.reloadedAt.set(atMs / 1000);
  }

  request(code: number, method: string): void {
    const key = `${code}${method}`;
    let count = this.requestCounters.get(key);
    if (count === undefined) {
      // What is no method of HTTP's common ones is counted as one: the label must not grow with what callers invent.
      const known = [...methods, 'PATCH', 'OPTIONS'].includes(method) ? method : 'other';
      count = this.requests.with({ code: String(code), method: known });
      if (known === method) this.requestCounters.set(key, count);
    }
    count();
  }

  tokenRefused(error: string): void {
    this.refusals.with({ error })();
  }
}
