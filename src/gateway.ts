import type { Hono } from 'hono';
import type { LocalAdmin } from './admin/admin.js';
import { isExposed } from './auth/key-file.js';
import type { Config } from './config.js';
import { deliveredKeptMs, undeliveredKeptMs } from './domain/stream.js';
import { openAuthentication } from './gateway/authentication.js';
import { follow } from './gateway/follow.js';
import { followKeys } from './gateway/follow-keys.js';
import { openIngest } from './gateway/ingest.js';
import { openStore, tokensKeptMs } from './gateway/open-store.js';
import { openRecords } from './gateway/records.js';
import type { Seams } from './gateway/seams.js';
import { openSources } from './gateway/sources.js';
import { startTimers } from './gateway/timers.js';
import { type PublicApp, publicApp } from './http/app.js';
import { BodyBudget } from './http/body-budget.js';
import { TrustedProxies } from './http/client-address.js';
import { type ErrorLinks, errorLinks } from './http/error-reference/links.js';
import { Management } from './http/management/management.js';
import { RateLimit } from './http/rate-limit.js';
import { RequestLog } from './http/request-log.js';
import { Scrape } from './http/scrape.js';
import { operatorApp } from './operator/app.js';
import { ClockCheck } from './operator/clock-check.js';
import { startGauges } from './operator/gauges.js';
import type { ReadyCheck } from './operator/ready.js';
import { ShutdownMark } from './operator/shutdown-mark.js';
import { Reload } from './reload.js';
import { Catalogue } from './scrape/descriptors.js';
import { Pages } from './scrape/pages.js';
import { endpointTarget, wholeProjectTarget } from './scrape/targets.js';
import { Directory } from './storage/directory.js';
import { Streams } from './streams/streams.js';
import { gatewayDefinitions } from './telemetry/gateway-definitions.js';
import { GatewayMetrics } from './telemetry/gateway-metrics.js';
import { openMetrics } from './telemetry/metrics/index.js';

export interface Gateway {
  readonly app: PublicApp;
  /** Where StatsD is taken. */
  readonly statsd: readonly string[];
  readonly operatorApp: Hono;
  readonly metrics: GatewayMetrics;
  readonly requests: RequestLog;
  /** Where people read about each error. */
  readonly links: ErrorLinks;
  readonly admin: LocalAdmin;
  /** The URL clients know the gateway by; tokens are issued under it. To be called before the first request. */
  setExternalUrl(url: string): Promise<void>;
  /** Reads the configuration again; throws `OperatorError` with what is wrong with it, and keeps the old one. */
  reload(): void;
  /** From now on not ready; requests are still answered. */
  drain(): void;
  /** Commits what is queued and lets go of the store. */
  close(): Promise<void>;
}

const pageMemoryBytes = 256 * 1024 * 1024;
/** What another process takes away bites within this time. */
const syncEveryMs = 250;
const sweepEveryMs = 5_000;
const housekeepingEveryMs = 300_000;
const changeLogKeptMs = 86_400_000;
const writeUsesEveryMs = 2_000;
const retryKeysEveryMs = 1_000;
const streamTickMs = 250;
const sourceTickMs = 250;
/** What a stop waits for a destination that is being talked to; what it does not hear of is sent again. */
const streamGraceMs = 5_000;
const issuerKeptMs = tokensKeptMs + 2 * housekeepingEveryMs;

