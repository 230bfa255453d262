import type { JsonValue } from '@bufbuild/protobuf';
import { compressSync } from 'snappy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultRouting } from '../../src/domain/routing.js';
import { samples, TestGateway } from '../support/gateway.js';
import { attribute, decodeResponse, encodeExport, exportOf } from '../support/otlp.js';
import { contentTypes, request1, request2, type SentSeries, type Version } from '../support/remote-write.js';

let gateway: TestGateway;
let operator: string;
const readers: Record<string, string> = {};

beforeEach(async () => {
  gateway = await TestGateway.boot({
    reread: (config) => ({
      ...config,
      ingest: { ...config.ingest, routing: { ...defaultRouting, unknown: 'create' } },
    }),
  });
  await gateway.project('acme', 'db1', 'db2');
  await gateway.project('rival', 'db1');
  operator = await gateway.bearer(null, ['write:metrics']);
  for (const project of ['acme', 'rival']) readers[project] = await gateway.bearer(project, ['read:metrics']);
});
afterEach(() => gateway.stop());

async function served(path: string): Promise<string[]> {
  gateway.clock.advance(30_001);
  return samples(await gateway.page(`${path}/metrics`, readers[path.split('/')[0]!]!));
}

const of = (weir_project: string, weir_endpoint: string, more: Record<string, string> = {}, value = 1): SentSeries => ({
  labels: { __name__: 'up', weir_project, weir_endpoint, ...more },
  samples: [[value, gateway.clock.now()]],
});

const write = (body: Buffer, version: Version = '1.0'): Promise<Response> =>
  gateway.fetch('/api/v1/write', {
    method: 'POST',
    bearer: operator,
    body: compressSync(body) as unknown as Uint8Array<ArrayBuffer>,
    headers: { 'content-type': contentTypes[version], 'content-encoding': 'snappy' },
  });

const written = (answer: Response): [number, string | null] => [
  answer.status,
  answer.headers.get('x-prometheus-remote-write-samples-written'),
];
const detail = async (answer: Response): Promise<string> => ((await answer.json()) as { detail: string }).detail;
const unrouted = (reason: string): Promise<number> =>
  gateway.operatorValue(`weir_samples_unrouted_total{reason="${reason}"}`);

describe.each(['1.0', '2.0'] as const)('remote write %s for all customers', (version) => {
  const request = version === '1.0' ? request1 : request2;
  const send = (series: SentSeries[]): Promise<Response> => write(request(series), version);

  it('goes to the endpoints its labels name, and those labels are gone', async () => {
    const answer = await send([
      of('acme', 'db1', { zone: 'a' }, 1),
      of('rival', 'db1', { a: 'b' }, 2),
      of('acme', 'db1', { zone: 'b' }, 3),
      of('acme', 'db2', {}, 4),
    ]);
    expect(written(answer)).toEqual([204, '4']);
    expect(await served('acme')).toEqual([
      'up{zone="a",instance_id="db1"} 1',
      'up{zone="b",instance_id="db1"} 3',
      'up{instance_id="db2"} 4',
    ]);
    expect(await served('rival')).toEqual(['up{a="b",instance_id="db1"} 2']);
  });

  it('is the same for the next request, in any order', async () => {
    const all = (value: number): SentSeries[] =>
      ['a', 'b', 'c'].flatMap((zone, i) => [
        of('acme', 'db1', { zone }, value + i),
        of('rival', 'db1', { zone }, value),
      ]);
    await send(all(10));
    gateway.clock.advance(1000);
    await send(all(20).reverse());
    expect(await served('acme')).toEqual(
      ['a', 'b', 'c'].map((zone, i) => `up{zone="${zone}",instance_id="db1"} ${20 + i}`),
    );
    expect(await served('rival')).toEqual(['a', 'b', 'c'].map((zone) => `up{zone="${zone}",instance_id="db1"} 20`));
  });

  it('for who is not there is refused with Written counts and counted; the rest is taken', async () => {
    const answer = await send([
      of('acme', 'db1'),
      of('nobody', 'db1'),
      of('acme', 'nothing'),
      of('../acme', 'db1'),
      { labels: { __name__: 'up', weir_project: 'acme' }, samples: [[1, gateway.clock.now()]] },
      { labels: { __name__: 'up' }, samples: [[1, gateway.clock.now()]] },
    ]);
    expect(written(answer)).toEqual([400, '1']);
    expect(await detail(answer)).toContain('5 series were refused, the first: there is no endpoint "db1" in a project');
    expect([await unrouted('unknown'), await unrouted('missing')]).toEqual([3, 2]);
    expect(await served('acme')).toEqual(['up{instance_id="db1"} 1']);
  });

  it('is judged by the limits of each project: one at its limit costs no other a sample', async () => {
    await gateway.admin.projects.setLimits('acme', { series: 2 });
    await gateway.admin.projects.setLimits('rival', { samples_per_second: 1 });
    const many = (project: string, n: number): SentSeries[] =>
      Array.from({ length: n }, (_, i) => of(project, 'db1', { i: String(i) }));
    expect(written(await send([...many('acme', 4), ...many('rival', 5)]))).toEqual([400, '7']);
    const answer = await send([...many('acme', 2), ...many('rival', 5)]);
    expect(written(answer)).toEqual([400, '2']);
    expect(await detail(answer)).toContain('samples_per_second');
    expect(await unrouted('rate_limited')).toBe(5);
  });

  it('creates what is not there when told to, in the name of who wrote, and no more than ids allow', async () => {
    await fetch(`${gateway.operatorUrl}/-/reload`, { method: 'POST' });
    expect(written(await send([of('new', 'db9'), of('acme', 'db9'), of('no such id!', 'x')]))).toEqual([400, '2']);
    expect((await gateway.admin.projects.get('new')).name).toBe('new');
    readers.new = await gateway.bearer('new', ['read:metrics']);
    expect(await served('new')).toEqual(['up{instance_id="db9"} 1']);
    expect(await served('acme/db9')).toEqual(['up{instance_id="db9"} 1']);
    const [made] = await gateway.admin.audit.list({ action: 'endpoint.create', projectId: 'new', limit: 1 });
    expect(made!.actor).toMatch(/^client:weir_cid_/);
  });
});

