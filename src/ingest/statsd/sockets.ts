import { createSocket } from 'node:dgram';
import { lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, isIPv6, type Socket } from 'node:net';
import { OperatorError } from '../../domain/errors.js';
import { unixScheme } from '../../domain/statsd.js';

export interface PacketHandlers {
  /** The bytes are to be read before it returns. */
  packet(bytes: Buffer): void;
  /** A frame that nobody sends; its connection is closed. */
  tooLong(): void;
  fault(error: unknown): void;
}

export interface PacketSocket {
  readonly address: string;
  /** Resolves when nothing more comes. */
  close(): Promise<void>;
}

/** Packets that come while a page is rendered wait in the kernel. */
const receiveBufferBytes = 4 * 1024 * 1024;
/** As much as a UDP packet holds; Datadog's clients send 8 KiB. */
const longestFrame = 65_536;
const mostConnections = 256;

/** Opens a UDP socket, or a unix stream socket. Rejects with an `OperatorError` when it cannot. */
export const openSocket = (listen: string, handlers: PacketHandlers): Promise<PacketSocket> =>
  listen.startsWith(unixScheme) ? openUnix(listen.slice(unixScheme.length), handlers) : openUdp(listen, handlers);

function openUdp(listen: string, { packet, fault }: PacketHandlers): Promise<PacketSocket> {
  const at = listen.lastIndexOf(':');
  const host = listen.slice(0, at).replace(/^\[|\]$/g, '');
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => reject(cannot(listen, error));
    socket.once('error', refuse);
    socket.bind({ port: Number(listen.slice(at + 1)), ...(host === '' ? {} : { address: host }) }, () => {
      socket.off('error', refuse);
      socket.on('error', fault);
      socket.on('message', packet);
      // The listeners keep the process going, not this.
      socket.unref();
      try {
        socket.setRecvBufferSize(receiveBufferBytes);
      } catch (error) {
        fault(error);
      }
      const { address, port } = socket.address();
      const close = (): Promise<void> => new Promise((closed) => socket.close(() => closed()));
      resolve({ address: isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`, close });
    });
  });
}

/** DogStatsD's stream: each packet after its length, in four bytes, the least significant one first. */
async function openUnix(path: string, handlers: PacketHandlers): Promise<PacketSocket> {
  await removeDeadSocket(path);
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    // Who goes away in the middle of a frame is no fault of ours.
    socket.on('error', () => socket.destroy());
    readFrames(socket, handlers);
  });
  server.maxConnections = mostConnections;
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => reject(cannot(path, error));
    server.once('error', refuse);
    server.listen(path, () => {
      server.off('error', refuse);
      server.on('error', handlers.fault);
      server.unref();
      resolve({
        address: `${unixScheme}${path}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of connections) socket.destroy();
          }),
      });
    });
  });
}

function readFrames(socket: Socket, { packet, tooLong }: PacketHandlers): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    let at = 0;
    while (rest.length - at >= 4) {
      const length = rest.readUInt32LE(at);
      if (length > longestFrame) {
        tooLong();
        socket.destroy();
        return;
      }
      if (rest.length - at - 4 < length) break;
      packet(rest.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    rest = rest.subarray(at);
  });
}

/** A run that ended without cleaning up leaves its socket; one that somebody listens on, or any other file, stays. */
async function removeDeadSocket(path: string): Promise<void> {
  const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
  if (!isSocket) return;
  const isDead = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (isDead) unlinkSync(path);
}

const cannot = (listen: string, error: NodeJS.ErrnoException): OperatorError => {
  const reason = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message;
  return new OperatorError(`Cannot take StatsD on ${listen}: ${reason}.`);
};
