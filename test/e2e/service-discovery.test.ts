import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Programs } from '../support/programs.js';
import { PrometheusProcess } from '../support/prometheus-process.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let weir: WeirProcess;
let prometheus: PrometheusProcess;

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'db2');
  await weir.createProject('rival', 'db9');
  await weir.createEndpoint('acme', 'db1', '--metadata', 'team=payments', '--metadata', 'tier=gold');
  const bearer = await weir.bearer(await weir.createClient('acme', 'write:metrics'));
  for (const metricsId of ['db1', 'db2']) {
    await weir.push(`acme/${metricsId}/metrics`, `answer{of="${metricsId}"} 42\n`, bearer);
  }
  const client = await weir.createClient('acme', 'read:metrics');
  const oauth2 = {
    client_id: client.client_id,
    client_secret_file: weir.secretFile(client),
    token_url: client.token_url,
    scopes: ['read:metrics'],
  };
  const config = {
    scrape_configs: [
      {
        job_name: 'weir',
        scrape_interval: '1s',
        scrape_timeout: '1s',
        oauth2,
        http_sd_configs: [{ url: `${weir.url}/api/v1/acme/sd`, refresh_interval: '1s', oauth2 }],
        relabel_configs: [
          { source_labels: ['__meta_weir_metadata_team'], target_label: 'team' },
          { source_labels: ['__meta_weir_project'], target_label: 'project' },
        ],
      },
    ],
  };
  prometheus = await PrometheusProcess.start(programs, stringify(config, { aliasDuplicateObjects: false }));
});

it('one job of Prometheus finds every endpoint of the project and scrapes it with one client', async () => {
  await expect.poll(async () => (await prometheus.targets()).length, { timeout: 20_000 }).toBe(2);
  const targets = await prometheus.allUp();
  const found = targets.map(({ labels }) => ({ ...labels })).sort((a, b) => (a.instance! < b.instance! ? -1 : 1));
  expect(found).toEqual([
    { job: 'weir', instance: 'db1', project: 'acme', team: 'payments' },
    { job: 'weir', instance: 'db2', project: 'acme' },
  ]);
  const stored = async () =>
    (await prometheus.query('answer')).map(({ labels }) => `${labels.instance} ${labels.of}`).sort();
  await expect.poll(stored, { timeout: 20_000 }).toEqual(['db1 db1', 'db2 db2']);
});

it('an endpoint that is created is scraped, one that is deleted is not, without a change to Prometheus', async () => {
  const instances = async () => (await prometheus.targets()).map(({ labels }) => labels.instance).sort();
  await weir.createEndpoint('acme', 'db3');
  await weir.command('endpoint', 'delete', 'db2', '--project', 'acme');
  await expect.poll(instances, { timeout: 20_000 }).toEqual(['db1', 'db3']);
  await expect.poll(async () => (await prometheus.query('up{instance="db3"}')).length, { timeout: 20_000 }).toBe(1);
});
