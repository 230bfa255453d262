import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Asked {
  /** `host:port`, as it was asked for. */
  readonly authority: string;
  readonly authorization: string | undefined;
}

/** A real http proxy for `CONNECT`: names are its to resolve, by `routes` from authority to a port on loopback. */
export class ConnectProxy {
  readonly asked: Asked[] = [];
  /** What passed through to the destinations, byte by byte. */
  readonly passed: Buffer[] = [];
  readonly routes = new Map<string, number>();
  /** In place of opening a tunnel: a status, or nothing at all. */
  refuse: ((asked: Asked) => number | 'hang' | undefined) | undefined;
  /** Sent right after the answer, as no honest proxy does. */
  early = '';
  private readonly server;
  private readonly sockets = new Set<Duplex>();

  constructor(tls?: { cert: string | Buffer; key: string | Buffer }) {
    const noRequests: RequestListener = (_, answer) => void answer.writeHead(405).end();
    this.server = tls === undefined ? createServer(noRequests) : createTlsServer(tls, noRequests);
    this.server.on('connect', (request: IncomingMessage, socket: Duplex) => this.open(request, socket));
    this.server.on('connection', (socket: Socket) => this.keep(socket));
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private open({ url = '', headers }: IncomingMessage, socket: Duplex): void {
    this.keep(socket);
    const asked = { authority: url, authorization: headers['proxy-authorization'] };
    this.asked.push(asked);
    const port = this.routes.get(url);
    const refusal = this.refuse?.(asked) ?? (port === undefined ? 502 : undefined);
    if (refusal === 'hang') return;
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} No\r\nContent-Length: 10\r\n\r\n10.0.0.1 !`);
      return;
    }
    const upstream = connect(port!, '127.0.0.1', () => {
      socket.write(`HTTP/1.1 200 Connection established\r\n\r\n${this.early}`);
      socket.on('data', (bytes: Buffer) => this.passed.push(bytes));
      socket.pipe(upstream);
      upstream.pipe(socket);
    });
    this.keep(upstream);
    socket.on('close', () => upstream.destroy());
  }

  private keep(socket: Duplex): void {
    this.sockets.add(socket);
    socket.on('error', () => {}).once('close', () => this.sockets.delete(socket));
  }
}
