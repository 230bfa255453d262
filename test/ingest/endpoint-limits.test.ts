import { createSocket } from 'node:dgram';
import { compressSync } from 'snappy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EndpointLimitChanges } from '../../src/domain/endpoint-limits.js';
import type { Limits } from '../../src/domain/limits.js';
import { defaultStatsd } from '../../src/domain/statsd.js';
import { samples, TestGateway } from '../support/gateway.js';
import { attribute, exportOf, sendOtlp } from '../support/otlp.js';
import { contentTypes, request1, send } from '../support/remote-write.js';
import { TestEndpoint } from './endpoint.js';

let gateway: TestGateway;
let projectId: string;
let endpoint: TestEndpoint;
let other: TestEndpoint;
let made = 0;

beforeAll(async () => {
  gateway = await TestGateway.boot();
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  projectId = `p${++made}`;
  await gateway.project(projectId);
  endpoint = await TestEndpoint.make(gateway, projectId);
  other = await TestEndpoint.make(gateway, projectId);
});

const limit = (limits: EndpointLimitChanges): Promise<unknown> =>
  gateway.admin.endpoints.set(projectId, endpoint.metricsId, { limits });
const limitProject = (limits: Partial<Limits>): Promise<unknown> => gateway.admin.projects.setLimits(projectId, limits);

const lines = (count: number, name = 'a'): string =>
  Array.from({ length: count }, (_, i) => `${name}{i="${i}"} 1\n`).join('');
const series = (names: readonly string[], value = 1) =>
  request1(names.map((name) => ({ labels: { __name__: name }, samples: [[value, gateway.clock.now()]] as const })));
const write = (at: TestEndpoint, names: readonly string[], value?: number): Promise<Response> =>
  send(gateway, `${projectId}/${at.metricsId}`, at.bearer, series(names, value));
const detail = async (response: Response): Promise<string> => ((await response.json()) as { detail: string }).detail;

