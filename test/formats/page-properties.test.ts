import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { type Exposition, seriesCount } from '../../src/formats/family.js';
import { type PagePart, renderPage } from '../../src/formats/page.js';
import { parseExposition, type Syntax } from '../../src/formats/parse.js';
import { seriesIdentity } from '../../src/formats/syntax.js';
import { expectEqual } from '../support/expect-equal.js';
import { type ReadFamily, readOpenMetricsPage, readSample, readTextPage } from '../support/exposition-reader.js';
import { anyLegalBody } from '../support/legal-expositions.js';

function parsed(body: string | Buffer, syntax: Syntax, labels: [string, string][]): Exposition | undefined {
  try {
    return parseExposition(Buffer.from(body), { syntax, labels, limits: defaultLimits, reservedPrefix: 'weir_' });
  } catch (error) {
    if (error instanceof WeirError) return undefined;
    throw error;
  }
}

/** Families whose names and values are on the edge of what OpenMetrics allows, and beyond it. */
const base = fc.constantFrom('a', 'a_b', 'a_total', 'a_sum', 'a_count', 'a_created', 'a_bucket', 'a_info', 'b');
const type = fc.constantFrom(
  'counter',
  'gauge',
  'histogram',
  'summary',
  'unknown',
  'info',
  'stateset',
  'gaugehistogram',
);
const metric = fc.constantFrom('', 'x="1"', 'x="2"', 'x=""', 'le="1"', 'le="-1"', 'quantile="0.5"');
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('0', '1', '1', '2') },
  { weight: 1, arbitrary: fc.constantFrom('-1', 'NaN', '+Inf', '-Inf', '2.5', '-0', `-0.${'0'.repeat(50)}1`) },
);
const suffixes: Record<string, readonly string[]> = {
  counter: ['_total', '_total', '_created'],
  histogram: ['_bucket', '_bucket', '_bucket', '_sum', '_count', '_created'],
  summary: ['', '', '_sum', '_count', '_created'],
  gaugehistogram: ['_bucket', '_bucket', '_gsum', '_gcount'],
  info: ['_info'],
};
const block = fc
  .record({
    base,
    type,
    declared: fc.constantFrom(true, true, true, false),
    samples: fc.array(fc.tuple(fc.nat(), metric, value, fc.nat(5)), { minLength: 1, maxLength: 5 }),
    whole: fc.boolean(),
    syntax: fc.constantFrom<Syntax>('text', 'openmetrics'),
  })
  .map(({ base, type, declared, samples, whole, syntax }): [Syntax, string] => {
    const told: Record<string, string> = { histogram: 'le', gaugehistogram: 'le', summary: 'quantile', stateset: base };
    const spell = (suffix: string, pairs: string, value: string, exemplar: boolean): string => {
      const own = suffix === '_bucket' || suffix === '' ? told[type] : undefined;
      const bound = own === undefined || pairs.includes(`${own}=`) ? '' : `${own}="1"`;
      const set = [pairs, bound].filter((text) => text !== '').join(',');
      const name = base + (syntax === 'text' && type === 'counter' && suffix === '_total' ? '' : suffix);
      const more = exemplar && syntax === 'openmetrics' && /_(total|bucket)$/.test(suffix) ? ' # {t="u"} 1' : '';
      return `${name}{${set}} ${value}${more}`;
    };
    const parts = suffixes[type] ?? [''];
    const lines = declared
      ? samples.map(([part, pairs, value, dice]) => spell(parts[part % parts.length]!, pairs, value, dice === 0))
      : samples.map(([, pairs, value]) => `${base}{${pairs}} ${value}`);
    // The rest of what makes a histogram legal.
    if (whole && declared && type.endsWith('histogram')) {
      const first = samples[0]![1] === 'le="-1"' ? '-1' : '1';
      const [sum, count] = type === 'histogram' ? ['_sum', '_count'] : ['_gsum', '_gcount'];
      lines.splice(0, 9, `${base}_bucket{le="${first}"} 1`, `${base}_bucket{le="+Inf"} 2`);
      lines.push(`${base}${sum} ${samples[0]![2]}`, `${base}${count} 2`);
      if (type === 'histogram' && syntax === 'openmetrics' && samples.length > 2) lines.push(`${base}_created 5`);
    }
    if (!declared) return [syntax, lines.join('\n')];
    const header = `# TYPE ${base} ${syntax === 'text' && type === 'unknown' ? 'untyped' : type}`;
    return [syntax, [header, ...lines].join('\n')];
  });

