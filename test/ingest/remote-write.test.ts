import { compressSync } from 'snappy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';
import {
  contentTypes,
  markStale,
  request1,
  request2,
  type SentSeries,
  send,
  type Version,
} from '../support/remote-write.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot({ limits: { series: 20, body_inflated_bytes: 100_000 } });
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

const now = (): number => gateway.clock.now();
const one = (labels: Record<string, string>, value: number, time = now()): SentSeries => ({
  labels,
  samples: [[value, time]],
});
const up = (value: number, time?: number): SentSeries => one({ __name__: 'up', job: 'app' }, value, time);

/** The samples of a page that is not from the cache. */
async function served(path = 'acme/db1/metrics', accept?: string): Promise<string[]> {
  gateway.clock.advance(30_001);
  return samples(await gateway.page(path, bearer, accept));
}

const written = (response: Response): (string | null)[] =>
  ['Samples', 'Histograms', 'Exemplars'].map((what) =>
    response.headers.get(`X-Prometheus-Remote-Write-${what}-Written`),
  );

describe.each<Version>(['1.0', '2.0'])('remote write %s', (version) => {
  const request = version === '1.0' ? request1 : request2;
  const write = (series: SentSeries[], path = 'acme/db1') => send(gateway, path, bearer, request(series), version);

  it('is answered 204 with what was written, and is on the page with the instance_id', async () => {
    const answer = await write([up(1), one({ __name__: 'load', cpu: '0', a: 'x"y\\z\nä' }, 0.25)]);
    expect(answer.status).toBe(204);
    expect(written(answer)).toEqual(['2', '0', '0']);
    expect(await served()).toEqual([
      'load{a="x\\"y\\\\z\\nä",cpu="0",instance_id="db1"} 0.25',
      'up{job="app",instance_id="db1"} 1',
    ]);
  });

  it('brings series in pieces: what a request does not mention stays', async () => {
    await write([up(1), one({ __name__: 'b' }, 1)]);
    gateway.clock.advance(1000);
    await write([up(2), one({ __name__: 'c' }, 3)]);
    expect(await served()).toEqual([
      'b{instance_id="db1"} 1',
      'c{instance_id="db1"} 3',
      'up{job="app",instance_id="db1"} 2',
    ]);
  });

  it('keeps the newest sample; an older one is no error and changes nothing', async () => {
    const base = now();
    const series = {
      labels: { __name__: 'up' },
      samples: [
        [1, base],
        [2, base + 2],
        [3, base + 1],
      ] as [number, number][],
    };
    const answer = await write([series]);
    expect([answer.status, ...written(answer)]).toEqual([204, '3', '0', '0']);
    const late = await write([one({ __name__: 'up' }, 9, base - 1000)]);
    expect([late.status, ...written(late)]).toEqual([204, '1', '0', '0']);
    expect(await served()).toEqual(['up{instance_id="db1"} 2']);
  });

  it('a staleness marker ends a series at once, and what is older does not bring it back', async () => {
    await write([up(1), one({ __name__: 'b' }, 1)]);
    gateway.clock.advance(1000);
    const marker = markStale(request([up(12345.5)]), 12345.5);
    expect((await send(gateway, 'acme/db1', bearer, marker, version)).status).toBe(204);
    expect((await write([up(7, now() - 500)])).status).toBe(204);
    expect(await served()).toEqual(['b{instance_id="db1"} 1']);
    await write([up(8)]);
    expect(await served()).toContain('up{job="app",instance_id="db1"} 8');
  });

  it('a NaN that is no staleness marker is a value', async () => {
    await write([up(Number.NaN), one({ __name__: 'i' }, Number.NEGATIVE_INFINITY)]);
    expect(await served()).toEqual(['i{instance_id="db1"} -Inf', 'up{job="app",instance_id="db1"} NaN']);
  });

  it('each series ends by itself, its lifetime after its last sample', async () => {
    await write([up(1), one({ __name__: 'b' }, 1)]);
    gateway.clock.advance(200_000);
    await write([up(2)]);
    gateway.clock.advance(99_999);
    expect(await served()).toEqual(['up{job="app",instance_id="db1"} 2']);
    gateway.clock.advance(200_000);
    expect(await served()).toEqual([]);
  });

  it('at the limit known series are updated and new ones refused: 400 with what was written', async () => {
    await write(Array.from({ length: 20 }, (_, i) => one({ __name__: 'a', i: String(i) }, 1)));
    gateway.clock.advance(1000);
    const answer = await write([
      one({ __name__: 'a', i: '3' }, 2),
      one({ __name__: 'n' }, 1),
      one({ __name__: 'a', i: '4' }, 2),
    ]);
    expect(answer.status).toBe(400);
    expect(written(answer)).toEqual(['2', '0', '0']);
    const { detail } = (await answer.json()) as { detail: string };
    expect(detail).toMatch(/^1 series were refused, the first: n\{\}: .*series = 20.* The rest is stored/);
    const page = await served();
    expect(page).toHaveLength(20);
    expect(page).toContain('a{i="4",instance_id="db1"} 2');
  });

  it('counts towards the limit together with the push groups of the project', async () => {
    await gateway.push('acme/db2/metrics/job/a', Array.from({ length: 15 }, (_, i) => `p${i} 1\n`).join(''), bearer);
    const answer = await write(Array.from({ length: 6 }, (_, i) => one({ __name__: 'a', i: String(i) }, 1)));
    expect([answer.status, ...written(answer)]).toEqual([400, '5', '0', '0']);
    const push = await gateway.fetch('/api/v1/acme/db2/metrics/job/b', { method: 'PUT', body: 'q 1\n', bearer });
    expect(push.status).toBe(422);
    // What has ended makes room.
    gateway.clock.advance(300_000);
    await gateway.push('acme/db2/metrics/job/b', 'q 1\n', bearer);
    expect((await write([one({ __name__: 'z' }, 1)])).status).toBe(204);
  });

  it('refuses what is no series of ours, and takes the rest', async () => {
    const bad: [Record<string, string>, RegExp][] = [
      [{ job: 'x' }, /has no metric name/],
      [{ __name__: 'weir_x' }, /the gateway's own/],
      [{ __name__: 'bad name' }, /not one/],
      [{ __name__: 'a', 'b-c': '1' }, /"b-c" is not a label name/],
      [{ __name__: 'a', b: 'x'.repeat(3000) }, /value_length_bytes = 2048/],
      [
        { __name__: 'a', ...Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`l${i}`, 'x'])) },
        /labels_per_series = 30/,
      ],
      [
        { __name__: 'a', ...Object.fromEntries(Array.from({ length: 4095 }, (_, i) => [`l${i}`, 'x'])) },
        /4095 is over the limit labels_per_series = 30/,
      ],
    ];
    for (const [labels, reason] of bad) {
      const answer = await write([one(labels, 1), up(1)]);
      expect([answer.status, ...written(answer)]).toEqual([400, '1', '0', '0']);
      expect(((await answer.json()) as { detail: string }).detail).toMatch(reason);
    }
    expect(await served()).toEqual(['up{job="app",instance_id="db1"} 1']);
  });

  it('refuses samples from far ahead, which would hide those after them', async () => {
    const answer = await write([up(1, now() + 601_000), one({ __name__: 'b' }, 1, now() + 599_000)]);
    expect([answer.status, ...written(answer)]).toEqual([400, '1', '0', '0']);
  });

  it('refuses a staleness marker from far ahead, which would lock its series out until then', async () => {
    await write([up(1)]);
    const marker = markStale(request([up(12345.5, now() + 601_000), one({ __name__: 'b' }, 1)]), 12345.5);
    const answer = await send(gateway, 'acme/db1', bearer, marker, version);
    expect([answer.status, ...written(answer)]).toEqual([400, '1', '0', '0']);
    expect(((await answer.json()) as { detail: string }).detail).toContain('from more than 10 minutes ahead');
    gateway.clock.advance(1000);
    expect((await write([up(2)])).status).toBe(204);
    expect(await served()).toEqual(['b{instance_id="db1"} 1', 'up{job="app",instance_id="db1"} 2']);
    gateway.clock.advance(1000);
    const near = markStale(request([up(12345.5, now() + 599_000)]), 12345.5);
    expect((await send(gateway, 'acme/db1', bearer, near, version)).status).toBe(204);
    expect(await served()).toEqual(['b{instance_id="db1"} 1']);
  });

  it('overwrites instance_id, leaves out empty labels, sorts the others', async () => {
    await write([one({ __name__: 'up', instance_id: 'forged', empty: '', z: '1', b: '2' }, 1)]);
    gateway.clock.advance(10);
    await write([one({ __name__: 'up', z: '1', b: '2' }, 2)]);
    expect(await served()).toEqual(['up{b="2",z="1",instance_id="db1"} 2']);
  });

  it('is on disk before the answer, and there after a restart', async () => {
    await write([up(1), one({ __name__: 'b', x: 'q"' }, 2)]);
    gateway.clock.advance(1000);
    await write([up(3), one({ __name__: 'c' }, 4)]);
    await write([one({ __name__: 'b', x: 'q"' }, 5)]);
    const before = await served();
    await gateway.restart();
    expect(await served()).toEqual(before);
    await write([one({ __name__: 'b', x: 'q"' }, 6, now())]);
    expect(await served()).toContain('b{x="q\\"",instance_id="db1"} 6');
  });

  it('carries the time of each sample where the endpoint wants timestamps', async () => {
    await gateway.admin.endpoints.create({ name: 'db3', projectId: 'acme', metricsId: 'db3', timestamps: true });
    const base = now();
    await write([up(1, base - 5), one({ __name__: 'b' }, 2, base - 7)], 'acme/db3');
    expect(await served('acme/db3/metrics')).toEqual([
      `b{instance_id="db3"} 2 ${base - 7}`,
      `up{job="app",instance_id="db3"} 1 ${base - 5}`,
    ]);
  });
});

