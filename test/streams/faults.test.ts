import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import type { DeliveryStatus } from '../../src/domain/stream.js';
import type { GatewayOptions, TestGateway } from '../support/gateway.js';
import { datadogPoints, type Recorder } from '../support/recorder.js';
import { boot, closesAfterEach, datadog, otlp, recorder, remoteWrite, until } from './front-door.js';

closesAfterEach();

const interval = 30_000;

/** A gateway with a counter that gains 1 before every window, and what its stream has done. */
async function counting(destination: object | ((server: Recorder) => object) = datadog, options: GatewayOptions = {}) {
  const gateway = await boot(options);
  await gateway.project('acme', 'db');
  const bearer = await gateway.bearer('acme');
  const server = await recorder();
  let hits = 100;
  const push = (): Promise<void> =>
    gateway.push('acme/db/metrics/job/a', `# TYPE hits_total counter\nhits_total ${++hits}\n`, bearer);
  await push();
  const body = typeof destination === 'function' ? (destination as (server: Recorder) => object)(server) : destination;
  const { id } = await gateway.admin.streams.create('acme', body);
  const deliveries = () => gateway.admin.streams.deliveries(id, { limit: 1000 });
  const statuses = async (): Promise<DeliveryStatus[]> => (await deliveries()).map(({ status }) => status).reverse();
  /** One more window, which is there when this resolves. */
  const window = async (): Promise<void> => {
    const before = (await deliveries()).length;
    await push();
    gateway.clock.advance(interval);
    await expect.poll(async () => (await deliveries()).length, { interval: 5 }).toBe(before + 1);
  };
  const stream = () => gateway.admin.streams.get(id);
  await expect.poll(async () => (await deliveries()).length, { interval: 5 }).toBe(1);
  return { gateway, server, id, deliveries, statuses, window, stream, hits: () => hits };
}

/** Lets time pass second by second, so that everything that waits for its moment gets it. */
async function pass(gateway: TestGateway, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    // Nobody else asks for the time meanwhile: one whole tick of the streams has seen the new one.
    const seen = gateway.clock.read(3);
    gateway.clock.advance(1000);
    await seen;
  }
}

const gained = (server: Recorder): number =>
  [...(datadogPoints(server.taken).get('hits_total{instance_id:db,job:a} 1')?.values() ?? [])].reduce(
    (a, b) => a + b,
    0,
  );

