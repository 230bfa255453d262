import type { JsonValue } from '@bufbuild/protobuf';
import { compressSync } from 'snappy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';
import { contentTypes, encodeRequest, markStale, send, type Version } from '../support/remote-write.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot({ limits: { series: 100 } });
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

async function served(): Promise<Map<string, string>> {
  gateway.clock.advance(30_001);
  const page = await gateway.page('acme/db1/metrics', bearer);
  return new Map(samples(page).map((line) => line.split(' ') as [string, string]));
}

/** What the page says was refused. */
async function refusals(): Promise<string[]> {
  gateway.clock.advance(30_001);
  const page = await gateway.page('acme/db1/metrics', bearer);
  const lines = page.split('\n').filter((line) => line.startsWith('weir_endpoint_refused_series_total{'));
  return lines.map((line) => line.slice(line.indexOf('reason=')));
}

/** A request with one histogram, in either version, with these labels beside its name. */
function request(version: Version, histogram: Record<string, JsonValue>, labels: Record<string, string> = {}): Buffer {
  const histograms = [{ timestamp: String(gateway.clock.now()), ...histogram }];
  const all = Object.entries({ __name__: 'latency', ...labels }).sort(([a], [b]) => (a < b ? -1 : 1));
  if (version === '1.0') {
    const metadata = [{ type: 'HISTOGRAM', metricFamilyName: 'latency', help: 'Time.' }];
    return encodeRequest('1.0', {
      timeseries: [{ labels: all.map(([name, value]) => ({ name, value })), histograms }],
      metadata,
    });
  }
  const symbols = ['', ...all.flat(), 'Time.'];
  const metadata = { type: 'METRIC_TYPE_HISTOGRAM', helpRef: symbols.length - 1 };
  const labelsRefs = all.flat().map((_, i) => i + 1);
  return encodeRequest('2.0', { symbols, timeseries: [{ labelsRefs, histograms, metadata }] });
}

const written = (answer: Response): unknown[] => [
  answer.status,
  ...['samples', 'histograms'].map((kind) => answer.headers.get(`x-prometheus-remote-write-${kind}-written`)),
];

/** One below zero, one zero, two in (1, 2], one in (4, 8]. */
const integers: Record<string, JsonValue> = {
  countInt: '5',
  sum: 9.5,
  schema: 0,
  zeroThreshold: 0.001,
  zeroCountInt: '1',
  negativeSpans: [{ offset: 1, length: 1 }],
  negativeDeltas: ['1'],
  positiveSpans: [
    { offset: 1, length: 1 },
    { offset: 1, length: 1 },
  ],
  positiveDeltas: ['2', '-1'],
};

