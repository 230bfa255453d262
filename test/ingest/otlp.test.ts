import { gzipSync } from 'node:zlib';
import type { JsonValue } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';
import {
  attribute,
  decodeResponse,
  encodeExport,
  exportOf,
  type OtlpEncoding,
  otlpTypes,
  sendOtlp,
} from '../support/otlp.js';
import { empty, exportOfPoints } from '../support/otlp-bombs.js';
import { field } from '../support/protobuf.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot({ limits: { series: 60, body_inflated_bytes: 100_000 } });
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

const nanos = (ms: number): string => `${ms}000000`;
const now = (): number => gateway.clock.now();

async function served(accept?: string): Promise<string[]> {
  gateway.clock.advance(30_001);
  return samples(await gateway.page('acme/db1/metrics', bearer, accept));
}

const gauge = (
  name: string,
  value: number,
  attributes: JsonValue[] = [],
  extra: Record<string, JsonValue> = {},
): JsonValue => ({
  name,
  gauge: { dataPoints: [{ timeUnixNano: nanos(now()), asDouble: value, attributes, ...extra }] },
});

const sum = (name: string, value: number, start: number, end: number, delta = true, monotonic = true): JsonValue => ({
  name,
  sum: {
    aggregationTemporality: delta ? 1 : 2,
    isMonotonic: monotonic,
    dataPoints: [{ startTimeUnixNano: nanos(start), timeUnixNano: nanos(end), asInt: String(value) }],
  },
});

