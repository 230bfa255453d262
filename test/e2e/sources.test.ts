import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { samples, TestGateway } from '../support/gateway.js';
import { startListening } from '../support/listening.js';
import { MimirProcess } from '../support/mimir-process.js';
import { builtProgram, eventually, nodeExporterProgram, Programs } from '../support/programs.js';
import { PrometheusProcess, type StoredSeries, scrapeConfig } from '../support/prometheus-process.js';
import { ThanosProcess } from '../support/thanos-process.js';
import { VictoriaMetricsProcess } from '../support/victoria-metrics-process.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

/** Name and labels, without what names the way it came; quantiles as numbers, which Weir spells as OpenMetrics does. */
const own = ({ labels }: StoredSeries): string => {
  const { instance_id: _, via: __, job: ___, instance: ____, ...rest } = labels;
  const pairs = Object.entries(rest).map(([name, value]) => [
    name,
    name === 'quantile' ? String(Number(value)) : value,
  ]);
  return JSON.stringify(pairs.sort());
};

describe("Debian's prometheus-node-exporter as a source", () => {
  it('is stored by a Prometheus through Weir as it is when scraped directly', async () => {
    // Collectors whose series stay the same ones while they are looked at.
    const collectors = ['cpu', 'loadavg', 'meminfo', 'stat', 'uname', 'time', 'vmstat'].map(
      (name) => `--collector.${name}`,
    );
    const exporter = await startListening(programs, {
      name: 'node-exporter',
      program: nodeExporterProgram(),
      flags: ({ address }) => [`--web.listen-address=${address}`, '--collector.disable-defaults', ...collectors],
      readyPath: '/metrics',
    });
    const url = `${exporter.url}/metrics`;
    const weir = await WeirProcess.start(programs, [], {
      WEIR_SOURCES_ALLOWED_NETWORKS: '127.0.0.0/8',
      WEIR_SOURCES_ALLOW_HTTP: 'true',
    });
    await weir.createProject('acme', 'db1');
    const at = ['--project', 'acme', '--endpoint', 'db1', '--type', 'exporter', '--url', url, '--interval', '1s'];
    const made = await weir.command('source', 'create', 'node', ...at);
    expect(made).toMatchObject({
      id: expect.stringMatching(/^src_/),
      name: 'node',
      type: 'exporter',
      status: 'enabled',
    });
    await eventually('the source to be up', async () =>
      (await weir.command<{ health: string }[]>('source', 'list'))[0]?.health === 'up' ? true : undefined,
    );
    const allowed = ['--sources.allowed-networks=127.0.0.0/8', '--sources.allow-http=true'];
    const tested = await weir.command<Record<string, unknown>>('source', 'test', made.id!, ...allowed);
    expect(tested).toMatchObject({ pulled: true, error: null });
    const client = await weir.createClient('acme', 'read:metrics');
    const jobs = [{ name: 'weir', path: 'acme/db1/metrics', interval: '1s' }];
    const config = scrapeConfig({ weir, client, jobs });
    const direct = stringify({
      scrape_configs: [
        { job_name: 'direct', scrape_interval: '1s', static_configs: [{ targets: [new URL(url).host] }] },
      ],
    });
    const prometheus = await PrometheusProcess.start(programs, config + direct.replace('scrape_configs:\n', ''));
    await prometheus.allUp();
    const stored = async (job: string): Promise<string[]> =>
      (await prometheus.query(`{job="${job}",__name__=~"node_.+|go_.+|process_.+"}`)).map(own).sort();
    const [through, straight] = await eventually('both to be stored', async () => {
      const both = [await stored('weir'), await stored('direct')] as const;
      return both.every((series) => series.length > 50) ? both : undefined;
    });
    expect(through).toEqual(straight);
    for (const name of ['node_uname_info', 'node_memory_MemTotal_bytes', 'go_info']) {
      const values = async (job: string) =>
        (await prometheus.query(`${name}{job="${job}"}`)).map(({ samples: [s] }) => s!.value);
      expect(await values('weir')).toEqual(await values('direct'));
    }
    const page = await weir.page('acme/db1/metrics', await weir.bearer(client));
    expect(page).toContain('# TYPE node_cpu_seconds_total counter\n');
    expect(page).toContain('weir_source_up{instance_id="db1",source="node"} 1\n');
  });
});

interface Tsdb {
  readonly program: string;
  /** One that scrapes by this configuration of Prometheus; `undefined` when its program is not built. */
  readonly start: ((config: string) => Promise<{ readonly url: string; kill(): Promise<void> }>) | undefined;
  /** Whether it keeps types and help. */
  readonly describes: boolean;
  readonly tenant?: string;
}

const [thanos, mimir] = [builtProgram('thanos'), builtProgram('mimir')];
const tsdbs: readonly Tsdb[] = [
  {
    program: "Debian's Prometheus",
    start: async (config) => {
      const prometheus = await PrometheusProcess.start(programs, config);
      await prometheus.allUp();
      return prometheus;
    },
    describes: true,
  },
  {
    program: "Debian's VictoriaMetrics",
    start: (config) => VictoriaMetricsProcess.start(programs, config),
    describes: false,
  },
  {
    program: 'Thanos',
    start: thanos === undefined ? undefined : (config) => ThanosProcess.start(thanos, programs, config),
    describes: true,
  },
  {
    program: 'Mimir',
    start: mimir === undefined ? undefined : (config) => MimirProcess.start(mimir, programs, config, 'vendor'),
    describes: true,
    tenant: 'vendor',
  },
];

