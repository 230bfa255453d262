import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as send } from 'node:http';
import { isIPv6, connect as netConnect, type Socket } from 'node:net';
import { WeirError } from '../domain/errors.js';
import type { Deadline } from './deadline.js';
import { EgressError, unreachable } from './egress-error.js';
import { secured } from './secured.js';

/** An http proxy that opens tunnels (`CONNECT`, RFC 9110 §9.3.6), such as Smokescreen or squid. */
export interface EgressProxy {
  readonly secure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** For `Proxy-Authorization`; never shown. */
  readonly authorization: string | undefined;
}

/** `http://proxy:3128` or `https://user:password@proxy`. Throws `invalid`, and never quotes it. */
export function parseProxy(text: string): EgressProxy {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isProxy = url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== '';
  const credentials = url && unescaped(`${url.username}:${url.password}`);
  if (!isProxy || credentials === undefined || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new WeirError('invalid', 'Write the URL of an http or https proxy here, such as http://proxy:3128.');
  }
  const secure = url.protocol === 'https:';
  return {
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 443 : 80)),
    authorization: credentials === ':' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

interface Through {
  readonly connect?: (to: { readonly host: string; readonly port: number }) => Socket;
  readonly certificates?: readonly string[];
}

/** A connection to the destination through the proxy, on which nothing has been said yet. Throws `EgressError`. */
export async function tunnel(
  { secure, host, port, authorization }: EgressProxy,
  to: { readonly host: string; readonly port: number },
  deadline: Deadline,
  { connect = netConnect, certificates }: Through,
): Promise<Socket> {
  const plain = deadline.owns(connect({ host, port }));
  await once(plain, 'connect').catch((error: unknown) => Promise.reject(proxyFault(error)));
  const socket = secure
    ? await secured(plain, host, deadline, certificates).catch((error: unknown) => Promise.reject(proxyFault(error)))
    : plain;
  const authority = `${isIPv6(to.host) ? `[${to.host}]` : to.host}:${to.port}`;
  const headers = {
    host: authority,
    ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
  };
  return new Promise((resolve, reject) => {
    const sending: ClientRequest = send({
      createConnection: () => socket,
      host,
      method: 'CONNECT',
      path: authority,
      headers,
      setHost: false,
    });
    sending.on('error', (error) => reject(proxyFault(error)));
    sending.on('connect', ({ statusCode }: IncomingMessage, _socket: Socket, early: Buffer) => {
      if (statusCode! < 200 || statusCode! > 299) reject(refusal(statusCode!));
      // Neither TLS nor http lets a server speak first.
      else if (early.length > 0) reject(unreachable(new Error('the proxy sent more than its answer')));
      else resolve(socket);
    });
    sending.end();
  });
}

const proxyFault = (cause: unknown): EgressError =>
  cause instanceof EgressError && cause.fault === 'timeout'
    ? cause
    : new EgressError('unreachable', "The operator's egress proxy does not answer as it should.", cause);

/** One sentence for what it does not find and what it does not allow: a customer is not to learn our network from it. */
const refusal = (status: number): EgressError =>
  new EgressError(
    'destination',
    "The host cannot be used: the operator's egress proxy does not connect to it.",
    new Error(`the proxy answered CONNECT with ${status}`),
  );
