import type { Socket as UdpSocket } from 'node:dgram';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { listenUdp } from '../support/packet-receivers.js';
import { RecordingServer } from '../support/recording-server.js';

/** Every socket this process opens to send something, from Node's own channels. */
function watchSockets() {
  const udp: UdpSocket[] = [];
  const ports = new Set<number>();
  const onUdp = (message: unknown): void => void udp.push((message as { socket: UdpSocket }).socket);
  const onNet = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    socket.on('connect', () => ports.add(socket.remoteAddress === '127.0.0.1' ? socket.remotePort! : -1));
    socket.on('error', () => ports.add(-2));
  };
  subscribe('udp.socket', onUdp);
  subscribe('net.client.socket', onNet);
  return {
    udp,
    ports,
    stop: () => {
      unsubscribe('udp.socket', onUdp);
      unsubscribe('net.client.socket', onNet);
    },
  };
}

async function useAll(gateway: TestGateway): Promise<void> {
  await gateway.project('acme', 'db1');
  const bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
  await gateway.page('acme/db1/metrics', bearer);
  await (await fetch(`${gateway.operatorUrl}/metrics`)).text();
  gateway.metrics.facade.event('title', 'text');
  await gateway.metrics.facade.flush();
}

it('by default, the gateway opens no socket to anywhere from its start to its end', async () => {
  const sockets = watchSockets();
  const gateway = await TestGateway.boot();
  const own = [gateway.url, gateway.operatorUrl].map((url) => Number(new URL(url).port));
  await useAll(gateway);
  await gateway.stop();
  sockets.stop();
  expect(sockets.udp).toEqual([]);
  // Those of the test itself, to the gateway.
  expect([...sockets.ports].filter((port) => !own.includes(port))).toEqual([]);
  expect(sockets.ports.size).toBe(2);
});

it('and the same watch sees what a configured backend opens', async () => {
  const receiver = await listenUdp();
  const gone = await RecordingServer.start();
  const { url } = gone;
  await gone.stop();
  const sockets = watchSockets();
  const gateway = await TestGateway.boot({
    metrics: {
      backends: [
        { type: 'dogstatsd', options: { port: receiver.port } },
        { type: 'otlp', options: { endpoint: `${url}/v1/metrics` } },
      ],
    },
  });
  gateway.metrics.facade.incr('pushes', 1, { tags: { result: 'accepted' } });
  void gateway.metrics.facade.flush();
  await expect.poll(() => sockets.udp.length > 0 && sockets.ports.has(-2)).toBe(true);
  await gateway.stop();
  sockets.stop();
  receiver.close();
  expect(sockets.udp.length).toBeGreaterThan(0);
  expect(sockets.ports).toContain(-2);
});
