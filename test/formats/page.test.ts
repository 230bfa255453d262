import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import { emptyExposition } from '../../src/formats/family.js';
import { type PagePart, renderPage } from '../../src/formats/page.js';
import { parseExposition, type Syntax } from '../../src/formats/parse.js';

const parse = (syntax: Syntax, body: string, instance: string) =>
  parseExposition(Buffer.from(syntax === 'text' ? body : `${body}# EOF\n`), {
    syntax,
    labels: instance === '' ? [] : [['i', instance]],
    limits: defaultLimits,
    reservedPrefix: 'weir_',
  });
const text = (body: string, instance = ''): PagePart => ({ exposition: parse('text', body, instance) });
const openMetrics = (body: string, instance = ''): PagePart => ({ exposition: parse('openmetrics', body, instance) });

const asText = (...parts: PagePart[]): string => renderPage(parts, 'text').toString();
const asOpenMetrics = (...parts: PagePart[]): string => {
  const page = renderPage(parts, 'openmetrics').toString();
  expect(page.endsWith('# EOF\n')).toBe(true);
  return page.slice(0, -'# EOF\n'.length);
};

describe('a page', () => {
  it('is empty without groups, or nearly', () => {
    for (const parts of [[], [{ exposition: emptyExposition }], [text('')], [text('# TYPE a gauge\n')]]) {
      expect(asText(...parts)).toBe('');
      expect(asOpenMetrics(...parts)).toBe('');
    }
  });

  it('has each family once, by name, with the samples of all groups in the order of these', () => {
    const one = text('# HELP b of one\n# TYPE b gauge\nb 1\na 2\n', '1');
    const two = text('# HELP b of two\n# TYPE b gauge\nb 3\n# TYPE c counter\nc 4\n', '2');
    const page =
      '# TYPE a untyped\na{i="1"} 2\n# HELP b of one\n# TYPE b gauge\nb{i="1"} 1\nb{i="2"} 3\n# TYPE c counter\nc{i="2"} 4\n';
    expect(asText(one, two)).toBe(page);
  });

  it('is not changed by having been rendered in the other format', () => {
    const parts = [
      openMetrics('# TYPE a counter\na_total 1 # {} 1\na_created 2\n# TYPE h gaugehistogram\nh_bucket{le="1"} 1\n'),
    ];
    const before = [asText(...parts), asOpenMetrics(...parts)];
    expect([asText(...parts), asOpenMetrics(...parts)]).toEqual(before);
  });

  it('escapes help as its format wants it', () => {
    const part = text('# HELP a "quoted" \\\\ and\\nbroken\na 1\n');
    expect(asText(part)).toContain('# HELP a "quoted" \\\\ and\\nbroken\n');
    expect(asOpenMetrics(part)).toContain('# HELP a \\"quoted\\" \\\\ and\\nbroken\n');
  });

  it('has TYPE, UNIT and HELP in this order in OpenMetrics, and no UNIT in text', () => {
    const part = openMetrics('# HELP a_s x\n# UNIT a_s s\n# TYPE a_s counter\na_s_total 1\n');
    expect(asOpenMetrics(part)).toBe('# TYPE a_s counter\n# UNIT a_s s\n# HELP a_s x\na_s_total{} 1\n');
    expect(asText(part)).toBe('# HELP a_s_total x\n# TYPE a_s_total counter\na_s_total{} 1\n');
  });

  it.each(['info', 'stateset'])('has no unit for %s, which has none in OpenMetrics', (type) => {
    const sample = type === 'info' ? 'a_s_info 1' : 'a_s{a_s="on"} 1';
    expect(asOpenMetrics(openMetrics(`# TYPE a_s ${type}\n# UNIT a_s s\n${sample}\n`))).not.toContain('UNIT');
  });
});