describe.each<OtlpEncoding>(['protobuf', 'json'])('an export in %s', (encoding) => {
  const send = (metrics: JsonValue[], resource?: JsonValue[]) =>
    sendOtlp(gateway, 'acme/db1', bearer, exportOf(metrics, resource), encoding);

  /** The answer, by the official schema. */
  async function told(answer: Response): Promise<JsonValue> {
    expect(answer.headers.get('content-type')).toBe(otlpTypes[encoding]);
    const body = Buffer.from(await answer.arrayBuffer());
    return encoding === 'json' ? (JSON.parse(body.toString()) as JsonValue) : decodeResponse(body);
  }

  it('is answered 200 and empty, and is on the page under Prometheus names', async () => {
    const time = nanos(now());
    const answer = await send([
      {
        name: 'http.server.active_requests',
        unit: '{request}',
        gauge: { dataPoints: [{ timeUnixNano: time, asInt: '3' }] },
      },
      {
        name: 'http.server.requests',
        description: 'Requests.',
        unit: '1',
        sum: {
          aggregationTemporality: 2,
          isMonotonic: true,
          dataPoints: [
            { timeUnixNano: time, asDouble: 7, attributes: [attribute('http.method', 'GET'), attribute('0x', 'y')] },
          ],
        },
      },
      {
        name: 'latency',
        unit: 'ms',
        histogram: {
          aggregationTemporality: 2,
          dataPoints: [
            { timeUnixNano: time, count: '6', sum: 12.5, bucketCounts: ['1', '2', '3'], explicitBounds: [1, 2.5] },
          ],
        },
      },
      {
        name: 'gc',
        unit: 's',
        summary: {
          dataPoints: [{ timeUnixNano: time, count: '2', sum: 1, quantileValues: [{ quantile: 0.5, value: 0.25 }] }],
        },
      },
    ]);
    expect([answer.status, await told(answer)]).toEqual([200, {}]);
    gateway.clock.advance(30_001);
    const page = await gateway.page('acme/db1/metrics', bearer);
    expect(samples(page)).toEqual([
      'gc_seconds{quantile="0.5",instance_id="db1"} 0.25',
      'gc_seconds_sum{instance_id="db1"} 1',
      'gc_seconds_count{instance_id="db1"} 2',
      'http_server_active_requests{instance_id="db1"} 3',
      'http_server_requests_total{http_method="GET",key_0x="y",instance_id="db1"} 7',
      'latency_milliseconds_bucket{le="1.0",instance_id="db1"} 1',
      'latency_milliseconds_bucket{le="2.5",instance_id="db1"} 3',
      'latency_milliseconds_bucket{le="+Inf",instance_id="db1"} 6',
      'latency_milliseconds_sum{instance_id="db1"} 12.5',
      'latency_milliseconds_count{instance_id="db1"} 6',
    ]);
    expect(page).toContain('# HELP http_server_requests_total Requests.\n# TYPE http_server_requests_total counter\n');
    expect(page).toContain('# TYPE latency_milliseconds histogram\n');
    expect(page).toContain('# TYPE gc_seconds summary\n');
  });

  it('gives every series job and instance of its resource, and the rest of it to target_info', async () => {
    await send(
      [gauge('up', 1, [attribute('a.b', '2'), attribute('a_b', '1'), attribute('instance.id', 'forged')])],
      [
        attribute('service.name', 'shop'),
        attribute('service.namespace', 'eu'),
        attribute('service.instance.id', 'i-1'),
        attribute('k8s.pod.name', 'pod-1'),
        { key: 'n', value: { intValue: '5' } },
        { key: 'l', value: { arrayValue: { values: [{ stringValue: 'x' }, { boolValue: true }] } } },
      ],
    );
    expect(await served()).toEqual([
      'target_info{instance="i-1",job="eu/shop",k8s_pod_name="pod-1",l="[\\"x\\",true]",n="5",instance_id="db1"} 1',
      'up{a_b="2;1",instance="i-1",job="eu/shop",instance_id="db1"} 1',
    ]);
  });

  it('keeps the series of two services apart, whatever job and instance their points name', async () => {
    const own = [attribute('job', 'backup'), attribute('instance', 'own'), attribute('zone', 'a')];
    for (const service of ['a', 'b']) {
      const resource = [
        attribute('service.name', service),
        attribute('service.instance.id', `${service}-1`),
        attribute('job', 'other'),
      ];
      await send([gauge('runs', 1, own)], resource);
    }
    await send([gauge('runs', 1, own)], [attribute('service.name', 'c')]);
    await send([gauge('runs', 1, own)]);
    expect((await served()).filter((line) => line.startsWith('runs'))).toEqual([
      'runs{instance="a-1",job="a",zone="a",instance_id="db1"} 1',
      'runs{instance="b-1",job="b",zone="a",instance_id="db1"} 1',
      'runs{instance="own",job="c",zone="a",instance_id="db1"} 1',
      'runs{instance="own",job="backup",zone="a",instance_id="db1"} 1',
    ]);
  });

  it('keeps every digit of whole numbers in attributes, and tells what is no number apart', async () => {
    const big = (n: number): JsonValue => ({ intValue: `123456789012345678${n}` });
    const values: JsonValue[] = [
      big(8),
      big(9),
      { intValue: '-9223372036854775808' },
      { intValue: '-9223372036854775807' },
      { intValue: '-5' },
      { arrayValue: { values: [big(8), { intValue: '-1' }, { doubleValue: 0.5 }] } },
      { arrayValue: { values: [big(9), { doubleValue: 'NaN' }] } },
      { kvlistValue: { values: [{ key: 'k', value: big(9) }] } },
      { doubleValue: 'NaN' },
      { doubleValue: 'Infinity' },
      { doubleValue: 1e21 },
    ];
    await send(values.map((value, i) => gauge('g', i, [{ key: 'v', value }])));
    expect((await served()).map((line) => /v="(.*)",instance_id="db1"} (\d+)$/.exec(line)?.slice(1))).toEqual([
      ['1234567890123456788', '0'],
      ['1234567890123456789', '1'],
      ['-9223372036854775808', '2'],
      ['-9223372036854775807', '3'],
      ['-5', '4'],
      ['[1234567890123456788,-1,0.5]', '5'],
      ['[1234567890123456789,\\"NaN\\"]', '6'],
      ['{\\"k\\":\\"1234567890123456789\\"}', '7'],
      ['NaN', '8'],
      ['Infinity', '9'],
      ['1e+21', '10'],
    ]);
  });

  it('adds deltas up; refuses those that overlap or come late; goes on after a restart', async () => {
    const start = now() - 100_000;
    await send([sum('c', 5, start, start + 10_000)]);
    await send([sum('c', 3, start + 10_000, start + 20_000)]);
    for (const [from, to] of [
      [10_000, 20_000],
      [15_000, 25_000],
      [0, 5_000],
    ] as const) {
      const answer = await send([sum('c', 100, start + from, start + to)]);
      expect([answer.status, await told(answer)]).toMatchObject([
        200,
        { partialSuccess: { rejectedDataPoints: '1', errorMessage: expect.stringContaining('a delta overlaps') } },
      ]);
    }
    // A gap is no reason.
    await send([sum('c', 2, start + 60_000, start + 70_000)]);
    await gateway.restart();
    await send([sum('c', 1, start + 70_000, start + 80_000)]);
    expect(await served()).toEqual(['c_total{instance_id="db1"} 11']);
  });

  it('adds delta histograms up, plain and exponential, as one', async () => {
    const start = now() - 100_000;
    const point = (from: number, to: number): Record<string, JsonValue> => ({
      startTimeUnixNano: nanos(start + from),
      timeUnixNano: nanos(start + to),
      count: '4',
      sum: 10,
    });
    const both = (from: number, to: number): JsonValue[] => [
      {
        name: 'h',
        histogram: {
          aggregationTemporality: 1,
          dataPoints: [{ ...point(from, to), bucketCounts: ['1', '3'], explicitBounds: [2] }],
        },
      },
      {
        name: 'e',
        exponentialHistogram: {
          aggregationTemporality: 1,
          dataPoints: [
            {
              ...point(from, to),
              scale: 0,
              zeroCount: '1',
              positive: { offset: 1, bucketCounts: ['1', '1'] },
              negative: { offset: 0, bucketCounts: ['1'] },
            },
          ],
        },
      },
    ];
    await send(both(0, 1000));
    await send(both(1000, 2000));
    const page = await served('application/openmetrics-text');
    expect(page.filter((line) => line.startsWith('h'))).toEqual([
      'h_bucket{le="2.0",instance_id="db1"} 2',
      'h_bucket{le="+Inf",instance_id="db1"} 8',
      'h_sum{instance_id="db1"} 20',
      'h_count{instance_id="db1"} 8',
    ]);
    // One below zero, one zero, one up to 4, one up to 8; each twice.
    const at = (le: string): string | undefined =>
      page.find((line) => line.startsWith(`e_bucket{le="${le}"`))?.split(' ')[1];
    expect(['0.0', '2.5', '5.0', '10.0', '10000.0', '+Inf'].map(at)).toEqual(['4', '4', '6', '8', '8', '8']);
  });

  it('drops a series whose producer says that it has no value', async () => {
    await send([gauge('a', 1), gauge('b', 2)]);
    gateway.clock.advance(1000);
    await send([gauge('a', 0, [], { flags: 1 })]);
    expect(await served()).toEqual(['b{instance_id="db1"} 2']);
  });

  it('drops all of a histogram whose producer says that it has no value, and no other', async () => {
    const named = (name: string): JsonValue[] => [attribute('zone', name)];
    const base = (zone: string): Record<string, JsonValue> => ({ timeUnixNano: nanos(now()), attributes: named(zone) });
    const plain = { count: '2', sum: 1, bucketCounts: ['1', '1', '0'], explicitBounds: [1, 2] };
    const grown = { count: '2', sum: 1, scale: 0, positive: { offset: 1, bucketCounts: ['2'] } };
    const both = (h: JsonValue, e: JsonValue): JsonValue[] => [
      { name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [h] } },
      { name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [e] } },
    ];
    await send(both({ ...base('a'), ...plain }, { ...base('a'), ...grown }));
    await send(both({ ...base('b'), ...plain }, { ...base('c'), count: '0', flags: 1 }));
    gateway.clock.advance(1000);
    await send(both({ ...base('a'), flags: 1 }, { ...base('a'), flags: 1 }));
    expect(await served()).toEqual([
      'h_bucket{le="1.0",zone="b",instance_id="db1"} 1',
      'h_bucket{le="2.0",zone="b",instance_id="db1"} 2',
      'h_bucket{le="+Inf",zone="b",instance_id="db1"} 2',
      'h_sum{zone="b",instance_id="db1"} 1',
      'h_count{zone="b",instance_id="db1"} 2',
    ]);
  });

  it('refuses to end a series as of a time that is far ahead, which would lock it out until then', async () => {
    await send([gauge('a', 1)]);
    const answer = await send([gauge('a', 0, [], { flags: 1, timeUnixNano: nanos(now() + 601_000) })]);
    expect([answer.status, await told(answer)]).toMatchObject([
      200,
      { partialSuccess: { rejectedDataPoints: '1', errorMessage: expect.stringContaining('10 minutes ahead') } },
    ]);
    gateway.clock.advance(1000);
    await send([gauge('a', 2)]);
    expect(await served()).toEqual(['a{instance_id="db1"} 2']);
  });

  it('is taken in part where a part has no form here, or is over the limit: 200, with what was refused', async () => {
    const odd = await send([sum('updown', 1, now() - 10, now(), true, false), { name: 'empty' }, gauge('ok', 1)]);
    expect([odd.status, await told(odd)]).toMatchObject([
      200,
      { partialSuccess: { rejectedDataPoints: '1', errorMessage: expect.stringContaining('"updown" is a delta sum') } },
    ]);
    const many = await send(Array.from({ length: 62 }, (_, i) => gauge(`g${i}`, 1)));
    expect([many.status, await told(many)]).toMatchObject([
      200,
      { partialSuccess: { rejectedDataPoints: '3', errorMessage: expect.stringContaining('series = 60') } },
    ]);
    const known = await send([gauge('ok', 2)]);
    expect(await told(known)).toEqual({});
    expect(await served()).toContain('ok{instance_id="db1"} 2');
  });

  it('says on the page what has no form here, also where nothing else came', async () => {
    const odd = (): JsonValue => sum('updown', 1, now() - 10, now(), true, false);
    await send([odd()]);
    await send([odd(), odd(), gauge('weir_own', 1), gauge('ok', 1)]);
    gateway.clock.advance(30_001);
    const page = await gateway.page('acme/db1/metrics', bearer);
    expect(page).toContain('weir_endpoint_refused_series_total{instance_id="db1",reason="invalid"} 4\n');
    expect(samples(page)).toEqual(['ok{instance_id="db1"} 1']);
  });

  it('takes or refuses a histogram as a whole', async () => {
    await send(Array.from({ length: 57 }, (_, i) => gauge(`g${i}`, 1)));
    const answer = await send([
      {
        name: 'h',
        histogram: {
          aggregationTemporality: 2,
          dataPoints: [
            { timeUnixNano: nanos(now()), count: '1', sum: 1, bucketCounts: ['1', '0'], explicitBounds: [1] },
          ],
        },
      },
    ]);
    expect(await told(answer)).toMatchObject({ partialSuccess: { rejectedDataPoints: '1' } });
    expect((await served()).filter((line) => line.startsWith('h'))).toEqual([]);
  });

  it('may be empty', async () => {
    const answer = await sendOtlp(gateway, 'acme/db1', bearer, {}, encoding);
    expect([answer.status, await told(answer)]).toEqual([200, {}]);
  });
});