const histogram = (value: number, extra: Record<string, string> = {}): SentSeries[] => [
  one({ __name__: 'h_count', ...extra }, 3 * value),
  one({ __name__: 'h_bucket', le: '+Inf', ...extra }, 3 * value),
  one({ __name__: 'h_bucket', le: '1', ...extra }, 2 * value),
  one({ __name__: 'h_bucket', le: '0.5', ...extra }, value),
  one({ __name__: 'h_sum', ...extra }, value),
];

describe('metadata', () => {
  it('of 1.0 comes by itself and makes families of the series', async () => {
    await send(gateway, 'acme/db1', bearer, request1([...histogram(1), ...histogram(2, { b: '1' })]));
    expect(await served()).toContain('h_bucket{le="1",instance_id="db1"} 2');
    const metadata = [{ type: 'HISTOGRAM', metricFamilyName: 'h', help: 'How\nlong.' }];
    const answer = await send(gateway, 'acme/db1', bearer, request1([], metadata));
    expect([answer.status, ...written(answer)]).toEqual([204, '0', '0', '0']);
    gateway.clock.advance(30_001);
    const page = await gateway.page('acme/db1/metrics', bearer, 'application/openmetrics-text');
    expect(page).toContain('# TYPE h histogram\n# HELP h How\\nlong.\n');
    expect(samples(page).slice(0, 5)).toEqual([
      'h_bucket{le="0.5",instance_id="db1"} 1',
      'h_bucket{le="1.0",instance_id="db1"} 2',
      'h_bucket{le="+Inf",instance_id="db1"} 3',
      'h_sum{instance_id="db1"} 1',
      'h_count{instance_id="db1"} 3',
    ]);
    await gateway.restart();
    expect(await gateway.page('acme/db1/metrics', bearer, 'application/openmetrics-text')).toContain(
      '# TYPE h histogram',
    );
  });

  it('of 2.0 stands at each series', async () => {
    const metadata = { type: 'histogram', help: 'Sizes.' };
    const series = histogram(1).map((each) => ({ ...each, metadata }));
    const counter = { ...one({ __name__: 'c_total' }, 1), metadata: { type: 'counter', help: 'Things.' } };
    await send(gateway, 'acme/db1', bearer, request2([...series, counter]), '2.0');
    gateway.clock.advance(30_001);
    const page = await gateway.page('acme/db1/metrics', bearer);
    expect(page).toContain('# HELP h Sizes.\n# TYPE h histogram\n');
    expect(page).toContain('# HELP c_total Things.\n# TYPE c_total counter\n');
  });
});

