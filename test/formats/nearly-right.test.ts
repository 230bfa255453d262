import { describe, expect, it } from 'vitest';
import { readQueryAnswer } from '../../src/formats/promql/answer.js';
import { textOf } from '../../src/formats/promql/exposition.js';
import { readRelabelConfigs } from '../../src/formats/relabel/config.js';
import { isDecimalNumber } from '../../src/formats/syntax.js';

// An expression that could match in several ways tries all of them before it says no: these would take minutes.
describe('a text that is right but for its end is refused in the time it takes to read it', () => {
  const digits = `${'1'.repeat(500_000)}x`;

  it.each(['a', '_1', '$1', `\${a}`, 'a$1'])('a label name of many times %s', (part) => {
    const name = `${part.repeat(Math.floor(4000 / part.length))}!`;
    expect(() => readRelabelConfigs([{ action: 'labelmap', replacement: name }])).toThrow('no replacement');
    expect(() => readRelabelConfigs([{ target_label: `$1${name}` }])).toThrow('no target_label');
  });

  it('a number', () => {
    expect(isDecimalNumber(digits)).toBe(false);
    expect(isDecimalNumber(`${digits.slice(0, -1)}.${digits}`)).toBe(false);
  });

  it('the value of a series that a Prometheus answers', () => {
    const result = [{ metric: { __name__: 'a' }, value: [1, digits] }];
    const body = Buffer.from(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    expect(() => readQueryAnswer(body, () => {})).toThrow('a value is no number');
  });

  it('the bound of a bucket that a Prometheus answers', () => {
    const series = { name: 'a_bucket', labels: [['le', digits]] as [string, string][], value: '1' };
    const text = textOf([series], new Map([['a', { type: 'histogram' as const, help: '' }]])).toString();
    expect(text).not.toContain('histogram');
  });
});

it('numbers are taken in all spellings of Go but hexadecimal ones', () => {
  for (const text of ['0', '1.', '.5', '-1.5', '+1e3', '1E-3', '1.e+2']) expect(isDecimalNumber(text)).toBe(true);
  for (const text of ['', '.', 'e1', '1e', '1e+', '0x1', '1_0', ' 1', '1 ', '--1', 'NaN', 'Inf', '1\n'])
    expect(isDecimalNumber(text)).toBe(false);
});

it('label names in which groups are named may have them anywhere', () => {
  for (const name of ['$1', 'a$1', '$1a', `\${ab}_c`, '$1$2', '_1$x2'])
    expect(readRelabelConfigs([{ action: 'labelmap', replacement: name }])).toHaveLength(1);
  for (const name of ['1a', '$', 'a$', `a\${}`, `\${a`, 'a-b', ''])
    expect(() => readRelabelConfigs([{ action: 'labelmap', replacement: name }])).toThrow();
});
