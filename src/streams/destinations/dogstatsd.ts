import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { parseAddress } from '../../domain/destination.js';
import type { Destination } from '../../domain/stream.js';
import { canonicalAddress, isWithin } from '../../net/addresses.js';
import { dogstatsdPackets } from '../encode/dogstatsd.js';
import type { OpenDestination, Outcome, Reach, Target } from './destination.js';

/** What passes every network in one piece, and what loopback takes. */
const [mostBytes, mostOnLoopback] = [1432, 8192];

/** An agent within the operator's networks, by UDP: nothing tells whether it listens. */
export function openDogstatsd({ destination }: Target, { allowedNetworks, seams }: Reach): OpenDestination<Buffer> {
  const { address } = (destination as Extract<Destination, { type: 'dogstatsd' }>).configuration;
  const { host, port } = parseAddress(address);
  const sockets = new Map<'udp4' | 'udp6', Socket>();
  const socketFor = (to: string): Socket => {
    const family = isIP(to) === 6 ? 'udp6' : 'udp4';
    let socket = sockets.get(family);
    if (socket === undefined) {
      socket = createSocket(family).on('error', () => {});
      socket.unref();
      sockets.set(family, socket);
    }
    return socket;
  };
  const isLoopback = host === 'localhost' || host === '::1' || host.startsWith('127.');
  return {
    parts: async function* (window) {
      yield* dogstatsdPackets(window, isLoopback ? mostOnLoopback : mostBytes);
    },
    send: async (packet) => {
      const found = isIP(host) !== 0 ? [host] : await seams.lookup(host).catch(() => []);
      const addresses = found.map(canonicalAddress);
      const to = addresses[0];
      const allowed = addresses.every((each) => each !== undefined && isWithin(each, allowedNetworks));
      if (to === undefined || !allowed) {
        return failed("The address cannot be used: it must lie within the operator's allowed networks.");
      }
      return new Promise<Outcome>((resolve) => {
        socketFor(to).send(packet, port, to, (error) =>
          resolve(error === null ? delivered : failed(`The datagram could not be sent: ${codeOf(error)}.`)),
        );
      });
    },
    close: async () => {
      for (const socket of sockets.values()) socket.close();
    },
  };
}

const delivered: Outcome = { result: 'delivered', status: null, error: null, answer: '' };
const failed = (error: string): Outcome => ({ result: 'retry', status: null, error, answer: '' });
const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? 'unknown';
