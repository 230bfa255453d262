import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import type { Exposition } from '../../src/formats/family.js';
import type { PageFormat } from '../../src/formats/negotiate.js';
import { renderPage } from '../../src/formats/page.js';
import { type ParseOptions, parseExposition, type Syntax } from '../../src/formats/parse.js';
import { numberOf, type ReadFamily, readOpenMetricsPage, readTextPage } from '../support/exposition-reader.js';
import {
  anyLegalBody,
  type LegalBody,
  legalBody,
  type ModelFamily,
  type ModelSample,
} from '../support/legal-expositions.js';

const limits = { ...defaultLimits, value_length_bytes: 0 };
const options = (syntax: Syntax, labels: ParseOptions['labels']): ParseOptions => ({
  syntax,
  labels,
  limits,
  reservedPrefix: 'weir_',
});
const oneLabel: ParseOptions['labels'] = [['instance_id', 'db1']];
const labelsOfOurs = fc.constantFrom<ParseOptions['labels']>(
  oneLabel,
  [...oneLabel, ['job', 'say "hi"\\\n']],
  [...oneLabel, ['job', '']],
  [['instance_id', '']],
);

const read = (exposition: Exposition, format: PageFormat): ReadFamily[] => {
  const page = renderPage([{ exposition }], format).toString();
  return format === 'text' ? readTextPage(page) : readOpenMetricsPage(page);
};

/** Name, labels (without empty ones, bounds as numbers) and value: what a series is to Prometheus. */
function seriesOf(name: string, labels: Iterable<readonly [string, string]>, value: number): string {
  const pairs = [...labels].filter(([, text]) => text !== '');
  const told = pairs.map(([k, text]) => [k, k === 'le' || k === 'quantile' ? String(bound(text)) : text]).sort();
  return `${name} ${JSON.stringify(told)} ${Object.is(value, -0) ? '-0' : value}`;
}

function expected({ name, labels, value }: ModelSample, ours: ParseOptions['labels']): string {
  return seriesOf(name, new Map([...labels, ...ours]), bound(value));
}

/** As a producer may spell it. */
function bound(text: string): number {
  const word = /^([+-]?)(inf|nan)/i.exec(text);
  if (word === null) return Number(text);
  return word[2]!.toLowerCase() === 'nan' ? Number.NaN : word[1] === '-' ? -Infinity : Infinity;
}

const served = (families: readonly ReadFamily[]): string[] =>
  families.flatMap(({ samples }) =>
    samples.map(({ name, labels, value }) => seriesOf(name, Object.entries(labels), numberOf(value))),
  );

const pushed = ({ families }: LegalBody, ours: ParseOptions['labels']): string[] =>
  families.flatMap(({ samples }) => samples.map((sample) => expected(sample, ours)));

const textType = ({ type = 'untyped' }: ModelFamily): string =>
  type === 'info' || type === 'stateset' ? 'gauge' : type;

