import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Descriptor } from '../../src/scrape/descriptors.js';
import { type TargetGroup, targetGroups } from '../../src/scrape/discovery.js';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

async function sd(as = bearer): Promise<TargetGroup[]> {
  return (await (await gateway.fetch('/api/v1/acme/sd', { bearer: as })).json()) as TargetGroup[];
}

async function descriptors(as = bearer): Promise<Descriptor[]> {
  const response = await gateway.fetch('/api/v1/acme/descriptors', { bearer: as });
  expect(response.status).toBe(200);
  return ((await response.json()) as { descriptors: Descriptor[] }).descriptors;
}

/** Without what the gateway says itself. */
const pushed = (all: readonly Descriptor[]): Descriptor[] => all.filter(({ name }) => !name.startsWith('weir_'));

describe('service discovery', () => {
  it('tells the endpoints apart by path and instance', async () => {
    await gateway.admin.endpoints.set('acme', 'db1', { metadata: { team: 'payments', region: 'eu' } });
    const response = await gateway.fetch('/api/v1/acme/sd', { bearer });
    // Prometheus takes no other content type.
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const target = (metricsId: string, metadata: object) => ({
      targets: [new URL(gateway.url).host],
      labels: {
        __scheme__: 'http',
        __metrics_path__: `/api/v1/acme/${metricsId}/metrics`,
        instance: metricsId,
        __meta_weir_project: 'acme',
        __meta_weir_metrics_id: metricsId,
        __meta_weir_endpoint: metricsId,
        ...metadata,
      },
    });
    expect(await response.json()).toEqual([
      target('db1', { __meta_weir_metadata_team: 'payments', __meta_weir_metadata_region: 'eu' }),
      target('db2', {}),
    ]);
  });

  it('gives the address, scheme and path of the external URL', async () => {
    const [group] = targetGroups(await gateway.admin.endpoints.list('acme'), 'https://metrics.example.com:8443/weir');
    expect(group).toMatchObject({
      targets: ['metrics.example.com:8443'],
      labels: { __scheme__: 'https', __metrics_path__: '/weir/api/v1/acme/db1/metrics' },
    });
  });

  it('lists what the caller sees at this moment', async () => {
    const names = async (as: string) => (await sd(as)).map(({ labels }) => labels.instance);
    const narrowed = await gateway.bearer('acme', ['read:metrics'], ['db2']);
    expect(await names(narrowed)).toEqual(['db2']);
    expect(await names(bearer)).toEqual(['db1', 'db2']);
    await gateway.admin.endpoints.create({ name: 'new', projectId: 'acme', metricsId: 'db3' });
    await gateway.admin.endpoints.delete('acme', 'db1');
    await expect.poll(() => names(bearer)).toEqual(['db2', 'db3']);
  });

  it('answers HEAD, refuses other methods, and takes no token from the URL', async () => {
    expect((await gateway.fetch('/api/v1/acme/sd', { method: 'HEAD', bearer })).status).toBe(200);
    const post = await gateway.fetch('/api/v1/acme/sd', { method: 'POST', bearer });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const inUrl = `/api/v1/acme/sd?access_token=${bearer.slice(7)}`;
    expect((await gateway.fetch(inUrl, { bearer })).status).toBe(400);
  });
});

describe('descriptors', () => {
  beforeEach(async () => {
    await gateway.push(
      'acme/db1/metrics/job/app',
      [
        '# HELP lag_seconds How far behind.',
        '# TYPE lag_seconds histogram',
        'lag_seconds_bucket{shard="a",le="1"} 1',
        'lag_seconds_bucket{shard="a",le="+Inf"} 2',
        'lag_seconds_sum{shard="a"} 3',
        'lag_seconds_count{shard="a"} 2',
        '# TYPE requests_total counter',
        'requests_total{code="200"} 1',
        'requests_total{path="/}{,=\\"x"} 1',
        '',
      ].join('\n'),
      bearer,
    );
    await gateway.push('acme/db2/metrics', '# TYPE requests_total counter\nrequests_total 1\nplain 1\n', bearer);
  });

  it('say what each metric is, which labels it has, and where it is', async () => {
    expect(pushed(await descriptors())).toEqual([
      {
        name: 'lag_seconds',
        type: 'histogram',
        help: 'How far behind.',
        unit: null,
        labels: ['instance_id', 'job', 'le', 'shard'],
        endpoints: ['db1'],
        series: 4,
      },
      {
        name: 'plain',
        type: 'untyped',
        help: null,
        unit: null,
        labels: ['instance_id'],
        endpoints: ['db2'],
        series: 1,
      },
      {
        name: 'requests_total',
        type: 'counter',
        help: null,
        unit: null,
        labels: ['code', 'instance_id', 'job', 'path'],
        endpoints: ['db1', 'db2'],
        series: 3,
      },
    ]);
  });

  it('are of what the caller may see', async () => {
    const narrowed = await gateway.bearer('acme', ['read:metrics'], ['db2']);
    await descriptors();
    expect(pushed(await descriptors(narrowed)).map(({ name, series }) => [name, series])).toEqual([
      ['plain', 1],
      ['requests_total', 1],
    ]);
  });

  it('have the unit OpenMetrics gives, and are untyped where endpoints disagree', async () => {
    const openMetrics = '# TYPE temp_celsius gauge\n# UNIT temp_celsius celsius\ntemp_celsius 1\n# EOF\n';
    const response = await gateway.fetch('/api/v1/acme/db1/metrics/job/om', {
      method: 'PUT',
      body: openMetrics,
      bearer,
      headers: { 'content-type': 'application/openmetrics-text; version=1.0.0' },
    });
    expect(response.status).toBe(200);
    await gateway.push('acme/db2/metrics/job/other', '# TYPE temp_celsius counter\ntemp_celsius 1\n', bearer);
    const [temp] = (await descriptors()).filter(({ name }) => name === 'temp_celsius');
    expect(temp).toMatchObject({ type: 'untyped', unit: 'celsius', endpoints: ['db1', 'db2'], series: 2 });
  });

  it('count the series that a page has', async () => {
    const page = await gateway.page('acme/metrics', bearer);
    const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect((await descriptors()).reduce((sum, { series }) => sum + series, 0)).toBe(lines.length);
  });

  it('are at most 30 seconds old', async () => {
    const plain = async () => pushed(await descriptors()).some(({ name }) => name === 'later');
    expect(await plain()).toBe(false);
    await gateway.push('acme/db1/metrics/job/later', 'later 1\n', bearer);
    expect(await plain()).toBe(false);
    gateway.clock.advance(30_001);
    expect(await plain()).toBe(true);
  });
});

it('both count towards the scrapes a client may make', async () => {
  await gateway.admin.projects.setLimits('acme', { scrapes_per_minute: 2 });
  const status = async (noun: string) => (await gateway.fetch(`/api/v1/acme/${noun}`, { bearer })).status;
  await expect.poll(() => status('sd')).toBe(429);
  expect(await status('descriptors')).toBe(429);
});
