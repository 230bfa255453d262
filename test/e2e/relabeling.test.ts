import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readRelabelConfigs } from '../../src/formats/relabel/config.js';
import { Programs } from '../support/programs.js';
import { PrometheusProcess } from '../support/prometheus-process.js';
import { relabelCases } from '../support/relabel-cases.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

/** Every list of rules is applied to the series of all cases, by Prometheus and by the gateway. */
const cases = relabelCases.filter(({ here }) => here !== 'only');
let prometheus: PrometheusProcess;

beforeAll(async () => {
  const weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'raw');
  const bearer = await weir.bearer(await weir.createClient('acme', 'write:metrics'));
  await weir.push('acme/raw/metrics', body(), bearer);
  const operator = await weir.command<CreatedClient>(
    ...['client', 'create', 'operator', '--operator', '--scope', 'create:endpoints'],
  );
  const authorization = await weir.bearer(operator);
  for (const [index, { rules }] of cases.entries()) {
    const created = await fetch(`${weir.url}/api/v2/projects/acme/endpoints`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({
        name: 'case',
        metrics_id: `case${index}`,
        metric_relabel_configs: readRelabelConfigs(rules),
      }),
    });
    expect([created.status, await created.text()]).toEqual([201, expect.anything()]);
    await weir.push(`acme/case${index}/metrics`, body(), bearer);
  }
  const client = await weir.createClient('acme', 'read:metrics');
  const job = (name: string, metricsId: string, more: object) => ({
    job_name: name,
    honor_labels: true,
    scrape_interval: '2s',
    scrape_timeout: '2s',
    metrics_path: `/api/v1/acme/${metricsId}/metrics`,
    static_configs: [{ targets: [new URL(weir.url).host], labels: { via: name } }],
    oauth2: {
      client_id: client.client_id,
      client_secret_file: weir.secretFile(client),
      token_url: client.token_url,
      scopes: ['read:metrics'],
    },
    ...more,
  });
  const scrape_configs = cases.flatMap(({ rules }, index) => [
    job(`theirs${index}`, 'raw', { metric_relabel_configs: readRelabelConfigs(rules) }),
    job(`ours${index}`, `case${index}`, {}),
  ]);
  prometheus = await PrometheusProcess.start(programs, stringify({ scrape_configs }, { aliasDuplicateObjects: false }));
  await prometheus.allUp();
});

/** Gauges with values of their own, and a histogram. */
function body(): string {
  const seen = new Set<string>();
  const lines = cases.flatMap(({ before: { __name__: name, ...labels } }, index) => {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const series = `${name}{${pairs.join(',')}}`;
    if (name!.startsWith('lag') || seen.has(series)) return [];
    seen.add(series);
    return [`${series} ${index}`];
  });
  const histogram = [
    'lag_bucket{le="0.5"} 1',
    'lag_bucket{le="1"} 2',
    'lag_bucket{le="+Inf"} 3',
    'lag_sum 4',
    'lag_count 3',
  ];
  return [...lines.sort(), '# TYPE lag histogram', ...histogram, ''].join('\n');
}

it.each(cases.map(({ name }, index) => [name, index] as const))(
  'Prometheus stores the same where it relabels itself: %s',
  async (_, index) => {
    const of = async (via: string): Promise<string[]> => {
      const stored = await prometheus.query(`{via="${via}",__name__!~"up|scrape_.*|weir_.*"}`);
      return stored
        .map(({ labels: { via: _via, job: _job, instance: _instance, instance_id: _id, ...labels }, samples }) =>
          JSON.stringify([Object.entries(labels).sort(), samples[0]!.value]),
        )
        .sort();
    };
    const theirs = await of(`theirs${index}`);
    expect(theirs.length).toBeGreaterThan(0);
    expect(await of(`ours${index}`)).toEqual(theirs);
  },
);
