import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Inflated. */
  readonly body: Buffer;
}

/** An HTTP server that keeps what it is sent, and answers as it is told. */
export class RecordingServer {
  readonly requests: RecordedRequest[] = [];
  private readonly server: Server;

  private constructor(answer: (response: ServerResponse, request: RecordedRequest) => void) {
    this.server = createServer((incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on('error', () => {});
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const sent = Buffer.concat(chunks);
        const body = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
        const request = { method: incoming.method!, path: incoming.url!, headers: incoming.headers, body };
        this.requests.push(request);
        answer(response, request);
      });
    });
  }

  static async start(
    answer: (response: ServerResponse, request: RecordedRequest) => void = (response) => response.writeHead(202).end(),
  ): Promise<RecordingServer> {
    const started = new RecordingServer(answer);
    await new Promise<void>((resolve) => started.server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
