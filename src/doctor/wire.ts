import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, isIP } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { gunzipSync } from 'node:zlib';

export interface Asked {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Inflated. */
  readonly body: Buffer;
  /** As it came over the wire. */
  readonly bytes: number;
  /** Until the last byte. */
  readonly ms: number;
}

/** What a certificate says of itself. */
export interface Handshake {
  /** Node's code for what is wrong with the chain or the name; `undefined` when it is trusted. */
  readonly fault: string | undefined;
  readonly protocol: string;
  readonly endsAt: number;
  readonly names: string;
}

/** The network as the doctor sees it. All reject with an error that has a `code`. */
export interface Wire {
  addressesOf(host: string): Promise<readonly string[]>;
  connect(host: string, port: number): Promise<void>;
  handshake(host: string, port: number): Promise<Handshake>;
  /** Does not judge the certificate: `handshake` has. */
  ask(url: URL, asked?: Asked): Promise<Reply>;
}

/** What the doctor calls itself, so that its own requests are told from those of scrapers. */
export const doctorAgent = 'weir-doctor';

const connectMs = 5_000;
const answerMs = 30_000;
const mostBytes = 256 * 1024 * 1024;

/** `ca` is trusted instead of the system's certificates, as in the configuration of a scraper. */
export function systemWire(ca: Buffer | undefined, monotonic: () => number): Wire {
  const trust: ConnectionOptions = ca === undefined ? {} : { ca };
  return {
    addressesOf: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),

    connect: (host, port) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host, port, timeout: connectMs });
        socket.once('connect', () => {
          socket.destroy();
          resolve();
        });
        socket.once('timeout', () => socket.destroy(coded('ETIMEDOUT', `no connection within ${connectMs} ms`)));
        socket.once('error', reject);
      }),

    handshake: (host, port) =>
      new Promise((resolve, reject) => {
        const name = isIP(host) === 0 ? { servername: host } : {};
        const socket = tlsConnect({ host, port, ...name, ...trust, rejectUnauthorized: false, timeout: connectMs });
        socket.once('secureConnect', () => {
          const certificate = socket.getPeerCertificate();
          const error = socket.authorizationError as (Error & { code?: string }) | string | null | undefined;
          resolve({
            fault: error ? (typeof error === 'string' ? error : (error.code ?? error.message)) : undefined,
            protocol: socket.getProtocol() ?? 'TLS',
            endsAt: Date.parse(certificate.valid_to),
            names: certificate.subjectaltname ?? String(certificate.subject?.CN ?? ''),
          });
          socket.destroy();
        });
        socket.once('timeout', () => socket.destroy(coded('ETIMEDOUT', `no handshake within ${connectMs} ms`)));
        socket.once('error', reject);
      }),

    ask: (url, { method = 'GET', headers = {}, body = '' } = {}) =>
      new Promise((resolve, reject) => {
        const begun = monotonic();
        const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) };
        const options = {
          method,
          headers: { 'user-agent': doctorAgent, ...headers, ...length },
          rejectUnauthorized: false,
          agent: false,
        };
        const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > mostBytes) request.destroy(coded('EMSGSIZE', 'the answer does not end'));
            else chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () => {
            const raw = Buffer.concat(chunks);
            try {
              const inflated = response.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
              const ms = monotonic() - begun;
              resolve({ status: response.statusCode!, headers: response.headers, body: inflated, bytes, ms });
            } catch (error) {
              reject(error);
            }
          });
        });
        request.setTimeout(answerMs, () => request.destroy(coded('ETIMEDOUT', `no answer within ${answerMs} ms`)));
        request.on('error', reject);
        request.end(body);
      }),
  };
}

const coded = (code: string, message: string): Error => Object.assign(new Error(message), { code });
