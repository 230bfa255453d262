import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';
import type { Origin } from '../auth/client-secrets.js';
import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';
import type { Ctx } from './context.js';

/** What a proxy chain may hold at most; nobody honest comes near, and a forged header costs no more than this. */
const mostHops = 32;
const longestHop = 1024;

const longestAgent = 200;

/** For a connection that is gone already, and for one that has no address (a Unix socket). */
const noAddress = '0.0.0.0';

/**
 * The address of the client, always a valid one: IPv4 in dotted form (also when it came as `::ffff:1.2.3.4`), IPv6 in its
 * canonical form. It is the peer's, unless the peer is a trusted proxy: then the nearest one that is not, going backwards
 * through X-Forwarded-For or, without that, through RFC 7239's Forwarded. Each proxy vouches for the entry before its
 * own only, so at what is no address (garbage, `unknown`, `_hidden`) the answer is the proxy that wrote it.
 *
 * A trusted proxy has to append to X-Forwarded-For or replace it; one that writes Forwarded has to drop
 * X-Forwarded-For, because what it lets through is taken as its word.
 */
export function clientAddress(
  remoteAddress: string | undefined,
  headers: IncomingHttpHeaders,
  trusted: TrustedProxies,
): string {
  let nearest = normalized(remoteAddress ?? '') ?? noAddress;
  if (!trusted.has(nearest)) return nearest;
  const forwardedFor = lines(headers['x-forwarded-for']);
  const [list, read] =
    forwardedFor === undefined ? [lines(headers.forwarded), readForwarded] : [forwardedFor, readNode];
  for (const hop of hopsBackwards(list ?? '')) {
    const address = read(hop);
    if (address === undefined) return nearest;
    nearest = address;
    if (!trusted.has(nearest)) return nearest;
  }
  return nearest;
}

/** The networks whose word on addresses is taken. None by default. */
export class TrustedProxies {
  static readonly none = new TrustedProxies([]);
  private readonly networks = new BlockList();
  private readonly isEmpty: boolean;

  /** Addresses and networks such as `10.0.0.0/8` or `fd00::1`; throws `invalid` with every one that is neither. */
  constructor(texts: readonly string[]) {
    this.isEmpty = texts.length === 0;
    const problems = texts.map((text) => this.add(text.trim())).filter((problem) => problem !== undefined);
    if (problems.length > 0) throw new WeirError('invalid', problems.join('\n'));
  }

  has(address: string): boolean {
    return !this.isEmpty && this.networks.check(address, familyOf(address));
  }

  /** What is wrong with it, if something is. */
  private add(text: string): string | undefined {
    const alone = new BlockList();
    const [, written = '', prefix] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const bits = isIP(written) === 4 ? 32 : 128;
    if (isIP(written) === 0 || Number(prefix ?? bits) > bits) {
      return `"${printable(text)}" is not an IP address or network; write it like 10.0.0.0/8, 192.0.2.7 or fd00::/8.`;
    }
    for (const networks of [alone, this.networks]) {
      networks.addSubnet(written, Number(prefix ?? bits), bits === 32 ? 'ipv4' : 'ipv6');
    }
    // An IPv6 network holds the IPv4 addresses whose mapped form it holds: ::ffff:10.0.0.0/8 holds all.
    return alone.check('0.0.0.0') && alone.check('255.255.255.255')
      ? `"${printable(text)}" would let every client choose its address; name the networks of your proxies.`
      : undefined;
  }
}

/** What the client calls itself, fit to be stored and shown: no control characters, 200 characters at most. */
export function userAgent(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['user-agent']?.trim();
  if (text === undefined || text === '') return undefined;
  // What is cut gets an ellipsis.
  return printable(text, text.length > longestAgent ? longestAgent - 1 : longestAgent);
}

/** Where a request comes from; found out once for each. */
export function originOf({ env }: Ctx, trustedProxies: TrustedProxies): Origin {
  const { headers, socket } = env.incoming;
  env.origin ??= { ip: clientAddress(socket.remoteAddress, headers, trustedProxies), agent: userAgent(headers) ?? '' };
  return env.origin;
}

/** Several lines of one header are one list (RFC 9110 §5.3). */
const lines = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(',') : value;

/**
 * The elements of a list from the last to the first, without empty ones (RFC 9110 §5.6.1); one that is too long to be
 * read ends it as `unknown`. Commas within quoted strings part elements, too: what stands before the closing quote then
 * has a stray one at its end, which no reader below takes.
 */
function* hopsBackwards(list: string): Generator<string> {
  let end = list.length;
  for (let hop = 0; hop < mostHops && end >= 0; hop++) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1);
    if (end - comma > longestHop) {
      yield 'unknown';
      return;
    }
    const text = list.slice(comma + 1, end).trim();
    if (text !== '') yield text;
    end = comma;
  }
}

/** A `for` of RFC 7239 §4, from an element that is well-formed as a whole. */
function readForwarded(element: string): string | undefined {
  const pair = /[\t ]*([!#$%&'*+.^_`|~\w-]+)=(?:([^\t ",;=\\]+)|"((?:[^"\\]|\\.)*)")[\t ]*(?:;|$)/y;
  let node: string | undefined;
  while (pair.lastIndex < element.length) {
    const match = pair.exec(element);
    if (match === null) return undefined;
    if (match[1]!.toLowerCase() !== 'for') continue;
    if (node !== undefined) return undefined;
    node = match[2] ?? match[3]!.replace(/\\(.)/g, '$1');
  }
  return node === undefined ? undefined : readNode(node);
}

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`; a port may be obfuscated, as in RFC 7239. */
function readNode(text: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]*)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(text) ?? [];
  return normalized(bracketed ?? dotted ?? text);
}

/** One spelling per address, without the interface it was seen at; `undefined` for what is none. */
function normalized(text: string): string | undefined {
  const version = isIP(text);
  if (version !== 6) return version === 4 ? text : undefined;
  const address = new SocketAddress({ address: text.split('%', 1)[0]!, family: 'ipv6' }).address;
  const mapped = '::ffff:';
  return address.startsWith(mapped) && address.includes('.') ? address.slice(mapped.length) : address;
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6');
