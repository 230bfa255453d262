import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { dashboardSchema } from '../support/grafana-dashboard.js';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess } from '../support/prometheus-process.js';
import { namesIn, operatorSeriesNames } from '../support/promql-names.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

const rulesFile = join(process.cwd(), 'contrib/prometheus/weir-alerts.yml');
const source = JSON.parse(readFileSync('contrib/grafana/weir-operator.json', 'utf8')) as unknown;
const dashboard = dashboardSchema.parse(source);
const panels = dashboard.panels.filter((panel) => panel.type !== 'row');

/** As Grafana would ask, with all jobs and instances chosen and ten scrapes in a rate. */
const filledIn = (expression: string): string =>
  expression.replaceAll('$__rate_interval', '10s').replaceAll('$job', '.+').replaceAll('$instance', '.+');

describe('contrib/grafana/weir-operator.json', () => {
  it('has a fixed uid, and the rows an operator looks for', () => {
    expect(dashboard.uid).toBe('weir-operator');
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual([
      'Overview',
      'Scrapes and cache',
      'Pushes and storage',
      'Tokens and refusals',
      'Process',
      'Metric streams',
      'Sources',
    ]);
  });

  it('lets the operator choose data source, job and instance, and every expression follows', () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance']);
    expect(JSON.stringify(source)).not.toMatch(/"uid":"(?!\$\{datasource\}|weir-operator)/);
    const known = new Set([...operatorSeriesNames, 'up']);
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const names = namesIn(filledIn(expr));
        expect(names, title).not.toEqual([]);
        expect(
          names.filter((name) => !known.has(name)),
          title,
        ).toEqual([]);
        const selectors = expr.match(/\{[^}]*\}/g) ?? [];
        expect(selectors.length, title).toBeGreaterThanOrEqual(names.length);
        for (const selector of selectors) expect(selector, title).toContain('{job=~"$job",instance=~"$instance"');
      }
    }
  });

  it('names on a panel each alert there is on it, by its name', () => {
    const alerts = [...readFileSync(rulesFile, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
    const named = panels.flatMap(({ description }) => description.match(/\bWeir[A-Z]\w+/g) ?? []);
    expect([...new Set(named)].sort()).toEqual([...alerts].sort());
  });
});

describe('with a Prometheus that scrapes the operator listener of a gateway at work', () => {
  let weir: WeirProcess;
  let prometheus: PrometheusProcess;
  let configFile: string;
  const configuration = stringify({ telemetry: { metrics: { project_label: true } } });

  beforeAll(async () => {
    configFile = join(programs.folder, 'weir.yml');
    writeFileSync(configFile, configuration);
    weir = await WeirProcess.start(programs, [`--config.file=${configFile}`]);
    await weir.createProject('acme');
    // Pages live as long as their groups: what is measured at rendering is measured all the time.
    await weir.createEndpoint('acme', 'db1', '--lifetime', '2s');
    startTraffic(weir, await weir.createClient('acme', 'read:metrics', 'write:metrics'));
    prometheus = await PrometheusProcess.start(
      programs,
      stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
        rule_files: [rulesFile],
        scrape_configs: [
          { job_name: 'weir-operator', static_configs: [{ targets: [new URL(weir.operatorUrl).host] }] },
        ],
      }),
    );
    await prometheus.allUp();
  });

  it.each(panels.map((panel) => [panel.title, panel] as const))('the panel %s has data', async (_title, panel) => {
    for (const { expr } of panel.targets) {
      await eventually(
        `a number for ${expr}`,
        async () => {
          const series = await prometheus.query(filledIn(expr));
          return series.some(({ samples }) => Number.isFinite(samples.at(-1)!.value)) ? series : undefined;
        },
        { withinMs: 30_000, everyMs: 500 },
      );
    }
  });

  it('every rule of the alerts can be evaluated, and only that one stirs which this traffic deserves', async () => {
    const rules = await eventually('the rules to see refused pushes', async () => {
      const loaded = await prometheus.rules();
      const isSeen = loaded.some(({ name, state }) => name === 'WeirPushesRefused' && state === 'pending');
      return isSeen && loaded.every(({ health }) => health !== 'unknown') ? loaded : undefined;
    });
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    const stirring = rules.filter(({ state }) => state !== undefined && state !== 'inactive');
    // Half of the pushes are no metrics.
    expect(stirring.map(({ name }) => name)).toEqual(['WeirPushesRefused']);
  });

  it('a kill of the process and a configuration with an error raise their alerts', async () => {
    const stateOf = async (name: string) => (await prometheus.rules()).find((rule) => rule.name === name)?.state;
    const becomes = (name: string, state: string) =>
      eventually(`${name} to be ${state}`, async () => ((await stateOf(name)) === state ? true : undefined));
    await weir.kill();
    await becomes('WeirDown', 'pending');
    await weir.start();
    await becomes('WeirUncleanShutdown', 'firing');
    await becomes('WeirDown', 'inactive');
    writeFileSync(configFile, `${configuration}nonsense: true\n`);
    expect((await fetch(`${weir.operatorUrl}/-/reload`, { method: 'POST' })).status).toBe(500);
    await becomes('WeirReloadFailed', 'pending');
    writeFileSync(configFile, configuration);
    expect((await fetch(`${weir.operatorUrl}/-/reload`, { method: 'POST' })).status).toBe(200);
    await becomes('WeirReloadFailed', 'inactive');
  });
});

/** Pushes, scrapes, tokens and refusals of each, a few times a second, until the suite ends. */
function startTraffic(weir: WeirProcess, { client_id, client_secret }: CreatedClient): void {
  const token = (secret: string): Promise<Response> =>
    fetch(`${weir.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client_id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
  const once = async (turn: number): Promise<void> => {
    const { access_token } = (await (await token(client_secret)).json()) as { access_token: string };
    const headers = { authorization: `Bearer ${access_token}` };
    const page = `${weir.url}/api/v1/acme/db1/metrics`;
    const said = await Promise.all([
      fetch(`${page}/job/${turn % 50}`, {
        method: 'PUT',
        headers,
        body: `orders_total{turn="${turn % 50}"} ${turn}\n`,
      }),
      fetch(page, { method: 'PUT', headers, body: 'not metrics' }),
      fetch(page, { headers: { ...headers, accept: turn % 2 ? 'text/plain' : 'application/openmetrics-text' } }),
      fetch(page),
      fetch(`${weir.url}/.well-known/jwks.json`),
      fetch(`${weir.url}/.well-known/oauth-authorization-server`),
      token('wrong'),
    ]);
    await Promise.all(said.map((response) => response.arrayBuffer()));
  };
  // While the gateway is down, there is nobody to ask.
  programs.inRhythm(200, (turn) => once(turn).catch(() => {}));
}
