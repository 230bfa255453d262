/** IPv4 addresses that must not be reached, one or two of each kind. */
const ipv4 = [
  '0.0.0.0',
  '10.1.2.3',
  '100.100.100.200',
  '127.0.0.1',
  '127.8.8.8',
  '168.63.129.16',
  '169.254.169.254',
  '172.31.255.254',
  '192.0.0.192',
  '192.168.1.1',
  '198.18.0.1',
  '203.0.113.7',
  '224.0.0.251',
  '255.255.255.255',
];

const ipv6 = [
  '::',
  '::1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::1',
  '3fff::1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::7f00:1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '::ffff:8.8.8.8',
];

/** As a resolver would answer. */
export const badAddresses: readonly string[] = [
  ...ipv4,
  ...ipv6,
  ...ipv4.map((address) => `::ffff:${address}`),
  'fe80::1%eth0',
  'not an address',
];

/** As the host of a URL, in the spellings that have got past other guards. */
export function addressForms(): string[] {
  const forms = new Set<string>();
  for (const address of ipv4) {
    const bytes = address.split('.').map(Number);
    const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    const hex = [0, 2].map((at) => (bytes[at]! * 256 + bytes[at + 1]!).toString(16)).join(':');
    const each = (spell: (byte: number) => string): string => bytes.map(spell).join('.');
    for (const form of [
      address,
      `${address}.`,
      String(number),
      `${number}.`,
      `0x${number.toString(16)}`,
      `0X${number.toString(16).toUpperCase()}`,
      `0${number.toString(8)}`,
      `0000000000${number.toString(8)}`,
      each((byte) => `0x${byte.toString(16)}`),
      each((byte) => `0${byte.toString(8)}`),
      each((byte) => `000${byte.toString(8)}`),
      `0x${bytes[0]!.toString(16)}.${bytes[1]}.0${bytes[2]!.toString(8)}.${bytes[3]}`,
      `${bytes[0]}.${bytes[1]}.${bytes[2]! * 256 + bytes[3]!}`,
      `${bytes[0]}.${bytes[1]! * 65_536 + bytes[2]! * 256 + bytes[3]!}`,
      address.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
      address.replaceAll('.', '。'),
      address.replaceAll('.', '．'),
      address.replaceAll('.', '%2e'),
      address.replace(/\d/g, (digit) => `%3${digit}`),
      `[::ffff:${address}]`,
      `[::FFFF:${hex}]`,
      `[0:0:0:0:0:ffff:${hex}]`,
      `[::${address}]`,
      `[64:ff9b::${address}]`,
      `[64:ff9b:1::${hex}]`,
      `[2002:${hex}::1]`,
      `[2001:0:${hex}::1]`,
    ]) {
      forms.add(form);
    }
  }
  for (const address of ipv6) {
    forms.add(`[${address}]`);
    forms.add(`[${address.toUpperCase()}]`);
  }
  return [...forms];
}
