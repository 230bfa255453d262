import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import { familyBytes } from '../../src/formats/family.js';
import { mostFamilies } from '../../src/formats/family-collector.js';
import { parseExposition, type Syntax } from '../../src/formats/parse.js';

/** Each family as `name type: samples`, in the order in which they begin. */
function families(body: string, syntax: Syntax): string[] {
  const exposition = parseExposition(Buffer.from(syntax === 'text' ? body : `${body}# EOF\n`), {
    syntax,
    labels: [],
    limits: defaultLimits,
    reservedPrefix: 'weir_',
  });
  return exposition.families.map((family) => {
    const samples = familyBytes(exposition, family).toString().trimEnd().split('\n');
    return `${family.header.name} ${family.header.type}: ${samples.map((line) => line.replace('{}', '')).join(', ')}`;
  });
}

describe('the samples of a family', () => {
  it.each<[string, string, string[]]>([
    ['have its name', '# TYPE a gauge\na 1\na_sum 2\n', ['a gauge: a 1', 'a_sum untyped: a_sum 2']],
    [
      'have the suffixes of a histogram',
      '# TYPE a histogram\na_bucket{le="1"} 1\na_sum 2\na_count 3\na 4\na_total 5\n',
      ['a histogram: a_bucket{le="1.0"} 1, a_sum 2, a_count 3, a 4', 'a_total untyped: a_total 5'],
    ],
    [
      'have the suffixes of a summary',
      '# TYPE a summary\na 1\na_sum 2\na_count 3\na_bucket 4\n',
      ['a summary: a 1, a_sum 2, a_count 3', 'a_bucket untyped: a_bucket 4'],
    ],
    [
      'are gathered from wherever they stand',
      'a{x="1"} 1\nb 2\na{x="2"} 3\n',
      ['a untyped: a{x="1"} 1, a{x="2"} 3', 'b untyped: b 2'],
    ],
    [
      'are not those of a name that is declared by itself, before',
      '# TYPE a_sum gauge\n# TYPE a histogram\na_count 1\na_sum 2\n',
      ['a histogram: a_count 1', 'a_sum gauge: a_sum 2'],
    ],
    [
      'are not those of a name that is declared by itself, after',
      '# TYPE a histogram\n# TYPE a_sum gauge\na_count 1\na_sum 2\n',
      ['a histogram: a_count 1', 'a_sum gauge: a_sum 2'],
    ],
    [
      'are not those of a name that came by itself before the family was declared',
      'a_sum{x="1"} 1\n# TYPE a summary\na_sum{x="2"} 2\na_count 3\n',
      ['a_sum untyped: a_sum{x="1"} 1, a_sum{x="2"} 2', 'a summary: a_count 3'],
    ],
    [
      'are those of the family until their name is declared by itself',
      '# TYPE a summary\na_sum{x="1"} 1\n# TYPE a_sum summary\na_sum{x="2"} 2\na_sum_sum 3\n',
      ['a summary: a_sum{x="1"} 1', 'a_sum summary: a_sum{x="2"} 2, a_sum_sum 3'],
    ],
    ['need no declaration', 'a_bucket{le="x"} 1\n', ['a_bucket untyped: a_bucket{le="x"} 1']],
    ['need to be there', '# TYPE a gauge\n# HELP b text\nc 1\n', ['c untyped: c 1']],
  ])('%s', (_what, body, expected) => {
    expect(families(body, 'text')).toEqual(expected);
  });

  it.each<[string, string, string[]]>([
    ['have _total behind the name of a counter', '# TYPE a counter\na_total 1\n', ['a_total counter: a_total 1']],
    ['have _info behind the name of an info', '# TYPE a info\na_info 1\n', ['a_info info: a_info 1']],
    [
      'have the suffixes of a gauge histogram',
      '# TYPE a gaugehistogram\na_bucket{le="1"} 1\na_gsum 2\na_gcount 3\n',
      ['a gaugehistogram: a_bucket{le="1.0"} 1, a_gsum 2, a_gcount 3'],
    ],
    [
      'leave creation times to a family of their own, which text needs',
      '# TYPE a counter\na_total{x="1"} 1\na_created{x="1"} 2\na_total{x="2"} 3\na_created{x="2"} 4\n',
      [
        'a_total counter: a_total{x="1"} 1, a_total{x="2"} 3',
        'a_created gauge: a_created{x="1"} 2, a_created{x="2"} 4',
      ],
    ],
    ['without a type are unknown', 'a 1\n', ['a untyped: a 1']],
    [
      'may be called after another family',
      '# TYPE a counter\n# TYPE a_total gauge\na_total 1\n',
      ['a_total gauge: a_total 1'],
    ],
  ])('%s, in OpenMetrics', (_what, body, expected) => {
    expect(families(body, 'openmetrics')).toEqual(expected);
  });
});

it.each(['a', '# TYPE a'])('a body of "%s…" lines may have 50,000 families and no more', (line) => {
  const lines = Array.from({ length: mostFamilies + 1 }, (_, i) =>
    line.startsWith('#') ? `${line}${i} gauge\n` : `${line}${i} 1\n`,
  );
  expect(() => families(lines.slice(1).join(''), 'text')).not.toThrow();
  expect(() => families(lines.join(''), 'text')).toThrow('Line 50001: more than 50000 metric families in one body.');
});
