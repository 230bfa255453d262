import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqliteGroups } from '../../src/storage/sqlite/groups.js';
import { samples, TestGateway } from '../support/gateway.js';
import { type Answer, headerBytes, send } from './wire.js';

let gateway: TestGateway;
let bearer: string;
/** A fresh project for each test, with endpoints `db1` and `db2`. */
let project: string;
let made = 0;

beforeAll(async () => {
  gateway = await TestGateway.boot();
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  project = `p${++made}`;
  await gateway.project(project, 'db1', 'db2');
  bearer = await gateway.bearer(project);
});

interface Scrape {
  readonly method?: string;
  readonly accept?: string;
  readonly encoding?: string;
  readonly headers?: string[];
  readonly path?: string;
  readonly authorization?: string;
}

function scrape({ method = 'GET', accept, encoding, headers = [], path = 'db1/metrics', authorization }: Scrape = {}) {
  return send(gateway.url, `/api/v1/${project}/${path}`, {
    method,
    headers: [
      ...['Authorization', authorization ?? bearer],
      ...(accept === undefined ? [] : ['Accept', accept]),
      ...(encoding === undefined ? [] : ['Accept-Encoding', encoding]),
      ...headers,
    ],
  });
}

const push = (path: string, body: string): Promise<void> => gateway.push(`${project}/${path}`, body, bearer);
const page = (path = 'db1/metrics', accept?: string): Promise<string> =>
  gateway.page(`${project}/${path}`, bearer, accept);

const text = 'text/plain; version=0.0.4; charset=utf-8';
const openMetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

describe('the endpoint page', () => {
  it('shows what was pushed, with our labels', async () => {
    await push('db1/metrics/job/app', '# TYPE up gauge\nup{zone="a"} 1\n');
    expect(samples(await page())).toEqual(['up{zone="a",instance_id="db1",job="app"} 1']);
  });

  it('is valid and nearly empty before the first push', async () => {
    const empty = await page();
    expect(samples(empty)).toEqual([]);
    expect(empty).toContain('weir_snapshot_timestamp_seconds{instance_id="db1"}');
    expect(await page('db2/metrics', openMetrics)).toMatch(/\n# EOF\n$/);
  });

  it('is served from the cache for 30 seconds, and says how old it is', async () => {
    await push('db1/metrics', 'a 1\n');
    const first = await page();
    await push('db1/metrics', 'a 2\n');
    gateway.clock.advance(29_000);
    const cached = await scrape();
    expect(cached.text).toBe(first);
    expect(cached.headers.age).toBe('29');
    gateway.clock.advance(1_001);
    expect(samples(await page())).toEqual(['a{instance_id="db1"} 2']);
  });

  it('says what it is, for whom and how whole, in less than 4 KiB of headers', async () => {
    for (const encoding of [undefined, 'gzip']) {
      const answer = await scrape(encoding === undefined ? {} : { encoding });
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        'content-type': text,
        vary: 'Accept, Accept-Encoding, Authorization',
        'cache-control': 'private, no-store',
        age: '0',
        'x-weir-completeness': 'complete',
        'content-length': String(answer.body.length),
      });
      expect(answer.headers['transfer-encoding']).toBeUndefined();
      expect(answer.headers['set-cookie']).toBeUndefined();
      expect(headerBytes(answer)).toBeLessThan(4096);
    }
  });

  it('keeps the connection open for longer than Prometheus lets it idle', async () => {
    const { headers } = await scrape({ headers: ['Connection', 'keep-alive'] });
    expect(Number(/timeout=(\d+)/.exec(String(headers['keep-alive']))?.[1])).toBeGreaterThanOrEqual(305);
  });

  it('is there at the first request after a refused one', async () => {
    expect((await scrape({ path: 'db3/metrics' })).status).toBe(404);
    await gateway.admin.endpoints.create({ name: 'db3', projectId: project, metricsId: 'db3' });
    expect((await scrape({ path: 'db3/metrics' })).status).toBe(200);
  });

  it('is gone within a second of the endpoint being deleted, although it was cached', async () => {
    expect((await scrape()).status).toBe(200);
    await gateway.admin.endpoints.delete(project, 'db1');
    await expect.poll(async () => (await scrape()).status, { timeout: 1000 }).toBe(404);
    expect(await page('metrics')).not.toContain('db1');
  });

  it('ignores parameters it does not know', async () => {
    expect((await scrape({ path: 'db1/metrics?x=1&y' })).status).toBe(200);
  });
});