describe('beside push groups', () => {
  it('the pushed one of two equal series is served, whatever came last', async () => {
    await gateway.push('acme/db1/metrics/job/app', '# TYPE up gauge\nup 1\n', bearer);
    await send(gateway, 'acme/db1', bearer, request1([up(2), one({ __name__: 'up', job: 'other' }, 3)]));
    expect(await served()).toEqual(['up{instance_id="db1",job="app"} 1', 'up{job="other",instance_id="db1"} 3']);
    await gateway.fetch('/api/v1/acme/db1/metrics/job/app', { method: 'DELETE', bearer });
    expect(await served()).toEqual(['up{job="app",instance_id="db1"} 2', 'up{job="other",instance_id="db1"} 3']);
  });

  it('a family with two types is served untyped', async () => {
    await gateway.push('acme/db1/metrics/job/app', '# TYPE up gauge\nup 1\n', bearer);
    const metadata = [{ type: 'COUNTER', metricFamilyName: 'up' }];
    await send(gateway, 'acme/db1', bearer, request1([one({ __name__: 'up', job: 'b' }, 3)], metadata));
    gateway.clock.advance(30_001);
    expect(await gateway.page('acme/db1/metrics', bearer)).toContain('# TYPE up untyped\n');
  });

  it('is streamed and scraped from one snapshot with them, endpoints apart', async () => {
    await send(gateway, 'acme/db1', bearer, request1([up(1)]));
    await send(gateway, 'acme/db2', bearer, request1([up(2)]));
    expect(await served('acme/metrics')).toEqual([
      'up{job="app",instance_id="db1"} 1',
      'up{job="app",instance_id="db2"} 2',
    ]);
  });
});

