import { isUtf8 } from 'node:buffer';
import { isDecimalNumber } from './syntax.js';

/** How a metric of StatsD is written: counter, gauge, timer, histogram, distribution, set. */
const types = { c: 'counter', g: 'gauge', ms: 'timer', h: 'histogram', d: 'histogram', s: 'set' } as const;
export type StatsdKind = (typeof types)[keyof typeof types];

/** All of a line but its values. */
export interface StatsdHead {
  readonly name: string;
  readonly kind: StatsdKind;
  /** Each value stands for this many. */
  readonly weight: number;
  /** As sent; a tag without a value has `undefined`. */
  readonly tags: readonly (readonly [name: string, value: string | undefined])[];
}

/** What is wrong with a line. Events and service checks are none of ours. */
export type BadLine = 'too_long' | 'syntax' | 'name' | 'type' | 'value' | 'rate' | 'encoding' | 'event';

export const longestLine = 8192;

const newline = 0x0a;
const carriageReturn = 0x0d;
const colon = 0x3a;
const bar = 0x7c;
const underscore = 0x5f;

/** Told of the lines of a packet. What `head` makes of a head is handed to the values, and may be kept for the next line. */
export interface StatsdSink<H> {
  /** By the bytes of the line without its values, if it is known; `undefined` reads it anew. */
  known(key: string): H | BadLine | undefined;
  learn(key: string, head: StatsdHead | BadLine): H | BadLine;
  isSet(head: H): boolean;
  /** `sign` tells of a value written with one. */
  value(head: H, value: number, signed: boolean): void;
  member(head: H, text: string): void;
  bad(reason: BadLine): void;
}

/**
 * Reads the lines of a packet: `name:value[:value…]|type[|@rate][|#tag:value,tag][|…]` (DogStatsD 1.0 to 1.6, StatsD).
 * Never throws. Of a line with several values, those before a bad one count.
 */
export function readStatsd<H>(packet: Buffer, sink: StatsdSink<H>): void {
  for (let from = 0; from < packet.length; ) {
    let to = packet.indexOf(newline, from);
    if (to === -1) to = packet.length;
    const end = to > from && packet[to - 1] === carriageReturn ? to - 1 : to;
    if (end > from) readLine(packet, from, end, sink);
    from = to + 1;
  }
}

function readLine<H>(bytes: Buffer, from: number, end: number, sink: StatsdSink<H>): void {
  if (end - from > longestLine) {
    sink.bad('too_long');
    return;
  }
  if (bytes[from] === underscore && isForeign(bytes, from, end)) {
    sink.bad('event');
    return;
  }
  let nameEnd = from;
  while (nameEnd < end && bytes[nameEnd] !== colon && bytes[nameEnd] !== bar) nameEnd++;
  let valuesEnd = nameEnd;
  while (valuesEnd < end && bytes[valuesEnd] !== bar) valuesEnd++;
  if (nameEnd === valuesEnd || valuesEnd === end) {
    sink.bad('syntax');
    return;
  }
  const key = `${bytes.toString('latin1', from, nameEnd)}${bytes.toString('latin1', valuesEnd, end)}`;
  const head = sink.known(key) ?? sink.learn(key, readHead(bytes, from, nameEnd, valuesEnd + 1, end));
  if (typeof head === 'string') {
    sink.bad(head as BadLine);
    return;
  }
  readValues(bytes, nameEnd + 1, valuesEnd, head as H, sink);
}

/** `_e{…}:` is an event, `_sc|` a service check. */
function isForeign(bytes: Buffer, from: number, end: number): boolean {
  const start = bytes.toString('latin1', from, Math.min(end, from + 4));
  return start.startsWith('_e{') || start === '_sc|';
}

function readHead(bytes: Buffer, from: number, nameEnd: number, restAt: number, end: number): StatsdHead | BadLine {
  if (nameEnd === from) return 'name';
  if (!isUtf8(bytes.subarray(from, nameEnd)) || !isUtf8(bytes.subarray(restAt, end))) return 'encoding';
  const [type = '', ...fields] = bytes.toString('utf8', restAt, end).split('|');
  const kind = Object.hasOwn(types, type) ? types[type as keyof typeof types] : undefined;
  if (kind === undefined) return 'type';
  let weight = 1;
  const tags: [string, string | undefined][] = [];
  for (const field of fields) {
    if (field.startsWith('@')) {
      const rate = numberOf(field.slice(1));
      if (rate === undefined || rate <= 0 || rate > 1) return 'rate';
      // The last of several; gauges and sets are what they are, however rarely they are sent.
      weight = kind === 'gauge' || kind === 'set' ? 1 : 1 / rate;
    } else if (field.startsWith('#')) {
      for (const tag of field.slice(1).split(',')) {
        const at = tag.indexOf(':');
        const name = at === -1 ? tag : tag.slice(0, at);
        if (name !== '') tags.push([name, at === -1 ? undefined : tag.slice(at + 1)]);
      }
    }
    // Container, origin, cardinality, time (`c:`, `e:`, `card:`, `T`): nothing here depends on them.
  }
  return { name: bytes.toString('utf8', from, nameEnd), kind, weight, tags };
}

function readValues<H>(bytes: Buffer, from: number, end: number, head: H, sink: StatsdSink<H>): void {
  if (sink.isSet(head)) {
    // Several values on a line are not for sets: a colon is a part of what is counted.
    if (!isUtf8(bytes.subarray(from, end))) sink.bad('encoding');
    else sink.member(head, bytes.toString('utf8', from, end));
    return;
  }
  for (let at = from; at <= end; ) {
    let stop = at;
    while (stop < end && bytes[stop] !== colon) stop++;
    const value = numberOf(bytes.toString('latin1', at, stop));
    if (value === undefined) {
      sink.bad('value');
      return;
    }
    sink.value(head, value, bytes[at] === 0x2b || bytes[at] === 0x2d);
    at = stop + 1;
  }
}

/** A finite number in the usual spellings. */
function numberOf(text: string): number | undefined {
  if (!isDecimalNumber(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
