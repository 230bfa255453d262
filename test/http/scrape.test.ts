import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

describe('the endpoint page', () => {
  it('shows what was pushed, with our labels', async () => {
    await gateway.push('acme/db1/metrics/job/app', '# TYPE up gauge\nup{zone="a"} 1\n', bearer);
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual([
      'up{zone="a",instance_id="db1",job="app"} 1',
    ]);
  });

  it('is valid and nearly empty before the first push', async () => {
    const page = await gateway.page('acme/db1/metrics', bearer);
    expect(samples(page)).toEqual([]);
    expect(page).toContain('weir_snapshot_timestamp_seconds{instance_id="db1"}');
  });

  it('is served from the cache for 30 seconds, and says how old it is', async () => {
    await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
    const first = await gateway.page('acme/db1/metrics', bearer);
    await gateway.push('acme/db1/metrics', 'a 2\n', bearer);
    gateway.clock.advance(29_000);
    const cached = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer });
    expect(await cached.text()).toBe(first);
    expect(cached.headers.get('age')).toBe('29');
    gateway.clock.advance(1_001);
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual(['a{instance_id="db1"} 2']);
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const get = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer });
    const head = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer, method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    for (const name of ['content-type', 'vary', 'cache-control', 'x-weir-completeness', 'age']) {
      expect(head.headers.get(name), name).toBe(get.headers.get(name));
    }
    await get.text();
  });
});