describe('what cannot be read', () => {
  const post = (headers: Record<string, string>, body: Uint8Array) =>
    gateway.fetch('/api/v1/acme/db1/write', { method: 'POST', bearer, headers, body: body as Uint8Array<ArrayBuffer> });
  const snappy = { 'content-encoding': 'snappy' };
  const good = () => compressSync(request1([up(1)]));

  it('is 415 for another type or encoding, 400 for what is no snappy or no protobuf; Written counts on each', async () => {
    const answers = await Promise.all([
      post({ ...snappy, 'content-type': 'application/json' }, good()),
      post({ ...snappy, 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' }, good()),
      post({ 'content-type': contentTypes['1.0'], 'content-encoding': 'gzip' }, good()),
      post({ ...snappy, 'content-type': contentTypes['1.0'] }, Buffer.from('no snappy at all')),
      post({ ...snappy, 'content-type': contentTypes['1.0'] }, compressSync(Buffer.from('no protobuf'))),
      post({ ...snappy, 'content-type': contentTypes['1.0'] }, Buffer.alloc(0)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([415, 415, 415, 400, 400, 400]);
    for (const answer of answers) expect(written(answer)).toEqual(['0', '0', '0']);
  });

  it('a 1.0 body sent as 2.0 is empty, and the other way round', async () => {
    for (const [type, body] of [
      [contentTypes['2.0'], request1([up(1)])],
      [contentTypes['1.0'], request2([up(1)])],
    ] as const) {
      const answer = await post({ ...snappy, 'content-type': type }, compressSync(body));
      expect([answer.status, ...written(answer)]).toEqual([204, '0', '0', '0']);
    }
    expect(await served()).toEqual([]);
  });

  it('declares more than the limit, or more than snappy can inflate: refused before anything is inflated', async () => {
    const headers = { ...snappy, 'content-type': contentTypes['1.0'] };
    const declares = (length: number, rest = 100): Buffer => {
      const varint: number[] = [];
      for (let left = length; ; left = Math.floor(left / 128)) {
        varint.push((left % 128) + (left >= 128 ? 128 : 0));
        if (left < 128) break;
      }
      return Buffer.concat([Buffer.from(varint), Buffer.alloc(rest)]);
    };
    expect((await post(headers, declares(2 ** 32 - 1))).status).toBe(413);
    expect((await post(headers, declares(100_001))).status).toBe(413);
    expect((await post(headers, declares(99_999))).status).toBe(400);
    expect((await post(headers, compressSync(Buffer.alloc(100_001)))).status).toBe(413);
  });
});

describe('commits', () => {
  it('are shared by what arrives together, pushes and remote writes alike', async () => {
    await Promise.all(Array.from({ length: 60 }, () => gateway.page('acme/db1/metrics', bearer)));
    const before = await gateway.operatorValue('weir_storage_commit_seconds_count');
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        i % 2 === 0
          ? gateway.push('acme/db1/metrics/job/a', `p ${i}\n`, bearer)
          : send(gateway, 'acme/db1', bearer, request1([one({ __name__: 'a', i: String(i % 10) }, i)])),
      ),
    );
    expect((await gateway.operatorValue('weir_storage_commit_seconds_count')) - before).toBeLessThanOrEqual(45);
  });
});