describe('types that contradict each other', () => {
  it('become untyped, with every sample under its own name', () => {
    const one = text('# HELP a help\n# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 2\na_count 1\n', '1');
    const two = text('# TYPE a gauge\na 5\n', '2');
    const samples = (type: string) =>
      `# TYPE a_bucket ${type}\na_bucket{le="+Inf",i="1"} 1\n# TYPE a_count ${type}\na_count{i="1"} 1\n# TYPE a_sum ${type}\na_sum{i="1"} 2\n`;
    expect(asText(one, two)).toBe(`# HELP a help\n# TYPE a untyped\na{i="2"} 5\n${samples('untyped')}`);
    expect(asOpenMetrics(one, two)).toContain(samples('unknown'));
  });

  it('take with them a family that has the name of a sample', () => {
    const one = text('# TYPE a summary\na_sum 1\na_count 2\n', '1');
    const two = text('# TYPE a gauge\na 5\n# HELP a_sum of two\n# TYPE a_sum gauge\na_sum 6\n', '2');
    expect(asText(one, two)).toBe(
      '# TYPE a untyped\na{i="2"} 5\n# TYPE a_count untyped\na_count{i="1"} 2\n# HELP a_sum of two\n# TYPE a_sum untyped\na_sum{i="2"} 6\na_sum{i="1"} 1\n',
    );
  });

  it('take with them a histogram that has the name of a sample', () => {
    const one = text('# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 2\n', '1');
    const two = text('# TYPE a gauge\na 5\n# TYPE a_sum histogram\na_sum_bucket{le="+Inf"} 6\n', '2');
    expect(asText(one, two)).toBe(
      '# TYPE a untyped\na{i="2"} 5\n# TYPE a_bucket untyped\na_bucket{le="+Inf",i="1"} 1\n# TYPE a_sum untyped\na_sum{i="1"} 2\n# TYPE a_sum_bucket untyped\na_sum_bucket{le="+Inf",i="2"} 6\n',
    );
  });

  it('are those of the text format, where OpenMetrics names the family otherwise', () => {
    const one = openMetrics('# TYPE a counter\na_total 1\n', '1');
    const two = text('# TYPE a_total counter\na_total 2\n', '2');
    expect(asText(one, two)).toBe('# TYPE a_total counter\na_total{i="1"} 1\na_total{i="2"} 2\n');
    expect(asOpenMetrics(one, two)).toBe('# TYPE a counter\na_total{i="1"} 1\na_total{i="2"} 2\n');
  });
});