// CI builds all of them.
for (const { program, start, describes, tenant } of tsdbs)
  describe.skipIf(start === undefined)(`${program} with the series of 200 customers as a source`, () => {
    const headers: Record<string, string> = tenant === undefined ? {} : { 'x-scope-orgid': tenant };
    const customers = Array.from({ length: 200 }, (_, i) => `c${i}`);
    /** What stands in the label of a customer; of one a text that would be more than a value if it were not escaped. */
    const labelOf = (customer: string): string => (customer === 'c7' ? 'c7"} or {project=~".*\\' : customer);
    const escaped = (text: string): string => text.replace(/[\\"]/g, '\\$&');
    let exporter: Server;
    let tsdb: { readonly url: string; kill(): Promise<void> };
    let gateway: TestGateway;
    const bearers = new Map<string, string>();

    beforeAll(async () => {
      exporter = createServer((_, response) => {
        response.setHeader('content-type', 'text/plain; version=0.0.4');
        const lines = customers.map(
          (customer, i) => `jobs_total{project="${escaped(labelOf(customer))}",q="a"} ${i}\n`,
        );
        const gauges = customers.map((customer, i) => `depth{project="${escaped(labelOf(customer))}"} -${i}.5\n`);
        response.end(
          `# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n${lines.join('')}# TYPE depth gauge\n${gauges.join('')}`,
        );
      });
      await new Promise<void>((resolve) => exporter.listen(0, '127.0.0.1', resolve));
      const target = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
      tsdb = await start!(
        stringify({
          scrape_configs: [
            { job_name: 'all', scrape_interval: '1s', scrape_timeout: '1s', static_configs: [{ targets: [target] }] },
          ],
        }),
      );
      await eventually('all of them to be stored', async () => {
        const answer = await fetch(`${tsdb.url}/api/v1/query?query=${encodeURIComponent('count({project!=""})')}`, {
          headers,
        });
        const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
        return data.result[0]?.value[1] === '400' ? true : undefined;
      });
      gateway = await TestGateway.boot({ seams: { sourceTickMs: 20 } });
      for (const customer of customers) {
        await gateway.project(customer, 'db');
        bearers.set(customer, await gateway.bearer(customer, ['read:metrics']));
        await gateway.admin.sources.create(customer, {
          name: 'tsdb',
          metrics_id: 'db',
          type: 'promql',
          url: tsdb.url,
          ...(tenant === undefined ? {} : { tenant }),
          matchers: [`project="${escaped(labelOf(customer))}"`, '__name__=~"jobs.*|depth"'],
        });
      }
    });
    afterAll(async () => {
      await gateway?.stop();
      exporter?.close();
    });

    const upSources = () => gateway.operatorValue('weir_sources{type="promql",state="up"}');

    it("each customer's page holds exactly theirs", async () => {
      await expect.poll(upSources, { timeout: 60_000 }).toBe(200);
      gateway.clock.advance(31_000);
      for (const [i, customer] of customers.entries()) {
        const page = await gateway.page(`${customer}/db/metrics`, bearers.get(customer)!);
        const project = escaped(labelOf(customer));
        const rest = `instance="127.0.0.1:${(exporter.address() as AddressInfo).port}",job="all",project="${project}"`;
        expect(samples(page), customer).toEqual([
          `depth{${rest},instance_id="db"} -${i}.5`,
          `jobs_total{${rest},q="a",instance_id="db"} ${i}`,
        ]);
        const said = describes ? '# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n' : '# TYPE jobs_total untyped\n';
        expect(page).toContain(said);
        expect(page).toContain('weir_source_up{instance_id="db",source="tsdb"} 1\n');
      }
    });

    it('a proxy that drops the query trips the guard, and nothing is served', async () => {
      const proxy = createServer(async (_, response) => {
        const all = await fetch(`${tsdb.url}/api/v1/query?query=${encodeURIComponent('{__name__=~".+"}')}`, {
          headers,
        });
        response.setHeader('content-type', 'application/json');
        response.end(await all.text());
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      try {
        await gateway.project('proxied', 'db');
        const { id } = await gateway.admin.sources.create('proxied', {
          name: 'tsdb',
          metrics_id: 'db',
          type: 'promql',
          url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
          matchers: ['project="c1"'],
        });
        await expect.poll(async () => (await gateway.admin.sources.get(id)).health, { timeout: 10_000 }).toBe('guard');
        const bearer = await gateway.bearer('proxied', ['read:metrics']);
        expect((await gateway.fetch('/api/v1/proxied/db/metrics', { bearer })).status).toBe(503);
        expect(await gateway.operatorValue('weir_source_guard_trips_total{type="promql"}')).toBeGreaterThanOrEqual(1);
        await gateway.admin.projects.delete('proxied');
      } finally {
        proxy.close();
      }
    });

    it('killing it keeps the pages for the stale limit, which then say so', async () => {
      await expect.poll(upSources, { timeout: 60_000 }).toBe(200);
      await tsdb.kill();
      gateway.clock.advance(31_000);
      await expect
        .poll(() => gateway.operatorValue('weir_sources{type="promql",state="failing"}'), { timeout: 60_000 })
        .toBe(200);
      const [bearer, path] = [bearers.get('c7')!, '/api/v1/c7/db/metrics'];
      const kept = await gateway.fetch(path, { bearer });
      expect(kept.headers.get('x-weir-completeness')).toBe('partial');
      const page = await kept.text();
      expect(samples(page)).toHaveLength(2);
      expect(page).toContain('weir_source_up{instance_id="db",source="tsdb"} 0\n');
      gateway.clock.advance(30_000);
      expect((await gateway.fetch(path, { bearer })).status).toBe(503);
      expect(await gateway.operatorValue('weir_sources{type="promql",state="dead"}')).toBe(200);
    });
  });
