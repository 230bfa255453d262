import { lookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http';
import { type BlockList, isIP, connect as netConnect, type Socket } from 'node:net';
import { canonicalAddress, isGlobalAddress, isWithin } from './addresses.js';
import { Deadline } from './deadline.js';
import { EgressError, unreachable } from './egress-error.js';
import { type EgressProxy, tunnel } from './proxy.js';
import { secured } from './secured.js';

export interface EgressRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Framing and `Host` are not the caller's to set. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For all of it: name, connection, answer. */
  readonly timeoutMs: number;
  /** Ends it before its time. */
  readonly signal?: AbortSignal | undefined;
  /** Of the answer's body. */
  readonly maxBytes: number;
  /** Of a longer body only the beginning is read, instead of refusing the answer. */
  readonly cutBody?: boolean;
  readonly allowHttp?: boolean;
  /** Addresses that may be reached although they are not global, and on any port (`parseNetworks`). */
  readonly allowedNetworks?: BlockList | undefined;
  /** Through which all connections go; it resolves names, and says whom it connects to. */
  readonly proxy?: EgressProxy | undefined;
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
 * not used; with `proxy`, names are resolved and checked there instead, and TLS goes through its tunnel. Resolves for every status but 3xx; throws `EgressError`.
 */
export async function guardedFetch(url: string, request: EgressRequest, seams: EgressSeams): Promise<EgressResponse> {
  const target = readTarget(url, request.allowHttp ?? false);
  const headers = readHeaders(request.headers ?? {}, target);
  const deadline = new Deadline(request.timeoutMs, request.signal);
  try {
    const plain = await open(target, request, deadline, seams);
    const socket = target.secure
      ? await deadline.bounds(secured(plain, target.host, deadline, seams.certificates))
      : plain;
    return await deadline.bounds(exchange(socket, target, { ...request, headers }));
  } finally {
    deadline.end();
  }
}

/** Connected to an address that was checked, or through the proxy to where the proxy finds it right. */
async function open(
  target: Target,
  { allowedNetworks, proxy }: EgressRequest,
  deadline: Deadline,
  seams: EgressSeams,
): Promise<Socket> {
  if (proxy === undefined) {
    const addresses = await deadline.bounds(checkedAddresses(target, allowedNetworks, seams));
    return connectToFirst(addresses, target.port, deadline, seams);
  }
  return deadline.bounds(tunnel(proxy, await toProxy(target, allowedNetworks), deadline, seams));
}

/** Names are the proxy's to resolve and to check. Addresses, and the name that stands for one, are checked here, too. */
async function toProxy(
  target: Target,
  allowedNetworks: BlockList | undefined,
): Promise<{ host: string; port: number }> {
  const { host, port } = target;
  const isLocal = /^(.*\.)?localhost\.?$/.test(host);
  if (isIP(host) === 0 && !isLocal) {
    // The networks are for addresses, which only the proxy knows.
    if (!publicPorts.includes(port)) throw refused();
    return { host, port };
  }
  const checked = { ...target, host: isLocal ? '127.0.0.1' : host };
  const [address] = await checkedAddresses(checked, allowedNetworks, { lookup: async () => [] });
  return { host: isLocal ? host : address!, port };
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
    const remedy = url?.protocol === 'http:' ? 'allow-http' : undefined;
    throw new EgressError('request', `The URL must be an ${allowHttp ? 'http or ' : ''}https one.`, undefined, remedy);
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

const refused = (cause?: unknown, remedy?: 'allowed-networks'): EgressError =>
  new EgressError(
    'destination',
    'The host cannot be used: it must have a public address, and the port must be 443 or 4318.',
    cause,
    remedy,
  );

/** Also of a name that does not resolve: the sentence must not tell what there is inside. */
const outOfReach = (cause?: unknown): EgressError => refused(cause, 'allowed-networks');

/** Every one of them must pass: which one would be taken later is not left to chance. */
async function checkedAddresses(
  { host, port }: Target,
  allowedNetworks: BlockList | undefined,
  { lookup }: EgressSeams,
): Promise<string[]> {
  const found = isIP(host) !== 0 ? [host] : await lookup(host).catch((cause) => Promise.reject(outOfReach(cause)));
  const addresses = found.map(canonicalAddress);
  const passes = (address: string | undefined): address is string =>
    address !== undefined &&
    ((allowedNetworks !== undefined && isWithin(address, allowedNetworks)) ||
      (isGlobalAddress(address) && publicPorts.includes(port)));
  if (addresses.length === 0 || !addresses.every(passes)) throw outOfReach();
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