describe('the series of an endpoint', () => {
  const full = { status: 422, limit: 'series', limit_of: 'endpoint', max: 3 };

  it('are refused whole at its own limit, in its own name, while the others of the project go on', async () => {
    await limit({ series: 3 });
    await endpoint.take('PUT', '/job/app', lines(2));
    const refused = await endpoint.push('PUT', '/job/more', lines(2, 'b'));
    expect(refused).toMatchObject({ ...full, actual: 4 });
    expect(refused.detail).toBe(
      'The endpoint would hold too many series: 4 is over the limit series = 3 of the endpoint.',
    );
    expect(await endpoint.push('POST', '/job/app', lines(2, 'b'))).toMatchObject({ ...full, actual: 4 });
    expect(await endpoint.shown()).toHaveLength(2);
    await endpoint.take('PUT', '/job/more', lines(1, 'b'));
    await other.take('PUT', '', lines(20));
    const said = (await endpoint.page()).split('\n').find((line) => line.includes('refused_series_total{'));
    expect(said).toMatch(/reason="series"\} 6$/);
  });

  it('cannot be more than the project may have: the smaller of the two limits counts', async () => {
    await limit({ series: 100 });
    await limitProject({ series: 10 });
    await other.take('PUT', '', lines(6));
    const refused = await endpoint.push('PUT', '', lines(5));
    expect(refused).toMatchObject({ status: 422, limit: 'series', max: 10, actual: 11 });
    expect(refused).not.toHaveProperty('limit_of');
    await endpoint.take('PUT', '', lines(4));
    // Also where the project has none.
    await limitProject({ series: 0 });
    await limit({ series: 3 });
    expect(await endpoint.push('PUT', '', lines(5))).toMatchObject(full);
  });

  it('stay when it is lowered below what there is, and what adds none passes', async () => {
    await endpoint.take('PUT', '', lines(5));
    await limit({ series: 3 });
    await endpoint.take('PUT', '', lines(5, 'b'));
    expect(await endpoint.push('PUT', '', lines(6))).toMatchObject({ ...full, actual: 6 });
    await endpoint.take('PUT', '', lines(2));
    await limit({ series: null });
    await endpoint.take('PUT', '', lines(9));
  });

  it('by remote write and OTLP are updated where they are known, and new ones refused', async () => {
    await limit({ series: 3 });
    await endpoint.take('PUT', '/job/app', lines(1, 'pushed'));
    expect((await write(endpoint, ['a', 'b'])).status).toBe(204);
    const refused = await write(endpoint, ['a', 'b', 'c', 'd'], 2);
    expect(refused.status).toBe(400);
    expect(await detail(refused)).toContain('2 series were refused, the first: c{}: The endpoint would hold too many');
    expect((await endpoint.shown()).sort()).toEqual(['a 2', 'b 2', 'pushed{i="0",job="app"} 1']);
    const point = { timeUnixNano: `${gateway.clock.now()}000000`, asDouble: 5 };
    const metrics = ['a', 'e'].map((name) => ({ name, gauge: { dataPoints: [point] } }));
    const path = `${projectId}/${endpoint.metricsId}`;
    const answer = await sendOtlp(gateway, path, endpoint.bearer, exportOf(metrics), 'json');
    expect(await answer.json()).toMatchObject({
      partialSuccess: { rejectedDataPoints: '1', errorMessage: expect.stringContaining('series = 3 of the endpoint') },
    });
    // Those that came in pieces count for a push, too.
    expect(await endpoint.push('PUT', '/job/more', lines(1, 'b'))).toMatchObject({ ...full, actual: 4 });
    expect((await write(other, ['a', 'b', 'c', 'd', 'e'])).status).toBe(204);
  });

  it('need no room for samples that are older than the lifetime: these change nothing, as below the limit', async () => {
    const old = gateway.clock.now() - 300_000;
    const sample = (name: string, i: number, time: number) =>
      ({ labels: { __name__: name, i: String(i) }, samples: [[1, time]] }) as const;
    const sent = (...series: ReturnType<typeof sample>[]): Promise<Response> =>
      send(gateway, `${projectId}/${endpoint.metricsId}`, endpoint.bearer, request1(series));
    await limit({ series: 3, series_per_metric: 2 });
    // Nor do they take the room of those behind them.
    const now = gateway.clock.now();
    const mixed = await sent(sample('a', 0, old), sample('a', 1, old), sample('a', 2, now), sample('a', 3, now));
    expect(mixed.status).toBe(204);
    expect((await sent(sample('a', 4, old))).status).toBe(204);
    expect((await sent(sample('b', 0, now), sample('b', 1, old))).status).toBe(204);
    expect((await sent(sample('b', 1, old + 1))).status).toBe(400);
    expect(await endpoint.shown()).toHaveLength(3);
  });

  it('are counted again when some have ended', async () => {
    await limit({ series: 2 });
    await endpoint.take('PUT', '', lines(1));
    expect((await write(endpoint, ['b'])).status).toBe(204);
    expect((await write(endpoint, ['c'])).status).toBe(400);
    gateway.clock.advance(300_001);
    expect((await write(endpoint, ['c', 'd'])).status).toBe(204);
    expect((await endpoint.push('PUT', '', lines(1))).status).toBe(422);
    gateway.clock.advance(300_001);
    await endpoint.take('PUT', '', lines(2));
  });

  it('of one request for all customers are judged endpoint by endpoint', async () => {
    await limit({ series: 1 });
    const operator = await gateway.bearer(null, ['write:metrics']);
    const parts = [endpoint, other].flatMap(({ metricsId }) => ['a', 'b'].map((name) => ({ metricsId, name })));
    const body = request1(
      parts.map(({ metricsId, name }) => ({
        labels: { __name__: name, weir_project: projectId, weir_endpoint: metricsId },
        samples: [[1, gateway.clock.now()]],
      })),
    );
    const answer = await gateway.fetch('/api/v1/write', {
      method: 'POST',
      bearer: operator,
      body: compressSync(body) as unknown as Uint8Array<ArrayBuffer>,
      headers: { 'content-type': contentTypes['1.0'], 'content-encoding': 'snappy' },
    });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-prometheus-remote-write-samples-written')).toBe('3');
    expect(await detail(answer)).toContain('The endpoint would hold too many series');
    expect([(await endpoint.shown()).length, (await other.shown()).length]).toEqual([1, 2]);
  });
});

