import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalAdmin } from '../../src/admin/admin.js';
import { defaultIngest, type IngestConfig } from '../../src/config/ingest.js';
import { defaultMetrics, type MetricsConfig } from '../../src/config/telemetry.js';
import type { Config } from '../../src/config.js';
import type { Clock } from '../../src/domain/clock.js';
import { systemRandom } from '../../src/domain/ids.js';
import { defaultLimits, type Limits } from '../../src/domain/limits.js';
import type { Seams } from '../../src/gateway/seams.js';
import { type RunningGateway, serve } from '../../src/main.js';
import { openDatabase } from '../../src/storage/sqlite/database.js';
import type { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js';
import { openLog } from '../../src/telemetry/log.js';

/** Time that stands still until it is moved. */
export class HeldClock implements Clock {
  private wall = Date.UTC(2026, 0, 1, 12);
  private ticks = 1000;
  private reads = 0;
  private readonly waiting: { from: number; resolve: () => void }[] = [];

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    this.reads++;
    while (this.waiting.length > 0 && this.waiting[0]!.from <= this.reads) this.waiting.shift()!.resolve();
    return this.ticks;
  }

  /** Resolves when `monotonic` has been asked for so many times from now on. */
  read(times: number): Promise<void> {
    return new Promise((resolve) => this.waiting.push({ from: this.reads + times, resolve }));
  }

  advance(ms: number): void {
    this.wall += ms;
    this.ticks += ms;
  }
}

export interface GatewayOptions {
  readonly limits?: Partial<Limits>;
  readonly tokenLifetimeSeconds?: number;
  readonly externalUrl?: string;
  readonly docsUrl?: string;
  readonly webConfigFile?: string;
  readonly metrics?: Partial<MetricsConfig>;
  readonly listenAddress?: string;
  readonly trustedProxies?: readonly string[];
  readonly countryHeader?: string;
  readonly countryFile?: string;
  readonly bodyMemory?: number;
  readonly externalIssuers?: Config['externalIssuers'];
  readonly ingest?: Partial<IngestConfig>;
  readonly clock?: Clock;
  /** What metric streams and sources may reach; loopback. */
  readonly allowedNetworks?: readonly string[];
  readonly allowHttp?: boolean;
  readonly proxyUrl?: string;
  readonly seams?: Partial<Seams>;
  /** What a reload reads, from the configuration it was booted with. */
  readonly reread?: (config: Config) => Config;
}

let migrated: Buffer | undefined;

/** A database without rows, as the migrations leave it: going through all of them takes half of a start. */
function emptyDatabase(): Buffer {
  if (migrated === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
    const path = join(folder, 'weir.db');
    openDatabase(path).$client.close();
    migrated = readFileSync(path);
    rmSync(folder, { recursive: true });
  }
  return migrated;
}

