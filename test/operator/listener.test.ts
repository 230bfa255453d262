import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.boot();
});
afterAll(() => gateway.stop());

const operator = (path: string, init?: RequestInit): Promise<Response> => fetch(`${gateway.operatorUrl}${path}`, init);

async function values(): Promise<Map<string, number>> {
  const lines = (await (await operator('/metrics')).text()).split('\n').filter((line) => /^weir_/.test(line));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

describe('health', () => {
  it('is well and ready while it runs', async () => {
    const healthy = await operator('/-/healthy');
    expect([healthy.status, await healthy.text()]).toEqual([200, 'Weir is healthy.\n']);
    const ready = await operator('/-/ready');
    expect([ready.status, await ready.text()]).toEqual([200, 'Weir is ready.\n']);
  });

  it('is not ready when the store takes no writes, says why, and is ready again when it does', async () => {
    const other = new Sqlite(gateway.config.storage.path);
    other.exec('ALTER TABLE meta RENAME TO elsewhere');
    const broken = await operator('/-/ready');
    expect(broken.status).toBe(503);
    expect(await broken.text()).toMatch(/^Weir is not ready\.\nstorage: .*meta/);
    expect((await operator('/-/healthy')).status).toBe(200);
    const told = await values();
    expect([told.get('weir_ready{check="storage"}'), told.get('weir_ready{check="keys"}')]).toEqual([0, 1]);
    other.exec('ALTER TABLE elsewhere RENAME TO meta');
    other.close();
    expect((await operator('/-/ready')).status).toBe(200);
    expect((await values()).get('weir_ready{check="storage"}')).toBe(1);
  });

  it('is not ready while the clock is behind what the store has seen, over a restart, too', async () => {
    const own = await TestGateway.boot();
    const ready = async (): Promise<string> => (await fetch(`${own.operatorUrl}/-/ready`)).text();
    own.clock.advance(600_000);
    expect(await ready()).toBe('Weir is ready.\n');
    own.clock.advance(-90_000);
    const behind = 'Weir is not ready.\nclock: the clock is 1m30s behind what this store has seen; set it right\n';
    expect(await ready()).toBe(behind);
    await own.restart();
    expect(await ready()).toBe(behind);
    own.clock.advance(60_000);
    expect(await ready()).toBe('Weir is ready.\n');
    await own.stop();
  });

  it('is not ready when the signing keys cannot be read, and says so', async () => {
    const other = new Sqlite(gateway.config.storage.path);
    other.exec('ALTER TABLE signing_key RENAME TO elsewhere');
    const broken = await operator('/-/ready');
    expect([broken.status, await broken.text()]).toEqual([
      503,
      expect.stringMatching(/^Weir is not ready\.\nkeys: .*signing_key/),
    ]);
    other.exec('ALTER TABLE elsewhere RENAME TO signing_key');
    other.close();
    expect((await operator('/-/ready')).status).toBe(200);
  });
});

describe('the page of metrics', () => {
  it('is text with what is running, the process, and every known series from zero', async () => {
    const fresh = await TestGateway.boot();
    const response = await fetch(`${fresh.operatorUrl}/metrics`);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    const page = await response.text();
    await fresh.stop();
    expect(page).toContain(
      `weir_build_info{version="0.0.0-test",revision="test",nodeversion="${process.versions.node}"} 1\n`,
    );
    for (const series of [
      'weir_request_total{code="200",method="GET"}',
      'weir_request_total{code="200",method="PUT"}',
      'weir_cache_requests_total{result="hit"}',
      'weir_cache_requests_total{result="miss"}',
      'weir_pushes_total{result="accepted"}',
      'weir_pushes_total{result="refused"}',
      'weir_samples_received_total',
      'weir_tokens_issued_total',
      'weir_tokens_refused_total{error="invalid_client"}',
      'weir_groups_expired_total',
      'weir_authz_total{code="401"}',
      'weir_authn_total{success="false",banned="true"}',
      'weir_authn_duration_seconds_bucket{success="true",le="0.00075"}',
      'weir_request_duration_seconds_bucket{code="200",le="60"}',
      'weir_request_duration_openid_connect_seconds_count{endpoint="introspection",code="200"}',
      'weir_pushes_refused_total{reason="limit_exceeded"}',
      'weir_bans_total{event="banned"}',
      'weir_page_size_bytes_count',
      'weir_series',
      'weir_series_limit_used_ratio',
      'weir_signing_key_age_seconds',
      'weir_event_loop_delay_seconds{stat="p99"}',
      'weir_previous_shutdown_unclean',
      'weir_telemetry_dropped_total{backend="registry"}',
      'weir_storage_writes_total',
      'weir_page_render_seconds_count',
      'weir_storage_commit_seconds_count',
    ]) {
      expect(page).toContain(`\n${series} 0\n`);
    }
    for (const family of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_seconds',
    ]) {
      expect(page).toMatch(new RegExp(`^${family} [0-9.e+-]+$`, 'm'));
    }
  });

  it('counts each thing once', async () => {
    const before = await values();
    await gateway.project('acme', 'db1');
    const client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
    const bearer = await gateway.bearerOf(client);
    const status = async (response: Promise<Response>): Promise<number> => {
      await (await response).text();
      return (await response).status;
    };
    await status(gateway.token({ grant_type: 'client_credentials' }, basic(client.clientId, 'wrong')));
    await status(gateway.token({ grant_type: 'password' }, basic(client.clientId, client.clientSecret)));
    await gateway.push('acme/db1/metrics', 'a 1\nb 2\nc 3\n', bearer);
    await status(gateway.fetch('/api/v1/acme/db1/metrics', { method: 'PUT', bearer, body: 'no number\n' }));
    await gateway.page('acme/db1/metrics', bearer);
    await gateway.page('acme/db1/metrics', bearer);
    await gateway.page('acme/db1/metrics', bearer);
    await status(gateway.fetch('/api/v1/acme/db1/metrics', { method: 'HEAD', bearer }));
    await status(gateway.fetch('/api/v1/acme/none/metrics', { bearer }));
    await status(gateway.fetch('/nothing', { method: 'OPTIONS' }));
    await status(gateway.fetch('/api/v1/acme/db1/metrics'));
    await status(gateway.fetch('/.well-known/jwks.json'));
    const after = await values();
    const gained = (series: string): number => (after.get(series) ?? 0) - (before.get(series) ?? 0);
    expect({
      issued: gained('weir_tokens_issued_total'),
      wrong: gained('weir_tokens_refused_total{error="invalid_client"}'),
      grant: gained('weir_tokens_refused_total{error="unsupported_grant_type"}'),
      accepted: gained('weir_pushes_total{result="accepted"}'),
      refused: gained('weir_pushes_total{result="refused"}'),
      samples: gained('weir_samples_received_total'),
      misses: gained('weir_cache_requests_total{result="miss"}'),
      hits: gained('weir_cache_requests_total{result="hit"}'),
      renders: gained('weir_page_render_seconds_count'),
      commits: gained('weir_storage_commit_seconds_count'),
      gets: gained('weir_request_total{code="200",method="GET"}'),
      heads: gained('weir_request_total{code="200",method="HEAD"}'),
      puts: gained('weir_request_total{code="200",method="PUT"}'),
      badPuts: gained('weir_request_total{code="400",method="PUT"}'),
      posts: gained('weir_request_total{code="200",method="POST"}'),
      unauthorised: gained('weir_request_total{code="401",method="POST"}'),
      absent: gained('weir_request_total{code="404",method="GET"}'),
      durations: gained('weir_request_duration_seconds_count{code="200"}'),
      tokenDurations: gained('weir_request_duration_openid_connect_seconds_count{endpoint="token",code="200"}'),
      tokenRefusals: gained('weir_request_duration_openid_connect_seconds_count{endpoint="token",code="401"}'),
      jwks: gained('weir_request_duration_openid_connect_seconds_count{endpoint="jwks",code="200"}'),
      proved: gained('weir_authn_total{success="true",banned="false"}'),
      notProved: gained('weir_authn_total{success="false",banned="false"}'),
      proofs: gained('weir_authn_duration_seconds_count{success="true"}'),
      letIn: gained('weir_authz_total{code="200"}'),
      notFound: gained('weir_authz_total{code="404"}'),
      notLetIn: gained('weir_authz_total{code="401"}'),
      reason: gained('weir_pushes_refused_total{reason="invalid"}'),
      pages: gained('weir_page_size_bytes_count'),
      living: gained('weir_series'),
      options: gained('weir_request_total{code="404",method="OPTIONS"}'),
    }).toEqual({
      issued: 1,
      wrong: 1,
      grant: 1,
      accepted: 1,
      refused: 1,
      samples: 3,
      misses: 1,
      hits: 3,
      renders: 1,
      commits: 1,
      gets: 4,
      heads: 1,
      puts: 1,
      badPuts: 1,
      posts: 1,
      unauthorised: 1,
      absent: 1,
      // A token, a push, four GETs and a HEAD.
      durations: 7,
      tokenDurations: 1,
      tokenRefusals: 1,
      jwks: 1,
      // The request with a wrong grant_type proved who it was.
      proved: 2,
      notProved: 1,
      proofs: 2,
      // Two pushes, three scrapes and a HEAD.
      letIn: 6,
      notFound: 1,
      notLetIn: 1,
      reason: 1,
      pages: 1,
      living: 3,
      options: 1,
    });
  });

  it('grows no series for methods, paths or names that callers invent', async () => {
    const bearer = await gateway.bearer('acme');
    const count = async (): Promise<number> => (await values()).size;
    await (await gateway.fetch('/nothing', { method: 'LOCK' })).text();
    await (await gateway.fetch('/api/v1/none/none/metrics', { bearer })).text();
    const before = await count();
    // Node lets through what it knows of, some thirty methods; the rest it refuses before we see it.
    for (const method of ['INVENTED', 'COPY', 'MKCOL', 'PROPFIND', 'PURGE', 'REPORT', 'SEARCH', 'UNLOCK']) {
      await (await gateway.fetch(`/nothing/${method}`, { method })).text();
      await (await gateway.fetch(`/api/v1/p${method}/e/metrics`, { bearer })).text();
    }
    expect(await count()).toBe(before);
  });

  it('names no project, endpoint or client', async () => {
    const page = await (await operator('/metrics')).text();
    expect(page).not.toMatch(/acme|db1|weir_cid_/);
  });
});

