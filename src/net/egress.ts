import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http';
import { type BlockList, isIP, connect as netConnect, type Socket } from 'node:net';
import { rootCertificates, connect as tlsConnect } from 'node:tls';
import { canonicalAddress, isGlobalAddress, isWithin } from './addresses.js';

/** Why there is no answer; the message is safe to show, the cause is for the log. */
export type EgressFault =
  | 'request' // the URL or a header is not one we send
  | 'destination' // nowhere we connect to, or nowhere at all: the two look the same
  | 'unreachable' // no connection, no valid certificate, or it broke
  | 'redirect'
  | 'too_large'
  | 'timeout';

export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly fault: EgressFault;

  constructor(fault: EgressFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
  }
}

export interface EgressRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Framing and `Host` are not the caller's to set. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For all of it: name, connection, answer. */
  readonly timeoutMs: number;
  /** Of the answer's body. */
  readonly maxBytes: number;
  /** Of a longer body only the beginning is read, instead of refusing the answer. */
  readonly cutBody?: boolean;
  readonly allowHttp?: boolean;
  /** Addresses that may be reached although they are not global, and on any port (`parseNetworks`). */
  readonly allowedNetworks?: BlockList;
}

export interface EgressResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The network as an argument. */
export interface EgressSeams {
  /** All addresses of a name, in the order in which they are to be tried. */
  readonly lookup: (name: string) => Promise<readonly string[]>;
  readonly connect?: (to: { readonly host: string; readonly port: number }) => Socket;
  /** Certificates in PEM that are trusted beside the usual ones. */
  readonly certificates?: readonly string[];
}

export const systemLookup = async (name: string): Promise<readonly string[]> =>
  (await lookup(name, { all: true })).map(({ address }) => address);

/**
 * One request to a place somebody else chose, without becoming their way into our network. The name is resolved once; if
 * any of its addresses is not public, or the port is not one for metrics or keys, nothing is sent. The connection goes
 * to an address that was checked, under the name's certificate. Redirects are not followed, proxies in the environment
 * not used. Resolves for every status but 3xx; throws `EgressError`.
 */
export async function guardedFetch(url: string, request: EgressRequest, seams: EgressSeams): Promise<EgressResponse> {
  const target = readTarget(url, request.allowHttp ?? false);
  const headers = readHeaders(request.headers ?? {}, target);
  const deadline = new Deadline(request.timeoutMs);
  try {
    const addresses = await deadline.bounds(checkedAddresses(target, request.allowedNetworks, seams));
    const plain = await connectToFirst(addresses, target.port, deadline, seams);
    const socket = target.secure ? await deadline.bounds(secured(plain, target, deadline, seams)) : plain;
    return await deadline.bounds(exchange(socket, target, { ...request, headers }));
  } finally {
    deadline.end();
  }
}

interface Target {
  readonly secure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly hostHeader: string;
  readonly path: string;
}

