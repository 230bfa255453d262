import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { type ReadEvent, type ReadMetric, readPacket } from './dogstatsd-reader.js';

/** What came, and a bounded wait for more. */
export class Received {
  readonly packets: Buffer[] = [];
  private readonly arrivals = new EventEmitter();

  arrived(packet: Buffer): void {
    this.packets.push(packet);
    this.arrivals.emit('packet');
  }

  get metrics(): ReadMetric[] {
    return this.packets.flatMap((packet) => readPacket(packet).metrics);
  }

  get events(): ReadEvent[] {
    return this.packets.flatMap((packet) => readPacket(packet).events);
  }

  async until(enough: (received: this) => boolean, ms = 5000): Promise<void> {
    const signal = AbortSignal.timeout(ms);
    while (!enough(this)) {
      await once(this.arrivals, 'packet', { signal }).catch((error: unknown) => {
        const came = this.packets.join('\n---\n').slice(0, 2000);
        throw new Error(`waited in vain; there came ${came}`, { cause: error });
      });
    }
  }
}

/** A raw UDP socket. */
export async function listenUdp(): Promise<Received & { readonly port: number; close(): void }> {
  const received = new Received();
  const socket = createSocket('udp4');
  socket.on('message', (packet) => received.arrived(packet));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return Object.assign(received, { port: socket.address().port, close: () => void socket.close() });
}

/** A unix stream socket as the Agent has one: frames led by their length in four bytes, little-endian. */
export async function listenUnix(path: string): Promise<Received & { close(): Promise<void> }> {
  const received = new Received();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE()) {
        const size = rest.readUInt32LE();
        // The Agent gives up a connection with a frame beyond its buffer.
        if (size > 8192) return void socket.destroy();
        received.arrived(rest.subarray(4, 4 + size));
        rest = rest.subarray(4 + size);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        rmSync(path, { force: true });
        resolve();
      });
      for (const socket of sockets) socket.destroy();
    });
  return Object.assign(received, { close });
}
