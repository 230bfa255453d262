import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EgressSeams } from '../../src/net/egress.js';
import { addressForms, badAddresses } from '../net/address-forms.js';
import { boot, closesAfterEach, recorder } from './front-door.js';

closesAfterEach();

/** Every connection a stream would make goes here instead, and is counted. */
let connections: number;
let trap: ReturnType<typeof createServer>;
beforeEach(async () => {
  connections = 0;
  trap = createServer((socket) => {
    connections++;
    socket.on('error', () => {}).destroy();
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
});
afterEach(() => void trap.close());

const seams = (answers: (name: string) => readonly string[]): EgressSeams => ({
  lookup: async (name) => answers(name),
  connect: () => connect((trap.address() as AddressInfo).port, '127.0.0.1'),
});

async function gatewayWith(egress: EgressSeams, allowedNetworks: readonly string[] = []) {
  const gateway = await boot({ allowedNetworks, seams: { egress } });
  await gateway.project('acme', 'db');
  return gateway;
}

const otlpAt = (endpoint: string) => ({ type: 'otlp', configuration: { endpoint } });

it('no spelling of an address that is not public is connected to, by a test or by a stream', async () => {
  const gateway = await gatewayWith(seams(() => ['8.8.8.8']));
  const { streams } = gateway.admin;
  const sentences = new Set<string>();
  const forms = addressForms();
  expect(forms.length * 2).toBeGreaterThan(500);
  for (const host of forms) {
    for (const endpoint of [`https://${host}/`, `http://${host}:4318/v1/metrics`]) {
      const said = await streams.testDestination('acme', otlpAt(endpoint)).then(
        ({ delivered, error }) => `${delivered} ${error}`,
        ({ message }: Error) => message,
      );
      sentences.add(said);
    }
  }
  expect([...sentences].sort()).toEqual([
    'false The host cannot be used: it must have a public address, and the port must be 443 or 4318. ' +
      'The operator allows other addresses and ports with --streams.allowed-networks.',
  ]);
  expect(connections).toBe(0);
});

it('a name is not connected to when any of its addresses is not public, nor when they change between two looks', async () => {
  let turn = 0;
  const answers = (name: string): readonly string[] => {
    const bad = badAddresses[turn++ % badAddresses.length]!;
    return name === 'mixed.example' ? ['8.8.8.8', bad] : [bad];
  };
  const { streams } = (await gatewayWith(seams(answers))).admin;
  for (let count = 0; count < badAddresses.length; count++) {
    for (const name of ['mixed.example', 'inside.example']) {
      const { delivered, status } = await streams.testDestination('acme', otlpAt(`https://${name}/`));
      expect({ delivered, status }).toEqual({ delivered: false, status: null });
    }
  }
  expect(connections).toBe(0);
  // A resolver that alternates is asked once per request, and the connection goes to what was checked then.
  const dialled: string[] = [];
  let asked = 0;
  const rebinding: EgressSeams = {
    lookup: async () => (asked++ % 2 === 0 ? ['8.8.8.8'] : ['127.0.0.1']),
    connect: ({ host }) => {
      dialled.push(host);
      return connect((trap.address() as AddressInfo).port, '127.0.0.1');
    },
  };
  const other = (await gatewayWith(rebinding)).admin.streams;
  for (let count = 0; count < 6; count++) await other.testDestination('acme', otlpAt('https://rebinding.example/'));
  expect(asked).toBe(6);
  expect(dialled).toEqual(['8.8.8.8', '8.8.8.8', '8.8.8.8']);
});

it('a redirect is not followed, other ports and schemes are refused', async () => {
  const inside = await recorder();
  const outside = await recorder();
  outside.answer = () => ({ status: 302, headers: { location: inside.url } });
  const gateway = await boot();
  await gateway.project('acme', 'db');
  const { streams } = gateway.admin;
  const redirected = await streams.testDestination('acme', otlpAt(outside.url));
  expect(redirected).toMatchObject({ delivered: false, error: expect.stringContaining('redirect') });
  expect(outside.requests).toHaveLength(1);
  expect(inside.requests).toHaveLength(0);

  const guarded = (await gatewayWith(seams(() => ['8.8.8.8']))).admin.streams;
  for (const port of [22, 25, 80, 2375, 6379, 9090]) {
    expect(await guarded.testDestination('acme', otlpAt(`https://a.example:${port}/`))).toMatchObject({ status: null });
  }
  for (const scheme of ['ftp', 'gopher', 'file', 'ws', 'data']) {
    await expect(guarded.testDestination('acme', otlpAt(`${scheme}://a.example/`))).rejects.toMatchObject({
      code: 'invalid',
    });
  }
  expect(connections).toBe(0);
});

it('plain http is refused unless the operator allows it', async () => {
  const server = await recorder();
  const gateway = await boot({ allowHttp: false });
  await gateway.project('acme', 'db');
  const said = await gateway.admin.streams.testDestination('acme', otlpAt(server.url));
  expect(said).toMatchObject({
    delivered: false,
    error: 'The URL must be an https one. The operator allows http with --streams.allow-http.',
  });
  expect(server.requests).toHaveLength(0);
});

it("DogStatsD reaches the operator's networks and nothing else", async () => {
  const agent = createSocket('udp4');
  const packets: string[] = [];
  agent.on('message', (packet) => packets.push(packet.toString()));
  await new Promise<void>((resolve) => agent.bind(0, '127.0.0.1', resolve));
  try {
    const address = `127.0.0.1:${agent.address().port}`;
    const allowed = await gatewayWith({ lookup: async () => [] }, ['127.0.0.0/8']);
    const body = {
      name: 'agent',
      subscriptions: [{ metric_type: 'project.metrics' }],
      destination: { type: 'dogstatsd', configuration: { address } },
    };
    await allowed.admin.streams.create('acme', body);
    await expect
      .poll(() => packets.join('\n'))
      .toMatch(/^weir_snapshot_timestamp_seconds:\d+(\.\d+)?\|g\|#instance_id:db$/);
    const refused = (await gatewayWith({ lookup: async () => ['127.0.0.1', '10.0.0.1'] }, ['10.0.0.0/8'])).admin
      .streams;
    for (const other of [address, `agent.example:${agent.address().port}`]) {
      const said = await refused.testDestination('acme', { type: 'dogstatsd', configuration: { address: other } });
      expect(said).toMatchObject({ delivered: false, error: expect.stringContaining('allowed networks') });
    }
    expect(packets).toHaveLength(1);
  } finally {
    agent.close();
  }
});
