import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { uncompressSync } from 'snappy';

/** One request as it arrived. */
export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As sent, and after inflating. */
  readonly raw: Buffer;
  readonly body: Buffer;
  readonly at: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** What plays a vendor: writes down what comes and answers as it is told; `hang` and `reset` are answers, too. */
export class Recorder {
  readonly requests: Recorded[] = [];
  /** Those that were answered 2xx. */
  readonly taken: Recorded[] = [];
  answer: (request: Recorded) => Answer | 'hang' | 'reset' = () => ({ status: 202 });
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor() {
    this.server = createServer(async (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const raw = Buffer.concat(chunks);
      const encoding = incoming.headers['content-encoding'];
      const body = encoding === 'gzip' ? gunzipSync(raw) : encoding === 'snappy' ? uncompress(raw) : raw;
      const { method = '', url = '', headers } = incoming;
      const request = { method, path: url, headers, raw, body, at: Date.now() };
      this.requests.push(request);
      const answer = this.answer(request);
      if (answer === 'hang') return;
      if (answer === 'reset') {
        incoming.socket.destroy();
        return;
      }
      if (answer.status < 300) this.taken.push(request);
      outgoing.writeHead(answer.status, answer.headers).end(answer.body);
    });
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {}).once('close', () => this.sockets.delete(socket));
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Open ones. */
  get connections(): number {
    return this.sockets.size;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

const uncompress = (raw: Buffer): Buffer => uncompressSync(raw, { asBuffer: true }) as Buffer;

/** Datadog's series, point by point: `metric{tags} type` to its values by second; a repeated second overwrites. */
export function datadogPoints(requests: readonly Recorded[]): Map<string, Map<number, number>> {
  const found = new Map<string, Map<number, number>>();
  for (const { body } of requests) {
    const { series } = JSON.parse(body.toString()) as { series: DatadogSeries[] };
    for (const { metric, type, tags, points } of series) {
      const key = `${metric}{${[...tags].sort().join(',')}} ${type}`;
      const values = found.get(key) ?? new Map<number, number>();
      found.set(key, values);
      for (const { timestamp, value } of points) values.set(timestamp, value);
    }
  }
  return found;
}

export interface DatadogSeries {
  readonly metric: string;
  readonly type: number;
  readonly interval?: number;
  readonly tags: readonly string[];
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
}
