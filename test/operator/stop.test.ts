import { Agent, type ClientRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { send } from '../http/wire.js';
import { samples, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

const path = '/api/v1/acme/db1/metrics';

const get = (): string => `GET ${path} HTTP/1.1\r\nHost: weir.example\r\nAuthorization: ${bearer}\r\n\r\n`;

/** A connection below HTTP, as it is when the gateway has accepted it. */
async function open() {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString();
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  // Connections are accepted in their order: when this one answers, the one before is in.
  await (await gateway.fetch('/')).text();
  return {
    closed,
    write: (text: string) => socket.write(text),
    until: (text: string) => expect.poll(() => received).toContain(text),
    received: () => received,
    isClosed: () => socket.closed,
    destroy: () => socket.destroy(),
  };
}

/** A push whose headers the gateway has taken, and of whose body only the first half is there. */
async function slowPush(agent?: Agent) {
  let request: ClientRequest;
  let taken = (): void => {};
  const underWay = new Promise<void>((resolve) => {
    taken = resolve;
  });
  const answer = send(gateway.url, path, {
    method: 'PUT',
    headers: ['Authorization', bearer, 'Content-Length', '8', 'Expect', '100-continue'],
    write: (writing) => {
      request = writing;
      writing.on('continue', () => writing.write('a 1\n', () => taken()));
      writing.flushHeaders();
    },
    ...(agent === undefined ? {} : { agent }),
  });
  await underWay;
  return { answer, finish: () => request.end('b 2\n') };
}

describe('a graceful stop', () => {
  it('finishes what is under way, says it is not ready, takes nothing new, and has it all on disk', async () => {
    const operatorUrl = gateway.operatorUrl;
    const publicUrl = gateway.url;
    const agent = new Agent({ keepAlive: true });
    const { answer, finish } = await slowPush(agent);
    const restarted = gateway.restart();
    const ready = await fetch(`${operatorUrl}/-/ready`);
    const reasons = await ready.text();
    const healthy = await fetch(`${operatorUrl}/-/healthy`);
    await healthy.text();
    const newcomer = await send(publicUrl, path).catch((error: NodeJS.ErrnoException) => error.code);
    finish();
    const { status, headers } = await answer;
    await restarted;
    agent.destroy();

    expect([ready.status, reasons]).toEqual([503, 'Weir is not ready.\nrunning: the gateway is stopping\n']);
    expect(healthy.status).toBe(200);
    expect(newcomer).toBe('ECONNREFUSED');
    expect(status).toBe(200);
    expect(samples(await gateway.page('acme/db1/metrics', bearer)).sort()).toEqual([
      'a{instance_id="db1"} 1',
      'b{instance_id="db1"} 2',
    ]);
    expect((await fetch(`${gateway.operatorUrl}/-/ready`)).status).toBe(200);
    // Whoever got that answer must not send the next request into a connection that is being closed.
    expect(headers.connection).toBe('close');
  });

  it('does not wait for connections on which nothing happens, before a first request or after one', async () => {
    const silent = await open();
    const idle = await open();
    idle.write(get());
    await idle.until('# TYPE');
    const restarted = gateway.restart();
    try {
      await vi.waitUntil(() => silent.isClosed() && idle.isClosed(), { timeout: 3000 });
    } finally {
      silent.destroy();
      await restarted;
    }
  });

  it('answers a request that was on its way, and closes its connection', async () => {
    const socket = await open();
    const [start, rest] = [get().slice(0, 60), get().slice(60)];
    // In one piece: when the first answer is there, the start of the second request has been read.
    socket.write(get() + start);
    await socket.until('# TYPE');
    const restarted = gateway.restart();
    socket.write(rest);
    await socket.closed;
    await restarted;
    const answers = socket.received().split(/(?=HTTP\/1\.1 )/);
    expect(answers).toHaveLength(2);
    expect(answers[1]).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answers[1]).toMatch(/\r\nConnection: close\r\n/i);
    expect(answers[1]).toContain('# TYPE');
  });

  it('logs that it stops and that it has stopped, and no error', async () => {
    await gateway.restart();
    const said = gateway.logs.map(({ msg }) => msg);
    expect(said.indexOf('stopped')).toBeGreaterThan(said.findIndex((msg) => String(msg).startsWith('stopping')));
    expect(gateway.logs.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });
});
