import { Agent, type ClientRequest, type IncomingHttpHeaders, request } from 'node:http';

/** An answer as it came: header lines in their order, nothing inflated. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
}

export interface Sent {
  readonly method?: string;
  /** Names and values in turn, so that a name can stand on several lines. */
  readonly headers?: readonly string[];
  /** Where it is sent to, unless said otherwise. */
  readonly host?: string;
  readonly body?: string | Buffer;
  /** Writes the body itself; a request that is neither ended nor destroyed stays under way. */
  readonly write?: (request: ClientRequest) => void;
  readonly agent?: Agent;
}

/**
 * What `fetch` does not let through: repeated header lines, targets with dots and escapes exactly as written, bodies
 * that come in pieces or break off, an answer that is there before the body has been sent.
 */
export function send(origin: string, target: string, options: Sent = {}): Promise<Answer> {
  const { hostname, port } = new URL(origin);
  const { method = 'GET', headers = [], host = `${hostname}:${port}`, body, write, agent } = options;
  // Not `agent: false`: that asks for `Connection: close`, and what the gateway wants would not be seen.
  const own = agent === undefined ? new Agent({ keepAlive: true }) : undefined;
  return new Promise((resolve, reject) => {
    const sending = request({
      hostname,
      port,
      path: target,
      method,
      headers: ['Host', host, ...headers, ...(body === undefined ? [] : lengthOf(body))],
      agent: own ?? agent,
    });
    sending.on('error', reject);
    sending.on('close', () => own?.destroy());
    sending.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: whole,
          text: whole.toString('utf8'),
        });
        // What was not sent yet is not wanted any more.
        if (!sending.writableEnded) sending.destroy();
      });
    });
    if (write === undefined) sending.end(body);
    else write(sending);
  });
}

const lengthOf = (body: string | Buffer): string[] => ['Content-Length', String(Buffer.byteLength(body))];

/** Header lines that tell two answers apart: all but the time of day. */
export function telling({ rawHeaders }: Answer): string[] {
  const lines: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'date') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  return lines;
}

/** Bytes of status line and headers, as they stood on the wire. */
export const headerBytes = ({ rawHeaders }: Answer): number =>
  rawHeaders.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 'HTTP/1.1 200 OK\r\n\r\n'.length);
