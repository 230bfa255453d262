import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { noRelabeling, type Relabeling } from '../../src/domain/relabel.js';
import { atOnce } from '../../src/domain/turns.js';
import { type PagePart, renderPage } from '../../src/formats/page.js';
import { parseExposition } from '../../src/formats/parse.js';
import { checkDroppedLabels, checkDroppedMetrics, readRelabelConfigs } from '../../src/formats/relabel/config.js';
import { Outcomes } from '../../src/formats/relabel/outcome.js';
import { relabelParts as relabelSteps } from '../../src/formats/relabel/parts.js';
import { compileRelabeling, LabelBuilder, TooLarge } from '../../src/formats/relabel/process.js';
import { type ReadSample, readOpenMetricsPage, readSample, readTextPage } from '../support/exposition-reader.js';
import { anyLegalBody } from '../support/legal-expositions.js';
import { relabelCases } from '../support/relabel-cases.js';

const relabelParts = (...of: Parameters<typeof relabelSteps>) => atOnce(relabelSteps(...of));

function process(rules: readonly unknown[], before: Readonly<Record<string, string>>): Record<string, string> | null {
  const labels = new LabelBuilder(Object.entries(before));
  return compileRelabeling(readRelabelConfigs(rules))(labels) ? Object.fromEntries(labels.entries()) : null;
}

describe('relabel rules', () => {
  it.each(relabelCases.map((each) => [each.name, each] as const))('%s', (_, { rules, before, after }) => {
    expect(process(rules, before)).toEqual(after);
  });

  const refused: readonly (readonly [unknown, string])[] = [
    [{}, 'must be a list'],
    [['keep'], 'must be a mapping'],
    [[{ action: 'explode' }], 'there is no action "explode"'],
    [[{ regexp: 'a', target_label: 'b' }], 'there is no field "regexp"'],
    [[{ source_labels: 'a', target_label: 'b' }], 'source_labels must be a list'],
    [[{ source_labels: ['a-b'], target_label: 'b' }], 'source_labels must be a list'],
    [[{ source_labels: ['a'] }], 'replace needs a target_label'],
    [[{ target_label: 'a-b' }], 'no target_label'],
    [[{ target_label: '-$1' }], 'no target_label'],
    [[{ target_label: '$' }], 'no target_label'],
    [[{ target_label: '$1', action: 'lowercase' }], 'no target_label'],
    [[{ target_label: 'a', action: 'hashmod' }], 'needs a modulus'],
    [[{ target_label: 'a', action: 'hashmod', modulus: -1 }], 'whole number'],
    [[{ target_label: 'a', action: 'uppercase', replacement: 'x' }], 'takes no replacement'],
    [[{ target_label: 'a', action: 'keepequal', regex: 'x' }], 'source_labels and target_label only'],
    [[{ action: 'labeldrop', source_labels: ['a'] }], 'takes a regex only'],
    [[{ action: 'labelkeep', target_label: 'a' }], 'takes a regex only'],
    [[{ action: 'labelmap', replacement: '-$1' }], 'no replacement for labelmap'],
    [[{ action: 'drop', regex: '(' }], 'missing closing'],
    [[{ action: 'drop', regex: '(?!a)' }], 'no regular expression'],
    [Array.from({ length: 51 }, () => ({ action: 'drop', regex: 'a' })), 'at most 50'],
  ];
  it.each(refused)('%j are refused', (rules, sentence) => {
    expect(() => readRelabelConfigs(rules)).toThrow(WeirError);
    expect(() => readRelabelConfigs(rules)).toThrow(sentence);
  });

  it('with a bad regular expression are named by their place, as others are', () => {
    const rules = [
      { action: 'drop', regex: 'a' },
      { action: 'drop', regex: '(' },
    ];
    expect(() => readRelabelConfigs(rules)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^Relabel rule 2: "\(" is no regular expression/),
        facts: { field: 'metric_relabel_configs.1.regex' },
      }),
    );
  });

  it('are taken as YAML gives them: numbers as texts, nothing as the default', () => {
    const rules = [{ source_labels: ['code'], regex: 404, replacement: null, target_label: 'x', action: 'Replace' }];
    expect(readRelabelConfigs(rules)).toEqual([
      { source_labels: ['code'], regex: '404', target_label: 'x', action: 'replace' },
    ]);
  });

  it('that let a series grow without end are stopped', () => {
    const doubling = { source_labels: ['a'], target_label: 'a', replacement: '$1$1' };
    const maps = Array.from({ length: 12 }, (_, i) => ({ regex: '(.*)', action: 'labelmap', replacement: `x${i}_$1` }));
    expect(() => process(Array(40).fill(doubling), { a: 'aaaa' })).toThrow(TooLarge);
    expect(() => process(maps, { a: '1', b: '2' })).toThrow(TooLarge);
  });

  it.each([['le'], ['quantile'], ['instance_id'], ['__name__'], ['a-b'], ['']])('label %j is not dropped', (name) => {
    expect(() => checkDroppedLabels([name])).toThrow(WeirError);
  });

  it('names of metrics are checked', () => {
    expect(checkDroppedMetrics(['a:b_c'])).toEqual(['a:b_c']);
    expect(() => checkDroppedMetrics(['a b'])).toThrow('no name of a metric');
  });
});

