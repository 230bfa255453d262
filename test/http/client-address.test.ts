import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientAddress, TrustedProxies, userAgent } from '../../src/http/client-address.js';
import { codePoint } from '../support/code-point.js';

const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);
const proxy = '10.0.0.1';
const viaXff = (list: string | string[], remote = proxy) =>
  clientAddress(remote, { 'x-forwarded-for': list } as IncomingHttpHeaders, proxies);
const viaForwarded = (list: string) => clientAddress(proxy, { forwarded: list }, proxies);

describe('the address of a client', () => {
  it('is the peer’s when nobody is trusted, whatever the headers say', () => {
    const forged = { 'x-forwarded-for': '1.1.1.1', forwarded: 'for=1.1.1.1', 'x-real-ip': '1.1.1.1' };
    for (const peer of ['198.51.100.9', '127.0.0.1', '::1', proxy]) {
      expect(clientAddress(peer, forged, TrustedProxies.none)).toBe(peer);
    }
  });

  it('is the peer’s when the peer is not a trusted proxy, whatever the headers say', () => {
    const forged = { 'x-forwarded-for': '1.1.1.1, 10.0.0.2', forwarded: 'for=1.1.1.1' };
    for (const peer of ['198.51.100.9', '11.0.0.1', '192.0.2.8', 'fe00::1', '2001:db8::1', '::1']) {
      expect(clientAddress(peer, forged, proxies)).toBe(peer);
    }
  });

  it.each(['10.255.255.255', '192.0.2.7', 'fdff::1', '::ffff:10.0.0.1', '::ffff:a00:1'])(
    'is the one the trusted proxy %s saw',
    (peer) => {
      expect(viaXff('198.51.100.9', peer)).toBe('198.51.100.9');
    },
  );

  it.each([
    ['198.51.100.9', '198.51.100.9'],
    ['6.6.6.6, 198.51.100.9', '198.51.100.9'],
    ['6.6.6.6, 198.51.100.9, 10.0.0.2,fd00::3', '198.51.100.9'],
    ['6.6.6.6,198.51.100.9,,10.0.0.2 , ', '198.51.100.9'],
    ['garbage, 198.51.100.9', '198.51.100.9'],
    ['10.0.0.9, 10.0.0.8', '10.0.0.9'],
    ['', proxy],
    [' ,, ', proxy],
  ])('is the nearest in X-Forwarded-For that is not trusted: %s', (list, address) => {
    expect(viaXff(list)).toBe(address);
  });

  it('is read from several lines of X-Forwarded-For as from one', () => {
    expect(viaXff(['6.6.6.6', '198.51.100.9', '10.0.0.2'])).toBe('198.51.100.9');
  });

  it.each([
    ['198.51.100.9:4711', '198.51.100.9'],
    ['2001:DB8:0:0:0:0:0:9', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
    ['[2001:db8::9]:443', '2001:db8::9'],
    ['::ffff:198.51.100.9', '198.51.100.9'],
    ['[::FFFF:c633:6409]:80', '198.51.100.9'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[fe80::1%eth0]:80', 'fe80::1'],
  ])('has one spelling: %s', (written, address) => {
    expect(viaXff(written)).toBe(address);
  });

  it.each([
    ['2001:DB8:0:0:0:0:0:9', '2001:db8::9'],
    ['::ffff:198.51.100.9', '198.51.100.9'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('has one spelling as a peer’s: %s', (written, address) => {
    expect(clientAddress(written, {}, TrustedProxies.none)).toBe(address);
  });

  it.each([
    'unknown',
    '_hidden',
    'example.com',
    '198.51.100.256',
    '198.51.100.9:',
    '198.51.100.9:port',
    '198.51.100.9:123456',
    '198.51.100.09',
    '198.51.100.9 10.0.0.3',
    '198.51.100.9;10.0.0.3',
    '"198.51.100.9"',
    '[2001:db8::9',
    '2001:db8::9]:80',
    '[2001:db8::9]80',
    '[]',
    ':::',
    'for=198.51.100.9',
    '１.１.１.１',
  ])('is the proxy’s that wrote %s, which is no address', (garbage) => {
    expect(viaXff(`6.6.6.6, ${garbage}`)).toBe(proxy);
    expect(viaXff(`6.6.6.6, ${garbage}, 10.0.0.2`)).toBe('10.0.0.2');
  });

  it('is read from Forwarded only when there is no X-Forwarded-For', () => {
    const both = { 'x-forwarded-for': '198.51.100.9', forwarded: 'for=203.0.113.5' };
    expect(clientAddress(proxy, both, proxies)).toBe('198.51.100.9');
    expect(clientAddress(proxy, { forwarded: 'for=203.0.113.5' }, proxies)).toBe('203.0.113.5');
    expect(clientAddress(proxy, { ...both, 'x-forwarded-for': '' }, proxies)).toBe(proxy);
  });

  it.each([
    ['for=198.51.100.9', '198.51.100.9'],
    ['for=6.6.6.6, for=198.51.100.9;proto=https;by=10.0.0.1', '198.51.100.9'],
    ['for=6.6.6.6, by=_x; For="198.51.100.9:80" ;host=example.com, for="[fd00::3]:_port"', '198.51.100.9'],
    ['for="[2001:DB8::9]:4711"', '2001:db8::9'],
    ['for="[2001:db8::9]"', '2001:db8::9'],
    ['for="\\1\\9\\8.51.100.9"', '198.51.100.9'],
    ['for=198.51.100.9:4711', '198.51.100.9'],
    ['host="say \\"hi\\"; for=6.6.6.6";for=198.51.100.9', '198.51.100.9'],
    ['for="never closed, for=198.51.100.9', '198.51.100.9'],
    ['for=198.51.100.9;', '198.51.100.9'],
  ])('is the nearest in Forwarded that is not trusted: %s', (list, address) => {
    expect(viaForwarded(list)).toBe(address);
  });

  it.each([
    'for=unknown',
    'for=_hidden',
    'for="_hidden:80"',
    'for=""',
    'for=',
    'for',
    'proto=https;by=10.0.0.1',
    'for=198.51.100.9;for=198.51.100.8',
    'for=198.51.100.9;;proto=https',
    'for=198.51.100.9 proto=https',
    'for="198.51.100.9',
    'for=198.51.100.9"',
    '198.51.100.9',
    'fo r=198.51.100.9',
  ])('is the proxy’s that wrote %s, which names nobody', (element) => {
    expect(viaForwarded(`for=6.6.6.6, ${element}`)).toBe(proxy);
    expect(viaForwarded(`for=6.6.6.6, ${element}, for=10.0.0.2`)).toBe('10.0.0.2');
  });

  it.each([
    'x, for=6.6.6.6',
    'x, for=6.6.6.6;host=',
    'x, for=6.6.6.6, y',
    'x, for=6.6.6.6;host=\\"y',
    'x\\", for=6.6.6.6;host=\\"',
  ])('is not forged through a host that a proxy repeats in quotes: %s', (host) => {
    expect(viaForwarded(`for=198.51.100.9;host="${host}"`)).not.toBe('6.6.6.6');
  });

  it('takes no longer for a header that is all of what a header may be', () => {
    const size = 16_000;
    const hostile = [
      ',',
      '10.0.0.2,',
      '[',
      '[:',
      ':',
      '1.',
      'for=10.0.0.2,',
      'for="',
      'for="\\',
      'a=b;',
      '" ',
      '\t',
      ' =',
      'for=10.0.0.2;',
    ].flatMap((piece) => {
      const list = piece.repeat(size / piece.length);
      return [list, `${list}, 10.0.0.2`, `${list}, for=10.0.0.2`];
    });
    const began = performance.now();
    for (const list of hostile) {
      for (const address of [viaXff(list), viaForwarded(list)]) expect(proxies.has(address)).toBe(true);
    }
    // Together; work that grows with the square of the length takes seconds.
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('is looked for behind 32 proxies at most', () => {
    const chain = (hops: number) => viaXff(['198.51.100.9', ...new Array<string>(hops).fill('10.0.0.2')]);
    expect(chain(31)).toBe('198.51.100.9');
    expect(chain(32)).toBe('10.0.0.2');
  });

  it('is not read from an entry too long to be one, whatever its end', () => {
    const blanks = ' '.repeat(1100);
    expect(viaXff(`198.51.100.9${blanks}`)).toBe(proxy);
    expect(viaForwarded(`for=198.51.100.9${blanks}`)).toBe(proxy);
  });

  it('is the unspecified one when the connection has none', () => {
    expect(clientAddress(undefined, { 'x-forwarded-for': '1.1.1.1' }, proxies)).toBe('0.0.0.0');
  });

  const piece = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom(
      '10.0.0.2',
      'fd00::1',
      '::ffff:10.0.0.2',
      'for=',
      'For="',
      '"',
      '[',
      ']',
      ':',
      ':80',
      ',',
      ', ',
      ';',
    ),
    fc.constantFrom(
      '%eth0',
      '%',
      '=',
      '\\',
      ' ',
      '\t',
      'unknown',
      '_x',
      'proto=https',
      'host="a,b"',
      '.',
      '0',
      '\u0000',
    ),
    fc.string({ unit: codePoint, maxLength: 5 }),
  );
  const headerText = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
  const headerValue = fc.option(fc.oneof(headerText, fc.array(headerText, { maxLength: 3 })), { nil: undefined });

  it('is always a valid one in its one spelling, for any peer and any headers', () => {
    const remote = fc.option(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant(proxy), headerText), { nil: undefined });
    fc.assert(
      fc.property(remote, headerValue, headerValue, (peer, xff, forwarded) => {
        const headers = { 'x-forwarded-for': xff, forwarded } as IncomingHttpHeaders;
        const address = clientAddress(peer, headers, proxies);
        expect(isIP(address)).not.toBe(0);
        expect(address).not.toMatch(/^::ffff:[\d.]+$|%|[A-Z]/);
        expect(clientAddress(address, {}, proxies)).toBe(address);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on what stands before the entry of the first trusted proxy', () => {
    const client = fc
      .oneof(fc.ipV4(), fc.ipV6())
      .filter((address) => !proxies.has(clientAddress(address, {}, proxies)));
    fc.assert(
      fc.property(headerText, client, fc.nat(3), (forged, address, hops) => {
        const behind = ', 10.0.0.2'.repeat(hops);
        expect(viaXff(`${forged}, ${address}${behind}`)).toBe(clientAddress(address, {}, proxies));
        const quoted = `for="[${address}]"${behind.replaceAll('10.', 'for=10.')}`;
        expect(viaForwarded(`${forged}, ${quoted}`)).toBe(clientAddress(address, {}, proxies));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the list of trusted proxies', () => {
  it.each([
    ['10.1.2.3/8', '10.200.0.1', '11.0.0.0'],
    ['192.0.2.7/32', '192.0.2.7', '192.0.2.8'],
    [' 192.0.2.7 ', '192.0.2.7', '192.0.2.8'],
    ['2001:DB8::/33', '2001:db8:7fff::1', '2001:db8:8000::1'],
    ['::1', '::1', '::2'],
    ['::ffff:10.0.0.0/104', '10.200.0.1', '11.0.0.0'],
    ['::ffff:10.0.0.1', '10.0.0.1', '10.0.0.2'],
  ])('takes %s', (text, inside, outside) => {
    const trusted = new TrustedProxies([text]);
    expect([trusted.has(inside), trusted.has(outside)]).toEqual([true, false]);
  });

  it.each(['', 'proxy.example.com', '10.0.0.0/33', 'fd00::/129', '10.0.0/8', '10.0.0.1/', '10.0.0.1/8/8', '/8'])(
    'refuses "%s", and says what to write',
    (text) => {
      expect(() => new TrustedProxies([text])).toThrow(
        `"${text}" is not an IP address or network; write it like 10.0.0.0/8, 192.0.2.7 or fd00::/8.`,
      );
    },
  );

  it.each(['fe80::1%eth0', '10.0.0.0/-1', '10.0.0.0/ 8', '10.0.0.0/1e1', '010.0.0.1', '10.0.0.1,10.0.0.2', '*'])(
    'refuses %s',
    (text) => {
      expect(() => new TrustedProxies([text])).toThrow('is not an IP address or network');
    },
  );

  it.each(['0.0.0.0/0', '10.0.0.0/0', '::/0', '::/1', '::ffff:0:0/96', '::ffff:10.0.0.0/8'])(
    'refuses %s, which holds everybody',
    (text) => {
      expect(() => new TrustedProxies([text])).toThrow('would let every client choose its address');
    },
  );

  it('names every entry that is wrong', () => {
    const wrong = () => new TrustedProxies(['10.0.0.0/8', 'one', '192.0.2.7', '::/0']);
    expect(wrong).toThrow(/"one".*\n.*"::\/0"/);
  });
});

describe('the user agent', () => {
  it('is kept as it is', () => {
    expect(userAgent({ 'user-agent': ' Prometheus/3.5.0 (linux; amd64) ' })).toBe('Prometheus/3.5.0 (linux; amd64)');
  });

  it.each([{}, { 'user-agent': '' }, { 'user-agent': ' \t ' }])('is undefined when there is none: %j', (headers) => {
    expect(userAgent(headers)).toBeUndefined();
  });

  it('has no control characters and 200 characters at most, whatever was sent', () => {
    expect(userAgent({ 'user-agent': 'a\r\nb\u001b[31m\u0085\u007f' })).toBe('a??b?[31m??');
    expect(userAgent({ 'user-agent': 'x'.repeat(200) })).toBe('x'.repeat(200));
    expect(userAgent({ 'user-agent': 'x'.repeat(201) })).toBe(`${'x'.repeat(199)}…`);
    fc.assert(
      fc.property(fc.string({ unit: codePoint, maxLength: 300 }), (text) => {
        const agent = userAgent({ 'user-agent': text }) ?? '';
        expect(agent.length).toBeLessThanOrEqual(200);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        expect(agent).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });
});