describe('a legal body of either syntax', () => {
  it.each<PageFormat>(['text', 'openmetrics'])('comes back from the %s page as it was meant', (format) => {
    fc.assert(
      fc.property(anyLegalBody, labelsOfOurs, (legal, ours) => {
        const exposition = parseExposition(legal.body, options(legal.syntax, ours));
        expect(served(read(exposition, format)).sort()).toEqual(pushed(legal, ours).sort());
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the type and help of each family in the text format', () => {
    fc.assert(
      fc.property(anyLegalBody, ({ syntax, body, families }) => {
        const pages = read(parseExposition(body, options(syntax, oneLabel)), 'text');
        const found = new Map(pages.map(({ name, type, help }) => [name, { type, help }]));
        for (const family of families.filter(({ type }) => type !== 'gaugehistogram')) {
          expect(found.get(family.name)).toEqual({ type: textType(family), help: family.help });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('keeps type, help and unit in OpenMetrics wherever that allows the family', () => {
    fc.assert(
      fc.property(anyLegalBody, ({ syntax, body, families }) => {
        const pages = read(parseExposition(body, options(syntax, oneLabel)), 'openmetrics');
        const found = new Map(pages.map(({ name, type, help, unit }) => [name, { type, help, unit }]));
        for (const { name, type = 'untyped', help, unit, openMetrics } of families) {
          if (!openMetrics) continue;
          const base = type === 'counter' ? name.replace(/_total$/, '') : type === 'info' ? name.slice(0, -5) : name;
          const shown = type === 'untyped' ? 'unknown' : type;
          const noUnit = type === 'info' || type === 'stateset';
          expect(found.get(base)).toEqual({ type: shown, help, unit: noUnit ? undefined : unit });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('keeps exemplars in OpenMetrics, on the series they came with', () => {
    fc.assert(
      fc.property(legalBody('openmetrics'), ({ body, families }) => {
        const pages = read(parseExposition(body, options('openmetrics', oneLabel)), 'openmetrics');
        const found = pages.flatMap(({ samples }) => samples.flatMap(({ exemplar }) => exemplar ?? []));
        const wanted = families
          .filter(({ openMetrics }) => openMetrics)
          .flatMap(({ samples }) => samples.flatMap(({ exemplar }) => exemplar ?? []));
        expect(found.sort()).toEqual(wanted.sort());
      }),
      { numRuns: 200 },
    );
  });

  it('reads its own OpenMetrics page back without a change', () => {
    fc.assert(
      fc.property(anyLegalBody, ({ syntax, body }) => {
        const page = renderPage([{ exposition: parseExposition(body, options(syntax, oneLabel)) }], 'openmetrics');
        const again = parseExposition(page, options('openmetrics', oneLabel));
        expect(renderPage([{ exposition: again }], 'openmetrics').toString()).toBe(page.toString());
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the lines of each family side by side, whatever their order in the body', () => {
    fc.assert(
      fc.property(legalBody('text'), ({ body, families }) => {
        const exposition = parseExposition(body, options('text', oneLabel));
        expect(exposition.families.map(({ header }) => header.name).sort()).toEqual(families.map((f) => f.name).sort());
        let line = 0;
        for (const { first, last } of exposition.families) {
          expect(first).toBe(line);
          line = last;
        }
        expect(exposition.lines.length).toBe(line + 1);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the canonical form', () => {
  const lines = (body: string, syntax: Syntax = 'text', labels = oneLabel): string =>
    parseExposition(Buffer.from(body), options(syntax, labels)).bytes.toString();

  it.each([
    ['1', '1.0'],
    ['01.50', '1.5'],
    ['1e0', '1.0'],
    ['100000', '100000.0'],
    ['1000000', '1e+06'],
    ['12345678', '1.2345678e+07'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['.5', '0.5'],
    ['-0', '-0.0'],
    ['0', '0.0'],
    ['Inf', '+Inf'],
    ['+infinity', '+Inf'],
    ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ['5e-324', '5e-324'],
    ['0.1000000000000000055511151231', '0.1'],
  ])('spells the bound %s as OpenMetrics does: %s', (pushed, spelled) => {
    expect(lines(`# TYPE h histogram\nh_bucket{a="b",le="${pushed}",z="1"} 1\n`)).toBe(
      `h_bucket{a="b",le="${spelled}",z="1",instance_id="db1"} 1\n`,
    );
    expect(lines(`# TYPE s summary\ns{quantile="${pushed}"} 1\n`)).toBe(
      `s{quantile="${spelled}",instance_id="db1"} 1\n`,
    );
  });

  it('leaves le and quantile alone where they are no bounds', () => {
    expect(lines('# TYPE g gauge\ng{le="1",quantile="x"} 1\n')).toBe('g{le="1",quantile="x",instance_id="db1"} 1\n');
    expect(lines('# TYPE h histogram\nh_sum{quantile="1"} 1\n')).toBe('h_sum{quantile="1",instance_id="db1"} 1\n');
  });

  it('holds le and quantile to be numbers on every sample of their types, as Go readers of the page do', () => {
    expect(lines('# TYPE h histogram\nh_sum{le="1"} 1\n')).toBe('h_sum{le="1.0",instance_id="db1"} 1\n');
    expect(() => lines('# TYPE h histogram\nh{le="x"} 1\n')).toThrow('Line 2: the label le="x" is not a number');
    expect(() => lines('# TYPE h histogram\nh_sum{le="x"} 1\n')).toThrow('not a number');
    expect(() => lines('# TYPE s summary\ns_sum{quantile="x"} 1\n')).toThrow('Line 2: the label quantile="x" is not');
  });

  it('puts our labels in the place of pushed ones, and takes away those we have empty', () => {
    expect(lines('a{instance_id="evil",x="1"} 1\n')).toBe('a{x="1",instance_id="db1"} 1\n');
    expect(lines('a{x="1",instance_id="evil"} 1\n')).toBe('a{x="1",instance_id="db1"} 1\n');
    expect(lines('a{instance_id="evil"} 1\n')).toBe('a{instance_id="db1"} 1\n');
    expect(lines('a{job="evil",x="1"} 1\n', 'text', [...oneLabel, ['job', '']])).toBe('a{x="1",instance_id="db1"} 1\n');
    expect(lines('a{job="evil"} 1\n', 'text', [['job', '']])).toBe('a{} 1\n');
  });

  it('spells NaN and the infinities in one way and leaves every other number as it came', () => {
    const spelled = (value: string) => lines(`a ${value}\n`).slice('a{instance_id="db1"} '.length, -1);
    for (const text of ['nan', 'NAN', '+NaN']) expect(spelled(text)).toBe('NaN');
    for (const text of ['inf', '+Inf', 'INFINITY']) expect(spelled(text)).toBe('+Inf');
    for (const text of ['-inf', '-Infinity']) expect(spelled(text)).toBe('-Inf');
    const long = `${'9'.repeat(300)}.${'0'.repeat(300)}1`;
    for (const text of ['1', '-0', '+7', '.5', '5.', '1E5', '007', '1e-400', long]) expect(spelled(text)).toBe(text);
  });
});