describe('in OpenMetrics', () => {
  const typesOf = (...parts: PagePart[]): string[] =>
    [...asOpenMetrics(...parts).matchAll(/^# TYPE (.*)$/gm)].map(([, said]) => said!);
  /** The samples as the text page has them: they never change with the format. */
  const sameSamples = (...parts: PagePart[]): void => {
    const lines = (page: string) =>
      page
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .sort();
    expect(lines(asOpenMetrics(...parts))).toEqual(lines(asText(...parts)));
  };

  it.each<[string, string, string[]]>([
    ['a counter is told by its name without _total', '# TYPE a_total counter\na_total 1\n', ['a counter']],
    ['a counter may be infinite', '# TYPE a_total counter\na_total +Inf\n', ['a counter']],
    ['a counter may be minus zero', '# TYPE a_total counter\na_total -0\n', ['a counter']],
    ['a counter without _total is unknown', '# TYPE a counter\na 1\n', ['a unknown']],
    ['a counter called _total is unknown', '# TYPE _total counter\n_total 1\n', ['_total unknown']],
    [
      'a negative counter is unknown',
      '# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2"} -1\n',
      ['a_total unknown'],
    ],
    [
      'a hardly negative counter is unknown',
      `# TYPE a_total counter\na_total -0.${'0'.repeat(60)}1\n`,
      ['a_total unknown'],
    ],
    ['a counter that is NaN is unknown', '# TYPE a_total counter\na_total NaN\n', ['a_total unknown']],
    ['a counter that is minus infinity is unknown', '# TYPE a_total counter\na_total -Inf\n', ['a_total unknown']],
    [
      'a counter beside a gauge of its name is unknown',
      '# TYPE a gauge\na 1\n# TYPE a_total counter\na_total 1\n',
      ['a gauge', 'a_total unknown'],
    ],
    ['a gauge called _total beside nothing stays', '# TYPE a_total gauge\na_total -1\n', ['a_total gauge']],
    ['an untyped family is unknown', 'a 1\n', ['a unknown']],
    [
      'a histogram stays',
      '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
      ['h histogram'],
    ],
    [
      'a histogram with negative bounds and no sum stays',
      '# TYPE h histogram\nh_bucket{le="-1"} 1\nh_bucket{le="+Inf"} 2\n',
      ['h histogram'],
    ],
    ['a histogram of buckets alone stays', '# TYPE h histogram\nh_bucket{le="+Inf"} 2\n', ['h histogram']],
    [
      'a histogram with other names around stays',
      '# TYPE h histogram\nh_bucket{le="+Inf"} 2\n# TYPE h_max gauge\nh_max 1\n',
      ['h histogram', 'h_max gauge'],
    ],
    ...(
      [
        ['without +Inf', 'h_bucket{le="1"} 1\nh_sum 3\nh_count 1\n'],
        ['whose bounds fall', 'h_bucket{le="2"} 1\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\n'],
        ['whose counts fall', 'h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\n'],
        ['with half a count', 'h_bucket{le="1"} 0.5\nh_bucket{le="+Inf"} 1\n'],
        ['with infinite counts', 'h_bucket{le="+Inf"} +Inf\n'],
        ['with NaN for a bound', 'h_bucket{le="NaN"} 1\nh_bucket{le="+Inf"} 1\n'],
        ['with negative bounds', 'h_bucket{le="-1"} 1\nh_bucket{le="+Inf"} 1\nh_sum -1\nh_count 1\n'],
        ['whose count is not that of +Inf', 'h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n'],
        ['with a sum and no count', 'h_bucket{le="+Inf"} 1\nh_sum 1\n'],
        ['with a count and no sum', 'h_bucket{le="+Inf"} 1\nh_count 1\n'],
        ['with a negative sum', 'h_bucket{le="+Inf"} 1\nh_sum -1\nh_count 1\n'],
        ['whose sum is NaN', 'h_bucket{le="+Inf"} 1\nh_sum NaN\nh_count 1\n'],
        ['whose sum has a bound', 'h_bucket{le="+Inf"} 1\nh_sum{le="1"} 1\nh_sum{le="2"} 1\nh_count 1\n'],
        ['with a plain sample', 'h_bucket{le="+Inf"} 1\nh 1\n'],
        [
          'whose metrics stand among one another',
          'h_bucket{x="1",le="+Inf"} 1\nh_bucket{x="2",le="+Inf"} 1\nh_sum{x="1"} 1\nh_count{x="1"} 1\n',
        ],
      ] as const
    ).map(([what, body]): [string, string, string[]] => [
      `a histogram ${what} is unknown`,
      `# TYPE h histogram\n${body}`,
      [...new Set([...body.matchAll(/^\w+/gm)].map(([name]) => `${name} unknown`))].sort(),
    ]),
    [
      'a summary stays',
      '# TYPE s summary\ns{quantile="0.5"} NaN\ns{quantile="1"} 2\ns_sum 1\ns_count 2\n',
      ['s summary'],
    ],
    ['a summary without quantiles stays', '# TYPE s summary\ns_sum 1\n', ['s summary']],
    ['a summary with a quantile above 1 is unknown', '# TYPE s summary\ns{quantile="99"} 1\n', ['s unknown']],
    ['a summary with a negative quantile is unknown', '# TYPE s summary\ns{quantile="-0.1"} 1\n', ['s unknown']],
    ['a summary without the label is unknown', '# TYPE s summary\ns 1\n', ['s unknown']],
    ['a summary with a negative value is unknown', '# TYPE s summary\ns{quantile="1"} -1\n', ['s unknown']],
    ['a summary with a negative sum is unknown', '# TYPE s summary\ns_sum -1\n', ['s_sum unknown']],
    ['a summary with half a count is unknown', '# TYPE s summary\ns_count 0.5\n', ['s_count unknown']],
    ['a summary whose sum has a quantile is unknown', '# TYPE s summary\ns_sum{quantile="1"} 1\n', ['s_sum unknown']],
    [
      'a histogram beside a family with the name of its sum is unknown',
      '# TYPE h histogram\nh_bucket{le="+Inf"} 1\n# TYPE h_sum gauge\nh_sum 1\n',
      ['h_bucket unknown', 'h_sum gauge'],
    ],
  ])('%s', (_what, body, types) => {
    expect(typesOf(text(body))).toEqual(types);
    sameSamples(text(body));
  });

  it.each<[string, string, string[]]>([
    ['an info stays', '# TYPE a info\na_info{v="1"} 1\n', ['a info']],
    ['an info that is not 1 is unknown', '# TYPE a info\na_info 2\n', ['a_info unknown']],
    ['a stateset stays', '# TYPE a stateset\na{a="on"} 1\na{a="off"} 0\n', ['a stateset']],
    ['a stateset with a third value is unknown', '# TYPE a stateset\na{a="on"} 2\n', ['a unknown']],
    ['a stateset without its label is unknown', '# TYPE a stateset\na{x="on"} 1\n', ['a unknown']],
    [
      'a stateset whose metrics stand among one another is unknown',
      '# TYPE a stateset\na{a="1",x="1"} 1\na{a="1",x="2"} 1\na{a="2",x="1"} 0\n',
      ['a unknown'],
    ],
    [
      'a gauge histogram with negative bounds may have a negative sum',
      '# TYPE h gaugehistogram\nh_bucket{le="-1"} 1\nh_bucket{le="+Inf"} 2\nh_gsum -3\nh_gcount 2\n',
      ['h gaugehistogram'],
    ],
    [
      'a gauge histogram stays',
      '# TYPE h gaugehistogram\nh_bucket{le="+Inf"} 2\nh_gsum 3\nh_gcount 2\n',
      ['h gaugehistogram'],
    ],
    [
      'a gauge histogram whose sum is NaN is unknown',
      '# TYPE h gaugehistogram\nh_bucket{le="+Inf"} 2\nh_gsum NaN\nh_gcount 2\n',
      ['h_bucket unknown', 'h_gcount unknown', 'h_gsum unknown'],
    ],
    [
      'a gauge histogram whose sum is negative is unknown',
      '# TYPE h gaugehistogram\nh_bucket{le="+Inf"} 2\nh_gsum -1\nh_gcount 2\n',
      ['h_bucket unknown', 'h_gcount unknown', 'h_gsum unknown'],
    ],
  ])('%s', (_what, body, types) => {
    expect(typesOf(openMetrics(body))).toEqual(types);
    sameSamples(openMetrics(body));
  });

  it('a summary whose quantiles and sum come from two groups is unknown: its metrics would stand apart', () => {
    const one = text('# TYPE s summary\ns{x="1",quantile="1"} 1\ns{x="2",quantile="1"} 1\n');
    const two = text('# TYPE s summary\ns_sum{x="1"} 1\ns_count{x="1"} 1\n');
    expect(typesOf(one, two)).toEqual(['s unknown', 's_count unknown', 's_sum unknown']);
    sameSamples(one, two);
  });

  it('creation times stand behind the samples of their metric, though they are a family in text', () => {
    const body = '# TYPE a counter\na_total{x="1"} 1\na_created{x="1"} 11\na_total{x="2"} 2\na_created{x="2"} 12\n';
    const part = openMetrics(body);
    expect(asOpenMetrics(part)).toBe(body);
    expect(asText(part)).toBe(
      '# TYPE a_created gauge\na_created{x="1"} 11\na_created{x="2"} 12\n# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2"} 2\n',
    );
    expect(asOpenMetrics(text(asText(part)))).toBe(body);
  });

  it('creation times of histograms and summaries stand behind them too', () => {
    const body =
      '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum{} 1\nh_count{} 1\nh_created{} 9\n# TYPE s summary\ns{quantile="1.0"} 1\ns_created{} 9\n';
    expect(asOpenMetrics(openMetrics(body))).toBe(body);
  });

  it.each([
    ['of no metric', 'a_created{x="2"} 12\n'],
    ['of some metric and of none', 'a_created{x="1"} 11\na_created{x="2"} 12\n'],
  ])('a creation time %s makes its family unknown', (_what, created) => {
    const part = openMetrics(`# TYPE a counter\na_total{x="1"} 1\n${created}`);
    expect(typesOf(part)).toEqual(['a_created gauge', 'a_total unknown']);
    sameSamples(part);
  });

  it('a creation time of a counter in another group is found', () => {
    expect(typesOf(text('# TYPE a_total counter\na_total 1\n'), text('# TYPE a_created gauge\na_created 5\n'))).toEqual(
      ['a counter'],
    );
  });

  it.each(['untyped', 'counter'])('a family %s called _created is none of creation times', (type) => {
    const part = text(`# TYPE a_total counter\na_total 1\n# TYPE a_created ${type}\na_created 1\n`);
    expect(typesOf(part)).toEqual(['a_created unknown', 'a_total unknown']);
    sameSamples(part);
  });

  it('exemplars stay on counters and buckets', () => {
    const body =
      '# TYPE a counter\na_total{} 1 # {t="u # v"} 0.5 1.5\n# TYPE h histogram\nh_bucket{le="+Inf"} 1 # {} 1\n';
    expect(asOpenMetrics(openMetrics(body))).toBe(body);
  });

  it('exemplars are left out where the family becomes unknown', () => {
    const one = openMetrics('# TYPE a counter\na_total 1 # {t="u"} 1\n', '1');
    const two = text('# TYPE a gauge\na 1\n', '2');
    expect(asOpenMetrics(one, two)).toBe('# TYPE a gauge\na{i="2"} 1\n# TYPE a_total unknown\na_total{i="1"} 1\n');
    const broken = openMetrics('# TYPE h histogram\nh_bucket{le="1"} 1 # {} 1\n');
    expect(asOpenMetrics(broken)).toBe('# TYPE h_bucket unknown\nh_bucket{le="1.0"} 1\n');
  });
});

describe('in the text format', () => {
  it('has no exemplars', () => {
    const part = openMetrics('# TYPE a counter\na_total{x=" # {"} 1 # {t="u"} 1 1\n# TYPE b counter\nb_total 2\n');
    expect(asText(part)).toBe('# TYPE a_total counter\na_total{x=" # {"} 1\n# TYPE b_total counter\nb_total{} 2\n');
  });

  it('shows types it does not have as the nearest it has', () => {
    const part = openMetrics(
      '# TYPE a info\na_info{v="1"} 1\n# HELP g x\n# TYPE g gaugehistogram\ng_bucket{le="+Inf"} 1\ng_gsum 2\ng_gcount 1\n# TYPE s stateset\ns{s="on"} 1\n# TYPE u unknown\nu 1\n',
    );
    expect(asText(part)).toBe(
      '# TYPE a_info gauge\na_info{v="1"} 1\n# TYPE g_bucket untyped\ng_bucket{le="+Inf"} 1\n# TYPE g_gcount untyped\ng_gcount{} 1\n# TYPE g_gsum untyped\ng_gsum{} 2\n# TYPE s gauge\ns{s="on"} 1\n# TYPE u untyped\nu{} 1\n',
    );
  });

  it.each<[string, string, string]>([
    ['histogram', 'h_bucket{le="+Inf"} 1\n', 'h_count'],
    ['histogram', 'h_sum 1\n', 'h_bucket'],
    ['summary', 'h{quantile="1"} 1\n', 'h_sum'],
  ])('a %s with %s beside a family %s is untyped, as Go would take that for a part of it', (type, samples, other) => {
    const page = asText(text(`# TYPE h ${type}\n${samples}`, '1'), text(`# TYPE ${other} counter\n${other} 1\n`, '2'));
    expect(page).toContain(`# TYPE ${other} counter\n${other}{i="2"} 1\n`);
    expect(page).toContain(' untyped\n');
    expect(page).not.toContain(type);
  });

  it('a histogram beside its creation times stays one', () => {
    const page = asText(text('# TYPE h histogram\nh_bucket{le="+Inf"} 1\n# TYPE h_created gauge\nh_created 1\n'));
    expect(page).toContain('# TYPE h histogram\n');
  });
});

describe('timestamps', () => {
  const at = (part: PagePart, timestampMs: number): PagePart => ({ ...part, timestampMs });

  it('stand behind the value, in milliseconds in text and in seconds in OpenMetrics', () => {
    const parts = [at(text('a{x="} 1"} 1\n', '1'), 1711462853123), text('a 2\n', '2')];
    expect(asText(...parts)).toBe('# TYPE a untyped\na{x="} 1",i="1"} 1 1711462853123\na{i="2"} 2\n');
    expect(asOpenMetrics(...parts)).toBe('# TYPE a unknown\na{x="} 1",i="1"} 1 1711462853.123\na{i="2"} 2\n');
  });

  it('stand before exemplars, and on creation times', () => {
    const part = at(openMetrics('# TYPE a counter\na_total 1 # {} 1\na_created 2\n'), 5);
    expect(asOpenMetrics(part)).toBe('# TYPE a counter\na_total{} 1 0.005 # {} 1\na_created{} 2 0.005\n');
    expect(asText(part)).toBe('# TYPE a_created gauge\na_created{} 2 5\n# TYPE a_total counter\na_total{} 1 5\n');
  });
});
