import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { attributesOf, type ReadOtlp, readOtlp } from '../support/otlp-reader.js';
import { datadogPoints, type Recorded } from '../support/recorder.js';
import { readWrite2 } from '../support/remote-write-reader.js';
import { boot, closesAfterEach, datadog, otlp, recorder, remoteWrite, until } from './front-door.js';

closesAfterEach();

const families = (hits: number): string => `# HELP hits What came in.
# TYPE hits counter
hits_total{path="/a"} ${hits}
hits_total{path="/b c\\"d"} ${hits * 1.5}
# TYPE temperature gauge
temperature{room="1"} -3.25
temperature{room="2"} NaN
temperature{room="3"} +Inf
# TYPE latency histogram
latency_bucket{le="0.1"} ${hits}
latency_bucket{le="1"} ${hits * 2}
latency_bucket{le="+Inf"} ${hits * 3}
latency_sum ${hits / 4}
latency_count ${hits * 3}
# TYPE size summary
size{quantile="0.5"} 12
size_sum ${hits * 2}
size_count ${hits}
# EOF
`;

async function pushing(): Promise<{ gateway: TestGateway; bearer: string; push: (hits: number) => Promise<void> }> {
  const gateway = await boot();
  await gateway.project('acme', 'db');
  const bearer = await gateway.bearer('acme');
  const push = async (hits: number): Promise<void> => {
    const headers = { 'content-type': 'application/openmetrics-text; version=1.0.0' };
    const response = await gateway.fetch('/api/v1/acme/db/metrics/job/a', {
      method: 'PUT',
      body: families(hits),
      bearer,
      headers,
    });
    expect(response.status).toBe(200);
  };
  return { gateway, bearer, push };
}

/** The page's samples with finite values: name, labels and value. */
function scraped(page: string): Map<string, number> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const found = new Map<string, number>();
  for (const line of lines) {
    const at = line.lastIndexOf(' ');
    const value = Number(line.slice(at + 1).replace('Inf', 'Infinity'));
    if (Number.isFinite(value))
      found.set(identity(line.slice(0, line.indexOf('{')), pairs(line.slice(line.indexOf('{') + 1, at - 1))), value);
  }
  return found;
}

