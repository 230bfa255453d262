import { expect, it } from 'vitest';
import { samples } from '../support/gateway.js';
import { becomes, boot, closesAfterEach, patience, pulledAgain, text, upstream } from './front-door.js';

closesAfterEach();

const wanted = (url: string, more: object = {}) => ({ name: 'app', metrics_id: 'db', type: 'exporter', url, ...more });

it('a source that fails is served as long as the stale limit says, with its age, and then no longer', async () => {
  const { gateway, bearer } = await boot();
  let isDown = false;
  const asked = await upstream(() => (isDown ? 'reset' : text('jobs 1\n')));
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url));
  await becomes(gateway, id, 'up');
  const pulledAt = (gateway.clock.now() / 1000).toFixed(3);
  isDown = true;
  for (const passed of [15, 30, 45]) {
    await pulledAgain(gateway, asked, 15_000);
    await becomes(gateway, id, 'down');
    const response = await gateway.fetch('/api/v1/acme/db/metrics', { bearer });
    const page = await response.text();
    expect(samples(page), `${passed} s`).toEqual(['jobs{instance_id="db"} 1']);
    if (passed < 45) continue;
    expect(response.headers.get('x-weir-completeness')).toBe('partial');
    expect(page).toContain('weir_source_up{instance_id="db",source="app"} 0\n');
    expect(page).toContain(`weir_source_last_success_timestamp_seconds{instance_id="db",source="app"} ${pulledAt}\n`);
  }
  expect(await gateway.operatorValue('weir_sources{type="exporter",state="failing"}')).toBe(1);
  expect(await gateway.operatorValue('weir_source_age_seconds{type="exporter"}')).toBe(45);
  await pulledAgain(gateway, asked, 15_000);
  const gone = await gateway.fetch('/api/v1/acme/db/metrics', { bearer });
  expect([gone.status, gone.headers.get('retry-after')]).toEqual([503, '5']);
  expect((await gateway.fetch('/api/v1/acme/metrics', { bearer })).status).toBe(503);
  expect(await gateway.operatorValue('weir_sources{type="exporter",state="dead"}')).toBe(1);
  await gateway.push('acme/db/metrics/job/push', 'pushed 1\n', bearer);
  const beside = await gateway.page('acme/db/metrics', bearer);
  expect(samples(beside)).toEqual(['pushed{instance_id="db",job="push"} 1']);
  expect(beside).toContain('weir_source_up{instance_id="db",source="app"} 0\n');
  expect(beside).toContain(`weir_source_last_success_timestamp_seconds{instance_id="db",source="app"} ${pulledAt}\n`);
  isDown = false;
  await pulledAgain(gateway, asked, 31_000);
  await becomes(gateway, id, 'up');
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toContain('jobs{instance_id="db"} 1');
});

it('before the first answer there is nothing to serve, which is said', async () => {
  const { gateway, bearer } = await boot();
  const asked = await upstream(() => 'hang');
  await gateway.admin.sources.create('acme', wanted(asked.url));
  await expect.poll(() => asked.requests.length, patience).toBe(1);
  expect((await gateway.fetch('/api/v1/acme/db/metrics', { bearer })).status).toBe(503);
});

it('a source that hangs is asked once at a time, and delays no other', async () => {
  const { gateway } = await boot();
  const hanging = await upstream(() => 'hang');
  const asked = await upstream(() => text('jobs 1\n'));
  await gateway.admin.sources.create('acme', wanted(hanging.url, { name: 'hangs', timeout: '300ms', interval: '1s' }));
  await gateway.admin.sources.create('acme', wanted(asked.url, { interval: '1s' }));
  await expect.poll(() => [hanging.requests.length, asked.requests.length], patience).toEqual([1, 1]);
  // Faster than the one that hangs can be given up.
  for (let turn = 0; turn < 5; turn++) await pulledAgain(gateway, asked, 1000);
  expect(hanging.requests.length).toBeLessThan(asked.requests.length);
  await expect
    .poll(() => gateway.operatorValue('weir_source_pulls_total{type="exporter",result="failed"}'), patience)
    .toBeGreaterThanOrEqual(1);
});

it('a source that hangs is given up when it is changed or deleted, and when the gateway stops', async () => {
  const { gateway } = await boot();
  const hanging = await upstream(() => 'hang');
  const { sources } = gateway.admin;
  const long = { interval: '1h', timeout: '1h' };
  const { id } = await sources.create('acme', wanted(hanging.url, long));
  await expect.poll(() => hanging.connections, patience).toBe(1);
  await sources.update(id, { url: `${hanging.url}/other` });
  await expect.poll(() => [hanging.requests.at(-1)!.path, hanging.connections], patience).toEqual(['/other', 1]);
  await sources.delete(id);
  await expect.poll(() => hanging.connections, patience).toBe(0);
  await sources.create('acme', wanted(hanging.url, long));
  await expect.poll(() => hanging.connections, patience).toBe(1);
  await gateway.restart();
  await expect.poll(() => [hanging.requests.length, hanging.connections], patience).toEqual([4, 1]);
});

it('a restart serves what was there, until the source answers or it is too old', async () => {
  const { gateway, bearer } = await boot();
  let isDown = false;
  const asked = await upstream(() => (isDown ? { status: 500 } : text('jobs 1\n')));
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url));
  await becomes(gateway, id, 'up');
  isDown = true;
  await gateway.restart();
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toEqual(['jobs{instance_id="db"} 1']);
  expect((await becomes(gateway, id, 'down')).reason).toBe('It answered 500.');
  gateway.clock.advance(60_000);
  expect((await gateway.fetch('/api/v1/acme/db/metrics', { bearer })).status).toBe(503);
});

it('what is disabled, deleted or asks for something else is no longer served, nor comes back', async () => {
  const { gateway, bearer } = await boot();
  const asked = await upstream(({ path }) => text(`jobs{path="${path}"} 1\n`));
  const { sources } = gateway.admin;
  const { id } = await sources.create('acme', wanted(`${asked.url}/a`));
  await becomes(gateway, id, 'up');
  const series = async (): Promise<string[]> => {
    gateway.clock.advance(31_000);
    const response = await gateway.fetch('/api/v1/acme/db/metrics', { bearer });
    return response.status === 200 ? samples(await response.text()) : [];
  };
  await sources.update(id, { url: `${asked.url}/b` });
  await expect.poll(series, patience).toEqual(['jobs{path="/b",instance_id="db"} 1']);
  await sources.update(id, { status: 'disabled' });
  await expect.poll(series, patience).toEqual([]);
  const before = asked.requests.length;
  gateway.clock.advance(60_000);
  expect((await gateway.fetch('/api/v1/acme/db/metrics', { bearer })).status).toBe(200);
  expect(asked.requests.length).toBe(before);
  await sources.update(id, { status: 'enabled' });
  await expect.poll(series, patience).toEqual(['jobs{path="/b",instance_id="db"} 1']);
  await sources.delete(id);
  await expect.poll(series, patience).toEqual([]);
  await expect(sources.get(id)).rejects.toMatchObject({ code: 'not_found' });
});

it('the lifetime of the endpoint is for pushes: it does not change how long a source is served', async () => {
  const { gateway, bearer } = await boot();
  let isDown = false;
  const asked = await upstream(() => (isDown ? 'reset' : text('jobs 1\n')));
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url));
  await becomes(gateway, id, 'up');
  isDown = true;
  await gateway.admin.endpoints.set('acme', 'db', { lifetimeMs: 1000 });
  gateway.clock.advance(59_000);
  await becomes(gateway, id, 'down');
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toEqual(['jobs{instance_id="db"} 1']);
});