describe('types and help', () => {
  it('sent by themselves reach the endpoints that have the metric, and no others', async () => {
    const metadata = [{ type: 'GAUGE', metricFamilyName: 'up', help: 'Is it up?' }];
    await write(request1([of('acme', 'db1')]));
    await write(request1([], metadata));
    await write(
      request1([
        of('acme', 'db1'),
        { ...of('rival', 'db1'), labels: { __name__: 'other', weir_project: 'rival', weir_endpoint: 'db1' } },
      ]),
    );
    gateway.clock.advance(30_001);
    expect(await gateway.page('acme/db1/metrics', readers.acme!)).toContain('# HELP up Is it up?\n# TYPE up gauge\n');
    await write(request1([of('rival', 'db1')]));
    gateway.clock.advance(30_001);
    expect(await gateway.page('rival/db1/metrics', readers.rival!)).toContain('# TYPE up gauge\n');
  });

  it('come back with the series of an endpoint that was silent for longer than its lifetime', async () => {
    const metadata = [{ type: 'GAUGE', metricFamilyName: 'up', help: 'Is it up?' }];
    const described = '# HELP up Is it up?\n# TYPE up gauge\n';
    await write(request1([of('acme', 'db1')], metadata));
    gateway.clock.advance(30_001);
    expect(await gateway.page('acme/db1/metrics', readers.acme!)).toContain(described);
    gateway.clock.advance(600_000);
    expect(await served('acme')).toEqual([]);
    await write(request1([of('acme', 'db1')], metadata));
    gateway.clock.advance(30_001);
    expect(await gateway.page('acme/db1/metrics', readers.acme!)).toContain(described);
  });
});

it('a routing label that is there twice leads nowhere', async () => {
  const body = request1([of('acme', 'db1', { weir_projecu: 'rival' })]);
  // The schema's writer takes no label twice.
  body.write('weir_project', body.indexOf('weir_projecu'));
  const answer = await write(body);
  expect(written(answer)).toEqual([400, '0']);
  expect(await detail(answer)).toContain('do not say in "weir_project" and "weir_endpoint"');
  expect(await unrouted('missing')).toBe(1);
  expect([await served('acme'), await served('rival')]).toEqual([[], []]);
});

it('what cannot be read is refused as a whole, with Written counts', async () => {
  const broken = request1([of('acme', 'db1')]).subarray(0, -3);
  expect(written(await write(broken))).toEqual([400, '0']);
});

