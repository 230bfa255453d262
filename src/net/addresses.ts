import { BlockList, isIP, SocketAddress } from 'node:net';
import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';

/**
 * Whether the address may belong to anybody on the Internet. IPv4 is all but what is set aside; IPv6 is only what is
 * handed out (2000::/3) without what is set aside in it. Forms of IPv6 that carry an IPv4 address are never global: the
 * address inside could be any.
 */
export function isGlobalAddress(address: string): boolean {
  switch (familyOf(address)) {
    case 'ipv4':
      return !special.check(address, 'ipv4');
    case 'ipv6':
      return globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6');
    default:
      return false;
  }
}

/** An IPv4 address in IPv6 form is not within the IPv4 network: nothing honest is written that way. */
export function isWithin(address: string, networks: BlockList): boolean {
  const family = familyOf(address);
  if (family === undefined || (family === 'ipv6' && mapped.check(address, 'ipv6'))) return false;
  return networks.check(address, family);
}

/** One spelling per address; `undefined` for what is none, and for one that is bound to an interface (`%eth0`). */
export function canonicalAddress(address: string): string | undefined {
  const family = familyOf(address);
  return family && new SocketAddress({ address, family }).address;
}

/** Networks as an operator writes them: `10.0.0.0/8`, `fd00::/8`, or a single address. Throws `invalid`. */
export function parseNetworks(texts: readonly string[]): BlockList {
  const networks = new BlockList();
  for (const text of texts) {
    const [, address = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const family = familyOf(address);
    const bits = family === 'ipv4' ? 32 : 128;
    if (family === undefined || Number(prefix ?? bits) > bits) {
      throw new WeirError('invalid', `"${printable(text)}" is not a network; write it like 10.0.0.0/8 or fd00::/8.`);
    }
    networks.addSubnet(address, Number(prefix ?? bits), family);
  }
  return networks;
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}

const globalUnicast = parseNetworks(['2000::/3']);
const mapped = parseNetworks(['::ffff:0:0/96']);

/** From IANA's registries of special-purpose addresses, and one that a cloud uses for itself. */
const special = parseNetworks([
  '0.0.0.0/8', // this network; the first of them is this machine
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT; Alibaba's metadata service
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // Azure's platform service, reachable from within virtual machines only
  '169.254.0.0/16', // link-local; the metadata service of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments; Oracle's metadata service
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarking
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '2001::/23', // protocol assignments: Teredo, benchmarking, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4
  '3fff::/20', // documentation
]);
