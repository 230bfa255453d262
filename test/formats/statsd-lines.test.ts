import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BadLine,
  longestLine,
  readStatsd,
  type StatsdHead,
  type StatsdSink,
} from '../../src/formats/statsd-lines.js';
import { seededRandom } from '../demo/seeded-random.js';

type Seen = [what: 'value', head: StatsdHead, value: number | string, signed: boolean] | [what: 'bad', reason: BadLine];

/** Writes down what it is told, and remembers heads as the real one does. */
class Recorder implements StatsdSink<StatsdHead> {
  readonly seen: Seen[] = [];
  private readonly heads = new Map<string, StatsdHead | BadLine>();
  known = (key: string): StatsdHead | BadLine | undefined => this.heads.get(key);
  learn(key: string, head: StatsdHead | BadLine): StatsdHead | BadLine {
    this.heads.set(key, head);
    return head;
  }
  isSet = ({ kind }: StatsdHead): boolean => kind === 'set';
  value = (head: StatsdHead, value: number, signed: boolean): void =>
    void this.seen.push(['value', head, value, signed]);
  member = (head: StatsdHead, text: string): void => void this.seen.push(['value', head, text, false]);
  bad = (reason: BadLine): void => void this.seen.push(['bad', reason]);
}

const kinds: Record<string, string> = {
  c: 'counter',
  g: 'gauge',
  ms: 'timer',
  h: 'histogram',
  d: 'histogram',
  s: 'set',
};

/** The same by splitting text, without a look at the other one. */
function naive(packet: string): Seen[] {
  return packet.split('\n').flatMap((raw): Seen[] => {
    const line = raw.replace(/\r$/, '');
    if (line === '') return [];
    if (/^_e\{|^_sc\|/.test(line)) return [['bad', 'event']];
    const [first = '', ...rest] = line.split('|');
    if (!first.includes(':') || rest.length === 0) return [['bad', 'syntax']];
    const name = first.slice(0, first.indexOf(':'));
    const written = first.slice(name.length + 1);
    const [type = '', ...fields] = rest;
    if (name === '') return [['bad', 'name']];
    if (!Object.keys(kinds).includes(type)) return [['bad', 'type']];
    const rates = fields.filter((field) => field[0] === '@').map((field) => field.slice(1));
    if (rates.some((rate) => !/^\+?[\d.]+(e-?\d+)?$/.test(rate) || !(Number(rate) > 0 && Number(rate) <= 1))) {
      return [['bad', 'rate']];
    }
    const tags = fields
      .filter((field) => field[0] === '#')
      .flatMap((field) => field.slice(1).split(','))
      .map((tag): [string, string | undefined] => {
        const [key = '', ...value] = tag.split(':');
        return [key, value.length === 0 ? undefined : value.join(':')];
      })
      .filter(([key]) => key !== '');
    const isWeighted = type !== 'g' && type !== 's' && rates.length > 0;
    const head = { name, kind: kinds[type], weight: isWeighted ? 1 / Number(rates.at(-1)) : 1, tags } as StatsdHead;
    if (type === 's') return [['value', head, written, false]];
    const seen: Seen[] = [];
    for (const value of written.split(':')) {
      if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(value) || !Number.isFinite(Number(value))) {
        seen.push(['bad', 'value']);
        break;
      }
      seen.push(['value', head, Number(value), /^[+-]/.test(value)]);
    }
    return seen;
  });
}

function read(packet: Buffer): Seen[] {
  const recorder = new Recorder();
  readStatsd(packet, recorder);
  return recorder.seen;
}

describe('StatsD lines', () => {
  it('50,000 of them, good and bad, are read as a parser that splits text reads them', () => {
    const random = seededRandom(20_26);
    const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)]!;
    const name = (): string => pick('page.views', 'a', 'größe', 'x_y.z', '', 'weird name', '_enabled', '_score');
    const value = (): string =>
      pick(
        '1',
        '-2.5',
        '+3',
        '0',
        '.5',
        '7.',
        '1e3',
        '1E-2',
        String(Math.floor(random() * 1e6)),
        'NaN',
        '',
        '1x',
        '1e999',
      );
    const tag = (): string => pick('env:prod', 'region:eu:1', 'flag', '', ':x', 'ä:ö', 'env:', 'a b:c');
    const field = (): string =>
      pick(
        `#${[tag(), tag(), tag()].slice(0, Math.floor(random() * 4)).join(',')}`,
        `@${pick('0.5', '1', '0.1', '0', '2', 'x', '', '1e-1', '.25')}`,
        `c:${pick('ci-1', 'in-2')}`,
        'T1700000000',
        'e:it-1,cn-web',
        'card:low',
        '',
      );
    const line = (): string => {
      if (random() < 0.02)
        return pick('_e{5,4}:title|text', '_sc|name|0|#a:b', '', '|', ':', 'nothing', 'a:1', 'a|c', '::|c');
      const values = Array.from({ length: random() < 0.2 ? 3 : 1 }, value).join(':');
      const fields = Array.from({ length: Math.floor(random() * 4) }, () => `|${field()}`).join('');
      return `${name()}:${values}|${pick('c', 'g', 'ms', 'h', 'd', 's', 'q', 'toString')}${fields}${pick('', '', '\r')}`;
    };
    let lines = 0;
    let values = 0;
    while (lines < 50_000) {
      const packet = Array.from({ length: 1 + Math.floor(random() * 20) }, line);
      lines += packet.length;
      const text = packet.join('\n') + pick('', '\n', '\n\n');
      const seen = read(Buffer.from(text));
      expect(seen).toEqual(naive(text));
      values += seen.filter(([what]) => what === 'value').length;
    }
    expect(values).toBeGreaterThan(15_000);
  });

  it('may be any bytes at all: each line is read or refused, nothing is thrown', () => {
    const fragment = fc.constantFrom(
      'a',
      ':',
      '|',
      '1',
      'c',
      's',
      '#',
      ',',
      '@',
      '.',
      '-',
      '\n',
      '\r',
      '_e{',
      'ms',
      'é',
    );
    const packet = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.array(fragment, { maxLength: 60 }).map((parts) => Buffer.from(parts.join(''))),
    );
    fc.assert(
      fc.property(packet, (bytes) => {
        const lines = bytes
          .toString('latin1')
          .split('\n')
          .filter((line) => line !== '' && line !== '\r').length;
        expect(read(bytes).length).toBeGreaterThanOrEqual(lines);
      }),
      { numRuns: 3000 },
    );
  });

  it('that are too long, or no UTF-8, are refused, and those after them are read', () => {
    const packet = Buffer.concat([
      Buffer.from(`${'n'.repeat(longestLine)}:1|c\n`),
      Buffer.from([0xff, 0x3a, 0x31, 0x7c, 0x63, 0x0a]),
      Buffer.from('a:1|c'),
    ]);
    expect(read(packet)).toEqual([
      ['bad', 'too_long'],
      ['bad', 'encoding'],
      ['value', { name: 'a', kind: 'counter', weight: 1, tags: [] }, 1, false],
    ]);
  });
});