/** Credentials as `weir client create` prints them. */
export interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The production wiring on a temporary database, with real sockets and a clock the test holds. */
export class TestGateway {
  readonly clock: HeldClock;
  /** Every log line, parsed. */
  readonly logs: Record<string, unknown>[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  private readonly options: GatewayOptions;
  private running: RunningGateway | undefined;
  private listeningAt = '';

  private constructor(options: GatewayOptions) {
    this.options = options;
    this.clock = (options.clock ?? new HeldClock()) as HeldClock;
  }

  static async boot(options: GatewayOptions = {}): Promise<TestGateway> {
    const gateway = new TestGateway(options);
    writeFileSync(gateway.config.storage.path, emptyDatabase(), { mode: 0o600 });
    await gateway.start();
    return gateway;
  }

  get config(): Config {
    const path = join(this.folder, 'weir.db');
    return {
      web: {
        listenAddress: this.options.listenAddress ?? '127.0.0.1:0',
        externalUrl: this.options.externalUrl,
        docsUrl: this.options.docsUrl,
        configFile: this.options.webConfigFile,
        trustedProxies: this.options.trustedProxies ?? [],
        countryHeader: this.options.countryHeader,
        countryFile: this.options.countryFile,
        bodyMemory: this.options.bodyMemory ?? 256 * 1024 * 1024,
      },
      operator: { listenAddress: '127.0.0.1:0' },
      storage: { path },
      secrets: { pepperFile: `${path}.pepper`, encryptionKeysFile: `${path}.keys` },
      log: { level: 'debug', format: 'json' },
      tokens: { lifetimeSeconds: this.options.tokenLifetimeSeconds ?? 900 },
      streams: {
        allowedNetworks: this.options.allowedNetworks ?? ['127.0.0.0/8'],
        allowHttp: this.options.allowHttp ?? true,
        proxyUrl: this.options.proxyUrl,
      },
      sources: {
        allowedNetworks: this.options.allowedNetworks ?? ['127.0.0.0/8'],
        allowHttp: this.options.allowHttp ?? true,
      },
      limits: { ...defaultLimits, ...this.options.limits },
      externalIssuers: this.options.externalIssuers ?? [],
      ingest: { ...defaultIngest, ...this.options.ingest },
      telemetry: { metrics: { ...defaultMetrics, ...this.options.metrics } },
    };
  }

  async start(): Promise<void> {
    const log = openLog(this.config.log, (line) => this.logs.push(JSON.parse(line) as Record<string, unknown>));
    const build = { version: '0.0.0-test', revision: 'test' };
    const { reread } = this.options;
    const seams = {
      clock: this.clock,
      random: systemRandom,
      log,
      build,
      ...this.options.seams,
    };
    this.running = await serve(this.config, seams, reread && (() => reread(this.config)));
    const line = this.logs.findLast(({ msg, listener }) => msg === 'listening' && listener === 'public');
    this.listeningAt = String(line!.address);
  }

  /** Stops it and starts it again on the same database: on another port, unless one was asked for. */
  async restart(): Promise<void> {
    await this.running!.stop();
    await this.start();
  }

  /** Leaves its files, for another start. */
  async stopOnly(): Promise<void> {
    await this.running!.stop();
  }

  async stop(): Promise<void> {
    await this.running!.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Where it listens, whatever external URL it was given. */
  get url(): string {
    return this.listeningAt;
  }

  get operatorUrl(): string {
    return this.running!.operatorUrl;
  }

  /** Where StatsD is taken. */
  get statsd(): readonly string[] {
    return this.running!.gateway.statsd;
  }

  get metrics(): GatewayMetrics {
    return this.running!.gateway.metrics;
  }

  get admin(): LocalAdmin {
    return this.running!.gateway.admin;
  }

  /** A project with endpoints of these metricsIds. */
  async project(id: string, ...metricsIds: string[]): Promise<void> {
    await this.admin.projects.create({ name: id, id });
    for (const metricsId of metricsIds)
      await this.admin.endpoints.create({ name: metricsId, projectId: id, metricsId });
  }

  /** A client of the project, or of the operator for null. */
  async client(projectId: string | null, scopes: string[], endpoints?: string[]): Promise<Credentials> {
    const { client, secret } = await this.admin.clients.create({ name: 'test', projectId, scopes, endpoints });
    return { clientId: client.id, clientSecret: secret };
  }

  /** A new client's token, as an `Authorization` header. */
  async bearer(
    projectId: string | null,
    scopes = ['read:metrics', 'write:metrics'],
    endpoints?: string[],
  ): Promise<string> {
    return this.bearerOf(await this.client(projectId, scopes, endpoints));
  }

  async bearerOf({ clientId, clientSecret }: Credentials): Promise<string> {
    const response = await this.token({ grant_type: 'client_credentials' }, basic(clientId, clientSecret));
    if (response.status !== 200) throw new Error(`no token: ${response.status} ${await response.text()}`);
    return `Bearer ${((await response.json()) as { access_token: string }).access_token}`;
  }

  /** A new scrape token of the client, as an `Authorization` header. */
  async scrapeToken({ clientId }: Pick<Credentials, 'clientId'>, lifetimeMs = 90 * 86_400_000): Promise<string> {
    return `Bearer ${(await this.admin.clients.createScrapeToken(clientId, { lifetimeMs })).token}`;
  }

  token(form: Record<string, string> | string, authorization?: string): Promise<Response> {
    return fetch(`${this.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: authorization === undefined ? {} : { authorization },
    });
  }

  fetch(path: string, init: RequestInit & { bearer?: string | undefined } = {}): Promise<Response> {
    const { bearer, headers, ...rest } = init;
    const all = new Headers(headers);
    if (bearer !== undefined) all.set('authorization', bearer);
    return fetch(`${this.url}${path}`, { ...rest, headers: all });
  }

  /** Pushes text to `/api/v1/{path}`, and fails unless it was accepted. */
  async push(path: string, body: string, bearer: string, method: 'PUT' | 'POST' = 'PUT'): Promise<void> {
    const response = await this.fetch(`/api/v1/${path}`, {
      method,
      body,
      bearer,
      headers: { 'content-type': 'text/plain' },
    });
    if (response.status !== 200) throw new Error(`push refused: ${response.status} ${await response.text()}`);
  }

  /** The page at `/api/v1/{path}`, and fails unless it was served. */
  async page(path: string, bearer: string, accept = 'text/plain'): Promise<string> {
    const response = await this.fetch(`/api/v1/${path}`, { bearer, headers: { accept } });
    if (response.status !== 200) throw new Error(`no page: ${response.status} ${await response.text()}`);
    return response.text();
  }

  /** The value of one of the operator's own series, such as `weir_cache_requests_total{result="hit"}`. */
  async operatorValue(series: string): Promise<number> {
    const page = await (await fetch(`${this.operatorUrl}/metrics`)).text();
    const line = page.split('\n').find((candidate) => candidate.startsWith(`${series} `));
    if (line === undefined) throw new Error(`the operator page has no ${series}`);
    return Number(line.slice(series.length + 1));
  }
}

export const basic = (clientId: string, clientSecret: string): string =>
  `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;

/** The sample lines of a page that are not the gateway's own. */
export const samples = (page: string): string[] =>
  page.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('weir_'));