it('in JSON what is null is not there', async () => {
  const point = { timeUnixNano: nanos(now()), asInt: null, sum: null, flags: null };
  const nothing = { stringValue: null, boolValue: null, intValue: null, doubleValue: null, bytesValue: null };
  const attributes = [
    { key: 'v', value: { ...nothing, arrayValue: null, kvlistValue: { values: [] } } },
    { key: 'w', value: { ...nothing, boolValue: false } },
  ];
  const answer = await gateway.fetch('/api/v1/acme/db1/otlp/v1/metrics', {
    method: 'POST',
    bearer,
    body: JSON.stringify(exportOf([{ name: 'g', gauge: { dataPoints: [{ ...point, asDouble: 5, attributes }] } }])),
    headers: { 'content-type': otlpTypes.json },
  });
  expect(answer.status).toBe(200);
  expect(await served()).toEqual(['g{v="{}",w="false",instance_id="db1"} 5']);
});

describe('the settings', () => {
  const exponential: JsonValue = {
    name: 'e',
    unit: 's',
    exponentialHistogram: {
      aggregationTemporality: 2,
      dataPoints: [
        {
          timeUnixNano: '1',
          count: '3',
          sum: 6,
          scale: 0,
          zeroCount: '1',
          positive: { offset: 0, bucketCounts: ['1', '1'] },
        },
      ],
    },
  };
  const send = (target: TestGateway, token: string): Promise<Response> => {
    const body = structuredClone(exponential) as { exponentialHistogram: { dataPoints: { timeUnixNano: string }[] } };
    body.exponentialHistogram.dataPoints[0]!.timeUnixNano = nanos(target.clock.now());
    const resource = [attribute('service.name', 'shop'), attribute('k8s.pod.name', 'pod-1')];
    return sendOtlp(target, 'acme/db1', token, exportOf([body as unknown as JsonValue], resource));
  };

  it('choose names, promoted attributes and buckets, from a reload on', async () => {
    const otlp = { strategy: 'UnderscoreEscapingWithoutSuffixes', promoted: ['k8s.pod.name'], bounds: [2, 3] } as const;
    const own = await TestGateway.boot({ reread: (config) => ({ ...config, ingest: { ...config.ingest, otlp } }) });
    await own.project('acme', 'db1');
    const token = await own.bearer('acme');
    await send(own, token);
    await fetch(`${own.operatorUrl}/-/reload`, { method: 'POST' });
    await send(own, token);
    const page = samples(await own.page('acme/db1/metrics', token));
    expect(page.filter((line) => /^e_(bucket|sum|count)/.test(line))).toEqual([
      'e_bucket{job="shop",k8s_pod_name="pod-1",le="2.0",instance_id="db1"} 2',
      'e_bucket{job="shop",k8s_pod_name="pod-1",le="3.0",instance_id="db1"} 2',
      'e_bucket{job="shop",k8s_pod_name="pod-1",le="+Inf",instance_id="db1"} 3',
      'e_sum{job="shop",k8s_pod_name="pod-1",instance_id="db1"} 6',
      'e_count{job="shop",k8s_pod_name="pod-1",instance_id="db1"} 3',
    ]);
    expect(page.filter((line) => line.startsWith('e_seconds_bucket'))).toHaveLength(24);
    await own.stop();
  });
});

