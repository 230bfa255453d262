import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';

const folder = mkdtempSync(join(tmpdir(), 'weir-backends-'));
const sockets = new Set<Socket>();
const servers: Server[] = [];
let gateway: TestGateway;

/** Takes connections, and does with them what it is told. */
function listen(where: number | string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  servers.push(server);
  return new Promise((resolve) => {
    const ready = (): void => resolve(server);
    if (typeof where === 'string') server.listen(where, ready);
    else server.listen(where, '127.0.0.1', ready);
  });
}

const portOf = (server: Server): number => (server.address() as { port: number }).port;

beforeAll(async () => {
  const hanging = await listen(0, (socket) => socket.pause());
  const throwing = await listen(0, (socket) => socket.resetAndDestroy());
  const hangingSocket = join(folder, 'dsd.socket');
  await listen(hangingSocket, (socket) => socket.pause());
  const refused = await listen(0, () => {});
  const refusing = portOf(refused);
  refused.close();
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, 'key');
  gateway = await TestGateway.boot({
    metrics: {
      backends: [
        { type: 'prometheus' },
        { type: 'dogstatsd', options: { socket: hangingSocket } },
        { type: 'dogstatsd', options: { socket: join(folder, 'absent.socket') } },
        { type: 'statsd', options: { port: refusing } },
        { type: 'datadog', options: { url: `http://127.0.0.1:${portOf(hanging)}`, api_key_file: keyFile } },
        { type: 'otlp', options: { endpoint: `http://127.0.0.1:${portOf(throwing)}/v1/metrics` } },
        { type: 'otlp', options: { endpoint: `http://127.0.0.1:${refusing}/v1/metrics` } },
      ],
    },
  });
  await gateway.project('acme', 'db1');
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

it('backends that hang, refuse and break change the answer to no scrape, and what is lost is counted', async () => {
  const bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
  const { facade } = gateway.metrics;
  const statuses = new Set<number>();
  for (let round = 0; round < 8; round++) {
    // Nobody waits for it: receivers are given ten seconds.
    void facade.flush();
    // Far more than the sockets and queues hold.
    for (let call = 0; call < 3000; call++) facade.timing('page.render', call);
    for (let scrape = 0; scrape < 10; scrape++) {
      const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer });
      statuses.add(response.status);
      await response.arrayBuffer();
    }
  }
  expect([...statuses]).toEqual([200]);
  await expect.poll(() => gateway.operatorValue('weir_telemetry_dropped_total{backend="statsd"}')).toBeGreaterThan(0);
  expect(await gateway.operatorValue('weir_page_render_seconds_count')).toBeGreaterThanOrEqual(24_000);
});

it('the log says so once for each, and names no key', () => {
  const said = gateway.logs.filter(({ msg }) => String(msg).startsWith('telemetry: '));
  const messages = said.map(({ msg }) => msg);
  expect(messages).toContain('telemetry: measurements could not be sent to StatsD');
  expect(new Set(messages).size).toBe(messages.length);
});

it('a stop waits two seconds for them and no more', async () => {
  const started = performance.now();
  await gateway.stop();
  expect(performance.now() - started).toBeLessThan(5000);
});
