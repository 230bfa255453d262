import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { rootCertificates, connect as tlsConnect } from 'node:tls';
import type { Deadline } from './deadline.js';
import { EgressError, unreachable } from './egress-error.js';

/** TLS over a connection there is. Nothing is written before the certificate was found to be the host's. */
export async function secured(
  plain: Socket,
  host: string,
  deadline: Deadline,
  certificates: readonly string[] | undefined,
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