const pairs = (text: string): [string, string][] =>
  [...text.matchAll(/([a-z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
    name!,
    value!.replace(/\\(.)/g, '$1'),
  ]);
const identity = (name: string, labels: Iterable<readonly [string, string]>): string =>
  JSON.stringify([name, ...[...labels].sort()]);

/** Histograms and summaries taken apart again into the series they were. */
function otlpValues({ resourceMetrics }: ReadOtlp): Map<string, number> {
  const found = new Map<string, number>();
  const put = (name: string, labels: Record<string, string>, value: number): void => {
    found.set(identity(name, Object.entries(labels)), value);
  };
  for (const metric of resourceMetrics[0]!.scopeMetrics[0]!.metrics as unknown as RawMetric[]) {
    for (const point of [...(metric.sum?.dataPoints ?? []), ...(metric.gauge?.dataPoints ?? [])]) {
      put(metric.name, attributesOf(point.attributes), Number(point.asDouble ?? 0));
    }
    for (const point of metric.histogram?.dataPoints ?? []) {
      const labels = attributesOf(point.attributes);
      let below = 0;
      for (const [index, count] of point.bucketCounts.entries()) {
        below += Number(count);
        const bound = point.explicitBounds[index];
        put(
          `${metric.name}_bucket`,
          { ...labels, le: bound === undefined ? '+Inf' : bound === 1 ? '1.0' : String(bound) },
          below,
        );
      }
      put(`${metric.name}_sum`, labels, point.sum);
      put(`${metric.name}_count`, labels, Number(point.count));
    }
    for (const point of metric.summary?.dataPoints ?? []) {
      const labels = attributesOf(point.attributes);
      for (const { quantile, value } of point.quantileValues ?? [])
        put(metric.name, { ...labels, quantile: String(quantile) }, value);
      put(`${metric.name}_sum`, labels, point.sum);
      put(`${metric.name}_count`, labels, Number(point.count));
    }
  }
  return found;
}

type RawPoint = Parameters<typeof attributesOf>[0] extends infer A
  ? {
      attributes: A;
      asDouble: number;
      bucketCounts: string[];
      explicitBounds: number[];
      sum: number;
      count: string;
      quantileValues?: { quantile: number; value: number }[];
    }
  : never;
type RawMetric = { name: string } & Partial<
  Record<'sum' | 'gauge' | 'histogram' | 'summary', { dataPoints: RawPoint[] }>
>;

describe('project.metrics', () => {
  it('by OTLP is the page that is scraped, value for value', async () => {
    const { gateway, bearer, push } = await pushing();
    const server = await recorder();
    await push(4);
    await gateway.admin.streams.create('acme', otlp(server));
    for (const hits of [4, 10, 2]) {
      if (hits !== 4) {
        await push(hits);
        server.requests.length = 0;
        gateway.clock.advance(30_000);
      }
      await until(() => server.requests.length, 1);
      // No refresh is due: what is scraped now is the snapshot that was sent.
      const expected = scraped(await gateway.page('acme/metrics', bearer));
      expect(otlpValues(readOtlp(server.requests[0]!.body))).toEqual(expected);
      expect(expected.size).toBeGreaterThan(12);
    }
  });

  it('by remote write is the page that is scraped, NaN and infinities included, and marks what has gone', async () => {
    const { gateway, bearer, push } = await pushing();
    const server = await recorder();
    server.answer = () => ({ status: 204, headers: { 'X-Prometheus-Remote-Write-Samples-Written': '1' } });
    await push(4);
    await gateway.admin.streams.create('acme', remoteWrite(server));
    await until(() => server.requests.length, 1);
    const read = (request: Recorded) =>
      readWrite2(request.body).map(({ labels, samples }) => {
        const { __name__, ...rest } = labels;
        return [identity(__name__!, Object.entries(rest)), samples[0]![1]] as const;
      });
    const all = read(server.requests[0]!);
    const page = await gateway.page('acme/metrics', bearer);
    expect(new Map(all.filter(([, value]) => Number.isFinite(value)))).toEqual(scraped(page));
    expect(all.filter(([, value]) => !Number.isFinite(value)).map(([, value]) => value)).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]);
    expect(server.requests[0]!.headers).toMatchObject({
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '2.0.0',
      authorization: `Basic ${Buffer.from('user:rw-canary').toString('base64')}`,
    });
    const gone = await gateway.fetch('/api/v1/acme/db/metrics/job/a', { method: 'DELETE', bearer });
    expect(gone.status).toBe(202);
    gateway.clock.advance(30_000);
    await until(() => server.requests.length, 2);
    const marked = read(server.requests[1]!).filter(([, value]) => Number.isNaN(value));
    expect(marked.map(([series]) => series).filter((series) => !series.includes('weir_'))).toHaveLength(
      new Set(all.map(([series]) => series)).size - 2,
    );
  });

  it("by Datadog's differences adds up to what the counters gained, through a reset and a restart", async () => {
    const { gateway, push } = await pushing();
    const server = await recorder();
    await push(4);
    await gateway.admin.streams.create('acme', datadog(server));
    await until(() => server.taken.length, 1);
    let windows = 1;
    for (const hits of [10, 11, 3, 9]) {
      await push(hits);
      if (hits === 3) await gateway.restart();
      gateway.clock.advance(30_000);
      await until(() => server.taken.length, ++windows);
    }
    const points = datadogPoints(server.taken);
    const sum = (key: string): number => [...points.get(key)!.values()].reduce((a, b) => a + b, 0);
    // 4 → 10 → 11, anew 3 → 9.
    expect(sum('hits_total{instance_id:db,job:a,path:/a} 1')).toBe(6 + 1 + 3 + 6);
    expect(sum('hits_total{instance_id:db,job:a,path:/b c"d} 1')).toBe(1.5 * 16);
    expect(sum('latency_bucket{instance_id:db,job:a,le:+Inf} 1')).toBe(3 * 16);
    expect(points.get('temperature{instance_id:db,job:a,room:1} 3')!.size).toBe(5);
    expect([...points.keys()].filter((key) => key.includes('room:2') || key.includes('room:3'))).toEqual([]);
    expect(server.requests.every(({ headers }) => headers['dd-api-key'] === 'dd-canary-key')).toBe(true);
  });

  it('goes on where a counter was that was away, also when the gateway has restarted meanwhile', async () => {
    const gateway = await boot();
    await gateway.project('acme', 'db');
    const bearer = await gateway.bearer('acme');
    const server = await recorder();
    const push = (text: string) => gateway.push('acme/db/metrics/job/a', `# TYPE c_total counter\n${text}`, bearer);
    await push('c_total{of="a"} 4\nc_total{of="b"} 1\n');
    await gateway.admin.streams.create('acme', datadog(server));
    await until(() => server.taken.length, 1);
    let windows = 1;
    for (const text of ['c_total{of="a"} 5\n', 'c_total{of="a"} 6\n', 'c_total{of="a"} 8\nc_total{of="b"} 10\n']) {
      await gateway.restart();
      await push(text);
      gateway.clock.advance(30_000);
      await until(() => server.taken.length, ++windows);
    }
    const points = datadogPoints(server.taken);
    const counts = (of: string) => [...points.get(`c_total{instance_id:db,job:a,of:${of}} 1`)!.values()];
    expect([counts('a'), counts('b')]).toEqual([[1, 1, 2], [9]]);
  });

  it('sends only the series that match, at its own interval', async () => {
    const { gateway, push } = await pushing();
    const server = await recorder();
    await push(4);
    const match = ['temperature{room!="2"}', '{__name__=~"latency_(sum)|size.*",quantile=""}'];
    await expect(
      gateway.admin.streams.create('acme', datadog(server, [{ metric_type: 'project.metrics', match }])),
    ).rejects.toThrow('no regular expression that can be used here');
    const fitting = ['temperature{room!="2"}', '{__name__=~"latency_sum|size.*",quantile=""}'];
    await gateway.admin.streams.create(
      'acme',
      otlp(server, [{ metric_type: 'project.metrics', match: fitting, interval: '10s' }]),
    );
    await until(() => server.taken.length, 1);
    gateway.clock.advance(10_000);
    await until(() => server.taken.length, 2);
    const names = new Set(
      [...otlpValues(readOtlp(server.taken[1]!.body)).keys()].map((key) => (JSON.parse(key) as string[])[0]),
    );
    expect(names).toEqual(new Set(['temperature', 'latency_sum', 'size_sum', 'size_count']));
  });
});

