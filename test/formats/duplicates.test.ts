import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import { DuplicateCheck } from '../../src/formats/duplicates.js';
import { indexLines, seriesCount } from '../../src/formats/family.js';
import { parseExposition } from '../../src/formats/parse.js';
import { seriesIdentity } from '../../src/formats/syntax.js';
import { labelValue } from '../support/legal-expositions.js';

const parse = (body: string, labels = [['instance_id', 'db1']] as readonly (readonly [string, string])[]) =>
  parseExposition(Buffer.from(body), { syntax: 'text', labels, limits: defaultLimits, reservedPrefix: 'weir_' });

const escaped = (text: string): string => text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
const spelled = (labels: readonly (readonly [string, string])[]): string =>
  `a{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`;

const labels = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'ab', 'x', 'y_z', 'le'), labelValue), {
  maxLength: 5,
  selector: ([name]) => name,
});

describe('a series that comes twice', () => {
  it('is found in whatever order its labels stand, and with labels that are empty', () => {
    fc.assert(
      fc.property(
        labels.chain((set) => fc.tuple(fc.constant(set), fc.shuffledSubarray(set, { minLength: set.length }))),
        fc.uniqueArray(fc.constantFrom('e1', 'e2', 'e3')),
        fc.nat(20),
        ([set, shuffled], empty, between) => {
          const others = Array.from({ length: between }, (_, n) => `b{n="${n}"} 1\n`).join('');
          const again = [...shuffled, ...empty.map((name) => [name, ''] as const)];
          const body = `${spelled(set)} 1\n${others}${spelled(again)} 2\n`;
          const line = between + 2;
          expect(() => parse(body)).toThrow(new RegExp(`^Line ${line}: the series .* appears twice\\.$`, 's'));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['when the labels that tell them apart are overwritten', 'a{instance_id="x"} 1\na{instance_id="y"} 2\n'],
    ['when one of them has the label we overwrite', 'a{x="1"} 1\na{x="1",instance_id="y"} 2\n'],
    ['when their bounds are one number', '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 2\n'],
    [
      'when a bound is spelled anew and the labels are turned',
      '# TYPE h histogram\nh_bucket{a="b",le="1"} 1\nh_bucket{le="1.0",a="b"} 2\n',
    ],
    ['when both bounds are spelled anew', '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1e0"} 2\n'],
    ['when it has labels with escapes', 'a{x="\\\\",y="\\""} 1\na{y="\\"",x="\\\\"} 2\n'],
  ])('%s', (_what, body) => {
    expect(() => parse(body)).toThrow('appears twice');
  });

  it('is found in OpenMetrics, and in a body read along the one before', () => {
    const options = { labels: [['instance_id', 'db1']] as const, limits: defaultLimits, reservedPrefix: 'weir_' };
    const read = (body: string) => parseExposition(Buffer.from(body), { syntax: 'openmetrics', ...options });
    expect(() => read('a{x="1"} 1\na{x="1"} 2\n# EOF\n')).toThrow('Line 2: the series');
    const previous = parse('a{x="1"} 1\na{x="2"} 1\n');
    const body = Buffer.from('a{x="1"} 1\na{x="2"} 1\na{x="1"} 1\n');
    expect(() => parseExposition(body, { syntax: 'text', ...options, previous })).toThrow('Line 3: the series');
  });
});

describe('series that differ', () => {
  it('are told apart in 100,000 at a time', () => {
    const words = fc.sample(labelValue, { numRuns: 500, seed: 1 });
    let body = '';
    let series = 0;
    for (let n = 0; series < 100_000; n++) {
      // Short texts in several places, so that the same pieces come in other series.
      const [i, j] = [n % 500, Math.floor(n / 500)];
      body += `${spelled([
        ['n', String(i)],
        ['m', String(j)],
        ['word', words[i]!],
      ])} 1\n`;
      body += `${spelled([
        ['n', String(j)],
        ['o', String(i)],
      ])} 1\n`;
      series += 2;
    }
    expect(seriesCount(parse(body))).toBe(series);
  });

  it('are told apart by where a value ends and a name begins', () => {
    const sets: [string, string][][] = [
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      [['a', 'b,c=d']],
      [['a', 'b",c="d']],
      [
        ['a', 'd'],
        ['c', 'b'],
      ],
      [
        ['ab', ''],
        ['c', 'd'],
      ],
      [
        ['a', 'bc'],
        ['d', ''],
      ],
      [
        ['a', '\\'],
        ['c', 'd'],
      ],
      [
        ['a', '\n'],
        ['c', 'd'],
      ],
      [
        ['a', '\\n'],
        ['c', 'd'],
      ],
    ];
    expect(seriesCount(parse(sets.map((set) => `${spelled(set)} 1\n`).join('')))).toBe(sets.length);
  });

  it('are told apart when a hash is all they share', () => {
    const check = new DuplicateCheck();
    const lines = Array.from({ length: 5000 }, (_, n) => `a{x="${n}"} 1\n`);
    const out = Buffer.from(lines.join(''));
    const starts = indexLines(out, lines.length).subarray(0, lines.length);
    for (const at of starts) expect(check.isRepeated(out, at, 42)).toBe(false);
    for (const at of starts) expect(check.isRepeated(out, at, 42)).toBe(true);
  });

  it('are told apart in constant time each, when their hashes are made to meet in a table', () => {
    const check = new DuplicateCheck();
    const out = Buffer.from('a{} 1\n');
    const started = performance.now();
    // Distinct hashes that agree in all the bits that a table of this size would look at.
    let repeated = 0;
    for (let high = 0; high < 8192; high++) {
      for (let low = 0; low < 16; low++) if (check.isRepeated(out, 0, (high << 19) | low)) repeated++;
    }
    expect(repeated).toBe(0);
    expect(performance.now() - started).toBeLessThan(2500);
  });
});

describe('a label name', () => {
  it.each([
    ['is refused the second time', 'a{x="1",x="1"} 1\n'],
    ['is refused the second time though it is empty', 'a{x="",x=""} 1\n'],
    ['is refused the second time though we overwrite it', 'a{instance_id="1",x="1",instance_id="2"} 1\n'],
  ])('%s', (_what, body) => {
    expect(() => parse(body)).toThrow(/^Line 1: the label name "\w+" appears twice\.$/);
  });

  it('is refused the second time among thousands', () => {
    const names = Array.from({ length: 5000 }, (_, n) => `l${n}=""`);
    const limits = { ...defaultLimits, labels_per_series: 0 };
    const readBody = (body: string) =>
      parseExposition(Buffer.from(body), { syntax: 'text', labels: [], limits, reservedPrefix: '~' });
    const read = (pairs: readonly string[]) => readBody(`a{${pairs.join(',')}} 1\n`);
    expect(seriesCount(read(names))).toBe(1);
    const two = ['1', '2'].map((n) => `a{${names.join(',')},n="${n}"} 1\n`).join('');
    expect(seriesCount(readBody(two))).toBe(2);
    for (const at of [0, 1, 63, 64, 65, 4999])
      expect(() => read([...names, names[at]!])).toThrow(`"l${at}" appears twice`);
  });

  it.each([
    ['ly6dm', 'l11h40'],
    ['instance_id', 'ex71wkh'],
    ['ex71wkh', 'instance_id'],
  ])('is not taken for another with the same hash: %s and %s', (one, other) => {
    const read = parse(`a{${one}="1",${other}="2"} 1\n`);
    expect(seriesCount(read)).toBe(1);
    expect(read.bytes.toString()).toContain(`${one === 'instance_id' ? other : one}="`);
  });
});

describe('the identity of a series', () => {
  it('does not depend on the order of labels or on those that are empty', () => {
    const of = (line: string) => seriesIdentity(Buffer.from(`${line} 1\n`), 0);
    expect(of('a{x="1",y="2"}')).toBe(of('a{y="2",e="",x="1"}'));
    expect(of('a{}')).toBe(of('a{x="",y=""}'));
    expect(of('a{x="="}')).not.toBe(of('a{}'));
    expect(of('a{x="\\"",y="}"}')).toBe(of('a{y="}",x="\\""}'));
    expect(of('a{x="1"}')).not.toBe(of('b{x="1"}'));
    expect(of('a{x="1",y="2"}')).not.toBe(of('a{x="1\\",y=\\"2"}'));
  });
});