describe.each(['1.0', '2.0'] as const)('a native histogram in remote write %s', (version) => {
  const write = (histogram: Record<string, JsonValue>, labels?: Record<string, string>): Promise<Response> =>
    send(gateway, 'acme/db1', bearer, request(version, histogram, labels), version);

  it('becomes a classic one with fixed buckets, and counts as a histogram', async () => {
    expect(written(await write(integers, { zone: 'a' }))).toEqual([204, '0', '1']);
    const page = await served();
    const at = (le: string): string | undefined => page.get(`latency_bucket{le="${le}",zone="a",instance_id="db1"}`);
    expect(['0.0', '0.001', '1.0', '2.5', '5.0', '10.0', '+Inf'].map(at)).toEqual(['1', '2', '2', '4', '4', '5', '5']);
    expect(page.get('latency_sum{zone="a",instance_id="db1"}')).toBe('9.5');
    expect(page.get('latency_count{zone="a",instance_id="db1"}')).toBe('5');
    expect(page.size).toBe(26);
    const text = await gateway.page('acme/db1/metrics', bearer, 'application/openmetrics-text');
    expect(text).toContain('# TYPE latency histogram\n');
  });

  it('of floats is one, too', async () => {
    const floats = {
      countFloat: 2.5,
      sum: 1,
      schema: 1,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveCounts: [1, 1.5],
    };
    expect(written(await write(floats))).toEqual([204, '0', '1']);
    // Schema 1 has the ends 1 and 1.41.
    const page = await served();
    expect(['0.5', '1.0', '2.5'].map((le) => page.get(`latency_bucket{le="${le}",instance_id="db1"}`))).toEqual([
      '0',
      '1',
      '2.5',
    ]);
  });

  it('with bounds of its own keeps them', async () => {
    const custom = {
      countInt: '6',
      sum: 3,
      schema: -53,
      customValues: [0.5, 2],
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveDeltas: ['1', '1', '1'],
    };
    expect(written(await write(custom))).toEqual([204, '0', '1']);
    expect([...(await served())]).toEqual([
      ['latency_bucket{le="0.5",instance_id="db1"}', '1'],
      ['latency_bucket{le="2.0",instance_id="db1"}', '3'],
      ['latency_bucket{le="+Inf",instance_id="db1"}', '6'],
      ['latency_sum{instance_id="db1"}', '3'],
      ['latency_count{instance_id="db1"}', '6'],
    ]);
  });

  it('ends with a staleness marker', async () => {
    await write(integers);
    gateway.clock.advance(1000);
    const marked = markStale(request(version, { ...integers, sum: 1234.5 }), 1234.5);
    expect(written(await send(gateway, 'acme/db1', bearer, marked, version))).toEqual([204, '0', '1']);
    expect((await served()).size).toBe(0);
  });

  it('with bounds of its own ends with the marker Prometheus sends, which has none, and nothing else does', async () => {
    const custom = {
      countInt: '5',
      sum: 9.5,
      schema: -53,
      customValues: [0.3, 7],
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveDeltas: ['2', '-1', '1'],
    };
    const bare = (labels?: Record<string, string>): Promise<Response> =>
      send(gateway, 'acme/db1', bearer, markStale(request(version, { sum: 1234.5 }, labels), 1234.5), version);
    const others = [{ zone: 'b' }, { zone: 'a', az: '1' }, { job: 'le' }];
    for (const labels of [{ zone: 'a' }, ...others, {}]) await write(custom, labels);
    const all = await served();
    expect(all.size).toBe(25);
    gateway.clock.advance(1000);
    expect(written(await bare({ zone: 'a' }))).toEqual([204, '0', '1']);
    const isEnded = (line: string): boolean => /\{(le="[^"]*",)?zone="a",instance_id/.test(line);
    const left = [...all].filter(([line]) => !isEnded(line));
    expect(left).toHaveLength(20);
    expect([...(await served())]).toEqual(left);
    await gateway.restart();
    expect([...(await served())]).toEqual(left);
    for (const labels of [...others, {}]) expect(written(await bare(labels))).toEqual([204, '0', '1']);
    expect((await served()).size).toBe(0);
    await write(custom, { zone: 'a' });
    expect((await served()).size).toBe(5);
  });

  it('of a time far ahead ends nothing, and an older marker neither', async () => {
    await write(integers);
    for (const [ahead, outcome] of [
      [601_000, [400, '0', '0']],
      [-1, [204, '0', '1']],
    ] as const) {
      const histogram = { sum: 1234.5, timestamp: String(gateway.clock.now() + ahead) };
      const marked = markStale(request(version, histogram), 1234.5);
      expect(written(await send(gateway, 'acme/db1', bearer, marked, version))).toEqual(outcome);
    }
    expect((await served()).size).toBe(26);
  });

  it('is refused by name when its schema is not known or its spans do not fit, and as a whole at the limit', async () => {
    for (const wrong of [{ schema: 9 }, { positiveSpans: [{ offset: 0, length: 4_000_000 }] }]) {
      const answer = await write({ ...integers, ...wrong });
      expect(written(answer)).toEqual([400, '0', '0']);
      expect(await answer.text()).toContain('native histograms were refused, the first is of latency');
    }
    for (let i = 0; i < 3; i++) expect((await write(integers, { i: String(i) })).status).toBe(204);
    expect(written(await write(integers, { i: '3' }))).toEqual([400, '0', '0']);
    expect((await served()).size).toBe(78);
    expect(await refusals()).toEqual(['reason="series"} 26', 'reason="series_per_metric"} 0', 'reason="invalid"} 2']);
  });
});

it('of many customers go where their labels say', async () => {
  const operator = await gateway.bearer(null, ['write:metrics']);
  const body = request('1.0', integers, { weir_project: 'acme', weir_endpoint: 'db1' });
  const answer = await gateway.fetch('/api/v1/write', {
    method: 'POST',
    bearer: operator,
    body: compressSync(body) as unknown as Uint8Array<ArrayBuffer>,
    headers: { 'content-type': contentTypes['1.0'], 'content-encoding': 'snappy' },
  });
  expect(written(answer)).toEqual([204, '0', '1']);
  const page = await served();
  expect(page.get('latency_bucket{le="10.0",instance_id="db1"}')).toBe('5');
  expect(page.size).toBe(26);
});

it('of many customers that have no form here are on the page of their endpoint', async () => {
  const operator = await gateway.bearer(null, ['write:metrics']);
  const timestamp = String(gateway.clock.now());
  const wrong = { ...integers, schema: 9, timestamp };
  const of = (weir_endpoint: string, histograms: Record<string, JsonValue>[]) => ({
    labels: Object.entries({ __name__: 'latency', weir_endpoint, weir_project: 'acme' }).map(([name, value]) => ({
      name,
      value,
    })),
    histograms,
  });
  const timeseries = [of('db1', [wrong]), of('nothing', [wrong]), of('db1', [{ ...integers, timestamp }, wrong])];
  const answer = await gateway.fetch('/api/v1/write', {
    method: 'POST',
    bearer: operator,
    body: compressSync(encodeRequest('1.0', { timeseries })) as unknown as Uint8Array<ArrayBuffer>,
    headers: { 'content-type': contentTypes['1.0'], 'content-encoding': 'snappy' },
  });
  expect(answer.status).toBe(400);
  expect((await refusals()).at(-1)).toBe('reason="invalid"} 3');
});

it('of more series than anyone sends at once are refused before they are spread out', async () => {
  const timeseries = Array.from({ length: 10_001 }, () => ({ histograms: [{ countInt: '1' }] }));
  const answer = await send(gateway, 'acme/db1', bearer, encodeRequest('1.0', { timeseries }));
  expect(written(answer)).toEqual([400, '0', '0']);
});

it('whose buckets would have millions of labels, as each has all of its series, is refused before they have', async () => {
  const custom = { schema: -53, customValues: Array.from({ length: 2000 }, (_, i) => i) };
  const one = { timestamp: String(gateway.clock.now()), countInt: '1', sum: 1, ...custom };
  const buckets = { positiveSpans: [{ offset: 0, length: 1 }], positiveDeltas: ['1'] };
  const labelsRefs = [1, 2, ...Array.from({ length: 6000 }, () => 3)];
  const timeseries = [{ labelsRefs, histograms: [{ ...one, ...buckets }] }];
  const body = encodeRequest('2.0', { symbols: ['', '__name__', 'latency', 'a'], timeseries });
  const answer = await send(gateway, 'acme/db1', bearer, body, '2.0');
  expect(written(answer)).toEqual([400, '0', '0']);
  expect(await answer.text()).toContain('would have more than 4000000 labels');
});