const ours = [['instance_id', 'db1']] as const;
const options = { ours, reservedPrefix: 'weir_' };

const partOf = (body: string): PagePart => ({
  exposition: parseExposition(Buffer.from(body), {
    syntax: 'text',
    labels: ours,
    limits: defaultLimits,
    reservedPrefix: 'weir_',
  }),
});

function relabeled(rules: Partial<Relabeling>, ...bodies: string[]) {
  const all = { ...noRelabeling, ...rules };
  const { parts, counts } = relabelParts(bodies.map(partOf), all, new Outcomes(all, options));
  return { text: renderPage(parts, 'text').toString(), om: renderPage(parts, 'openmetrics').toString(), counts };
}

const rename = (from: string, to: string) => ({
  source_labels: ['__name__'],
  regex: from,
  target_label: '__name__',
  replacement: to,
});
const labeldrop = (regex: string) => ({ action: 'labeldrop', regex }) as const;
const histogram = (name: string, labels: string, count = 2): string => {
  const more = labels === '' ? '' : `,${labels}`;
  return [
    `# TYPE ${name} histogram`,
    `${name}_bucket{le="1"${more}} 1`,
    `${name}_bucket{le="+Inf"${more}} ${count}`,
    `${name}_sum{${labels}} 3`,
    `${name}_count{${labels}} ${count}`,
    '',
  ].join('\n');
};

