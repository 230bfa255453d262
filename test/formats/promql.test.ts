import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { type Matcher, matcherOperators } from '../../src/domain/source.js';
import { seriesCount } from '../../src/formats/family.js';
import { parseExposition } from '../../src/formats/parse.js';
import {
  type MetricMetadata,
  type QueriedSeries,
  readMetadata,
  readQueryAnswer,
} from '../../src/formats/promql/answer.js';
import { textOf } from '../../src/formats/promql/exposition.js';
import { formatMatcher, matcherTest, parseMatcher, quote, selectorOf } from '../../src/formats/promql/matcher.js';
import { codePoint } from '../support/code-point.js';

const wellFormed = fc.string({ unit: codePoint });
const label = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/);

/** Reads a double-quoted string of Go from the start of the text, by the grammar; gives it and what follows. */
function unquoted(text: string): [value: string, rest: string] {
  if (text[0] !== '"') throw new Error(`no quote in ${text}`);
  let value = '';
  for (let at = 1; at < text.length; ) {
    const c = text[at]!;
    if (c === '"') return [value, text.slice(at + 1)];
    if (c === '\n') throw new Error('a line ends within a string');
    if (c !== '\\') {
      value += c;
      at++;
      continue;
    }
    const escaped = text[at + 1]!;
    if (escaped === 'x') {
      const code = Number.parseInt(text.slice(at + 2, at + 4), 16);
      // A byte of UTF-8; those above would be half a character.
      if (!(code < 0x80)) throw new Error('no ASCII');
      value += String.fromCharCode(code);
      at += 4;
      continue;
    }
    const known: Record<string, string> = { n: '\n', '"': '"', '\\': '\\' };
    if (known[escaped] === undefined) throw new Error(`no escaped: ${escaped}`);
    value += known[escaped];
    at += 2;
  }
  throw new Error('the string does not end');
}

/** Reads a selector without a name, by PromQL's grammar. */
function matchersOf(selector: string): Matcher[] {
  const found: Matcher[] = [];
  let rest = selector.replace(/^\{/, '');
  while (rest !== '}') {
    const [whole, name, operator] = /^([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)/.exec(rest) ?? [];
    if (whole === undefined) throw new Error(`no matcher in ${rest}`);
    const [value, after] = unquoted(rest.slice(whole.length));
    found.push({ label: name!, operator: operator as Matcher['operator'], value });
    rest = after.replace(/^,/, '');
  }
  return found;
}

describe('selectors', () => {
  it('hold every value as it is, whatever stands in it', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        expect(unquoted(quote(text))).toEqual([text, '']);
      }),
    );
  });

  it('hold exactly the matchers they were made of', () => {
    const matcher = fc.record({ label, operator: fc.constantFrom(...matcherOperators), value: wellFormed });
    fc.assert(
      fc.property(fc.array(matcher, { minLength: 1, maxLength: 5 }), (matchers) => {
        expect(matchersOf(selectorOf(matchers))).toEqual(matchers);
      }),
    );
    const evil: Matcher = { label: 'project', operator: '=', value: 'a"} or {project=~".*' };
    expect(matchersOf(selectorOf([evil]))).toEqual([evil]);
  });

  it('are read back from what is shown', () => {
    const matcher = fc.record({ label, operator: fc.constantFrom('=' as const, '!=' as const), value: wellFormed });
    fc.assert(
      fc.property(matcher, (each) => {
        expect(parseMatcher(formatMatcher(each))).toEqual(each);
      }),
    );
  });

  it('refuse what is no matcher', () => {
    for (const text of [
      '',
      'project',
      'project=acme',
      'project="acme',
      'project="a"} or {a="b"',
      'project="a",x="b"',
      'pro-ject="a"',
      'project=="a"',
      'project="a\\q"',
      'project="a\nb"',
      'project=~"("',
      'project=~"a{1001}"',
      '{project="a"}',
      'up{project="a"}',
      `project="${'x'.repeat(5000)}"`,
      'project="\ud800"',
    ]) {
      expect(() => parseMatcher(text), text).toThrow(WeirError);
    }
  });

  it('are satisfied by what Prometheus would give for them', () => {
    const passes = (text: string, value: string): boolean =>
      matcherTest(parseMatcher(text))((name) => (name === 'job' ? value : ''));
    expect(passes('job="api"', 'api')).toBe(true);
    expect(passes('job="api"', 'apis')).toBe(false);
    expect(passes('job!="api"', '')).toBe(true);
    expect(passes('job=~"api|db.*"', 'db2')).toBe(true);
    expect(passes('job=~"api"', 'xapi')).toBe(false);
    expect(passes('job!~"a.+"', 'api')).toBe(false);
    expect(passes('other="x"', 'x')).toBe(false);
    expect(passes('job=~"a\\\\.b"', 'a.b')).toBe(true);
    expect(passes('job=~"a\\\\.b"', 'axb')).toBe(false);
  });
});

const name = fc.constantFrom('up', 'h', 'h_bucket', 'h_sum', 'h_count', 's', 's_sum', 's_count', 'c_total', 'a:b');
const labels = fc
  .uniqueArray(
    fc.tuple(
      fc.constantFrom('le', 'quantile', 'project', 'a'),
      fc.oneof(wellFormed, fc.constantFrom('1', '+Inf', '0.5')),
    ),
    { selector: ([key]) => key, maxLength: 4 },
  )
  .map((pairs) => pairs.filter(([, value]) => value !== ''));
