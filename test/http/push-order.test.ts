import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;
beforeAll(async () => {
  gateway = await TestGateway.boot({});
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterAll(() => gateway.stop());

/** A connection, and what the gateway will have said on it when it closes it. */
async function dial(): Promise<{ socket: Socket; said: Promise<string> }> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname).setNoDelay(true).setEncoding('latin1');
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (part: string) => {
    text += part;
  });
  return { socket, said: once(socket, 'close').then(() => text) };
}

const asked = (method: string, job: string, body = '', ...more: string[]): string =>
  [
    `${method} /api/v1/acme/db1/metrics/job/${job} HTTP/1.1`,
    'Host: x',
    `Authorization: ${bearer}`,
    `Content-Length: ${body.length}`,
    ...more,
    '',
    body,
  ].join('\r\n');

const sized = (name: string, bytes: number): string => `${name} 1\n# ${'x'.repeat(bytes)}\n`;
const last = 'Connection: close';

const shown = async (): Promise<string[]> => {
  gateway.clock.advance(30_001);
  bearer = await gateway.bearer('acme');
  const page = samples(await gateway.page('acme/db1/metrics', bearer));
  return page.map((line) => line.replace(/\{.*/, ''));
};

const sizes = [100, 6_000, 60_000];
/** They come in one piece: of others the end may come after what was sent later. */
const small = [100, 6_000, 12_000];

describe('a push', () => {
  it.each(sizes)('of %i bytes is answered though its sender has closed its half of the connection', async (bytes) => {
    const { socket, said } = await dial();
    socket.end(asked('PUT', 'half', sized('half', bytes)));
    expect(await said).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each(small)('of %i bytes is not overtaken by a DELETE', async (bytes) => {
    const [first, second] = [await dial(), await dial()];
    first.socket.write(asked('PUT', 'gone', sized('gone', bytes), last));
    second.socket.write(asked('DELETE', 'gone', '', last));
    expect([await first.said, await second.said]).toEqual([
      expect.stringMatching(/^HTTP\/1\.1 200 /),
      expect.stringMatching(/^HTTP\/1\.1 202 /),
    ]);
    expect(await shown()).not.toContain('gone');
  });

  it.each(sizes)('of %i bytes is not overtaken by what follows it on its connection', async (bytes) => {
    const { socket, said } = await dial();
    const [put, remove] = [asked('PUT', 'piped', sized('piped', bytes)), asked('DELETE', 'piped', '', last)];
    socket.write(put + remove);
    expect((await said).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 202']);
    expect(await shown()).not.toContain('piped');
  });

  it.each(small)('of %i bytes is not overtaken by a small one', async (bytes) => {
    const [first, second] = [await dial(), await dial()];
    first.socket.write(asked('PUT', 'group', sized('first', bytes), last));
    second.socket.write(asked('PUT', 'group', sized('second', 1), last));
    await Promise.all([first.said, second.said]);
    const page = await shown();
    expect(page).toContain('second');
    expect(page).not.toContain('first');
  });
});