describe('the other limits of an endpoint', () => {
  it('series_per_metric is the smaller of the two, and says whose', async () => {
    await limitProject({ series_per_metric: 4 });
    await limit({ series_per_metric: 2 });
    const refused = await endpoint.push('PUT', '', lines(3));
    expect(refused).toMatchObject({ status: 422, limit: 'series_per_metric', limit_of: 'endpoint', max: 2, actual: 3 });
    expect(refused.detail).toContain('series_per_metric = 2 of the endpoint. The metric is "a".');
    expect(await other.push('PUT', '', lines(5))).toMatchObject({ status: 422, max: 4 });
    await limit({ series_per_metric: 9 });
    const ofProject = await endpoint.push('PUT', '', lines(5));
    expect(ofProject).toMatchObject({ status: 422, max: 4 });
    expect(ofProject).not.toHaveProperty('limit_of');
    await limitProject({ series_per_metric: 0 });
    await endpoint.take('PUT', '', lines(9));
  });

  it('samples_per_second refuses its pushes for a while, and counts nothing towards the project then', async () => {
    await limitProject({ samples_per_second: 100 });
    await limit({ samples_per_second: 10 });
    await endpoint.take('PUT', '', lines(30));
    const refused = await endpoint.push('PUT', '', lines(80));
    expect(refused).toMatchObject({ status: 429, limit: 'samples_per_second', limit_of: 'endpoint', max: 10 });
    expect(refused.detail).toBe(
      'Too many samples: the endpoint may push samples_per_second = 10 on average. Try again in 2 s.',
    );
    expect(refused.headers.get('retry-after')).toBe('2');
    expect((await write(endpoint, ['b'])).status).toBe(429);
    // 30 are owed by the project, not 110.
    await other.take('PUT', '', lines(90));
    const ofProject = await other.push('PUT', '', lines(1));
    expect(ofProject).toMatchObject({ status: 429, limit: 'samples_per_second', max: 100 });
    expect(ofProject).not.toHaveProperty('limit_of');
    gateway.clock.advance(2_000);
    await endpoint.take('PUT', '', lines(1));
  });

  it.each([
    ['body_inflated_bytes', {}],
    ['body_compressed_bytes', { 'content-encoding': 'gzip' }],
  ] as const)('%s holds for its bodies alone', async (name, headers) => {
    await limit({ [name]: 50 });
    const body = Buffer.from(lines(20));
    expect(await endpoint.push('PUT', '', body, headers)).toMatchObject({
      status: 413,
      limit: name,
      limit_of: 'endpoint',
      max: 50,
      actual: body.length,
    });
    expect((await other.push('PUT', '', body, headers)).status).not.toBe(413);
    await limit({ [name]: 1_000_000_000 });
    await limitProject({ [name]: 60 });
    const ofProject = await endpoint.push('PUT', '', body, headers);
    expect(ofProject).toMatchObject({ status: 413, limit: name, max: 60 });
    expect(ofProject).not.toHaveProperty('limit_of');
  });

  it('hold for remote write and OTLP bodies, too', async () => {
    await limit({ body_inflated_bytes: 30 });
    const names = Array.from({ length: 20 }, (_, i) => `metric_${i}`);
    expect((await write(endpoint, names)).status).toBe(413);
    const path = `${projectId}/${endpoint.metricsId}`;
    const request = exportOf([], [attribute('a', 'x'.repeat(50))]);
    expect((await sendOtlp(gateway, path, endpoint.bearer, request, 'json')).status).toBe(413);
    expect((await write(other, names)).status).toBe(204);
  });
});

it('the report of cardinality names the endpoints with most series, with their limits', async () => {
  await limit({ series: 30, samples_per_second: 100 });
  await endpoint.take('PUT', '', lines(9));
  await write(endpoint, ['b', 'c']);
  await other.take('PUT', '', lines(4));
  await gateway.admin.endpoints.create({ name: 'idle', projectId });
  const { endpoints } = await gateway.admin.projects.cardinality(projectId);
  expect(endpoints).toEqual([
    { metricsId: endpoint.metricsId, series: 11, limits: { series: 30, samples_per_second: 100 } },
    { metricsId: other.metricsId, series: 4, limits: {} },
  ]);
  expect((await gateway.admin.projects.cardinality(projectId, 1)).endpoints).toHaveLength(1);
});

describe('on a gateway of its own', () => {
  let own: TestGateway;
  afterEach(() => own.stop());

  it('the limits hold after a restart', async () => {
    own = await TestGateway.boot();
    await own.project('acme', 'db1');
    await own.admin.endpoints.set('acme', 'db1', { limits: { series: 2 } });
    const bearer = await own.bearer('acme');
    await own.push('acme/db1/metrics', lines(1), bearer);
    await own.restart();
    const refused = await own.fetch('/api/v1/acme/db1/metrics/job/b', { method: 'PUT', body: lines(2, 'b'), bearer });
    expect([refused.status, await detail(refused)]).toEqual([
      422,
      'The endpoint would hold too many series: 3 is over the limit series = 2 of the endpoint.',
    ]);
  });

  it('StatsD meets the limit of its endpoint', async () => {
    const target = { projectId: 'acme', metricsId: 'db1' };
    own = await TestGateway.boot({
      ingest: { statsd: [{ ...defaultStatsd, listen: '127.0.0.1:0', target, flushMs: 25 }] },
    });
    await own.project('acme', 'db1');
    await own.admin.endpoints.set('acme', 'db1', { limits: { series: 2 } });
    const socket = createSocket('udp4');
    const port = Number(own.statsd[0]!.split(':').at(-1));
    await new Promise<void>((sent) => socket.send('a:1|g\nb:1|g\nc:1|g', port, '127.0.0.1', () => sent()));
    socket.close();
    await expect.poll(() => own.operatorValue('weir_statsd_refused_total{reason="refused"}')).toBe(1);
    const page = await own.page('acme/db1/metrics', await own.bearer('acme'));
    expect(samples(page)).toHaveLength(2);
  });
});
