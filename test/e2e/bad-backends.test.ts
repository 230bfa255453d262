import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { Programs } from '../support/programs.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

const minuteMs = 60_000;
const mostGrowthBytes = 64 * 1024 * 1024;

/** Takes connections and bytes, and never answers. */
async function silent(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.resume();
  }).listen(0, '127.0.0.1');
  programs.atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function refusing(): Promise<string> {
  const server = createHttpServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1');
  programs.atEnd(() => void server.close());
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An Agent's stream socket that nobody reads. */
async function stuck(): Promise<string> {
  const path = join(programs.folder, 'stuck.socket');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.pause().on('error', () => {}));
  }).listen(path);
  programs.atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return path;
}

it('backends that hang and refuse for a minute change no scrape, and memory stays bounded', async () => {
  const keyFile = join(programs.folder, 'key');
  writeFileSync(keyFile, 'key\n', { mode: 0o600 });
  const config = join(programs.folder, 'weir.yml');
  const backends = [
    { type: 'prometheus' },
    { type: 'otlp', options: { endpoint: `${await silent()}/v1/metrics` } },
    { type: 'datadog', options: { url: await refusing(), api_key_file: keyFile } },
    { type: 'dogstatsd', options: { socket: await stuck() } },
  ];
  writeFileSync(config, JSON.stringify({ telemetry: { metrics: { backends } } }));
  const weir = await WeirProcess.start(programs, [`--config.file=${config}`]);
  await weir.createProject('acme', 'db1');
  const bearer = await weir.bearer(await weir.createClient('acme', 'read:metrics', 'write:metrics'));
  await weir.push('acme/db1/metrics', 'a 1\n', bearer);
  const scrape = async (): Promise<number> => {
    const response = await fetch(`${weir.url}/api/v1/acme/db1/metrics`, { headers: { authorization: bearer } });
    await response.text();
    return response.status;
  };
  for (let warm = 0; warm < 2000; warm++) expect(await scrape()).toBe(200);
  const before = await weir.operatorValue('process_resident_memory_bytes');
  const statuses = new Map<number, number>();
  const ends = Date.now() + minuteMs;
  while (Date.now() < ends) {
    const seen = await Promise.all(Array.from({ length: 10 }, scrape));
    for (const status of seen) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    await pause(20);
  }
  expect([...statuses.keys()]).toEqual([200]);
  expect(statuses.get(200)).toBeGreaterThan(1000);
  expect((await weir.operatorValue('process_resident_memory_bytes')) - before).toBeLessThan(mostGrowthBytes);
  // The backends were there, and tried.
  expect(weir.logs.map(({ msg }) => msg)).toContain('telemetry: measurements could not be sent to Datadog');
});
