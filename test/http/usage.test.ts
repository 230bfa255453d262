import { compressSync } from 'snappy';
import { expect, it } from 'vitest';
import type { DailyUsage } from '../../src/domain/usage.js';
import { boot, closesAfterEach, datadog, recorder } from '../streams/front-door.js';
import type { TestGateway } from '../support/gateway.js';
import { attribute, exportOf } from '../support/otlp.js';
import { request1 } from '../support/remote-write.js';
import { api } from './management/api.js';
import { send } from './wire.js';

closesAfterEach();

const often = { seams: { writeRecordsEveryMs: 5 } };
const usageOf = (gateway: TestGateway, projectId?: string): Promise<DailyUsage[]> =>
  gateway.admin.usage.list({ projectId, limit: 100 });
const today = Date.UTC(2026, 0, 1);
const nothing = { scrapes: 0, bytesServed: 0, samplesIn: 0, pointsStreamed: 0, tokensIssued: 0 };

it('counts pages and their bytes as they were sent, from the cache or not', async () => {
  const gateway = await boot(often);
  await gateway.project('acme', 'db1');
  const bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\nb 2\n', bearer);
  const ask = async (path: string, encoding: string, method = 'GET'): Promise<number> => {
    const headers = ['Authorization', bearer, 'Accept-Encoding', encoding];
    return (await send(gateway.url, `/api/v1/acme/${path}`, { method, headers })).body.length;
  };
  let bytes = 0;
  for (const encoding of ['gzip', 'gzip', 'identity']) bytes += await ask('db1/metrics', encoding);
  bytes += await ask('metrics', 'gzip');
  expect(await ask('metrics', 'gzip', 'HEAD')).toBe(0);
  await ask('nothing/metrics', 'gzip');
  await expect.poll(async () => (await usageOf(gateway))[0]?.scrapes).toBe(5);
  expect(await usageOf(gateway)).toEqual([
    { ...nothing, projectId: 'acme', day: today, scrapes: 5, bytesServed: bytes, samplesIn: 2, tokensIssued: 1 },
  ]);
});

it('counts samples that are taken in, by every door, and none that are refused', async () => {
  const gateway = await boot({ ...often, limits: { series: 6 } });
  await gateway.project('acme', 'db1');
  const bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\nb 2\nc 3\n', bearer);
  const now = gateway.clock.now();
  const written = request1([{ labels: { __name__: 'd' }, samples: [[1, now]] }]);
  const write = await gateway.fetch('/api/v1/acme/db1/write', {
    method: 'POST',
    bearer,
    body: new Uint8Array(compressSync(written)),
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
  });
  expect(write.status).toBe(204);
  const point = { timeUnixNano: `${now}000000`, asDouble: 1, attributes: [attribute('by', 'otlp')] };
  const otlp = await gateway.fetch('/api/v1/acme/db1/otlp/v1/metrics', {
    method: 'POST',
    bearer,
    body: JSON.stringify(exportOf([{ name: 'e', gauge: { dataPoints: [point] } }])),
    headers: { 'content-type': 'application/json' },
  });
  expect(otlp.status).toBe(200);
  const tooMany = await gateway.fetch('/api/v1/acme/db1/metrics/job/x', { method: 'PUT', bearer, body: 'f 1\ng 1\n' });
  expect(tooMany.status).toBe(422);
  await expect.poll(async () => (await usageOf(gateway))[0]?.samplesIn).toBe(5);
});

it('counts the points that a destination has taken', async () => {
  const server = await recorder();
  const gateway = await boot(often);
  await gateway.project('acme', 'db1');
  const bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
  await gateway.admin.streams.create('acme', datadog(server));
  for (let second = 0; second < 60; second++) {
    gateway.clock.advance(1000);
    await new Promise(setImmediate);
  }
  await expect.poll(async () => (await usageOf(gateway))[0]?.pointsStreamed).toBeGreaterThan(0);
  const { deliveries } = await deliveriesOf(gateway);
  expect((await usageOf(gateway))[0]!.pointsStreamed).toBe(deliveries);
});

/** Points of what was delivered, as the deliveries say. */
async function deliveriesOf(gateway: TestGateway): Promise<{ deliveries: number }> {
  const [stream] = await gateway.admin.streams.list('acme');
  const found = await gateway.admin.streams.deliveries(stream!.id, { limit: 100 });
  const taken = found.filter(({ status }) => status === 'delivered');
  return { deliveries: taken.reduce((sum, { points }) => sum + points, 0) };
}