/** The only place where parts are put together. Throws `OperatorError` with what to do when it cannot open. */
export async function openGateway(config: Config, seams: Seams, reread = () => config): Promise<Gateway> {
  const { clock, log, random } = seams;
  const facade = openMetrics({ ...config.telemetry.metrics, definitions: gatewayDefinitions, log, clock });
  const metrics = new GatewayMetrics(facade, seams.build);
  const { store, hasher, keys, envelope, reach, apiRequests, sourceReach, turns, setLimits, admin, adminFor } =
    await openStore(config, seams, {
      exclusive: true,
      actor: 'system',
      onCommit: (writes, seconds) => {
        metrics.commitWrites(writes);
        metrics.committed(seconds * 1000);
      },
    }).catch(async (error) => {
      await facade.close();
      throw error;
    });
  try {
    const { encryptionKeysFile, pepperFile } = config.secrets;
    for (const file of [pepperFile, encryptionKeysFile]) {
      if (isExposed(file)) log.warn({ file }, 'others than the owner may read this file; chmod 600 it');
    }
    await keys.load();

    const directory = new Directory(store, config.limits);
    await directory.sync();

    let issuer = '';
    let draining = false;
    const trustedProxies = new TrustedProxies(config.web.trustedProxies);
    const { tokens, uses, regulation, externalIssuers, authenticator, service, status } = await openAuthentication(
      { config, seams, store, hasher, keys, directory, metrics },
      { issuer: () => issuer, trustedProxies },
    );
    const keysJob = followKeys(keys, { directory, authenticator, log });
    const requests = new RequestLog({ log, random, trustedProxies });
    directory.onChange((changes) => {
      const changed =
        changes === undefined ? [undefined] : changes.flatMap(({ noun, id }) => (noun === 'project' ? [id] : []));
      for (const projectId of changed) {
        store.groups.forget(projectId);
        store.live.forget(projectId);
      }
    });
    const records = openRecords({ config, seams, store, apiRequests, directory, metrics, trustedProxies });
    const { counting, accessNotes } = records;
    const { usage } = counting;
    const waysIn = openIngest({ config, store, directory, clock, turns, metrics, usage, log, adminFor });
    const { ingest, remoteWrite, otlp } = waysIn;
    const sources = await openSources({ seams, store, envelope, sourceReach, directory, ingest, metrics, usage });
    const pages = new Pages({
      groups: store.groups,
      sourcesOf: (endpointId) => sources.of(endpointId),
      refusedOf: (endpointId) => store.refusals.of(endpointId),
      clock,
      turns,
      memoryBytes: seams.pageMemoryBytes ?? pageMemoryBytes,
      onRender: (seconds, bytes) => metrics.rendered(seconds * 1000, bytes),
    });
    const streams = new Streams({
      streams: store.streams,
      deliveries: store.deliveries,
      clock,
      random: Math.random,
      newBytes: random,
      log,
      envelope,
      reach,
      requests: counting.counted,
      report: {
        ...metrics.streams,
        delivered: (projectId, type, points) => {
          metrics.streams.delivered(projectId, type, points);
          usage.of(projectId).points(points, clock.now());
        },
      },
      page: async (projectId) => {
        const project = await directory.project(projectId);
        if (project === undefined) return undefined;
        return pages.refresh(wholeProjectTarget(project), [...project.endpoints.values()].map(endpointTarget));
      },
    });
    await streams.reload();
    follow(directory, 'stream', streams, log);
    const issuerUrl = (): string => issuer;
    const links = errorLinks(issuerUrl, config.web.docsUrl);
    const scrapes = new RateLimit('scrapes_per_minute', clock);
    const bodies = new BodyBudget(config.web.bodyMemory);
    const writing = { ...counting, authenticator, directory, trustedProxies, metrics, bodies };
    const app = publicApp({
      oauth: {
        service,
        status,
        keys,
        metrics,
        trustedProxies,
        accessNotes,
        issuer: issuerUrl,
        ...counting,
      },
      scrape: new Scrape({ ...counting, authenticator, directory, pages, metrics, rateLimit: scrapes, accessNotes }),
      discovery: {
        ...counting,
        authenticator,
        directory,
        catalogue: new Catalogue(pages, clock),
        rateLimit: scrapes,
        metrics,
        externalUrl: issuerUrl,
      },
      snippets: { ...counting, authenticator, directory, metrics, rateLimit: scrapes, issuer: issuerUrl },
      push: { ...writing, ingest },
      remoteWrite: { ...writing, remoteWrite, links },
      otlp: { ...writing, otlp },
      management: new Management({
        tokens,
        directory,
        adminFor,
        idempotency: store.idempotency,
        mac: (text) => hasher.mac(text),
        ...counting,
        trustedProxies,
        issuer: issuerUrl,
        links,
        rateLimit: new RateLimit('api_requests_per_minute', clock),
        log,
        requests,
      }),
      links,
      log,
      requests,
    });

    const onOutcome = (successful: boolean): void => metrics.configReloaded(successful, clock.now());
    onOutcome(true);
    let { limits } = config;
    const apply = (next: Config): void => {
      log.level = next.log.level;
      tokens.setLifetime(next.tokens.lifetimeSeconds);
      directory.setBaseLimits(next.limits);
      setLimits(next.limits);
      externalIssuers.replace(next.externalIssuers);
      authenticator.forget();
      waysIn.apply(next);
      limits = next.limits;
    };
    const reloading = new Reload({ config, reread, apply, log, onOutcome });
    const reload = (): void => reloading.run();

    const clockCheck = new ClockCheck(store.facts, clock);
    await clockCheck.load();
    let formerIssuers: readonly string[] = [];
    const useIssuer = async (): Promise<void> => {
      try {
        formerIssuers = await store.issuers.use(issuer, clock.now(), clock.now() - issuerKeptMs);
      } catch (error) {
        // Not worth failing for: on a full disk the gateway goes on serving, and says so on /-/ready.
        log.error({ err: error }, 'the store takes no writes');
      }
      tokens.setIssuer(issuer, formerIssuers);
    };
    const statsd = await waysIn.listen();
    const mark = new ShutdownMark(store.facts);
    if (await mark.find()) {
      metrics.previousShutdown(true);
      log.warn('the run before this one ended without closing the store');
    }
    await mark.set(true).catch((error) => log.error({ err: error }, 'the store takes no writes'));
    const readyChecks: readonly ReadyCheck[] = [
      {
        name: 'running',
        check: () => {
          if (draining) throw new Error('the gateway is stopping');
          if (issuer === '') throw new Error('the gateway is starting');
        },
      },
      { name: 'storage', check: () => store.checkWritable() },
      { name: 'queue', check: () => store.checkQueue() },
      { name: 'keys', check: () => keys.load() },
      { name: 'clock', check: () => clockCheck.check() },
    ];
    const stopGauges = startGauges({
      metrics,
      store,
      limits: () => limits,
      clock,
      heldByBodies: () => bodies.bytes,
      signingKeySince: () => keys.currentSince(),
      streams: () => streams.lags(),
      sources: () => sources.levels(),
      projectLabel: config.telemetry.metrics.projectLabel,
      readyChecks,
    });
    const stopTimers = startTimers(log, [
      [syncEveryMs, () => directory.sync()],
      [sweepEveryMs, async () => metrics.groupsExpired(await store.groups.removeExpired())],
      [sweepEveryMs, () => store.live.removeExpired()],
      [sweepEveryMs, () => regulation.sweep()],
      [housekeepingEveryMs, useIssuer],
      [housekeepingEveryMs, () => clockCheck.remember()],
      [housekeepingEveryMs, () => store.changes.prune(clock.now() - changeLogKeptMs)],
      [housekeepingEveryMs, () => store.idempotency.prune(clock.now())],
      [housekeepingEveryMs, () => store.clients.prune(clock.now() - tokensKeptMs)],
      [writeUsesEveryMs, () => uses.write(store.clients)],
      ...records.jobs,
      [seams.sourceTickMs ?? sourceTickMs, () => sources.tick()],
      [seams.streamTickMs ?? streamTickMs, () => streams.tick()],
      [
        housekeepingEveryMs,
        () => store.deliveries.prune(clock.now() - deliveredKeptMs, clock.now() - undeliveredKeptMs),
      ],
      // A retired key ends by itself.
      [housekeepingEveryMs, () => keys.load()],
      [retryKeysEveryMs, keysJob],
    ]);

    return {
      app,
      statsd,
      metrics,
      requests,
      links,
      admin,
      operatorApp: operatorApp({
        page: facade.page,
        readyChecks,
        reload,
      }),
      setExternalUrl: async (url) => {
        issuer = url;
        await useIssuer();
      },
      reload,
      drain: () => {
        draining = true;
      },
      close: async () => {
        await waysIn.close();
        stopTimers();
        stopGauges();
        sources.close();
        await streams.close(seams.streamGraceMs ?? streamGraceMs);
        if (issuer !== '') await useIssuer();
        await regulation.settled();
        await clockCheck.remember().catch((error) => log.error({ err: error }, 'the time was not written'));
        await uses.write(store.clients).catch((error) => log.error({ err: error }, 'last uses were not written'));
        await records.close();
        await mark.set(false).catch((error) => log.error({ err: error }, 'the clean end was not written'));
        // Before the store, which it asks; gauges of what happens in between are not missed.
        await facade.close();
        await store.close();
      },
    };
  } catch (error) {
    await facade.close();
    await store.close();
    throw error;
  }
}