const queried: fc.Arbitrary<QueriedSeries[]> = fc.uniqueArray(
  fc.record({ name, labels, value: fc.constantFrom('1', '-2.5e-07', 'NaN', '+Inf', '-Inf') }),
  { selector: (each) => JSON.stringify([each.name, [...each.labels].sort()]) },
);
const known = fc
  .array(
    fc.tuple(
      fc.constantFrom('up', 'h', 's', 'c', 'c_total', 'h_sum', 's_count'),
      fc.record({
        type: fc.constantFrom<MetricMetadata['type'][]>('counter', 'gauge', 'histogram', 'summary', 'untyped'),
        help: wellFormed,
      }),
    ),
  )
  .map((pairs) => new Map<string, MetricMetadata>(pairs));
const limits = { ...defaultLimits, value_length_bytes: 0 };
const parse = (body: Buffer) => parseExposition(body, { syntax: 'text', labels: [], limits, reservedPrefix: 'weir_' });

const anyLabels = (): void => undefined;

describe('what a TSDB gives', () => {
  it('is a page with every series of it, whatever is said of the types', () => {
    fc.assert(
      fc.property(queried, known, (series, metadata) => {
        let count: number;
        try {
          count = seriesCount(parse(textOf(series, metadata)));
        } catch (error) {
          // Bounds that are the same number in two spellings are one series.
          expect((error as Error).message).toMatch(/appears twice/);
          return;
        }
        expect(count).toBe(series.length);
      }),
      { numRuns: 500 },
    );
  });

  it('has the help of its metadata, without a carriage return at the end', () => {
    const metadata = new Map<string, MetricMetadata>([['up', { type: 'gauge', help: 'Is\r it up?\r\r' }]]);
    const page = textOf([{ name: 'up', labels: [], value: '1' }], metadata).toString();
    expect(page).toBe('# HELP up Is\r it up?\n# TYPE up gauge\nup{} 1\n');
  });

  it('has the types of its metadata, parts of histograms and summaries with their family', () => {
    const of = (text: string, ...pairs: [string, string][]): QueriedSeries => ({
      name: text,
      labels: pairs,
      value: '1',
    });
    const series = [
      of('h_bucket', ['le', '1']),
      of('h_count'),
      of('c_total'),
      of('s', ['quantile', '0.5']),
      of('s_sum'),
      of('broken_bucket'),
      of('unknown'),
    ];
    const metadata = new Map<string, MetricMetadata>([
      ['h', { type: 'histogram', help: 'Took.\nLong.' }],
      ['c', { type: 'counter' }],
      ['s', { type: 'summary' }],
      ['broken', { type: 'histogram' }],
    ]);
    const { families } = parse(textOf(series, metadata));
    expect(families.map(({ header }) => [header.name, header.type])).toEqual([
      ['h', 'histogram'],
      ['c_total', 'counter'],
      ['s', 'summary'],
      ['unknown', 'untyped'],
      ['broken_bucket', 'untyped'],
    ]);
    expect(families[0]!.header.help).toBe('Took.\nLong.');
  });

  it('is refused when it is not an instant vector, and never is more than one line a series', () => {
    const answer = (result: unknown) =>
      Buffer.from(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
    const metric = { __name__: 'up', project: 'acme' };
    for (const value of ['1\nother{project="b"} 1', '', '1 2', '0x10', 'Infinity', '1_000', ' 1', 1]) {
      expect(() => readQueryAnswer(answer([{ metric, value: [1, value] }]), anyLabels), String(value)).toThrow(
        WeirError,
      );
    }
    for (const text of [
      '',
      'no',
      '[]',
      'null',
      '{"status":"error"}',
      '{"status":"success","data":{"resultType":"matrix","result":[]}}',
    ]) {
      expect(() => readQueryAnswer(Buffer.from(text), anyLabels)).toThrow(WeirError);
    }
    const odd = [{ __name__: 'up', 'a"} 1\nb{': 'x' }, { __name__: 'a b' }, {}].map((each) => ({
      metric: each,
      value: [1, '1'],
    }));
    expect(readQueryAnswer(answer(odd), anyLabels)).toEqual({
      series: [],
      warnings: [expect.stringContaining('3 series')],
    });
  });

  it('says what is missing: a partial answer, native histograms, what the TSDB warns of', () => {
    const metric = { __name__: 'h' };
    const result = [
      { metric, histogram: [1, { count: '3', sum: '4' }] },
      { metric, value: [1, '1'] },
    ];
    const answer = {
      status: 'success',
      isPartial: true,
      warnings: ['slow store'],
      data: { resultType: 'vector', result },
    };
    expect(readQueryAnswer(Buffer.from(JSON.stringify(answer)), anyLabels)).toEqual({
      series: [{ name: 'h', labels: [], value: '1' }],
      warnings: ['slow store', 'the answer is partial', expect.stringContaining('1 series are native histograms')],
    });
  });

  it('refuses anything else in its place with a sentence', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          readQueryAnswer(Buffer.from(text), anyLabels);
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
        }
      }),
    );
  });

  it('believes of metadata only what is said in one voice', () => {
    const data = {
      one: [{ type: 'counter', help: 'One.', unit: '' }],
      types: [
        { type: 'counter', help: 'A.' },
        { type: 'gauge', help: 'A.' },
      ],
      helps: [
        { type: 'gauge', help: 'Of acme.' },
        { type: 'gauge', help: 'Of rival.' },
      ],
      other: [{ type: 'info', help: '' }],
    };
    expect([...readMetadata(Buffer.from(JSON.stringify({ status: 'success', data })))]).toEqual([
      ['one', { type: 'counter', help: 'One.' }],
      ['types', { type: 'untyped', help: 'A.' }],
      ['helps', { type: 'gauge' }],
      ['other', { type: 'untyped' }],
    ]);
  });
});