/** The URL standard turns hosts in octal, hex, single numbers, wide digits or escapes into plain addresses. */
function readTarget(text: string, allowHttp: boolean): Target {
  const url = text.length <= 2048 && URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'https:';
  if (url === undefined || !(secure || (allowHttp && url.protocol === 'http:'))) {
    throw new EgressError('request', `The URL must be an ${allowHttp ? 'http or ' : ''}https one.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new EgressError('request', 'The URL must not carry a user name or password.');
  }
  return {
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 443 : 80)),
    hostHeader: url.host,
    path: `${url.pathname}${url.search}`,
  };
}

const ours = /^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*)$/i;

function readHeaders(given: Readonly<Record<string, string>>, { hostHeader }: Target): Record<string, string> {
  for (const [name, value] of Object.entries(given)) {
    const fits = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
    if (!fits || ours.test(name)) {
      throw new EgressError('request', 'A header cannot be sent: its name is reserved, or its text is not allowed.');
    }
  }
  return { ...given, host: hostHeader };
}

const publicPorts = [443, 4318];

/** Every one of them must pass: which one would be taken later is not left to chance. */
async function checkedAddresses(
  { host, port }: Target,
  allowedNetworks: BlockList | undefined,
  { lookup }: EgressSeams,
): Promise<string[]> {
  const refused = (cause?: unknown): EgressError =>
    new EgressError(
      'destination',
      'The host cannot be used: it must have a public address, and the port must be 443 or 4318.',
      cause,
    );
  const found = isIP(host) !== 0 ? [host] : await lookup(host).catch((cause) => Promise.reject(refused(cause)));
  const addresses = found.map(canonicalAddress);
  const passes = (address: string | undefined): address is string =>
    address !== undefined &&
    ((allowedNetworks !== undefined && isWithin(address, allowedNetworks)) ||
      (isGlobalAddress(address) && publicPorts.includes(port)));
  if (addresses.length === 0 || !addresses.every(passes)) throw refused();
  return addresses;
}

/** One after the other, each with its share of the time, so that a dead one (IPv6, mostly) does not use it all up. */
async function connectToFirst(
  addresses: readonly string[],
  port: number,
  deadline: Deadline,
  { connect = netConnect }: EgressSeams,
): Promise<Socket> {
  const tried = addresses.slice(0, 4);
  let failure: unknown;
  for (const host of tried) {
    const socket = deadline.owns(connect({ host, port }));
    try {
      await connected(socket, deadline.totalMs / (tried.length + 1));
    } catch (error) {
      socket.destroy();
      if (error instanceof EgressError) throw error;
      failure = error;
      continue;
    }
    if (canonicalAddress(socket.remoteAddress ?? '') === host) return socket;
    socket.destroy();
    throw unreachable(new Error('connected to another address than the one that was checked'));
  }
  throw unreachable(failure);
}

const connected = (socket: Socket, withinMs: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no connection in time')), withinMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });

/** Nothing is written before the certificate was found to be the name's. */
async function secured(
  plain: Socket,
  { host }: Target,
  deadline: Deadline,
  { certificates }: EgressSeams,
): Promise<Socket> {
  // A name's final dot belongs neither into SNI nor into a certificate; an address has no SNI at all (RFC 6066 §3).
  const name = host.replace(/\.$/, '');
  const socket = deadline.owns(
    tlsConnect({
      socket: plain,
      host: name,
      ...(isIP(host) === 0 ? { servername: name } : {}),
      ...(certificates === undefined ? {} : { ca: [...rootCertificates, ...certificates] }),
      ALPNProtocols: ['http/1.1'],
      // Said aloud because an environment variable could say otherwise.
      rejectUnauthorized: true,
    }),
  );
  try {
    await once(socket, 'secureConnect');
    return socket;
  } catch (error) {
    throw error instanceof EgressError ? error : unreachable(error);
  }
}

function exchange(
  socket: Socket,
  { path, host }: Target,
  { method, headers, body, maxBytes, cutBody }: EgressRequest,
): Promise<EgressResponse> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(error instanceof EgressError ? error : unreachable(error));
    socket.on('error', fail);
    let sending: ClientRequest;
    try {
      sending = send({ createConnection: () => socket, host, method, path, headers: { ...headers }, setHost: false });
    } catch (error) {
      fail(new EgressError('request', 'The request cannot be sent.', error));
      return;
    }
    sending.on('error', fail);
    // Without a listener Node would close the connection and say nothing.
    sending.on('upgrade', () => fail(new Error('the host switched protocols')));
    sending.on('response', (response) => readAnswer(response, maxBytes, cutBody ?? false).then(resolve, fail));
    sending.end(body);
  });
}

async function readAnswer(response: IncomingMessage, maxBytes: number, cutBody: boolean): Promise<EgressResponse> {
  const status = response.statusCode!;
  if (status >= 300 && status < 400) {
    throw new EgressError('redirect', 'The host answered with a redirect, which is not followed; give the final URL.');
  }
  const tooLarge = new EgressError('too_large', `The answer is larger than ${maxBytes} bytes.`);
  if (!cutBody && Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes && !cutBody) throw tooLarge;
    chunks.push(chunk);
    // The caller closes the connection.
    if (size > maxBytes) break;
  }
  return { status, headers: response.headers, body: Buffer.concat(chunks).subarray(0, maxBytes) };
}

const unreachable = (cause: unknown): EgressError =>
  new EgressError('unreachable', 'The host does not answer as it should, or its certificate is not valid.', cause);

/** One end for all steps of a request: what it owns is destroyed then. */
class Deadline {
  readonly totalMs: number;
  private readonly sockets: Socket[] = [];
  private readonly passed: Promise<never>;
  private readonly timer: NodeJS.Timeout;

  constructor(totalMs: number) {
    this.totalMs = totalMs;
    let pass: (error: EgressError) => void;
    this.passed = new Promise((_, reject) => {
      pass = reject;
    });
    // Nobody may be waiting for it.
    this.passed.catch(() => {});
    this.timer = setTimeout(() => {
      const error = new EgressError('timeout', `There was no whole answer within ${totalMs / 1000} s.`);
      pass(error);
      for (const socket of this.sockets) socket.destroy(error);
    }, totalMs);
  }

  owns<S extends Socket>(socket: S): S {
    this.sockets.push(socket);
    // Who waits on it hears of errors himself; between two steps nobody does.
    socket.on('error', () => {});
    return socket;
  }

  bounds<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.passed]);
  }

  end(): void {
    clearTimeout(this.timer);
    for (const socket of this.sockets) socket.destroy();
  }
}
