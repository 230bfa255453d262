import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { type Ctx, readBody } from '../../src/http/context.js';

it('a body whose sender has gone before it is asked for is refused, not waited for', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc');
    const [incoming, outgoing] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
    incoming.on('error', () => {});
    socket.destroy();
    await new Promise((resolve) => incoming.once('close', resolve));
    const c = { env: { incoming, outgoing } } as Ctx;
    await expect(readBody(c, 0, () => new Error('too large'))).rejects.toThrow('ended early');
  } finally {
    server.close();
  }
});
