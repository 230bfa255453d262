import { compressSync } from 'snappy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';
import { request1 } from '../support/remote-write.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot({ limits: { series_per_metric: 3 } });
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

const lines = (name: string, ...values: number[]): string =>
  values.map((value) => `${name}{x="${value}"} 1\n`).join('');

async function push(path: string, body: string, method = 'PUT'): Promise<{ status: number; detail?: string }> {
  const response = await gateway.fetch(`/api/v1/acme/${path}`, { method, body, bearer });
  return { status: response.status, ...(response.ok ? {} : ((await response.json()) as { detail: string })) };
}

async function write(
  metricsId: string,
  ...series: [name: string, x: string][]
): Promise<{ status: number; text: string }> {
  const at = gateway.clock.now();
  const body = request1(series.map(([__name__, x]) => ({ labels: { __name__, x }, samples: [[1, at]] })));
  const response = await gateway.fetch(`/api/v1/acme/${metricsId}/write`, {
    method: 'POST',
    body: new Uint8Array(compressSync(body)),
    bearer,
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
  });
  return { status: response.status, text: await response.text() };
}

async function refusals(metricsId = 'db1'): Promise<string[]> {
  gateway.clock.advance(30_001);
  const page = await gateway.page(`acme/${metricsId}/metrics`, bearer);
  return page.split('\n').filter((line) => line.startsWith('weir_endpoint_refused_series_total{'));
}
const said = (counts: { series?: number; series_per_metric?: number; invalid?: number }): string[] =>
  (['series', 'series_per_metric', 'invalid'] as const).map(
    (reason) => `weir_endpoint_refused_series_total{instance_id="db1",reason="${reason}"} ${counts[reason] ?? 0}`,
  );

describe('the limit of series per metric', () => {
  it('refuses a push whole, naming limit and metric, and says so on the page', async () => {
    expect((await push('db1/metrics', lines('a', 1, 2, 3) + lines('b', 1))).status).toBe(200);
    expect(await refusals()).toEqual([]);
    const refused = await push('db1/metrics', lines('a', 1, 2, 3, 4) + lines('b', 1));
    expect(refused).toMatchObject({ status: 422, limit: 'series_per_metric', max: 3, actual: 4 });
    expect(refused.detail).toContain('The metric is "a".');
    expect(await refusals()).toEqual(said({ series_per_metric: 5 }));
    expect(await refusals('db2')).toEqual([]);
  });

  it('counts the groups of an endpoint together, each endpoint and metric by itself', async () => {
    expect((await push('db1/metrics/job/one', lines('a', 1, 2))).status).toBe(200);
    expect((await push('db1/metrics/job/two', lines('a', 3))).status).toBe(200);
    expect((await push('db1/metrics/job/two', lines('a', 3, 4))).status).toBe(422);
    expect((await push('db1/metrics/job/two', lines('b', 3, 4, 5))).status).toBe(200);
    expect((await push('db2/metrics', lines('a', 1, 2, 3))).status).toBe(200);
    // The first group gives way to another series of its own, and then makes room.
    expect((await push('db1/metrics/job/one', lines('a', 7, 8))).status).toBe(200);
    expect((await push('db1/metrics/job/one', lines('c', 1))).status).toBe(200);
    expect((await push('db1/metrics/job/two', lines('a', 1, 2, 3))).status).toBe(200);
    expect((await push('db1/metrics/job/three', lines('a', 9), 'POST')).status).toBe(422);
  });

  it('lets pass what adds no series, also when it was lowered', async () => {
    await gateway.admin.projects.setLimits('acme', { series_per_metric: 0 });
    await expect.poll(async () => (await push('db1/metrics', lines('a', 1, 2, 3, 4, 5))).status).toBe(200);
    await gateway.admin.projects.setLimits('acme', { series_per_metric: 2 });
    await expect.poll(async () => (await push('db1/metrics', lines('a', 1, 2, 3, 4, 5, 6))).status).toBe(422);
    expect((await push('db1/metrics', lines('a', 1, 2, 3, 4))).status).toBe(200);
  });

  it('by remote write refuses the new ones, updates those that are there, and takes others again when some have ended', async () => {
    expect((await write('db1', ['a', '1'], ['a', '2'], ['b', '1'])).status).toBe(204);
    const refused = await write('db1', ['a', '1'], ['a', '3'], ['a', '4'], ['a', '5'], ['b', '2']);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('2 series were refused');
    expect(refused.text).toContain('series_per_metric = 3');
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toHaveLength(5);
    expect(await refusals()).toEqual(said({ series_per_metric: 2 }));
    gateway.clock.advance(300_001);
    expect((await write('db1', ['a', '6'], ['a', '7'], ['a', '8'])).status).toBe(204);
    expect((await write('db1', ['a', '1'])).status).toBe(400);
  });

  it('holds after a restart', async () => {
    await write('db1', ['a', '1'], ['a', '2'], ['a', '3']);
    await push('db2/metrics', lines('a', 1, 2, 3));
    await gateway.restart();
    expect((await write('db1', ['a', '4'])).status).toBe(400);
    expect((await push('db2/metrics/job/more', lines('a', 4))).status).toBe(422);
  });
});

it('the page says what the limit of the project refused, and what is invalid', async () => {
  await gateway.admin.projects.setLimits('acme', { series: 2, series_per_metric: 0 });
  await expect.poll(async () => (await push('db1/metrics', lines('a', 1, 2, 3))).status).toBe(422);
  expect((await push('db1/metrics', lines('a', 1))).status).toBe(200);
  await write('db1', ['b', '1'], ['b', '2'], ['weir_x', '1']);
  const [ofProject, , ofInvalid] = await refusals();
  expect(ofProject).toMatch(/reason="series"\} ([4-9]|\d\d)$/);
  expect(ofInvalid).toMatch(/reason="invalid"\} 1$/);
});

describe('the report', () => {
  it('names the metrics with most series, and how many values each label has', async () => {
    await gateway.admin.projects.setLimits('acme', { series_per_metric: 0 });
    const hungry = Array.from({ length: 30 }, (_, i) => `hungry{session="${i}",code="${i % 2}"} 1\n`).join('');
    await expect.poll(async () => (await push('db1/metrics/job/app', hungry)).status).toBe(200);
    await push('db2/metrics', `${lines('a', 1, 2, 3)}hungry{session="0",code="7"} 1\n`);
    await write('db2', ['live', '1'], ['live', '2']);
    await gateway.admin.endpoints.set('acme', 'db1', { droppedMetrics: ['hungry'] });
    expect(await gateway.admin.projects.cardinality('acme', 2)).toEqual({
      series: 36,
      metricCount: 3,
      metrics: [
        {
          name: 'hungry',
          series: 31,
          endpoints: 2,
          labels: [
            { name: 'session', values: 30 },
            { name: 'code', values: 3 },
            { name: 'instance_id', values: 2 },
            { name: 'job', values: 1 },
          ],
        },
        {
          name: 'a',
          series: 3,
          endpoints: 1,
          labels: [
            { name: 'x', values: 3 },
            { name: 'instance_id', values: 1 },
          ],
        },
      ],
      endpoints: [
        { metricsId: 'db1', series: 30, limits: {} },
        { metricsId: 'db2', series: 6, limits: {} },
      ],
    });
    await expect(gateway.admin.projects.cardinality('acme', 101)).rejects.toMatchObject({ code: 'invalid' });
    await expect(gateway.admin.projects.cardinality('nowhere')).rejects.toMatchObject({ code: 'not_found' });
  });
});
