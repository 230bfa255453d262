import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import { TryAgain } from './outbox.js';

/** Sends packets, one at a time. */
export interface PacketSender {
  send(packet: Buffer, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** The name is looked up at the first packet and again after a failure. */
export class UdpSender implements PacketSender {
  private readonly host: string;
  private readonly port: number;
  private socket: Promise<UdpSocket> | undefined;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }

  async send(packet: Buffer): Promise<void> {
    this.socket ??= this.open();
    try {
      const socket = await this.socket;
      await new Promise<void>((resolve, reject) => {
        socket.send(packet, (error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.socket?.then((socket) => socket.close()).catch(() => {});
    this.socket = undefined;
  }

  private open(): Promise<UdpSocket> {
    return new Promise((resolve, reject) => {
      const socket = createSocket(isIPv6(this.host) ? 'udp6' : 'udp4').unref();
      const failed = (error: Error): void => {
        socket.close();
        reject(error);
      };
      socket.once('error', failed);
      socket.connect(this.port, this.host, () => {
        socket.off('error', failed);
        // What a receiver that is not there sends back reaches us with the packet after.
        socket.on('error', () => {});
        resolve(socket);
      });
    });
  }
}

/**
 * The Agent's `dogstatsd_stream_socket`: each packet is led by its length in four bytes, little-endian. Node has no unix
 * datagrams.
 */
export class UnixStreamSender implements PacketSender {
  private readonly path: string;
  private socket: Socket | undefined;

  constructor(path: string) {
    this.path = path;
  }

  async send(packet: Buffer, signal: AbortSignal): Promise<void> {
    const socket = this.socket ?? (await this.open(signal));
    const framed = Buffer.alloc(packet.length + 4);
    framed.writeUInt32LE(packet.length);
    packet.copy(framed, 4);
    await new Promise<void>((resolve, reject) => {
      const broken = (): void => reject(new TryAgain('the socket was closed'));
      // A frame that was written in part would garble all that follow.
      const abort = (): void => {
        this.close();
      };
      signal.addEventListener('abort', abort, { once: true });
      socket.once('close', broken);
      socket.write(framed, (error) => {
        signal.removeEventListener('abort', abort);
        socket.off('close', broken);
        if (error) reject(new TryAgain('the socket does not take it', undefined, error));
        else resolve();
      });
    });
  }

  close(): void {
    this.socket?.destroy();
    this.socket = undefined;
  }

  private open(signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.path });
      const abort = (): void => {
        socket.destroy();
        reject(new TryAgain(`${this.path} does not answer`));
      };
      signal.addEventListener('abort', abort, { once: true });
      socket.once('error', (error) => reject(new TryAgain(`${this.path} cannot be reached`, undefined, error)));
      socket.once('connect', () => {
        signal.removeEventListener('abort', abort);
        socket.unref();
        socket.on('error', () => {});
        // Nothing is expected from there, but an unread end would keep the socket half open.
        socket.resume();
        this.socket = socket;
        resolve(socket);
      });
      socket.once('close', () => {
        if (this.socket === socket) this.socket = undefined;
      });
    });
  }
}
