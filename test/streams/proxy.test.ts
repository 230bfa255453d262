import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { ConnectProxy } from '../support/connect-proxy.js';
import { readOtlp } from '../support/otlp-reader.js';
import { boot, closesAfterEach } from './front-door.js';

closesAfterEach();

it('a stream goes through the egress proxy, whose password is seen by nobody else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-proxy-'));
  const { certFile, keyFile } = await writeDemoCertificate(folder, Date.now(), ['otlp.example']);
  const cert = readFileSync(certFile);
  const taken: { authorization: string | undefined; body: Buffer }[] = [];
  const destination = createServer({ cert, key: readFileSync(keyFile) }, async (request, answer) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    taken.push({ authorization: request.headers.authorization, body: gunzipSync(Buffer.concat(chunks)) });
    answer.end();
  });
  await new Promise<void>((resolve) => destination.listen(0, '127.0.0.1', resolve));
  const proxy = await new ConnectProxy().listen();
  proxy.routes.set('otlp.example:4318', (destination.address() as AddressInfo).port);
  const looked: string[] = [];
  const lookup = async (name: string) => {
    looked.push(name);
    return [];
  };
  try {
    const gateway = await boot({
      allowHttp: false,
      allowedNetworks: [],
      proxyUrl: `http://weir:proxy-canary@127.0.0.1:${proxy.port}`,
      seams: { egress: { lookup, certificates: [cert.toString()] } },
    });
    await gateway.project('acme', 'db');
    await gateway.push('acme/db/metrics/job/a', 'up 7\n', await gateway.bearer('acme'));
    const { streams } = gateway.admin;
    const at = (endpoint: string) => ({
      type: 'otlp',
      configuration: { endpoint, auth_type: 'bearer', token: 'vendor-token' },
    });
    const { id } = await streams.create('acme', {
      name: 'through',
      subscriptions: [{ metric_type: 'project.metrics' }],
      destination: at('https://otlp.example:4318'),
    });
    await expect.poll(() => taken.length).toBe(1);
    expect(taken[0]!.authorization).toBe('Bearer vendor-token');
    const [{ scopeMetrics }] = readOtlp(taken[0]!.body).resourceMetrics as [never];
    expect(JSON.stringify(scopeMetrics)).toContain('"name":"up"');
    expect(proxy.asked).toEqual([
      {
        authority: 'otlp.example:4318',
        authorization: `Basic ${Buffer.from('weir:proxy-canary').toString('base64')}`,
      },
    ]);
    expect(Buffer.concat(proxy.passed).includes('vendor-token')).toBe(false);

    proxy.refuse = () => 407;
    const refused = "The host cannot be used: the operator's egress proxy does not connect to it.";
    expect(await streams.testDestination('acme', at('https://inside.example'))).toMatchObject({
      delivered: false,
      status: null,
      error: refused,
      answer: '',
    });
    gateway.clock.advance(30_000);
    await expect.poll(async () => (await streams.get(id)).health).toBe('degraded');
    proxy.refuse = undefined;
    gateway.clock.advance(10_000);
    await expect.poll(() => taken.length).toBe(2);
    const deliveries = await streams.deliveries(id, { limit: 10 });
    expect(deliveries[0]!.attempts.map(({ error }) => error)).toEqual([refused, null]);
    expect(looked).toEqual([]);

    const audit = await gateway.admin.audit.list({ limit: 100 });
    const shown = JSON.stringify([gateway.logs, audit, deliveries, await streams.list()]);
    const stored = readdirSync(gateway.folder).map((file) => readFileSync(join(gateway.folder, file), 'latin1'));
    const encoded = Buffer.from('weir:proxy-canary').toString('base64');
    for (const text of [shown, ...stored]) {
      expect(text.includes('proxy-canary') || text.includes(encoded)).toBe(false);
    }
  } finally {
    proxy.close();
    destination.close();
    rmSync(folder, { recursive: true });
  }
});