/** What one group holds: blocks of one syntax, those of them that are taken. */
const edgy = fc.array(block, { minLength: 1, maxLength: 4 }).map((blocks): [Syntax, string] => {
  const syntax = blocks[0]![0];
  const end = syntax === 'openmetrics' ? '# EOF\n' : '';
  let body = '';
  for (const [, text] of blocks.filter(([s]) => s === syntax)) {
    if (parsed(`${body}${text}\n${end}`, syntax, []) !== undefined) body += `${text}\n`;
  }
  return [syntax, body + end];
});
const legal = anyLegalBody.map(({ syntax, body }): [Syntax, string] => [syntax, body.toString()]);

/** Groups of a few instances, with no series in common. */
const groups = fc
  .array(fc.tuple(fc.oneof({ weight: 4, arbitrary: edgy }, { weight: 1, arbitrary: legal }), fc.nat(2)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((bodies) => {
    const seen = new Set<string>();
    return bodies.flatMap(([[syntax, body], instance]) => {
      const exposition = parsed(body, syntax, [['instance_id', `i${instance}`]]);
      if (exposition === undefined) return [];
      const series = identities(exposition);
      if (series.some((identity) => seen.has(identity))) return [];
      for (const identity of series) seen.add(identity);
      return [exposition];
    });
  });

const identities = ({ bytes, lines }: Exposition): string[] =>
  [...lines.subarray(0, -1)].map((start) => seriesIdentity(bytes, start));

const flat = ({ name, labels, value }: ReturnType<typeof readSample>): string =>
  `${name} ${JSON.stringify(Object.entries(labels).sort())} ${value}`;
const samplesOf = (families: readonly ReadFamily[]): string[] =>
  families.flatMap(({ samples }) => samples.map(flat)).sort();
const held = (expositions: readonly Exposition[]): string[] =>
  expositions
    .flatMap(({ bytes }) => bytes.toString().split('\n').slice(0, -1))
    .map((line) => flat(readSample(line)))
    .sort();

const render = (parts: readonly PagePart[], format: Syntax): string => renderPage(parts, format).toString();

describe('a page of any groups', () => {
  it('has every series of them, unchanged, in both formats, and passes strict readers', () => {
    fc.assert(
      fc.property(groups, (expositions) => {
        const parts = expositions.map((exposition) => ({ exposition }));
        const wanted = held(expositions);
        expectEqual(samplesOf(readTextPage(render(parts, 'text'))), wanted);
        expectEqual(samplesOf(readOpenMetricsPage(render(parts, 'openmetrics'))), wanted);
      }),
      { numRuns: 500 },
    );
  });

  it('can be pushed again as it is', () => {
    fc.assert(
      fc.property(groups, (expositions) => {
        const parts = expositions.map((exposition) => ({ exposition }));
        const wanted = held(expositions);
        for (const format of ['text', 'openmetrics'] as const) {
          const options = { syntax: format, labels: [], limits: defaultLimits, reservedPrefix: 'weir_' };
          const again = parseExposition(Buffer.from(render(parts, format)), options);
          expect(seriesCount(again)).toBe(wanted.length);
          expectEqual(held([again]), wanted);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has timestamps where they are wanted, in the unit of the format, and is the same page otherwise', () => {
    const time = fc.option(fc.integer({ min: -1, max: 4_102_444_800_000 }), { nil: undefined });
    fc.assert(
      fc.property(groups, fc.array(time, { minLength: 4, maxLength: 4 }), (expositions, times) => {
        const bare = expositions.map((exposition) => ({ exposition }));
        const timed = expositions.map((exposition, index) => ({ exposition, timestampMs: times[index] }));
        const owner = new Map(
          timed.flatMap(({ exposition, timestampMs }) => held([exposition]).map((key) => [key, timestampMs])),
        );
        for (const [format, read, unit] of [
          ['text', readTextPage, 1],
          ['openmetrics', readOpenMetricsPage, 1000],
        ] as const) {
          const families = read(render(timed, format));
          for (const sample of families.flatMap(({ samples }) => samples)) {
            const ms = owner.get(flat(sample));
            expectEqual(sample.timestamp === undefined ? undefined : Math.round(Number(sample.timestamp) * unit), ms);
          }
          const without = families.map(({ samples, ...family }) => ({
            ...family,
            samples: samples.map(({ timestamp, ...sample }) => sample),
          }));
          expectEqual(without, read(render(bare, format)));
        }
      }),
      { numRuns: 300 },
    );
  });
});