describe('api_request.count', () => {
  it('equals the requests really made, per second and tag, for the project of who asked', async () => {
    const { gateway, bearer, push } = await pushing();
    await gateway.project('other', 'db');
    const server = await recorder();
    const stranger = await gateway.bearer('other');
    await push(1);
    const { id: readerId, bearer: reader } = await named(gateway);
    await gateway.admin.streams.create('acme', datadog(server, [{ metric_type: 'auth0.api_request.count' }]));
    const settled = async (): Promise<void> => {
      // The stream is known to the server once it appears among those that are enabled.
      await expect.poll(() => gateway.operatorValue('weir_streams{type="datadog"}')).toBe(1);
    };
    await settled();
    const start = gateway.clock.now();
    const second = (offset: number): number => Math.floor(start / 1000) + offset;
    for (let count = 0; count < 3; count++) await gateway.page('acme/db/metrics', reader);
    await gateway.page('acme/metrics', reader);
    expect((await gateway.fetch('/api/v1/other/db/metrics', { bearer: reader })).status).toBe(404);
    expect((await gateway.fetch('/api/v1/acme/db/metrics', { bearer: stranger })).status).toBe(404);
    expect((await gateway.fetch('/api/v1/acme/db/metrics')).status).toBe(401);
    gateway.clock.advance(2000);
    for (let count = 0; count < 5; count++) await gateway.page('acme/db/metrics', reader);
    expect(
      (await gateway.fetch('/api/v1/acme/db/metrics/job/b', { method: 'PUT', body: 'x 1\n', bearer: reader })).status,
    ).toBe(403);
    await push(2);
    gateway.clock.advance(8000);
    await until(() => server.taken.length, 1);
    const found = [...datadogPoints(server.taken)]
      .filter(([key]) => key.includes(readerId))
      .map(([key, values]) => [key.replace(`client_id:${readerId},`, ''), Object.fromEntries(values)]);
    const tags = (operation: string, result: string): string =>
      `weir.api_request.count{api:METRICS,${result === 'SUCCESS' ? '' : `failure_code:${result},`}operation_name:${operation},operation_result:${result === 'SUCCESS' ? 'SUCCESS' : 'FAILURE'},tenant:acme} 1`;
    const endpoint = '/api/v1/{project}/{metricsId}/metrics';
    expect(new Map(found as [string, object][])).toEqual(
      new Map<string, object>([
        [tags(`GET ${endpoint}`, 'SUCCESS'), { [second(0)]: 3, [second(2)]: 5 }],
        [tags('GET /api/v1/{project}/metrics', 'SUCCESS'), { [second(0)]: 1 }],
        [tags(`GET ${endpoint}`, 'CLIENT_SERVER_ERROR'), { [second(0)]: 1 }],
        [tags(`PUT ${endpoint}`, 'CLIENT_SERVER_ERROR'), { [second(2)]: 1 }],
      ]),
    );
    const others = [...datadogPoints(server.taken).keys()].filter((key) => !key.includes(readerId));
    expect(others).toHaveLength(1);
    expect(others[0]).toContain(`operation_name:PUT ${endpoint}`);
    expect(bearer).not.toBe(stranger);
  });

  it('tells of tokens by grant, of limits and of guessed secrets, and leaves out the tags that are not wanted', async () => {
    const gateway = await boot({ limits: { series: 1 } });
    await gateway.project('acme', 'db');
    const server = await recorder();
    const client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
    const bearer = await gateway.bearerOf(client);
    await gateway.admin.streams.create(
      'acme',
      otlp(server, [{ metric_type: 'metrics_bridge.api_request', exclude_tags: ['client_id', 'operation_name'] }]),
    );
    await expect.poll(() => gateway.operatorValue('weir_streams{type="otlp"}')).toBe(1);
    for (let count = 0; count < 4; count++) await gateway.bearerOf(client);
    expect(
      (
        await gateway.token({
          grant_type: 'client_credentials',
          client_id: client.clientId,
          client_secret: client.clientSecret,
          scope: 'nothing',
        })
      ).status,
    ).toBe(400);
    for (let count = 0; count < 23; count++) {
      await gateway.token({
        grant_type: 'client_credentials',
        client_id: client.clientId,
        client_secret: `wrong-${count}`,
      });
    }
    const over = await gateway.fetch('/api/v1/acme/db/metrics/job/b', { method: 'PUT', body: 'x 1\ny 2\n', bearer });
    expect(over.status).toBe(422);
    gateway.clock.advance(10_000);
    await until(() => server.taken.length, 1);
    const counts = new Map(
      [...otlpValues(readOtlp(server.taken[0]!.body))].map(([key, value]) => {
        const { api, failure_code, grant_type, ...rest } = Object.fromEntries(
          (JSON.parse(key) as [string, ...[string, string][]]).slice(1) as [string, string][],
        );
        expect(rest).toEqual({ tenant: 'acme', operation_result: failure_code === undefined ? 'SUCCESS' : 'FAILURE' });
        return [`${api} ${grant_type ?? ''} ${failure_code ?? ''}`, value];
      }),
    );
    expect(Object.fromEntries(counts)).toEqual({
      'AUTHENTICATION client_credentials ': 4,
      'AUTHENTICATION client_credentials CLIENT_SERVER_ERROR': 1,
      'AUTHENTICATION client_credentials ANOMALY_DETECTION': 3,
      'METRICS  RATE_LIMIT': 1,
    });
  });

  it('says a second once, also when the gateway comes back within it', async () => {
    const { gateway, bearer } = await pushing();
    const server = await recorder();
    await gateway.admin.streams.create('acme', datadog(server, [{ metric_type: 'api_request.count' }]));
    await expect.poll(() => gateway.operatorValue('weir_streams{type="datadog"}')).toBe(1);
    for (let count = 0; count < 3; count++) await gateway.page('acme/db/metrics', bearer);
    await gateway.restart();
    // Another port is another issuer; the token of the former one goes on for an hour.
    for (let count = 0; count < 2; count++) await gateway.page('acme/db/metrics', bearer);
    gateway.clock.advance(20_000);
    await until(() => server.taken.length, 2);
    const [, values] = [...datadogPoints(server.taken)].find(([key]) => key.includes('operation_name:GET'))!;
    expect([...values.values()]).toEqual([3, 2]);
  });
});

async function named(gateway: TestGateway): Promise<{ id: string; bearer: string }> {
  const credentials = await gateway.client('acme', ['read:metrics']);
  return { id: credentials.clientId, bearer: await gateway.bearerOf(credentials) };
}