describe('a destination that', () => {
  it('is down for ten minutes gets everything, in order, and nothing twice', async () => {
    const { gateway, server, statuses, window, stream, hits } = await counting();
    await until(() => server.taken.length, 1);
    server.answer = () => ({ status: 503, body: 'down' });
    for (let count = 0; count < 20; count++) await window();
    expect((await stream()).health).toBe('degraded');
    const tries = server.requests.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(40);
    server.answer = () => ({ status: 202 });
    // An attempt may have been under way when the destination came back.
    for (let tries = 0; tries < 3 && server.taken.length === 1; tries++) {
      gateway.clock.advance(90_000);
      await expect
        .poll(() => server.taken.length, { timeout: 500 })
        .toBeGreaterThan(1)
        .catch(() => {});
    }
    await expect.poll(async () => new Set(await statuses())).toEqual(new Set(['delivered']));
    expect(server.taken).toHaveLength((await statuses()).length);
    await expect.poll(async () => (await stream()).health).toBe('ok');
    expect(gained(server)).toBe(hits() - 101);
    const times = server.taken.map(({ body }) => /"timestamp":(\d+)/.exec(body.toString())![1]!);
    expect(times).toEqual([...times].sort());
    const repeated = server.requests.filter(({ body }) => body.equals(server.taken[1]!.body));
    expect(repeated.length).toBeGreaterThan(2);
  });

  it.each([
    ['seconds', () => '120', 119],
    ['a date', (now: number) => new Date(now + 120_000).toUTCString(), 118],
  ])('is too busy and says until when by %s is left alone until then', async (_, header, quiet) => {
    const { gateway, server, window } = await counting();
    await until(() => server.taken.length, 1);
    server.answer = () => ({ status: 429, headers: { 'Retry-After': header(gateway.clock.now()) } });
    await window();
    await until(() => server.requests.length, 2);
    server.answer = () => ({ status: 202 });
    await pass(gateway, quiet);
    expect(server.requests).toHaveLength(2);
    gateway.clock.advance(3000);
    await expect.poll(() => server.taken.length).toBeGreaterThan(1);
  });

  it('breaks the connection is tried again, later and later', async () => {
    const { gateway, server, window, deliveries } = await counting();
    await until(() => server.taken.length, 1);
    server.answer = () => 'reset';
    await window();
    await until(() => server.requests.length, 2);
    const at: number[] = [];
    for (let second = 1; second <= 40; second++) {
      const before = server.requests.length;
      await pass(gateway, 1);
      if (server.requests.length > before) at.push(second);
    }
    // 1, 2, 4, 8 and 16 s, each with a fifth more or less.
    expect(at.length).toBeGreaterThanOrEqual(4);
    expect(at.length).toBeLessThanOrEqual(6);
    const waiting = (await deliveries()).find(({ attempts }) => attempts.length > 3)!;
    expect(waiting.attempts.every(({ status, error }) => status === null && error!.includes('does not answer'))).toBe(
      true,
    );
  });

  it('says no to the credentials is not asked again soon, is written to the audit log once, and is asked at once with others', async () => {
    const { gateway, server, id, window, stream } = await counting();
    await until(() => server.taken.length, 1);
    server.answer = ({ headers }) => ({ status: headers['dd-api-key'] === 'new-canary' ? 202 : 403, body: 'bad key' });
    await window();
    await expect.poll(async () => (await stream()).health).toBe('credential_error');
    const asked = server.requests.length;
    for (let count = 0; count < 10; count++) await window();
    expect(server.requests).toHaveLength(asked);
    gateway.clock.advance(330_000);
    await until(() => server.requests.length, asked + 1);
    await expect.poll(async () => (await stream()).failures).toBe(2);
    const destination = { type: 'datadog', configuration: { api_key: 'new-canary', url: server.url } };
    await gateway.admin.streams.update(id, { destination });
    await expect.poll(() => server.taken.length, { timeout: 3000 }).toBeGreaterThan(10);
    expect((await stream()).health).toBe('ok');
    await expect
      .poll(() => gateway.operatorValue('weir_stream_attempts_total{type="datadog",result="credentials"}'))
      .toBe(2);
  });

  it('refuses a window for good is not asked for it again, and gets the next', async () => {
    const { server, statuses, window, deliveries } = await counting(remoteWrite);
    await until(() => server.taken.length, 2);
    server.answer = () => ({ status: 400, body: 'out of order sample' });
    await window();
    await expect.poll(async () => (await statuses()).at(-1)).toBe('failed');
    const [failed] = await deliveries();
    expect(failed!.attempts).toMatchObject([{ status: 400, answer: 'out of order sample' }]);
    const asked = server.requests.length;
    server.answer = () => ({ status: 204 });
    await window();
    await until(() => server.requests.length, asked + 1);
    await expect.poll(statuses).toEqual(['delivered', 'failed', 'delivered']);
  });

  it('rejects a part of it says so in the delivery, and does not get it again', async () => {
    const { server, statuses, deliveries } = await counting((to: Recorder) => {
      // partial_success{rejected_data_points: 3, error_message: "no"}
      to.answer = () => ({ status: 200, body: Buffer.from([0x0a, 6, 8, 3, 0x12, 2, 0x6e, 0x6f]) });
      return otlp(to);
    });
    await expect.poll(statuses).toEqual(['delivered']);
    expect((await deliveries())[0]!.attempts).toMatchObject([{ error: 'The destination rejected 3 points: no' }]);
    expect(server.requests).toHaveLength(1);
  });

  it('is down for longer than an hour loses the oldest windows, which are counted, and no others', async () => {
    const { gateway, server, window, statuses } = await counting();
    await until(() => server.taken.length, 1);
    server.answer = () => ({ status: 500 });
    for (let count = 0; count < 4; count++) await window();
    gateway.clock.advance(54 * 60_000);
    await expect
      .poll(() => gateway.operatorValue('weir_stream_windows_dropped_total{type="datadog"}'))
      .toBeGreaterThan(0);
    server.answer = () => ({ status: 202 });
    await pass(gateway, 70);
    await expect.poll(async () => new Set(await statuses())).toEqual(new Set(['delivered', 'dropped']));
    const dropped = (await statuses()).filter((status) => status === 'dropped').length;
    expect(await gateway.operatorValue('weir_stream_windows_dropped_total{type="datadog"}')).toBe(dropped);
    expect((await statuses()).slice(0, 1 + dropped)).toEqual([
      'delivered',
      ...Array.from({ length: dropped }, () => 'dropped'),
    ]);
  });

  it('takes nothing for a day gets nothing more until somebody enables the stream', async () => {
    const { gateway, server, window, stream, id } = await counting();
    await until(() => server.taken.length, 1);
    server.answer = () => ({ status: 500 });
    await window();
    await expect.poll(async () => (await stream()).health).toBe('degraded');
    gateway.clock.advance(24 * 3_600_000);
    await expect.poll(async () => (await stream()).status, { timeout: 3000 }).toBe('suspended');
    expect((await stream()).statusReason).toMatch(/^Nothing got through in \d+ attempts since /);
    const asked = server.requests.length;
    await pass(gateway, 100);
    expect(server.requests).toHaveLength(asked);
    server.answer = () => ({ status: 202 });
    const lifted = await gateway.admin.streams.update(id, { status: 'enabled' });
    expect(lifted).toMatchObject({ status: 'enabled', statusReason: null, health: 'ok' });
    await until(() => server.taken.length, 2);
    // What was not sent is not made up for: the next value is a beginning.
    expect(gained(server)).toBe(0);
  });

  it('hangs or is slow delays no other stream', async () => {
    const gateway = await boot();
    const [slow, quick] = [await recorder(), await recorder()];
    slow.answer = () => 'hang';
    for (const id of ['acme', 'other']) {
      await gateway.project(id, 'db');
      await gateway.admin.streams.create(id, datadog(slow));
      await gateway.admin.streams.create(id, datadog(quick));
    }
    await until(() => quick.taken.length, 2);
    await until(() => slow.requests.length, 2);
    for (let count = 1; count < 4; count++) {
      gateway.clock.advance(interval);
      await until(() => quick.taken.length, 2 + 2 * count);
    }
    expect(slow.requests).toHaveLength(2);
    await expect
      .poll(() => gateway.operatorValue('weir_stream_lag_seconds{type="datadog"}'))
      .toBeGreaterThanOrEqual(90);
  });

  it.each([
    ['an expired certificate gets nothing', 2 * 365 * 86_400_000, 0, 'pending'],
    ['a good certificate gets its window', 0, 1, 'delivered'],
  ])('has %s', async (_, age, arrived, status) => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-cert-'));
    const { certFile, keyFile } = await writeDemoCertificate(folder, Date.now() - age);
    const certificate = readFileSync(certFile, 'utf8');
    let requests = 0;
    const server = createTlsServer({ cert: certificate, key: readFileSync(keyFile) }, (request, response) => {
      requests++;
      request.resume().on('end', () => response.writeHead(202).end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const destination = { type: 'datadog', configuration: { api_key: 'k', url } };
      const { deliveries } = await counting(
        { name: 'x', subscriptions: [{ metric_type: 'project.metrics' }], destination },
        { seams: { egress: { lookup: async () => [], certificates: [certificate] } } },
      );
      await expect.poll(async () => (await deliveries())[0]!.attempts.length).toBe(1);
      expect((await deliveries())[0]!.status).toBe(status);
      const [attempt] = (await deliveries())[0]!.attempts;
      expect(attempt!.error).toEqual(arrived === 1 ? null : expect.stringContaining('certificate'));
      expect(requests).toBe(arrived);
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a restart', () => {
  it('sends what was written and not sent, and again what it did not hear of, with the same bytes', async () => {
    const { gateway, server, window, statuses, hits } = await counting();
    await until(() => server.taken.length, 1);
    server.answer = () => 'hang';
    await window();
    await until(() => server.requests.length, 2);
    const lost = server.requests[1]!.body;
    await window();
    server.answer = () => ({ status: 202 });
    // The stop waits for the hung request as long as it may, then leaves it.
    await gateway.restart();
    await expect.poll(async () => new Set(await statuses()), { timeout: 8000 }).toEqual(new Set(['delivered']));
    expect(server.taken[1]!.body.equals(lost)).toBe(true);
    await expect.poll(() => gained(server)).toBe(hits() - 101);
  }, 20_000);
});

describe('deliveries', () => {
  it('can be sent again, one or a range, with the same bytes, and not when they are too old', async () => {
    const { gateway, server, id, window, deliveries, hits } = await counting();
    await window();
    await window();
    await until(() => server.taken.length, 3);
    await expect
      .poll(async () => (await deliveries()).map(({ status }) => status))
      .toEqual(['delivered', 'delivered', 'delivered']);
    const [newest, middle] = await deliveries();
    expect(await gateway.admin.streams.redeliver(id, { id: middle!.id })).toBe(1);
    await until(() => server.taken.length, 4);
    expect(server.taken[3]!.body.equals(server.taken[1]!.body)).toBe(true);
    await expect.poll(async () => (await deliveries())[1]!.attempts.length).toBe(2);
    expect(await gateway.admin.streams.redeliver(id, { from: middle!.to, to: newest!.to })).toBe(2);
    await until(() => server.taken.length, 6);
    expect(gained(server)).toBe(hits() - 101);
    await expect(gateway.admin.streams.redeliver(id, { id: 'dlv_unknown' })).rejects.toThrow('no such delivery');
    gateway.clock.advance(3_600_000);
    await expect(gateway.admin.streams.redeliver(id, { id: middle!.id })).rejects.toThrow('too old');
  });
});
