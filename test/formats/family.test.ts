import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import {
  concatFamilies,
  type Exposition,
  emptyExposition,
  familyBytes,
  indexLines,
  seriesCount,
} from '../../src/formats/family.js';
import { parseExposition } from '../../src/formats/parse.js';
import { canonicalNumber, labelSetEnd, readLine, sampleValue, valueEnd } from '../../src/formats/syntax.js';
import { anyLegalBody } from '../support/legal-expositions.js';

const exposition = anyLegalBody.map(
  ({ syntax, body }): Exposition =>
    parseExposition(body, { syntax, labels: [['instance_id', 'db1']], limits: defaultLimits, reservedPrefix: 'weir_' }),
);

const linesOf = ({ bytes, lines }: Exposition): string[] =>
  [...lines.subarray(0, -1)].map((start, line) => bytes.toString('utf8', start, lines[line + 1]));

describe('an exposition', () => {
  it('finds its lines again in the bytes alone', () => {
    fc.assert(
      fc.property(exposition, ({ bytes, lines }) => {
        expect(indexLines(Buffer.from(bytes), lines.length - 1)).toEqual(lines);
      }),
      { numRuns: 200 },
    );
  });

  it('does not take bytes that hold fewer or more lines', () => {
    const bytes = Buffer.from('a{} 1\nb{} 2\n');
    expect(indexLines(bytes, 2)).toEqual(Uint32Array.of(0, 6, 12));
    expect(() => indexLines(bytes, 1)).toThrow('more than 1 lines');
    expect(() => indexLines(bytes, 3)).toThrow('fewer than 3 lines');
    expect(() => indexLines(bytes.subarray(0, -1), 2)).toThrow('fewer than 2 lines');
    expect(seriesCount(emptyExposition)).toBe(0);
  });

  it('is made of families of others, in the order asked for', () => {
    fc.assert(
      fc.property(exposition, exposition, (one, other) => {
        const all = [one, other].flatMap((from) => from.families.map((family) => ({ exposition: from, family })));
        const parts = all.filter((_, index) => index % 2 === 0).reverse();
        const joined = concatFamilies(parts);
        expect(joined.families.map(({ header }) => header)).toEqual(parts.map(({ family }) => family.header));
        expect(joined.bytes.toString()).toBe(parts.map((part) => familyBytes(part.exposition, part.family)).join(''));
        expect(indexLines(joined.bytes, seriesCount(joined))).toEqual(joined.lines);
        for (const [index, { exposition: from, family }] of parts.entries()) {
          const taken = joined.families[index]!;
          expect(linesOf(joined).slice(taken.first, taken.last)).toEqual(
            linesOf(from).slice(family.first, family.last),
          );
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('a canonical line', () => {
  it('is cut where its label set and its value end', () => {
    const series = 'a{x="} \\" 1\\\\",y="{"}';
    for (const rest of [' 1', ' -Inf', ' 1 # {t="} 1"} 2 3']) {
      const bytes = Buffer.from(`before\n${series}${rest}\n`);
      expect(labelSetEnd(bytes, 7)).toBe(7 + series.length);
      const [, value] = rest.split(' ');
      expect(valueEnd(bytes, 7)).toBe(7 + series.length + 1 + value!.length);
      expect(readLine(bytes, 7, bytes.length)).toEqual({
        name: 'a',
        labels: [
          ['x', '} " 1\\'],
          ['y', '{'],
        ],
        value,
        exemplar: rest.slice(1 + value!.length),
      });
    }
  });
});

describe('a canonical number', () => {
  it('is the same number, in the spelling of Go', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const text = canonicalNumber(value);
        expect(Object.is(sampleValue(text), value), text).toBe(true);
        expect(text).toMatch(/^-?(\d+\.\d+|\d(\.\d+)?e[+-]\d{2,3})$|^[+-]Inf$/);
        const exponent = Math.floor(Math.log10(Math.abs(value)));
        if (exponent < -5 || exponent > 6) expect(text).toMatch(/e|Inf|^-?0\.0$/);
        if (exponent > -4 && exponent < 5) expect(text).not.toContain('e');
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    [Number.NaN, 'NaN'],
    [0.001, '0.001'],
    [0.9, '0.9'],
    [1.7, '1.7'],
    [10, '10.0'],
    [1e-10, '1e-10'],
    [1e-9, '1e-09'],
    [0.00001, '1e-05'],
    [0.0001, '0.0001'],
    [0.00012, '0.00012'],
    [100000, '100000.0'],
    [123456, '123456.0'],
    [999999.5, '999999.5'],
    [1e6, '1e+06'],
    [1234567, '1.234567e+06'],
    [1e10, '1e+10'],
    [1.1e23, '1.1e+23'],
    [-2.5, '-2.5'],
    [0.1 + 0.2, '0.30000000000000004'],
  ])('%d is %s', (value, text) => {
    expect(canonicalNumber(value)).toBe(text);
  });
});
