import { isIPv4 } from 'node:net';

/** A database in MaxMind's format (MaxMind DB 2.0) that says which country some networks are in; the rest is unknown. */
export function countryFile(networks: Readonly<Record<string, string>>): Buffer {
  const nodes: [Slot, Slot][] = [[undefined, undefined]];
  const data: Buffer[] = [];
  let offset = 0;
  for (const [network, country] of Object.entries(networks)) {
    const record = map({ country: map({ iso_code: text(country) }) });
    insert(nodes, bitsOf(network), { data: offset });
    data.push(record);
    offset += record.length;
  }
  const tree = Buffer.alloc(nodes.length * 6);
  for (const [index, slots] of nodes.entries()) {
    for (const [side, slot] of slots.entries()) tree.writeUIntBE(recordOf(slot, nodes.length), index * 6 + side * 3, 3);
  }
  const metadata = map({
    binary_format_major_version: number(5, 2, 2),
    binary_format_minor_version: number(5, 0, 2),
    build_epoch: number(9, 1_767_225_600, 4),
    database_type: text('Test-Country'),
    description: map({ en: text('made by a test') }),
    ip_version: number(5, 6, 2),
    languages: Buffer.concat([control(11, 1), text('en')]),
    node_count: number(6, nodes.length, 4),
    record_size: number(5, 24, 2),
  });
  const marker = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com')]);
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata]);
}

type Slot = { readonly node: number } | { readonly data: number } | undefined;

function recordOf(slot: Slot, nodes: number): number {
  if (slot === undefined) return nodes;
  return 'node' in slot ? slot.node : nodes + 16 + slot.data;
}

function insert(nodes: [Slot, Slot][], bits: readonly (0 | 1)[], leaf: Slot): void {
  let node = 0;
  for (const bit of bits.slice(0, -1)) {
    const slot = nodes[node]![bit];
    if (slot !== undefined && 'node' in slot) node = slot.node;
    else {
      nodes[node]![bit] = { node: nodes.length };
      node = nodes.push([undefined, undefined]) - 1;
    }
  }
  nodes[node]![bits.at(-1)!] = leaf;
}

/** IPv4 stands below ::/96. */
function bitsOf(network: string): (0 | 1)[] {
  const [address, length] = network.split('/') as [string, string];
  const bytes = isIPv4(address) ? [...Array<number>(12).fill(0), ...address.split('.').map(Number)] : bytesOf(address);
  const count = Number(length) + (isIPv4(address) ? 96 : 0);
  return Array.from({ length: count }, (_, i) => ((bytes[i >> 3]! >> (7 - (i & 7))) & 1) as 0 | 1);
}

function bytesOf(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const middle = Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...middle, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}

/** Types above 7 have a byte of their own; no text here is longer than 28. */
const control = (type: number, size: number): Buffer =>
  type > 7 ? Buffer.from([size, type - 7]) : Buffer.from([(type << 5) | size]);
const text = (value: string): Buffer => Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)]);
const map = (entries: Readonly<Record<string, Buffer>>): Buffer =>
  Buffer.concat([
    control(7, Object.keys(entries).length),
    ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]),
  ]);

function number(type: number, value: number, bytes: number): Buffer {
  const written = Buffer.alloc(bytes);
  written.writeUIntBE(value, 0, bytes);
  return Buffer.concat([control(type, bytes), written]);
}
