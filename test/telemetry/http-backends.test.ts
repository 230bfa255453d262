import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { OperatorError } from '../../src/domain/errors.js';
import { type BackendConfig, defineMetrics, openMetrics } from '../../src/telemetry/metrics/index.js';
import { HeldClock } from '../support/gateway.js';
import { attributesOf, readOtlp } from '../support/otlp-reader.js';
import { RecordingServer } from '../support/recording-server.js';

const key = 'dd-key-of-the-operator';
const atEnd: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of atEnd.splice(0).reverse()) await run();
});

const definitions = defineMetrics({
  request: { type: 'counter', help: 'Requests.', labels: ['code'] },
  took: { type: 'timing', help: 'Time.', labels: ['code'], buckets: [0.1, 1] },
  stored: { type: 'gauge', help: 'Bytes.', unit: 'bytes' },
});

async function receiver(answer?: Parameters<typeof RecordingServer.start>[0]): Promise<RecordingServer> {
  const server = await RecordingServer.start(answer);
  atEnd.push(() => server.stop());
  return server;
}

function keyFile(content = `${key}\n`): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-key-'));
  atEnd.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'key'), content);
  return join(folder, 'key');
}

function open(backend: BackendConfig, clock = new HeldClock()) {
  const complaints: string[] = [];
  const warn = (facts: { err?: Error }, message: string) =>
    void complaints.push(`${message}: ${facts.err?.stack} ${facts.err?.cause}`);
  const metrics = openMetrics({
    prefix: 'weir.',
    definitions,
    clock,
    backends: [backend, { type: 'prometheus' }],
    log: { debug: () => {}, info: () => {}, warn: warn as never },
    // No jitter to speak of: what is tried again is tried soon.
    random: () => 0,
  });
  atEnd.push(() => metrics.close(200));
  const dropped = async () =>
    Number(new RegExp(`dropped_total\\{backend="${backend.type}"\\} (\\d+)`).exec((await metrics.page!()).body)![1]);
  return { metrics, clock, complaints, dropped };
}

interface Series {
  readonly metric: string;
  readonly type: number;
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
  readonly interval?: number;
  readonly unit?: string;
  readonly tags: readonly string[];
}

const seriesOf = (server: RecordingServer, at: number): Series[] =>
  (JSON.parse(server.requests[at]!.body.toString('utf8')) as { series: Series[] }).series.filter(
    ({ metric }) => !metric.includes('dropped'),
  );