describe('what the page tells of the whole', () => {
  it('is the series of each project against its limit, by name only where the operator wants that', async () => {
    const value = async (of: TestGateway, series: string) => of.operatorValue(series).catch(() => undefined);
    const quiet = await TestGateway.boot({ limits: { series: 10 } });
    const open = await TestGateway.boot({ limits: { series: 10 }, metrics: { projectLabel: true } });
    for (const each of [quiet, open]) {
      for (const [project, series] of [
        ['big', 8],
        ['small', 2],
      ] as const) {
        await each.project(project, 'db1');
        const lines = Array.from({ length: series }, (_, at) => `a${at} 1\n`).join('');
        await each.push('%/db1/metrics'.replace('%', project), lines, await each.bearer(project));
      }
    }
    expect(await value(quiet, 'weir_series')).toBe(10);
    expect(await value(quiet, 'weir_series_limit_used_ratio')).toBe(0.8);
    expect(await value(quiet, 'weir_project_series{project="big"}')).toBeUndefined();
    expect(await value(open, 'weir_project_series{project="big"}')).toBe(8);
    expect(await value(open, 'weir_project_series_limit{project="small"}')).toBe(10);
    // What has ended counts no more, and what is gone is not on the page.
    open.clock.advance(301_000);
    expect(await value(open, 'weir_project_series{project="big"}')).toBe(0);
    await open.admin.projects.delete('big');
    expect(await value(open, 'weir_project_series{project="big"}')).toBeUndefined();
    await quiet.stop();
    await open.stop();
  });

  it('is the age of the signing key, and the size of the write-ahead log', async () => {
    const before = await gateway.operatorValue('weir_signing_key_age_seconds');
    gateway.clock.advance(60_000);
    expect((await gateway.operatorValue('weir_signing_key_age_seconds')) - before).toBe(60);
    expect(await gateway.operatorValue('weir_storage_wal_bytes')).toBeGreaterThan(0);
  });

  it('is whether the run before was stopped, or ended', async () => {
    const own = await TestGateway.boot();
    expect(await own.operatorValue('weir_previous_shutdown_unclean')).toBe(0);
    await own.restart();
    expect(await own.operatorValue('weir_previous_shutdown_unclean')).toBe(0);
    const other = new Sqlite(own.config.storage.path);
    await own.stopOnly();
    // As a kill leaves it.
    other.exec("UPDATE meta SET value = 'yes' WHERE key = 'serving'");
    other.close();
    await own.start();
    expect(await own.operatorValue('weir_previous_shutdown_unclean')).toBe(1);
    await own.stop();
  });

  it('is a ban', async () => {
    const own = await TestGateway.boot();
    await own.project('acme', 'db1');
    const { clientId } = await own.client('acme', ['read:metrics']);
    for (let guess = 0; guess <= 20; guess++) {
      await (await own.token({ grant_type: 'client_credentials' }, basic(clientId, `wrong${guess}`))).text();
    }
    expect(await own.operatorValue('weir_bans_total{event="banned"}')).toBe(1);
    expect(await own.operatorValue('weir_authn_total{success="false",banned="true"}')).toBe(1);
    expect(await own.operatorValue('weir_authn_total{success="false",banned="false"}')).toBe(20);
    await own.stop();
  });

  it('is in the way of nothing: without the backend there is no page, but health', async () => {
    const own = await TestGateway.boot({ metrics: { backends: [] } });
    const page = await fetch(`${own.operatorUrl}/metrics`);
    expect([page.status, await page.text()]).toEqual([404, 'There is /-/healthy, /-/ready and /-/reload.\n']);
    expect((await fetch(`${own.operatorUrl}/-/healthy`)).status).toBe(200);
    expect((await fetch(`${own.operatorUrl}/-/ready`)).status).toBe(200);
    await own.project('acme', 'db1');
    const bearer = await own.bearer('acme');
    await own.push('acme/db1/metrics', 'a 1\n', bearer);
    expect(await own.page('acme/db1/metrics', bearer)).toContain('a{');
    await own.stop();
  });

  it('has the names the operator chose', async () => {
    const own = await TestGateway.boot({ metrics: { prefix: 'gate.' } });
    expect(await own.operatorValue('gate_tokens_issued_total')).toBe(0);
    await own.stop();
  });
});

describe('the two listeners', () => {
  it.each(['/metrics', '/-/healthy', '/-/ready', '/-/reload', '/-/quit'])(
    '%s is not on the public one',
    async (path) => {
      for (const method of ['GET', 'POST', 'PUT']) {
        const response = await gateway.fetch(path, { method });
        expect([response.status, await response.text()]).toEqual([404, expect.not.stringContaining('weir_')]);
      }
    },
  );

  it.each(['/oauth/token', '/api/v1/acme/db1/metrics', '/api/v1/acme/metrics'])(
    '%s is not on the operator one',
    async (path) => {
      const bearer = await gateway.bearer('acme');
      for (const method of ['GET', 'POST']) {
        const response = await operator(path, { method, headers: { authorization: bearer } });
        expect(response.status).toBe(404);
        await response.text();
      }
    },
  );
});