describe('OTLP for all customers', () => {
  const resource = (project: string | undefined, endpoint: string, value: number): JsonValue => {
    const names = [attribute('weir.endpoint', endpoint), attribute('service.name', 'shop'), attribute('zone', 'a')];
    const point = { timeUnixNano: `${gateway.clock.now()}000000`, asDouble: value };
    const attributes = project === undefined ? names : [attribute('weir.project', project), ...names];
    return (exportOf([{ name: 'up', gauge: { dataPoints: [point] } }], attributes) as { resourceMetrics: JsonValue[] })
      .resourceMetrics[0]!;
  };
  const send = (encoding: 'json' | 'protobuf', ...resourceMetrics: JsonValue[]): Promise<Response> =>
    gateway.fetch('/otlp/v1/metrics', {
      method: 'POST',
      bearer: operator,
      body: (encoding === 'json' ? JSON.stringify({ resourceMetrics }) : encodeExport({ resourceMetrics })) as string,
      headers: { 'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf' },
    });

  it.each(['json', 'protobuf'] as const)('goes where resources say, without what says so: %s', async (encoding) => {
    const answer = await send(
      encoding,
      resource('acme', 'db1', 1),
      resource('rival', 'db1', 2),
      resource('acme', 'db2', 3),
      resource('nobody', 'db1', 4),
      resource(undefined, 'db1', 5),
    );
    const told = Buffer.from(await answer.arrayBuffer());
    expect(answer.status).toBe(200);
    expect(encoding === 'json' ? JSON.parse(told.toString()) : decodeResponse(told)).toMatchObject({
      partialSuccess: { rejectedDataPoints: '2', errorMessage: expect.stringContaining('no endpoint "db1"') },
    });
    expect(await served('acme')).toEqual([
      'target_info{job="shop",zone="a",instance_id="db1"} 1',
      'target_info{job="shop",zone="a",instance_id="db2"} 1',
      'up{job="shop",instance_id="db1"} 1',
      'up{job="shop",instance_id="db2"} 3',
    ]);
    expect(await served('rival/db1')).toContain('up{job="shop",instance_id="db1"} 2');
    expect([await unrouted('unknown'), await unrouted('missing')]).toEqual([1, 1]);
  });

  it('says on the page of each endpoint what has no form here', async () => {
    const time = `${gateway.clock.now()}000000`;
    const points = (n: number): JsonValue[] => Array.from({ length: n }, () => ({ timeUnixNano: time, asInt: '1' }));
    const resourceMetrics = [
      ['db1', 2],
      ['db2', 1],
      ['nothing', 4],
    ].map(([endpoint, n]) => {
      // A delta sum that is not monotonic.
      const metrics = [{ name: 'updown', sum: { aggregationTemporality: 1, dataPoints: points(Number(n)) } }];
      const attributes = [attribute('weir.project', 'acme'), attribute('weir.endpoint', String(endpoint))];
      return (exportOf(metrics, attributes) as { resourceMetrics: JsonValue[] }).resourceMetrics[0]!;
    });
    const answer = await gateway.fetch('/otlp/v1/metrics', {
      method: 'POST',
      bearer: operator,
      body: JSON.stringify({ resourceMetrics }),
      headers: { 'content-type': 'application/json' },
    });
    expect(await answer.json()).toMatchObject({ partialSuccess: { rejectedDataPoints: '7' } });
    gateway.clock.advance(30_001);
    const page = await gateway.page('acme/metrics', readers.acme!);
    const refused = /^weir_endpoint_refused_series_total\{instance_id="(\w+)",reason="invalid"\} (\d+)$/gm;
    expect([...page.matchAll(refused)].map(([, ...said]) => said)).toEqual([
      ['db1', '2'],
      ['db2', '1'],
    ]);
  });

  it('is told the resource attributes that are missing, not labels', async () => {
    const answer = await send('json', resource(undefined, 'db1', 1));
    expect(await answer.json()).toMatchObject({
      partialSuccess: {
        errorMessage: expect.stringContaining('resource attributes "weir.project" and "weir.endpoint"'),
      },
    });
  });

  it('is refused in its own form', async () => {
    const answer = await gateway.fetch('/otlp/v1/metrics', {
      method: 'POST',
      bearer: readers.acme!,
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect([answer.status, await answer.json()]).toMatchObject([403, { code: 7 }]);
  });
});