describe("Datadog's HTTP API", () => {
  const datadog = (server: RecordingServer, more: Record<string, unknown> = {}): BackendConfig => ({
    type: 'datadog',
    options: { url: server.url, api_key_file: keyFile(), tags: { env: 'production' }, ...more },
  });

  it('gets counters as what was added, gauges as they are, timings as count and sum, with the key in a header', async () => {
    const server = await receiver();
    const { metrics, clock } = open(datadog(server));
    metrics.incr('request', 5, { tags: { code: 200 } });
    metrics.timing('took', 250, { tags: { code: 200 } });
    metrics.timing('took', 500, { tags: { code: 200 } });
    metrics.gauge('stored', 1024);
    await metrics.flush();
    const { method, path, headers } = server.requests[0]!;
    expect([method, path]).toEqual(['POST', '/api/v2/series']);
    expect(headers).toMatchObject({
      'dd-api-key': key,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
    const timestamp = Math.floor(clock.now() / 1000);
    const tags = ['code:200', 'env:production'];
    const count = { type: 1, interval: 10, tags };
    expect(seriesOf(server, 0)).toEqual([
      { metric: 'weir.stored', type: 3, points: [{ timestamp, value: 1024 }], unit: 'byte', tags: ['env:production'] },
      { metric: 'weir.request', points: [{ timestamp, value: 5 }], ...count },
      { metric: 'weir.took.count', points: [{ timestamp, value: 2 }], ...count },
      { metric: 'weir.took.sum', points: [{ timestamp, value: 0.75 }], unit: 'second', ...count },
    ]);

    clock.advance(10_000);
    metrics.incr('request', 2, { tags: { code: 200 } });
    await metrics.flush();
    const values = seriesOf(server, 1).map(({ metric, points }) => [metric, points[0]]);
    expect(values).toEqual([
      ['weir.stored', { timestamp: timestamp + 10, value: 1024 }],
      ['weir.request', { timestamp: timestamp + 10, value: 2 }],
    ]);
  });

  it('gets events', async () => {
    const server = await receiver();
    const { metrics } = open(datadog(server));
    metrics.event('Deployed', 'Version 7.', { alertType: 'success', aggregationKey: 'a', tags: { x: 1, user: 'ann' } });
    await metrics.flush();
    const sent = server.requests.find(({ path }) => path === '/api/v1/events')!;
    expect(JSON.parse(sent.body.toString('utf8'))).toMatchObject({
      title: 'Deployed',
      text: 'Version 7.',
      alert_type: 'success',
      aggregation_key: 'a',
      tags: ['x:1', 'env:production'],
    });
  });

  it('may be out of order for a while: what it refused comes again, once', async () => {
    let answers = 0;
    const server = await receiver((response) =>
      response.writeHead(answers++ < 2 ? 503 : 202, { 'retry-after': '0' }).end(),
    );
    const { metrics, dropped } = open(datadog(server));
    metrics.incr('request', 5, { tags: { code: 200 } });
    await metrics.flush();
    expect(server.requests).toHaveLength(3);
    expect(new Set(server.requests.map(({ body }) => body.toString())).size).toBe(1);
    expect(await dropped()).toBe(0);
  });

  it('may refuse the key: that is told without the key, counted, and not tried again', async () => {
    const server = await receiver((response, { headers }) =>
      response.writeHead(403).end(`{"errors":["wrong key ${headers['dd-api-key'] as string}"]}`),
    );
    const { metrics, dropped, complaints } = open(datadog(server));
    metrics.incr('request', 5, { tags: { code: 200 } });
    await metrics.flush();
    expect(server.requests).toHaveLength(1);
    expect(await dropped()).toBeGreaterThan(0);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain('403');
    expect(complaints[0]).not.toContain(key);
  });

  it('does not lead the key elsewhere', async () => {
    const other = await receiver();
    const server = await receiver((response) => response.writeHead(303, { location: other.url }).end());
    const { metrics, complaints } = open(datadog(server));
    metrics.incr('request');
    // The failure may be tried again; whatever it is, not there.
    await Promise.race([metrics.flush(), metrics.close(3000)]);
    expect(other.requests).toEqual([]);
    expect(complaints.join()).not.toContain(key);
  });

  it.each([
    ['', 'must hold one API key'],
    ['two keys\n', 'must hold one API key'],
    [undefined, 'cannot be read'],
  ])('does not start with a key file that holds %j', (content, sentence) => {
    const file = content === undefined ? '/nonexistent/key' : keyFile(content);
    const openIt = () => openMetrics({ backends: [{ type: 'datadog', options: { api_key_file: file } }] });
    expect(openIt).toThrow(OperatorError);
    expect(openIt).toThrow(sentence);
  });
});

describe('an OpenTelemetry collector', () => {
  const otlp = (server: RecordingServer, more: Record<string, unknown> = {}): BackendConfig => ({
    type: 'otlp',
    options: { endpoint: `${server.url}/v1/metrics`, tags: { 'deployment.environment': 'production' }, ...more },
  });
  const read = (server: RecordingServer, at: number) => {
    const { resourceMetrics } = readOtlp(server.requests[at]!.body);
    const { resource, scopeMetrics } = resourceMetrics[0]!;
    const metrics = Object.fromEntries(scopeMetrics[0]!.metrics.map((metric) => [metric.name, metric]));
    return { resource: attributesOf(resource.attributes), scope: scopeMetrics[0]!.scope, metrics };
  };

  it('reads sums, gauges and histograms by its own schema', async () => {
    const server = await receiver((response) => response.writeHead(200).end());
    const { metrics, clock } = open(otlp(server, { api_key_file: keyFile(), api_key_header: 'x-key' }));
    const started = `${clock.now()}000000`;
    metrics.incr('request', 5, { tags: { code: 200 } });
    metrics.timing('took', 50, { tags: { code: 200 } });
    metrics.timing('took', 5000, { tags: { code: 200 } });
    metrics.gauge('stored', -1.5);
    clock.advance(15_000);
    await metrics.flush();
    const { method, path, headers } = server.requests[0]!;
    expect([method, path]).toEqual(['POST', '/v1/metrics']);
    expect(headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
      'x-key': key,
    });
    const { resource, scope, metrics: all } = read(server, 0);
    expect(resource).toEqual({ 'service.name': 'weir', 'deployment.environment': 'production' });
    expect(scope.name).toBe('weir-gateway/metrics');
    const now = `${clock.now()}000000`;
    const attributes = [{ key: 'code', value: { stringValue: '200' } }];
    expect(all['weir.request']).toEqual({
      name: 'weir.request',
      description: 'Requests.',
      unit: '1',
      sum: {
        dataPoints: [{ attributes, startTimeUnixNano: started, timeUnixNano: now, asDouble: 5 }],
        aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
        isMonotonic: true,
      },
    });
    expect(all['weir.took']).toEqual({
      name: 'weir.took',
      description: 'Time.',
      unit: 's',
      histogram: {
        dataPoints: [
          {
            attributes,
            startTimeUnixNano: started,
            timeUnixNano: now,
            count: '2',
            sum: 5.05,
            bucketCounts: ['1', '0', '1'],
            explicitBounds: [0.1, 1],
          },
        ],
        aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
      },
    });
    expect(all['weir.stored']).toMatchObject({
      unit: 'By',
      gauge: { dataPoints: [{ timeUnixNano: now, asDouble: -1.5 }] },
    });
  });

  it('gets sums since the start, or differences since the last time', async () => {
    for (const [temporality, expected] of [
      ['cumulative', [5, 7]],
      ['delta', [5, 2]],
    ] as const) {
      const server = await receiver((response) => response.writeHead(200).end());
      const { metrics, clock } = open(otlp(server, { temporality }));
      const started = clock.now();
      metrics.incr('request', 5, { tags: { code: 200 } });
      clock.advance(1000);
      await metrics.flush();
      metrics.incr('request', 2, { tags: { code: 200 } });
      clock.advance(1000);
      await metrics.flush();
      const points = [0, 1].map((at) => read(server, at).metrics['weir.request']!.sum!.dataPoints[0]!);
      expect(points.map(({ asDouble }) => asDouble)).toEqual(expected);
      const since = temporality === 'delta' ? started + 1000 : started;
      expect(points[1]!.startTimeUnixNano).toBe(`${since}000000`);
    }
  });
});