describe('the project page', () => {
  it('shows all endpoints, each series with the one it is of', async () => {
    await push('db1/metrics', 'a 1\n');
    await push('db2/metrics/job/app', 'a 2\nb 3\n');
    expect(samples(await page('metrics')).sort()).toEqual([
      'a{instance_id="db1"} 1',
      'a{instance_id="db2",job="app"} 2',
      'b{instance_id="db2",job="app"} 3',
    ]);
  });

  it('shows a narrowed client its endpoints only, whoever asked before', async () => {
    await push('db1/metrics', 'a 1\n');
    await push('db2/metrics', 'a 2\n');
    const narrowed = await gateway.bearer(project, ['read:metrics'], ['db2']);
    const shown = async (): Promise<string> => gateway.page(`${project}/metrics`, narrowed);
    const whole = await page('metrics');
    expect(samples(await shown())).toEqual(['a{instance_id="db2"} 2']);
    expect(await shown()).not.toContain('db1');
    expect(await page('metrics')).toBe(whole);
  });

  it('is a valid page without any endpoint', async () => {
    await gateway.project(`${project}-empty`);
    const other = await gateway.bearer(`${project}-empty`);
    expect(samples(await gateway.page(`${project}-empty/metrics`, other))).toEqual([]);
  });

  it('shows a new endpoint within a second, although it was cached', async () => {
    await page('metrics');
    await gateway.admin.endpoints.create({ name: 'db3', projectId: project, metricsId: 'db3' });
    await expect.poll(() => page('metrics'), { timeout: 1000 }).toContain('instance_id="db3"');
  });

  it('is of one type per family, even where endpoints disagree', async () => {
    await push('db1/metrics', '# TYPE a gauge\na 1\n');
    await push('db2/metrics', '# TYPE a counter\na 2\n');
    expect((await page('metrics')).match(/^# TYPE a .*/gm)).toEqual(['# TYPE a untyped']);
  });
});

describe('the format', () => {
  const prometheus3 =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
    'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
  it.each([
    ['Prometheus 3', prometheus3, openMetrics],
    [
      'Prometheus 3 with native histograms',
      `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,${prometheus3}`,
      openMetrics,
    ],
    [
      'Prometheus 2.42',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      openMetrics,
    ],
    ['vmagent', 'text/plain;version=0.0.4;q=1,*/*;q=0.1', text],
    ['Datadog', 'text/plain', text],
    [
      'Datadog with use_latest_spec',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1',
      openMetrics,
    ],
    ['curl', '*/*', text],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', text],
    ['who prefers text', 'application/openmetrics-text;q=0.3,text/plain;q=0.9', text],
    ['who prefers OpenMetrics', 'text/plain;q=0.3, application/openmetrics-text; q=0.9', openMetrics],
    ['who forbids OpenMetrics', 'application/openmetrics-text;q=0,*/*', text],
    ['who wants OpenMetrics of a later time', 'application/openmetrics-text;version=2.0.0', text],
    ['who wants what we have not', 'application/json', text],
    ['who writes nonsense', ';;q=,,', text],
    ['who says nothing', undefined, text],
  ])('is by its weights what %s asks for', async (_, accept, type) => {
    await push('db1/metrics', '# TYPE a counter\na_total 1\n');
    const answer = await scrape(accept === undefined ? {} : { accept });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, type]);
    expect(answer.text.endsWith('# EOF\n')).toBe(type === openMetrics);
  });

  it('changes no name and no value', async () => {
    await push(
      'db1/metrics',
      '# TYPE a counter\na 1\n# TYPE b_total counter\nb_total 2\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    );
    expect(samples(await page('db1/metrics', openMetrics)).sort()).toEqual(samples(await page()).sort());
  });
});

describe('the encoding', () => {
  it.each([
    ['gzip', true],
    ['gzip, deflate', true],
    ['br, gzip;q=0.5', true],
    ['*', true],
    ['GZIP', true],
    ['identity', false],
    ['gzip;q=0', false],
    ['*, gzip;q=0', false],
    ['deflate, br', false],
    ['', false],
    [undefined, false],
  ])('asked for as %o is gzip: %s', async (encoding, zipped) => {
    await push('db1/metrics', 'a 1\n');
    const answer = await scrape(encoding === undefined ? {} : { encoding });
    expect(answer.headers['content-encoding']).toBe(zipped ? 'gzip' : undefined);
    const body = zipped ? gunzipSync(answer.body).toString() : answer.text;
    expect(samples(body)).toEqual(['a{instance_id="db1"} 1']);
  });

  it('hides nothing: both are the same page', async () => {
    const plain = await scrape();
    const zipped = await scrape({ encoding: 'gzip' });
    expect(gunzipSync(zipped.body).toString()).toBe(plain.text);
  });
});

describe('the answer', () => {
  it.each([
    ['If-None-Match', '*'],
    ['If-None-Match', '"x"'],
    ['If-Modified-Since', 'Fri, 01 Jan 2100 00:00:00 GMT'],
    ['Range', 'bytes=0-5'],
    ['If-Match', '"x"'],
    ['Expect', '100-continue'],
  ])('is the whole page, 200, whatever %s: %s says', async (name, value) => {
    const whole = await scrape();
    const answer = await scrape({ headers: [name, value] });
    expect([answer.status, answer.text]).toEqual([200, whole.text]);
    expect(answer.headers.etag).toBeUndefined();
  });

  it.each([
    ['identity', undefined, undefined],
    ['gzip', 'gzip', undefined],
    ['OpenMetrics', undefined, openMetrics],
    ['OpenMetrics in gzip', 'gzip', openMetrics],
  ])('to HEAD has the headers of GET and no body: %s', async (_, encoding, accept) => {
    await push('db1/metrics', 'a 1\n');
    const asked = { ...(encoding && { encoding }), ...(accept && { accept }) };
    for (const path of ['db1/metrics', 'metrics']) {
      // Before the page is in the cache, and after.
      const heads = [await scrape({ ...asked, path, method: 'HEAD' })];
      const get = await scrape({ ...asked, path });
      heads.push(await scrape({ ...asked, path, method: 'HEAD' }));
      expect(get.body.length).toBeGreaterThan(0);
      for (const head of heads) {
        expect([head.status, head.text]).toEqual([200, '']);
        expect(withoutDate(head)).toEqual(withoutDate(get));
      }
    }
  });
});

const withoutDate = ({ headers }: Answer) => ({ ...headers, date: undefined });

describe('while the store cannot be read', () => {
  it('the page is served from the cache, then 503 with the time to wait, and again once it can', async () => {
    await push('db1/metrics', 'a 1\n');
    await page();
    const snapshot = vi.spyOn(SqliteGroups.prototype, 'snapshot').mockRejectedValue(new Error('disk trouble'));
    try {
      gateway.clock.advance(29_000);
      expect(samples(await page())).toEqual(['a{instance_id="db1"} 1']);
      gateway.clock.advance(2_000);
      const answer = await scrape();
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(answer.text).not.toContain('disk trouble');
      expect(JSON.stringify(gateway.logs)).toContain('disk trouble');
    } finally {
      snapshot.mockRestore();
    }
    expect(samples(await page())).toEqual(['a{instance_id="db1"} 1']);
  });
});

describe('timestamps', () => {
  it('are off, and on within a second when the endpoint asks for them; our own series never carry one', async () => {
    await push('db1/metrics', 'a 1\n');
    const pushedAt = gateway.clock.now();
    expect(samples(await page())).toEqual(['a{instance_id="db1"} 1']);
    gateway.clock.advance(1000);
    await gateway.admin.endpoints.set(project, 'db1', { timestamps: true });
    await expect
      .poll(async () => samples(await page()), { timeout: 1000 })
      .toEqual([`a{instance_id="db1"} 1 ${pushedAt}`]);
    expect(samples(await page('db1/metrics', openMetrics))).toEqual([
      `a{instance_id="db1"} 1 ${(pushedAt / 1000).toFixed(3)}`,
    ]);
    for (const line of (await page()).split('\n').filter((line) => line.startsWith('weir_'))) {
      expect(line.split(' ')).toHaveLength(2);
    }
    // The other endpoint of the project page stays without.
    await push('db2/metrics', 'a 2\n');
    gateway.clock.advance(30_001);
    expect(samples(await page('metrics'))).toEqual([`a{instance_id="db1"} 1 ${pushedAt}`, 'a{instance_id="db2"} 2']);
    await gateway.admin.endpoints.set(project, 'db1', { timestamps: false });
    await expect.poll(async () => samples(await page()), { timeout: 1000 }).toEqual(['a{instance_id="db1"} 1']);
  });
});
