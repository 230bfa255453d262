import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalAddress, isGlobalAddress, isWithin, parseNetworks } from '../../src/net/addresses.js';

/** First and last address of every range that is set aside, and the neighbours that are not. */
const edges: Record<string, { inside: string[]; outside: string[] }> = {
  'this network': { inside: ['0.0.0.0', '0.255.255.255'], outside: ['1.0.0.0'] },
  'private 10/8': { inside: ['10.0.0.0', '10.255.255.255'], outside: ['9.255.255.255', '11.0.0.0'] },
  'carrier-grade NAT': { inside: ['100.64.0.0', '100.127.255.255'], outside: ['100.63.255.255', '100.128.0.0'] },
  loopback: { inside: ['127.0.0.0', '127.0.0.1', '127.255.255.255'], outside: ['126.255.255.255', '128.0.0.0'] },
  'Azure platform': { inside: ['168.63.129.16'], outside: ['168.63.129.15', '168.63.129.17'] },
  'link-local': { inside: ['169.254.0.0', '169.254.169.254', '169.254.255.255'], outside: ['169.253.255.255'] },
  'private 172.16/12': { inside: ['172.16.0.0', '172.31.255.255'], outside: ['172.15.255.255', '172.32.0.0'] },
  'protocol assignments': { inside: ['192.0.0.0', '192.0.0.192', '192.0.0.255'], outside: ['192.0.1.0'] },
  'documentation 1': { inside: ['192.0.2.0', '192.0.2.255'], outside: ['192.0.3.0'] },
  '6to4 relays': { inside: ['192.88.99.0', '192.88.99.255'], outside: ['192.88.98.255', '192.88.100.0'] },
  'private 192.168/16': { inside: ['192.168.0.0', '192.168.255.255'], outside: ['192.167.255.255', '192.169.0.0'] },
  benchmarking: { inside: ['198.18.0.0', '198.19.255.255'], outside: ['198.17.255.255', '198.20.0.0'] },
  'documentation 2': { inside: ['198.51.100.0', '198.51.100.255'], outside: ['198.51.99.255', '198.51.101.0'] },
  'documentation 3': { inside: ['203.0.113.0', '203.0.113.255'], outside: ['203.0.112.255', '203.0.114.0'] },
  'multicast and reserved': {
    inside: ['224.0.0.0', '239.255.255.255', '240.0.0.0', '255.255.255.255'],
    outside: ['223.255.255.255'],
  },
  'IPv6 unspecified, loopback': { inside: ['::', '::1'], outside: [] },
  'IPv6 with IPv4 inside': {
    inside: ['::8.8.8.8', '::ffff:8.8.8.8', '::ffff:0:8.8.8.8', '64:ff9b::8.8.8.8', '64:ff9b:1::8.8.8.8'],
    outside: [],
  },
  'IPv6 discard': { inside: ['100::', '100::ffff:ffff:ffff:ffff', '100:0:0:1::'], outside: [] },
  'IPv6 below and above what is handed out': { inside: ['1fff:ffff::', '4000::', '5f00::1'], outside: ['2000::'] },
  'IPv6 protocol assignments': {
    inside: ['2001::1', '2001:0:4136:e378::1', '2001:2::1', '2001:10::1', '2001:20::1', '2001:1ff:ffff::'],
    outside: ['2001:200::', '2001:4860:4860::8888'],
  },
  'IPv6 documentation': {
    inside: ['2001:db8::', '2001:db8:ffff::1', '3fff::1', '3fff:fff::1'],
    outside: ['2001:db9::'],
  },
  '6to4': { inside: ['2002::', '2002:7f00:1::', '2002:ffff::'], outside: ['2003::', '2606:4700::1111'] },
  'IPv6 unique local': { inside: ['fc00::', 'fd00:ec2::254', 'fdff::1'], outside: [] },
  'IPv6 link-local and site-local': { inside: ['fe80::1', 'febf::1', 'fec0::1', 'feff::1'], outside: [] },
  'IPv6 multicast': { inside: ['ff00::', 'ff02::1', 'ffff::'], outside: [] },
};

describe('an address', () => {
  it.each(Object.keys(edges))('of range "%s" is not global, its neighbours are', (range) => {
    const { inside, outside } = edges[range]!;
    expect(inside.filter(isGlobalAddress)).toEqual([]);
    expect(outside.filter((address) => !isGlobalAddress(address))).toEqual([]);
  });

  it('that is none, or is bound to an interface, is not global', () => {
    const none = [
      '',
      'localhost',
      '8.8.8',
      '8.8.8.8.',
      ' 8.8.8.8',
      '8.8.8.8\n',
      '0x08080808',
      '134744072',
      '[2606::1]',
    ];
    expect([...none, '2606:4700::1111%eth0', '08.8.8.8', '8.8.8.8/32'].filter(isGlobalAddress)).toEqual([]);
  });

  it('is judged the same in every spelling', () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (parts) => {
        const short = parts.map((part) => part.toString(16)).join(':');
        const long = parts.map((part) => part.toString(16).padStart(4, '0').toUpperCase()).join(':');
        expect(isGlobalAddress(long)).toBe(isGlobalAddress(short));
        expect(canonicalAddress(long)).toBe(canonicalAddress(short));
        expect(isGlobalAddress(canonicalAddress(long)!)).toBe(isGlobalAddress(long));
      }),
    );
  });

  it('is never global as IPv4 inside IPv6', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, octet, octet, (a, b, c, d) => {
        const dotted = `${a}.${b}.${c}.${d}`;
        const hex = [a * 256 + b, c * 256 + d].map((group) => group.toString(16)).join(':');
        const forms = [`::${dotted}`, `::ffff:${dotted}`, `::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`];
        expect(forms.filter(isGlobalAddress)).toEqual([]);
      }),
    );
  });
});

describe('networks', () => {
  it('are read as an operator writes them', () => {
    const networks = parseNetworks(['10.0.0.0/8', '192.168.7.7', 'fd00::/8', '::1']);
    const inside = ['10.1.2.3', '192.168.7.7', 'fd12::1', '::1'];
    const outside = ['11.0.0.1', '192.168.7.8', 'fc00::1', '::2', '::ffff:10.1.2.3', '::ffff:a01:203', 'fd12::1%eth0'];
    expect(inside.filter((address) => !isWithin(address, networks))).toEqual([]);
    expect(outside.filter((address) => isWithin(address, networks))).toEqual([]);
  });

  it.each([
    '',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0/8',
    'localhost',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '010.0.0.0/8',
  ])('are refused when written as "%s"', (text) => {
    expect(() => parseNetworks(['10.0.0.0/8', text])).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