it('is kept by the UTC day, and survives a restart', async () => {
  const gateway = await boot(often);
  await gateway.project('acme', 'db1');
  const client = await gateway.client('acme', ['read:metrics']);
  await gateway.bearerOf(client);
  gateway.clock.advance(12 * 3_600_000 - 1);
  await gateway.bearerOf(client);
  await gateway.restart();
  await gateway.bearerOf(client);
  gateway.clock.advance(1);
  await gateway.bearerOf(client);
  await gateway.restart();
  expect(await usageOf(gateway)).toEqual([
    { ...nothing, projectId: 'acme', day: today + 86_400_000, tokensIssued: 1 },
    { ...nothing, projectId: 'acme', day: today, tokensIssued: 3 },
  ]);
});

it('is of the client that asked, not of the project in the path', async () => {
  const gateway = await boot(often);
  await gateway.project('acme', 'db1');
  await gateway.project('rival', 'db1');
  const bearer = await gateway.bearer('acme');
  expect((await gateway.fetch('/api/v1/rival/db1/metrics', { bearer })).status).toBe(404);
  expect((await gateway.fetch('/api/v1/rival/db1/metrics', { bearer, method: 'PUT', body: 'a 1\n' })).status).toBe(404);
  await gateway.page('acme/metrics', bearer);
  await expect.poll(async () => (await usageOf(gateway))[0]?.scrapes).toBe(1);
  expect((await usageOf(gateway)).map(({ projectId }) => projectId)).toEqual(['acme']);
});

it('ends with its project: one of the same id begins anew', async () => {
  const gateway = await boot(often);
  await gateway.project('acme', 'db1');
  await gateway.bearer('acme');
  await expect.poll(() => usageOf(gateway)).toHaveLength(1);
  await gateway.admin.projects.delete('acme');
  await gateway.project('acme', 'db1');
  expect(await usageOf(gateway)).toEqual([]);
});

it('is shown to the operator in pages, and to a client of a project for its own alone', async () => {
  const gateway = await boot(often);
  for (const id of ['a', 'b', 'c']) await gateway.project(id, 'db1');
  const clients = await Promise.all(['a', 'b', 'c'].map((id) => gateway.client(id, ['read:usage'])));
  for (let day = 0; day < 3; day++) {
    await Promise.all(clients.map((client) => gateway.bearerOf(client)));
    gateway.clock.advance(86_400_000);
  }
  await expect.poll(() => usageOf(gateway)).toHaveLength(9);
  const operator = await gateway.bearer(null, ['read:usage']);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = `limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const { status, body } = await api(gateway, operator, `GET /usage?${query}`);
    expect(status).toBe(200);
    seen.push(...body.usage.map((each: { day: string; project_id: string }) => `${each.day} ${each.project_id}`));
    cursor = body.next;
  }
  expect(seen).toEqual(
    ['2026-01-03', '2026-01-02', '2026-01-01'].flatMap((day) => ['a', 'b', 'c'].map((id) => `${day} ${id}`)),
  );
  const own = await gateway.bearerOf(clients[1]!);
  const { body } = await api(gateway, own, 'GET /usage?from=2026-01-02&to=2026-01-02');
  expect(body.usage).toEqual([
    {
      project_id: 'b',
      day: '2026-01-02',
      scrapes: 0,
      bytes_served: 0,
      samples_in: 0,
      points_streamed: 0,
      tokens_issued: 1,
    },
  ]);
  const foreign = await api(gateway, own, 'GET /usage?project_id=a');
  expect([foreign.status, foreign.body.field]).toEqual([404, 'project_id']);
  expect((await api(gateway, own, 'GET /usage?from=2026-02-30')).body.field).toBe('from');
});

it('is on the operator page by project where the configuration says so, and nowhere else', async () => {
  for (const projectLabel of [true, false]) {
    const gateway = await boot({ ...often, metrics: { projectLabel } });
    await gateway.project('acme', 'db1');
    await gateway.page('acme/metrics', await gateway.bearer('acme'));
    await expect.poll(() => usageOf(gateway)).toHaveLength(1);
    const page = async () => (await fetch(`${gateway.operatorUrl}/metrics`)).text();
    if (projectLabel) await expect.poll(page).toContain('weir_usage_tokens_total{project="acme"} 1');
    else expect(await page()).not.toContain('"acme"');
  }
});