describe('a refusal', () => {
  const post = (headers: Record<string, string>, body: string | Buffer, token = bearer) =>
    gateway.fetch('/api/v1/acme/db1/otlp/v1/metrics', { method: 'POST', bearer: token, headers, body: body as string });

  it('is a google.rpc.Status in the encoding of the request', async () => {
    const json = await post({ 'content-type': 'application/json' }, '{"resourceMetrics": 5}');
    expect([json.status, json.headers.get('content-type'), await json.json()]).toEqual([
      400,
      'application/json',
      { code: 3, message: expect.stringContaining('"resourceMetrics" must be an array') },
    ]);
    const binary = await post({ 'content-type': 'application/x-protobuf' }, Buffer.from([0x0a, 0x7f]));
    expect([binary.status, binary.headers.get('content-type')]).toEqual([400, 'application/x-protobuf']);
    const status = Buffer.from(await binary.arrayBuffer());
    expect(status.subarray(0, 2)).toEqual(Buffer.from([0x08, 3]));
    expect(status.toString()).toContain('not a valid ExportMetricsServiceRequest');
    expect((await post({ 'content-type': 'text/plain' }, 'x')).status).toBe(415);
    const nobody = await post({ 'content-type': 'application/json' }, '{}', 'Bearer garbage');
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('invalid_token'),
    ]);
  });

  it('too much for now is 429 and says when', async () => {
    await gateway.admin.projects.setLimits('acme', { samples_per_second: 1 });
    const metrics = Array.from({ length: 50 }, (_, i) => gauge(`g${i}`, 1));
    expect((await sendOtlp(gateway, 'acme/db1', bearer, exportOf(metrics))).status).toBe(200);
    const answer = await sendOtlp(gateway, 'acme/db1', bearer, exportOf(metrics));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '49']);
  });

  it('gzip is taken, and refused while it inflates beyond the limit', async () => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
    expect((await post(headers, gzipSync(encodeExport(exportOf([gauge('a', 1)]))))).status).toBe(200);
    expect((await post(headers, gzipSync(Buffer.alloc(1_000_000)))).status).toBe(413);
    expect((await post(headers, Buffer.from('no gzip'))).status).toBe(400);
    expect((await post({ 'content-type': 'application/json' }, ' '.repeat(100_001))).status).toBe(413);
  });

  it('of points beyond what one request may have says how many, and the gateway goes on', async () => {
    const own = await TestGateway.boot({ limits: { body_inflated_bytes: 32 * 1024 * 1024 } });
    await own.project('acme', 'db1');
    const token = await own.bearer('acme');
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
    const body = gzipSync(exportOfPoints('gauge', empty(1, 4_000_000)));
    expect(body.length).toBeLessThan(40_000);
    const url = '/api/v1/acme/db1/otlp/v1/metrics';
    const answer = await own.fetch(url, { method: 'POST', bearer: token, headers, body: body as unknown as string });
    expect([answer.status, decodeResponse(Buffer.from(await answer.arrayBuffer()))]).toMatchObject([
      200,
      { partialSuccess: { rejectedDataPoints: '3800000', errorMessage: expect.stringContaining('200000 points') } },
    ]);
    expect(samples(await own.page('acme/db1/metrics', token))).toEqual(['m{instance_id="db1"} 0']);
    await own.stop();
  });

  it('JSON has a limit of its own beside that of bodies, and is told what to send instead', async () => {
    const own = await TestGateway.boot();
    await own.project('acme', 'db1');
    const token = await own.bearer('acme');
    const send = async (body: Buffer, headers: Record<string, string>) => {
      const url = '/api/v1/acme/db1/otlp/v1/metrics';
      const answer = await own.fetch(url, { method: 'POST', bearer: token, headers, body: body as unknown as string });
      return [answer.status, (await answer.text()).replace(/.*"message":/, '')];
    };
    const json = { 'content-type': 'application/json' };
    const zipped = { ...json, 'content-encoding': 'gzip' };
    const spaces = (length: number): Buffer => Buffer.concat([Buffer.from('{}'), Buffer.alloc(length - 2, ' ')]);
    const tooLarge = [
      413,
      expect.stringContaining('JSON may have 8388608 bytes, and this one has more. Send protobuf'),
    ];
    expect((await send(spaces(8_388_608), json))[0]).toBe(200);
    expect((await send(gzipSync(spaces(8_388_608)), zipped))[0]).toBe(200);
    expect(await send(spaces(8_388_609), json)).toEqual(tooLarge);
    expect(await send(gzipSync(spaces(8_388_609)), zipped)).toEqual(tooLarge);
    const objects = (count: number): Buffer => Buffer.from(`{"resourceMetrics":[${'{},'.repeat(count - 3)}{}]}`);
    expect((await send(objects(250_000), json))[0]).toBe(200);
    expect(await send(objects(250_001), json)).toEqual([
      400,
      expect.stringContaining('more than 250000 objects and lists'),
    ]);
    const names = (count: number): Buffer =>
      Buffer.from(`[${Array.from({ length: count }, (_, i) => `{"n${i}":1}`).join(',')}]`.padEnd(20_000));
    expect(await send(names(1000), json)).toEqual([400, expect.stringContaining('must be an object')]);
    expect(await send(names(1001), json)).toEqual([
      400,
      expect.stringContaining('more than 1000 different lists of names in its objects. Send protobuf'),
    ]);
    const known = { 'content-type': 'application/x-protobuf' };
    // A field that nobody knows.
    expect((await send(field(15, Buffer.alloc(9_000_000)), known))[0]).toBe(200);
    await own.stop();
  });

  it('values nested without end are refused, not followed', async () => {
    const deep = (depth: number): string => `${'{"arrayValue":{"values":['.repeat(depth)}{}${']}}'.repeat(depth)}`;
    const body = `{"resourceMetrics":[{"resource":{"attributes":[{"key":"a","value":${deep(3000)}}]}}]}`;
    expect((await post({ 'content-type': 'application/json' }, body)).status).toBe(400);
  });
});
