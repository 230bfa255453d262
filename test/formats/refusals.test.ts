import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { parseExposition, type Syntax } from '../../src/formats/parse.js';

function refusal(body: string | Buffer, syntax: Syntax, limits = defaultLimits): WeirError {
  try {
    parseExposition(Buffer.from(body), { syntax, labels: [['instance_id', 'db1']], limits, reservedPrefix: 'weir_' });
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('the body was taken');
}

type Case = [what: string, body: string, line: number, sentence: string | RegExp];

const inBoth: Case[] = [
  ['no value', 'a 1\nb\n', 2, 'followed by labels or a value'],
  ['no value behind a blank', 'a 1\nb \n', 2, 'the value is missing'],
  ['no value behind labels', 'a{x="1"}\n', 1, /value/],
  ['a word for a value', 'a 1\nb one\n', 2, '"one" is not a number'],
  ['a hexadecimal value', 'a 0x1p-2\n', 1, '"0x1p-2" is not a number'],
  ['underscores in a value', 'a 1_000\n', 1, '"1_000" is not a number'],
  ['a lone sign', 'a -\n', 1, '"-" is not a number'],
  ['a lone point', 'a .\n', 1, '"." is not a number'],
  ['two points', 'a 1.2.3\n', 1, '"1.2.3" is not a number'],
  ['an exponent without digits', 'a 1e\n', 1, '"1e" is not a number'],
  ['a value out of range', 'a 1\nb 1e309\n', 2, '"1e309" is out of range'],
  ['a value out of range in plain digits', `a ${'9'.repeat(400)}\n`, 1, 'is out of range'],
  ['a timestamp', 'a 1\nb 2 1711462853000\n', 2, 'timestamps are not accepted'],
  ['a negative timestamp', 'a 1 -1\n', 1, 'timestamps are not accepted'],
  ['a name that begins with a digit', 'a 1\n1b 2\n', 2, 'a metric name'],
  ['a dash in a name', 'a-b 1\n', 1, 'a metric name'],
  ['a dot in a name', 'a.b{x="1"} 1\n', 1, 'a metric name'],
  ['a letter that is not ASCII in a name', 'h\u00f6he 1\n', 1, 'a metric name'],
  ['a byte order mark', '\ufeffa 1\n', 1, 'a metric name'],
  ['a quoted UTF-8 name', 'a 1\n{"my.metric",x="1"} 1\n', 2, 'quoted UTF-8 names are not supported'],
  ['a quoted UTF-8 label name', 'a{"my.label"="1"} 1\n', 1, 'quoted UTF-8 label names are not supported'],
  ['a label name that begins with a digit', 'a{1="1"} 1\n', 1, 'a label name'],
  ['a colon in a label name', 'a{x:y="1"} 1\n', 1, '"=" is missing after the label name "x"'],
  ['a label without a value', 'a{x} 1\n', 1, '"=" is missing after the label name "x"'],
  ['a label value without quotes', 'a{x=1} 1\n', 1, 'a label value must begin with a quote'],
  ['a label value in single quotes', "a{x='1'} 1\n", 1, 'a label value must begin with a quote'],
  ['a label value without end', 'a 1\nb{x="1} 1\nc 1\n', 2, 'a label value has no closing quote'],
  ['a label value without end at the end of the body', 'a 1\nb{x="1', 2, 'a label value has no closing quote'],
  ['a newline in a label value', 'a{x="1\n"} 1\n', 1, 'a label value has no closing quote'],
  ['an unknown escape', 'a 1\na{x="\\t"} 1\n', 2, 'a backslash must be followed by'],
  ['a backslash before a newline', 'a{x="\\\n"} 1\n', 1, 'a backslash must be followed by'],
  ['a label set without end', 'a{x="1"\nb 1\n', 1, 'a label must be followed by "," or "}"'],
  ['two commas', 'a{x="1",,y="2"} 1\n', 1, 'a label name'],
  ['only a comma', 'a{,} 1\n', 1, 'a label name'],
  ['a label twice', 'a{x="1",x="2"} 1\n', 1, 'the label name "x" appears twice'],
  ['a reserved label', 'a 1\nb{__name__="c"} 1\n', 2, 'the label name "__name__" is reserved'],
  ['a reserved label that is empty', 'a{__x=""} 1\n', 1, 'the label name "__x" is reserved'],
  ['a series twice', 'b 1\na{x="1"} 1\na{x="1"} 2\n', 3, 'the series a{x="1",instance_id="db1"} appears twice'],
  ['a sample name of ours', 'a 1\nweir_up 1\n', 2, 'the metric name "weir_up" is refused'],
  ['a declared name of ours', '# TYPE weir_up gauge\n', 1, 'the metric name "weir_up" is refused'],
  ['help for a name of ours', '# HELP weir_up x\n', 1, 'the metric name "weir_up" is refused'],
  ['a second TYPE', '# TYPE a gauge\n# TYPE a gauge\n', 2, 'a second "# TYPE" line for "a"'],
  ['a second HELP', '# HELP a x\n# HELP a x\n', 2, 'a second "# HELP" line for "a"'],
  ['TYPE after samples', 'a 1\n# TYPE a gauge\n', 2, /must stand before|before its samples/],
  ['a type that is none', '# TYPE a integer\na 1\n', 1, '"integer" is not a metric type'],
  ['a type in capitals', '# TYPE a GAUGE\na 1\n', 1, '"GAUGE" is not a metric type'],
  ['TYPE without a type', 'a 1\n# TYPE b\n', 2, '"" is not a metric type'],
  ['a bucket without le', '# TYPE h histogram\nh_bucket{x="1"} 1\n', 2, 'a histogram bucket needs the label "le"'],
  ['a bucket without any label', '# TYPE h histogram\nh_bucket 1\n', 2, 'a histogram bucket needs the label "le"'],
  [
    'a bound that is no number',
    '# TYPE h histogram\nh_bucket{le="many"} 1\n',
    2,
    'the label le="many" is not a number',
  ],
  ['an empty bound', '# TYPE h histogram\nh_bucket{le=""} 1\n', 2, 'the label le="" is not a number'],
  ['a bound out of range', '# TYPE h histogram\nh_bucket{le="1e999"} 1\n', 2, 'the label le="1e999" is out of range'],
  [
    'a quantile that is no number',
    '# TYPE s summary\ns{quantile="p99"} 1\n',
    2,
    'the label quantile="p99" is not a number',
  ],
  ['a carriage return behind a value', 'a 1\nb 2\r\n', 2, 'the line ends with a carriage return'],
  ['a carriage return behind a type', 'a 1\n# TYPE b gauge\r\n', 2, 'the line ends with a carriage return'],
  ['a carriage return behind help', 'a 1\n# HELP b text\r\n', 2, 'the line ends with a carriage return'],
  ['a carriage return alone on its line', 'a 1\n\r\n', 2, 'the line ends with a carriage return'],
];

const inText: Case[] = [
  ['an exemplar', 'a_total 1\na_total{x="1"} 2 # {t="u"} 1\n', 2, 'exemplars need the OpenMetrics content type'],
  ['an exemplar of a declared counter', '# TYPE a counter\na 1 # {} 1\n', 2, 'exemplars need the OpenMetrics content'],
  ['a word behind the value', 'a 1 x\n', 1, 'nothing may follow the value'],
  ['TYPE without a name', 'a 1\n# TYPE\n', 2, '"# TYPE" needs a metric name'],
  ['HELP with a name that is none', '# HELP a-b text\n', 1, '"# HELP" needs a metric name'],
  ['a type of OpenMetrics', '# TYPE a info\n', 1, '"info" is not a metric type (counter, gauge'],
  ['a type behind a no-break space', '# TYPE a gauge\u00a0\n', 1, 'is not a metric type'],
];

const inOpenMetrics: Case[] = [
  ['no end mark', 'a 1\nb 2\n', 3, 'must end with "# EOF"'],
  ['an empty body', '', 1, 'must end with "# EOF"'],
  ['no end mark, nor a last newline', 'a 1', 2, 'must end with "# EOF"'],
  ['something behind the end mark', 'a 1\n# EOF\nb 1\n', 3, 'nothing may follow "# EOF"'],
  ['an empty line behind the end mark', 'a 1\n# EOF\n\n', 3, 'nothing may follow "# EOF"'],
  ['a second end mark', '# EOF\n# EOF\n', 2, 'nothing may follow "# EOF"'],
  ['a blank behind the end mark', 'a 1\n# EOF \n', 2, 'OpenMetrics allows only'],
  ['a carriage return behind the end mark', 'a 1\n# EOF\r\n', 2, 'the line ends with a carriage return'],
  ['a blank line', 'a 1\n\n# EOF\n', 2, 'OpenMetrics allows no blank lines'],
  ['a comment', 'a 1\n# note\n# EOF\n', 2, 'OpenMetrics allows only'],
  ['a header without its blank', '#TYPE a gauge\n# EOF\n', 1, 'OpenMetrics allows only'],
  ['two blanks in a header', '# TYPE  a gauge\n# EOF\n', 1, 'OpenMetrics allows only'],
  ['a tab in a header', '# HELP a\ttext\n# EOF\n', 1, 'OpenMetrics allows only'],
  ['a header for a name that is none', '# HELP a-b text\n# EOF\n', 1, 'OpenMetrics allows only'],
  ['a bad escape in help', '# HELP a x\\t\n# EOF\n', 1, 'in a help text a backslash must be followed by'],
  ['a backslash at the end of help', '# HELP a x\\\n# EOF\n', 1, 'in a help text a backslash must be followed by'],
  ['two blanks before the value', 'a  1\n# EOF\n', 1, 'is missing'],
  ['a tab before the value', 'a\t1\n# EOF\n', 1, 'a metric name|one blank'],
  ['a blank before the labels', 'a {x="1"} 1\n# EOF\n', 1, 'is not a number'],
  ['a blank in the labels', 'a{x="1", y="2"} 1\n# EOF\n', 1, 'a label name'],
  ['no blank before the value', 'a{x="1"}1\n# EOF\n', 1, 'one blank must stand before the value'],
  ['a blank behind the value', 'a 1 \n# EOF\n', 1, 'not accepted'],
  ['a blank before the name', ' a 1\n# EOF\n', 1, 'a metric name'],
  ['a type of the text format', '# TYPE a untyped\n# EOF\n', 1, '"untyped" is not a metric type'],
  [
    'a counter without _total',
    '# TYPE a counter\na 1\n# EOF\n',
    2,
    '"a" is declared as counter: its samples must be named a_total',
  ],
  [
    'a plain sample of a histogram',
    '# TYPE h histogram\nh 1\n# EOF\n',
    2,
    'its samples must be named h_bucket, h_sum, h_count',
  ],
  ['an info without _info', '# TYPE a info\na 1\n# EOF\n', 2, 'its samples must be named a_info'],
  ['a family in two blocks', 'a{x="1"} 1\nb 1\na{x="2"} 1\n# EOF\n', 3, 'the samples of "a" must stand in one block'],
  [
    'a declared family in two blocks',
    '# TYPE s summary\ns_sum 1\n# TYPE b gauge\nb 1\ns_count 1\n# EOF\n',
    5,
    'the samples of "s" must stand in one block',
  ],
  ['HELP behind samples', 'a 1\n# HELP a x\n# EOF\n', 2, 'what is said of "a" must stand before its samples'],
  [
    'a sample name of two families',
    '# TYPE a counter\na_total{x="1"} 1\n# TYPE a_total gauge\na_total{x="2"} 1\n# EOF\n',
    4,
    'the sample name "a_total" belongs to two families',
  ],
  ['a second UNIT', '# UNIT a_s s\n# UNIT a_s s\n# EOF\n', 2, 'a second "# UNIT" line for "a_s"'],
  [
    'a unit the name does not end in',
    '# TYPE a gauge\n# UNIT a seconds\n# EOF\n',
    2,
    'must end with its unit "_seconds"',
  ],
  ['an exemplar on a gauge', '# TYPE a gauge\na 1 # {x="1"} 1\n# EOF\n', 2, 'exemplars may stand only on'],
  ['an exemplar on a sum', '# TYPE h histogram\nh_sum 1 # {} 1\n# EOF\n', 2, 'exemplars may stand only on'],
  ['an exemplar on a creation time', '# TYPE a counter\na_created 1 # {} 1\n# EOF\n', 2, 'exemplars may stand only on'],
  ...(
    [
      ['an exemplar without braces', '# 1', 'an exemplar must begin with'],
      ['an exemplar behind two blanks', '#  {} 1', 'an exemplar must begin with'],
      ['an exemplar without a value', '# {}', 'one blank must stand before the value of an exemplar'],
      ['an exemplar with a word for a value', '# {} one', '"one" is not a number'],
      ['an exemplar without end', '# {x="1" 1', 'has no end'],
      ['an exemplar with an escape that is none', '# {x="\\t"} 1', 'the label set of an exemplar is malformed'],
      ['an exemplar with a label that is none', '# {1="x"} 1', 'the label set of an exemplar is malformed'],
      ['an exemplar with a label twice', '# {x="1",x="2"} 1', 'a label name of an exemplar appears twice'],
      ['an exemplar of 129 characters', `# {x="${'\u{1f600}'.repeat(128)}"} 1`, 'may hold 128 characters at most'],
      ['an exemplar at no time', '# {} 1 NaN', 'the timestamp of an exemplar must be a number'],
      ['an exemplar at the end of time', '# {} 1 +Inf', 'the timestamp of an exemplar must be a number'],
      ['something behind an exemplar', '# {} 1 1 1', 'nothing may follow the value'],
    ] as const
  ).map(([what, exemplar, sentence]): Case => [what, `# TYPE a counter\na_total 1 ${exemplar}\n# EOF\n`, 2, sentence]),
];

function expectRefusal(body: string, syntax: Syntax, line: number, sentence: string | RegExp): void {
  const { code, message, facts } = refusal(body, syntax);
  expect(message).toMatch(
    typeof sentence === 'string' ? new RegExp(sentence.replace(/[$()+.?[\\\]^{}]/g, '\\$&')) : sentence,
  );
  expect({ code, facts }).toEqual({ code: 'invalid', facts: { line } });
  expect(message.startsWith(`Line ${line}: `) && message.endsWith('.')).toBe(true);
}

describe('a body is refused with its line and the reason, in either format', () => {
  it.each(inBoth)('%s', (_what, body, line, sentence) => {
    expectRefusal(body, 'text', line, sentence);
    expectRefusal(body.endsWith('\n') ? `${body}# EOF\n` : body, 'openmetrics', line, sentence);
  });
});

describe('a body is refused with its line and the reason, in the text format', () => {
  it.each(inText)('%s', (_what, body, line, sentence) => expectRefusal(body, 'text', line, sentence));
});

describe('a body is refused with its line and the reason, in OpenMetrics', () => {
  it.each(inOpenMetrics)('%s', (_what, body, line, sentence) => expectRefusal(body, 'openmetrics', line, sentence));
});

describe('bytes that are not UTF-8', () => {
  it.each<[string, Buffer, number]>([
    ['a stray byte', Buffer.from('a 1\nb{x="\xff"} 1\n', 'latin1'), 2],
    ['a sequence cut short by a newline', Buffer.from('a 1\nb 2\n# \xc3\nc 1\n', 'latin1'), 3],
    ['a sequence cut short by the end', Buffer.from('a 1\nb{x="\xf0\x9f\x98', 'latin1'), 2],
    ['half a surrogate pair', Buffer.from('a{x="\xed\xa0\x80"} 1\n', 'latin1'), 1],
    ['an overlong encoding', Buffer.from('a 1\n\n\nb{x="\xc0\x80"} 1\n', 'latin1'), 4],
    ['beyond the last line', Buffer.from('a 1\n\xff', 'latin1'), 2],
  ])('are refused with their line: %s', (_what, body, line) => {
    for (const syntax of ['text', 'openmetrics'] as const) {
      const { code, message, facts } = refusal(body, syntax);
      expect({ code, message, facts }).toEqual({
        code: 'invalid',
        message: `Line ${line}: the body is not valid UTF-8.`,
        facts: { line },
      });
    }
  });
});

describe('a limit', () => {
  const limits = { ...defaultLimits, labels_per_series: 2, name_length_bytes: 5, value_length_bytes: 4 };

  it.each<[string, string, number, object]>([
    ['of labels', 'a 1\nb{x="1",y="2",z="3"} 1\n', 2, { limit: 'labels_per_series', max: 2, actual: 3 }],
    [
      'of labels, all of which are told',
      `a{${Array.from({ length: 200 }, (_, n) => `l${n}=""`)}} 1\n`,
      1,
      { limit: 'labels_per_series', max: 2, actual: 200 },
    ],
    ['of the length of a metric name', 'a 1\nabcdef 1\n', 2, { limit: 'name_length_bytes', max: 5, actual: 6 }],
    ['of the length of a label name', 'a{abcdef=""} 1\n', 1, { limit: 'name_length_bytes', max: 5, actual: 6 }],
    ['of the length of a declared name', '# TYPE abcdef gauge\n', 1, { limit: 'name_length_bytes', max: 5, actual: 6 }],
    ['of the length of a value', 'a{x="12345"} 1\n', 1, { limit: 'value_length_bytes', max: 4, actual: 5 }],
    [
      'of the length of a value, in bytes',
      'a 1\n\na{x="\u{1f600}\u{1f600}"} 1\n',
      3,
      { limit: 'value_length_bytes', max: 4, actual: 8 },
    ],
  ])('%s is told with its value and what came', (_what, body, line, facts) => {
    const error = refusal(body, 'text', limits);
    expect(error.code).toBe('limit_exceeded');
    expect(error.facts).toEqual({ ...facts, line });
    expect(error.message).toContain(`(line ${line})`);
  });

  it.each([
    ['what is just within', 'abcde{vwxyz="1234",y="\u{1f600}"} 1\n'],
    ['an escape, which is one character', 'a{x="\\\\\\"\\n1"} 1\n'],
    ['help of any length', `# HELP a ${'x'.repeat(10_000)}\na 1\n`],
  ])('lets pass %s', (_what, body) => {
    expect(() => refusal(body, 'text', limits)).toThrow('the body was taken');
  });

  it('of labels does not count those of ours', () => {
    const body = 'a{instance_id="x",x="1",y="2"} 1\n';
    expect(() => refusal(body, 'text', { ...defaultLimits, labels_per_series: 2 })).toThrow('the body was taken');
  });

  it('that is 0 does not hold', () => {
    const off = { ...limits, labels_per_series: 0, name_length_bytes: 0, value_length_bytes: 0 };
    const body = `${'n'.repeat(9999)}{${Array.from({ length: 999 }, (_, i) => `l${i}="${'v'.repeat(99)}"`)}} 1\n`;
    expect(() => refusal(body, 'text', off)).toThrow('the body was taken');
  });
});

describe('what looks wrong and is not', () => {
  it.each<[string, string, Syntax]>([
    ['an empty body', '', 'text'],
    ['an end mark, which is a comment', 'a 1\n# EOF\nb 1\n', 'text'],
    ['a missing last newline', 'a 1\nb 2', 'text'],
    ['comments with a carriage return', '# note\r\na 1\n', 'text'],
    ['HELP without text', '# HELP a\na 1\n', 'text'],
    ['HELP after samples', 'a 1\n# HELP a x\n', 'text'],
    ['no blank before the value', 'a{x="1"}1\n', 'text'],
    ['a comma behind the last label', 'a{x="1",} 1\n', 'text'],
    ['a family in two blocks', 'a{x="1"} 1\nb 1\na{x="2"} 1\n', 'text'],
    ['a label called le that is no number', 'a{le="many"} 1\n', 'text'],
    ['only the end mark', '# EOF', 'openmetrics'],
    ['an empty unit', '# TYPE a gauge\n# UNIT a \na 1\n# EOF\n', 'openmetrics'],
    ['headers in any order', '# HELP a x\n# TYPE a gauge\na 1\n# EOF\n', 'openmetrics'],
    [
      'an exemplar of 128 characters',
      `# TYPE a counter\na_total 1 # {x="${'\u{1f600}'.repeat(127)}"} 1\n# EOF\n`,
      'openmetrics',
    ],
    ['an exemplar on a bucket', '# TYPE h histogram\nh_bucket{le="1.0"} 1 # {} 1 1.5\n# EOF\n', 'openmetrics'],
    ['exemplars on a gauge histogram', '# TYPE h gaugehistogram\nh_bucket{le="1.0"} 1 # {} 1\n# EOF\n', 'openmetrics'],
    ['creation times in the block of their family', '# TYPE a counter\na_total 1\na_created 2\n# EOF\n', 'openmetrics'],
  ])('%s', (_what, body, syntax) => {
    expect(() => refusal(body, syntax)).toThrow('the body was taken');
  });
});
