import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
  const body = [
    '# HELP requests_total Served.',
    '# TYPE requests_total counter',
    'requests_total{code="200"} 1',
    'requests_total{code="404"} 2',
    'requests_total{code="500"} 3',
    '# TYPE lag histogram',
    'lag_bucket{le="1"} 1',
    'lag_bucket{le="+Inf"} 2',
    'lag_sum 3',
    'lag_count 2',
    '',
  ].join('\n');
  await gateway.push('acme/db1/metrics', body, bearer);
  await gateway.push('acme/db2/metrics', 'requests_total{code="200"} 4\n', bearer);
});
afterEach(() => gateway.stop());

const at = (path: string, ...selectors: string[]): string =>
  `${path}?${selectors.map((selector) => `match[]=${encodeURIComponent(selector)}`).join('&')}`;
const ask = (path: string, ...selectors: string[]) => gateway.page(at(path, ...selectors), bearer);

describe('match[]', () => {
  it('filters the page of an endpoint and that of the project', async () => {
    expect(samples(await ask('acme/db1/metrics', 'requests_total{code=~"[45].."}'))).toEqual([
      'requests_total{code="404",instance_id="db1"} 2',
      'requests_total{code="500",instance_id="db1"} 3',
    ]);
    const page = await ask('acme/metrics', 'requests_total{code="200"}');
    expect(page).toBe(
      [
        '# HELP requests_total Served.',
        '# TYPE requests_total untyped',
        'requests_total{code="200",instance_id="db1"} 1',
        'requests_total{code="200",instance_id="db2"} 4',
        '',
      ].join('\n'),
    );
  });

  it('several are a union, and none that fits is an empty page', async () => {
    const both = await ask('acme/db1/metrics', '{code="500"}', 'lag_sum', 'lag_sum{le=""}');
    expect(samples(both)).toEqual(['lag_sum{instance_id="db1"} 3', 'requests_total{code="500",instance_id="db1"} 3']);
    expect(await ask('acme/db1/metrics', 'nothing')).toBe('');
    const openMetrics = await gateway.page(at('acme/db1/metrics', 'nothing'), bearer, 'application/openmetrics-text');
    expect(openMetrics).toBe('# EOF\n');
  });

  it("selects the gateway's own series like all others", async () => {
    const own = await ask('acme/db1/metrics', '{__name__=~"weir_.+"}');
    expect(own).toContain('weir_snapshot_timestamp_seconds{instance_id="db1"}');
    expect(samples(own)).toEqual([]);
  });

  it('a part of a histogram is no histogram to OpenMetrics', async () => {
    const of = (selector: string) =>
      gateway.page(at('acme/db1/metrics', selector), bearer, 'application/openmetrics-text');
    expect(await of('lag_count')).toBe('# TYPE lag_count unknown\nlag_count{instance_id="db1"} 2\n# EOF\n');
    expect(await of('{__name__=~"lag_.*"}')).toContain('# TYPE lag histogram\n');
  });

  it('shows nothing that the caller may not see', async () => {
    const narrowed = await gateway.bearer('acme', ['read:metrics'], ['db2']);
    await ask('acme/metrics', 'requests_total');
    const page = await gateway.page(at('acme/metrics', 'requests_total'), narrowed);
    expect(samples(page)).toEqual(['requests_total{code="200",instance_id="db2"} 4']);
    expect((await gateway.fetch(`/api/v1/${at('acme/db1/metrics', 'up')}`, { bearer: narrowed })).status).toBe(404);
  });

  it.each([
    ['{', 'is not a series selector'],
    ['{a=~"("}', 'missing closing'],
    ['{a=~"(a{100}){100}"}', 'invalid repeat count'],
    ['', 'is not a series selector'],
  ])('%j is refused with a sentence, to callers only', async (selector, sentence) => {
    const path = `/api/v1/${at('acme/db1/metrics', selector)}`;
    const response = await gateway.fetch(path, { bearer });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ field: 'match[]', detail: expect.stringContaining(sentence) });
    expect((await gateway.fetch(path)).status).toBe(401);
  });

  it('has bounds', async () => {
    const many = Array.from({ length: 33 }, (_, i) => `m${i}`);
    const long = Array.from({ length: 3 }, (_, i) => `{a="${i}${'x'.repeat(3000)}"}`);
    for (const selectors of [many, long]) {
      const response = await gateway.fetch(`/api/v1/${at('acme/db1/metrics', ...selectors)}`, { bearer });
      expect([response.status, ((await response.json()) as { field: string }).field]).toEqual([400, 'match[]']);
    }
  });

  it('is cached for itself: the same selectors in any order are one page', async () => {
    const renders = () => gateway.operatorValue('weir_page_render_seconds_count');
    const whole = await gateway.page('acme/db1/metrics', bearer);
    const before = await renders();
    const first = await ask('acme/db1/metrics', 'lag_sum', 'lag_count');
    await gateway.push('acme/db1/metrics', 'lag_sum 9\n', bearer);
    expect(await ask('acme/db1/metrics', 'lag_count', 'lag_sum')).toBe(first);
    expect((await renders()) - before).toBe(1);
    expect(await gateway.page('acme/db1/metrics', bearer)).toBe(whole);
    gateway.clock.advance(30_001);
    expect(samples(await ask('acme/db1/metrics', 'lag_sum', 'lag_count'))).toEqual(['lag_sum{instance_id="db1"} 9']);
  });

  it('keeps the times of samples', async () => {
    await gateway.admin.endpoints.set('acme', 'db1', { timestamps: true });
    const timed = () => ask('acme/db1/metrics', 'lag_sum');
    await expect.poll(timed).toContain(`lag_sum{instance_id="db1"} 3 ${gateway.clock.now()}\n`);
  });
});

it('however many parts are asked for, the whole page stays in the cache', async () => {
  const small = await TestGateway.boot({ seams: { pageMemoryBytes: 64 * 1024 } });
  try {
    await small.project('acme', 'db1');
    const token = await small.bearer('acme');
    await small.push('acme/db1/metrics', 'a 1\n', token);
    await small.page('acme/db1/metrics', token);
    const hits = () => small.operatorValue('weir_cache_requests_total{result="hit"}');
    for (let i = 0; i < 200; i++) await small.page(at('acme/db1/metrics', `{job!="${i}"}`), token);
    const before = await hits();
    await small.page('acme/db1/metrics', token);
    expect((await hits()) - before).toBe(1);
  } finally {
    await small.stop();
  }
});