describe('a relabeled page', () => {
  it('is the very same part when no rule concerns it', () => {
    const part = partOf('# TYPE a gauge\na{x="1"} 1\n');
    const rules = { ...noRelabeling, relabelConfigs: [labeldrop('y')], droppedLabels: ['z'], droppedMetrics: ['b'] };
    expect(relabelParts([part], rules, new Outcomes(rules, options)).parts[0]).toBe(part);
  });

  it('has the type, help and unit of what was renamed', () => {
    const body = '# HELP a_total Said.\n# TYPE a_total counter\na_total{x="1"} 1\n';
    const { om } = relabeled({ relabelConfigs: [rename('a(.*)', 'b$1')] }, body);
    expect(om).toBe('# TYPE b counter\n# HELP b Said.\nb_total{x="1",instance_id="db1"} 1\n# EOF\n');
  });

  it('keeps histograms whole: under another name, without a label', () => {
    const { om, counts } = relabeled(
      { relabelConfigs: [rename('lag_(bucket|sum|count)', 'delay_$1')], droppedLabels: ['pod'] },
      histogram('lag', 'pod="p"'),
    );
    expect(om).toBe(
      [
        '# TYPE delay histogram',
        'delay_bucket{le="1.0",instance_id="db1"} 1',
        'delay_bucket{le="+Inf",instance_id="db1"} 2',
        'delay_sum{instance_id="db1"} 3',
        'delay_count{instance_id="db1"} 2',
        '# EOF',
        '',
      ].join('\n'),
    );
    expect(counts).toEqual({ series: 4, changed: 4, leftOut: { rule: 0, duplicate: 0, invalid: 0 } });
  });

  it('makes no histogram out of two: of those that meet the first is served', () => {
    const { text, counts } = relabeled(
      { droppedLabels: ['pod'] },
      histogram('lag', 'pod="a"', 2) +
        histogram('lag', 'pod="b"', 5)
          .replace(/^#.*\n/, '')
          .replaceAll('le="1"', 'le="2"'),
    );
    expect(text).not.toContain('le="2.0"');
    expect(text).toContain('lag_count{instance_id="db1"} 2');
    expect(counts.leftOut.duplicate).toBe(4);
  });

  it('calls the rest of a histogram that lost its bounds what it is', () => {
    const { om, text } = relabeled({ relabelConfigs: [rename('lag_sum', 'total')] }, histogram('lag', ''));
    expect(om).toContain('# TYPE total unknown\n');
    expect(om).not.toContain('histogram');
    expect(text).toContain('total{instance_id="db1"} 3');
    const bare = relabeled({ relabelConfigs: [labeldrop('le')] }, histogram('lag', ''));
    expect(bare.text.match(/^lag_bucket\{instance_id="db1"\} 1$/gm)).toHaveLength(1);
    expect(bare.counts.leftOut.duplicate).toBe(1);
  });

  it('serves the first of equal series, across groups, and says how many were left out', () => {
    const { text, counts } = relabeled(
      { droppedLabels: ['pod'] },
      'a{pod="1"} 1\na{pod="2"} 2\n',
      'a 3\nb{pod="1"} 4\n',
    );
    expect(text).toContain('a{instance_id="db1"} 1\n');
    expect(text.match(/^a\{/gm)).toHaveLength(1);
    expect(counts).toEqual({ series: 4, changed: 2, leftOut: { rule: 0, duplicate: 2, invalid: 0 } });
  });

  it('serves nothing under a name of the gateway, or under none', () => {
    const to = (replacement: string) => relabeled({ relabelConfigs: [rename('.*', replacement)] }, 'a{x="1"} 1\n');
    for (const name of ['weir_snapshot_timestamp_seconds', '9', 'a b', '']) {
      expect([name, to(name).text, to(name).counts.leftOut.invalid]).toEqual([name, '', 1]);
    }
    const map = { action: 'labelmap', regex: 'x', replacement: 'xy' } as const;
    expect(relabeled({ relabelConfigs: [map] }, 'a{x="1"} 1\n').text).toContain('a{x="1",xy="1",');
  });

  it("has the gateway's own label, whatever the rules say", () => {
    const fakes = [
      { target_label: 'instance_id', replacement: 'other' },
      { ...labeldrop('instance_id') },
      { source_labels: ['x'], target_label: 'instance_id' },
    ];
    for (const fake of fakes) {
      expect(relabeled({ relabelConfigs: [fake] }, 'a{x="1"} 1\n').text).toContain('a{x="1",instance_id="db1"} 1');
    }
  });

  it('drops metrics as a whole, before the rules', () => {
    const { text, counts } = relabeled(
      { droppedMetrics: ['lag', 'b_count'], relabelConfigs: [rename('a', 'lag')] },
      `${histogram('lag', '')}a 1\n${histogram('b', '')}`,
    );
    expect(text).not.toContain('lag_');
    expect(text).toContain('lag{instance_id="db1"} 1');
    expect(text).toContain('b_count{');
    expect(counts.leftOut.rule).toBe(4);
  });

  it('keeps exemplars and times with their series', () => {
    const exposition = parseExposition(
      Buffer.from('# TYPE a counter\na_total{x="1"} 1 # {t="1"} 1\na_total{x="2"} 2\n# EOF\n'),
      {
        syntax: 'openmetrics',
        labels: ours,
        limits: defaultLimits,
        reservedPrefix: 'weir_',
      },
    );
    const rules = {
      ...noRelabeling,
      relabelConfigs: [{ source_labels: ['x'], regex: '1', action: 'drop' }, rename('a_(.*)', 'b_$1')],
    } as const;
    const { parts } = relabelParts(
      [{ exposition, timestampMs: 0, times: Float64Array.of(1, 2) }],
      rules,
      new Outcomes(rules, options),
    );
    expect(renderPage(parts, 'text').toString()).toContain('b_total{x="2",instance_id="db1"} 2 2\n');
    const all = { ...noRelabeling, relabelConfigs: [rename('a_(.*)', 'b_$1')] };
    const whole = relabelParts([{ exposition }], all, new Outcomes(all, options));
    expect(renderPage(whole.parts, 'openmetrics').toString()).toContain(
      'b_total{x="1",instance_id="db1"} 1 # {t="1"} 1\n',
    );
  });
});

describe('any rules on any families', () => {
  const label = fc.constantFrom('__name__', 'le', 'quantile', 'a', 'b', 'x', 'job', 'instance_id');
  const regex = fc.constantFrom('(.*)', '.+', 'a.*', '(.*)_(.*)', '', '[a-m].*', '.*_(sum|count|bucket)', '(.)(.*)');
  const rule = fc.oneof(
    fc.record({
      source_labels: fc.array(label, { maxLength: 2 }),
      regex,
      target_label: fc.oneof(label, fc.constant('l_$1')),
      replacement: fc.constantFrom('$1', 'x', '', '$2$1', 'a_total', '$1_sum'),
    }),
    fc.record({
      source_labels: fc.array(label, { minLength: 1, maxLength: 2 }),
      regex,
      action: fc.constantFrom('keep', 'drop'),
    }),
    fc.record({
      regex: fc.constantFrom('a|b', 'le', '[a-z]', 'quantile|x', 'instance_id'),
      action: fc.constant('labeldrop'),
    }),
    fc.record({
      source_labels: fc.tuple(label),
      target_label: label,
      modulus: fc.constant(2),
      action: fc.constant('hashmod'),
    }),
    fc.record({
      regex: fc.constantFrom('(a)', '([a-z])'),
      replacement: fc.constantFrom('m_$1', 'b'),
      action: fc.constant('labelmap'),
    }),
    fc.record({
      source_labels: fc.tuple(label),
      target_label: label,
      action: fc.constantFrom('dropequal', 'uppercase'),
    }),
  );

  it('give pages that strict readers take, with what the rules make of each series, and nothing twice', () => {
    fc.assert(
      fc.property(
        fc.array(anyLegalBody, { minLength: 1, maxLength: 3 }),
        fc.array(rule, { minLength: 1, maxLength: 3 }),
        (bodies, raw) => {
          const rules: Relabeling = { ...noRelabeling, relabelConfigs: readRelabelConfigs(raw) };
          // Each from a group of its own: no two parts of a page have the same series before it is relabeled.
          const given = bodies.map(({ body, syntax }, index): PagePart => {
            const labels = [...ours, ['job', `g${index}`]] as const;
            return {
              exposition: parseExposition(body, { syntax, labels, limits: defaultLimits, reservedPrefix: 'weir_' }),
            };
          });
          const { parts, counts } = relabelParts(given, rules, new Outcomes(rules, options));
          const text = renderPage(parts, 'text').toString();
          readTextPage(text);
          readOpenMetricsPage(renderPage(parts, 'openmetrics').toString());
          const served = samplesOf(text).map(identity);
          const { rule: byRule, duplicate, invalid } = counts.leftOut;
          expect(counts.series).toBe(served.length + byRule + duplicate + invalid);
          const expected = new Set(expectedOf(given, rules));
          for (const each of served) expect(expected).toContain(each);
          expect(new Set(served).size).toBe(served.length);
          if (duplicate === 0) expect(new Set(served)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  const samplesOf = (page: string) =>
    page
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(readSample);
  const identity = ({ name, labels }: Pick<ReadSample, 'name' | 'labels'>): string =>
    JSON.stringify([
      name,
      Object.entries(labels)
        .filter(([, value]) => value !== '')
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ]);

  /** Line by line, without what has no name it may have. */
  function expectedOf(given: readonly PagePart[], { relabelConfigs }: Relabeling): string[] {
    const relabel = compileRelabeling(relabelConfigs);
    return given.flatMap(({ exposition: { bytes, lines } }) =>
      Array.from({ length: lines.length - 1 }, (_, line) => {
        const { name, labels } = readSample(bytes.toString('utf8', lines[line]!, lines[line + 1]! - 1));
        const builder = new LabelBuilder([...Object.entries(labels), ['__name__', name]]);
        if (!relabel(builder)) return [];
        const left = new Map(builder.entries());
        const newName = left.get('__name__') ?? '';
        left.delete('__name__');
        left.set('instance_id', 'db1');
        const isLegal =
          /^[a-zA-Z_:][\w:]*$/.test(newName) &&
          !newName.startsWith('weir_') &&
          [...left.keys()].every((n) => /^[a-zA-Z_]\w*$/.test(n));
        return isLegal ? [identity({ name: newName, labels: Object.fromEntries(left) })] : [];
      }).flat(),
    );
  }
});
