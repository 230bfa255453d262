import fc from 'fast-check';
import type { FamilyType } from '../../src/formats/family.js';
import type { Syntax } from '../../src/formats/parse.js';
import { codePoint } from './code-point.js';

/** What a producer means, apart from how a body spells it. */
export interface ModelSample {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: string;
  /** As it stands after ` # `. */
  readonly exemplar?: string;
}

export interface ModelFamily {
  /** As the text format has it. */
  readonly name: string;
  /** As `# TYPE` of the syntax has it. */
  readonly declaredName: string;
  /** `undefined`: no TYPE line. */
  readonly type: FamilyType | undefined;
  readonly help: string | undefined;
  readonly unit: string | undefined;
  readonly samples: readonly ModelSample[];
  /** Whether OpenMetrics can have it under its type. */
  readonly openMetrics: boolean;
}

export interface LegalBody {
  readonly syntax: Syntax;
  readonly body: Buffer;
  readonly families: readonly ModelFamily[];
}

/** Labels that a body has now and then and that the gateway may overwrite: they never tell two series apart. */
export const ourLabels = ['instance_id', 'job'] as const;
const isOurs = (name: string): boolean => (ourLabels as readonly string[]).includes(name);

/** Any text: escapes, NUL, line separators, emoji, but no lone surrogates. */
export const labelValue: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', '0', 'a', '\\', '"', '\n', '\\n', '\\"', '}', ',', '{', ' # {', '",instance_id="'),
  fc.constantFrom('\0', '\r', '\u2028', '\u2029', '\ufeff', '\u{1f600}', 'é', '\u0085', '} 1', '\\\\', '#', '='),
  fc.string({ unit: codePoint, maxLength: 12 }),
);

const finite = fc.oneof(
  fc.constantFrom(
    '0',
    '-0',
    '1',
    '+3',
    '.5',
    '5.',
    '007',
    '1E5',
    '1e+5',
    '1e308',
    '1.7976931348623157e308',
    '-1',
    '42',
  ),
  fc.constantFrom('5e-324', '2.2250738585072011e-308', '1e-400', '9007199254740993', '0.1000000000000000055511151231'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.nat().map(String),
);
const count = fc.nat({ max: 1e6 }).map(String);
export const sampleNumber: fc.Arbitrary<string> = fc.oneof(
  finite,
  fc.constantFrom('NaN', 'nan', 'NAN', '+Inf', 'Inf', 'inf', '+inf', '-Inf', '-inf', 'Infinity', '-infinity'),
);

const baseName = fc.oneof(
  fc.constantFrom('a', 'a_b', 'a_b_c', 'ab', 'x:y', ':', '_', '_u', 'A9', 'le', 'http_requests', 'size_bytes', 'h'),
  fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,20}$/),
);
const labelName = fc
  .oneof(fc.constantFrom('a', 'b', 'x', 'path', 'xinstance_id'), fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,8}$/))
  .filter((name) => name !== 'le' && name !== 'quantile' && !isOurs(name));
const labels = fc
  .tuple(
    fc.uniqueArray(fc.tuple(labelName, labelValue), { maxLength: 4, selector: ([name]) => name }),
    fc.option(fc.tuple(fc.constantFrom(...ourLabels), labelValue), { nil: undefined, freq: 6 }),
  )
  .map(([pairs, ours]): [string, string][] => (ours === undefined ? pairs : [...pairs, ours]));

const identity = (pairs: readonly (readonly [string, string])[]): string =>
  JSON.stringify(pairs.filter(([name, value]) => value !== '' && !isOurs(name)).sort());
const labelSets = fc.uniqueArray(labels, { minLength: 1, maxLength: 4, selector: identity });

const exemplarText = fc
  .tuple(fc.uniqueArray(fc.tuple(labelName, labelValue), { maxLength: 2, selector: ([name]) => name }), finite)
  .map(([pairs, value]) => `${spellLabels(pairs)} ${value}${value.length % 2 ? ' 1711462853.5' : ''}`)
  .filter((text) => [...text].length < 120);
const optionalExemplar = fc.option(exemplarText, { nil: undefined, freq: 2 });

interface Samples {
  readonly samples: readonly ModelSample[];
  readonly legal: boolean;
}

/** One metric after another, each made of its label set. */
function metrics(make: (pairs: [string, string][]) => fc.Arbitrary<Samples>): fc.Arbitrary<Samples> {
  return labelSets.chain((sets) =>
    fc.tuple(...sets.map(make)).map((all) => ({
      samples: all.flatMap(({ samples }) => samples),
      legal: all.every(({ legal }) => legal),
    })),
  );
}

const single = (name: string, value: fc.Arbitrary<string>, exemplar: fc.Arbitrary<string | undefined>) =>
  metrics((pairs) =>
    fc.tuple(value, exemplar).map(([text, more]) => ({
      samples: [{ name, labels: pairs, value: text, ...(more === undefined ? {} : { exemplar: more }) }],
      legal: true,
    })),
  );

/** Spellings of bounds that name different numbers. */
const bounds = fc
  .subarray(['0', '5e-05', '.005', '0.25', '1', '+2.50', '10', '1e2', '1000000', '1.5e7', '123456789'])
  .map((some) => [...some, 'Inf']);

function histogram(base: string, gauge: boolean, exemplar: fc.Arbitrary<string | undefined>): fc.Arbitrary<Samples> {
  const [sum, total] = gauge ? ['_gsum', '_gcount'] : ['_sum', '_count'];
  return metrics((pairs) =>
    fc
      .record({ bounds, steps: fc.array(fc.nat({ max: 9 }), { minLength: 12, maxLength: 12 }), exemplar, wild: rarely })
      .map(({ bounds, steps, exemplar, wild }) => {
        let inBucket = 0;
        const buckets = bounds.map((le, index): ModelSample => {
          inBucket += steps[index]!;
          const more = exemplar === undefined || index > 0 ? {} : { exemplar };
          return { name: `${base}_bucket`, labels: [['le', le], ...pairs], value: String(inBucket), ...more };
        });
        if (wild) buckets.reverse();
        const rest: ModelSample[] = [
          { name: base + sum, labels: pairs, value: '12.5' },
          { name: base + total, labels: pairs, value: String(inBucket) },
        ];
        return { samples: [...buckets, ...rest], legal: !wild || buckets.length === 1 };
      }),
  );
}

const rarely = fc.nat({ max: 9 }).map((n) => n === 0);

const summary = (base: string): fc.Arbitrary<Samples> =>
  metrics((pairs) =>
    fc.tuple(fc.subarray(['0', '0.5', '.9', '0.99', '1']), count, rarely).map(([quantiles, value, wild]) => ({
      samples: [
        ...quantiles.map(
          (quantile): ModelSample => ({ name: base, labels: [...pairs, ['quantile', quantile]], value: 'NaN' }),
        ),
        { name: `${base}_sum`, labels: pairs, value: wild ? '-2' : '2e3' },
        { name: `${base}_count`, labels: pairs, value },
      ],
      legal: !wild,
    })),
  );

const stateset = (name: string): fc.Arbitrary<Samples> =>
  metrics((pairs) =>
    fc.subarray(['on', 'off', '"'], { minLength: 1 }).map((states) => ({
      samples: states.map((state): ModelSample => ({ name, labels: [...pairs, [name, state]], value: '1' })),
      legal: true,
    })),
  );

const none = fc.constant(undefined);
const textTypes = ['counter', 'gauge', 'histogram', 'summary', 'untyped', undefined] as const;
const openMetricsTypes = [...textTypes, 'info', 'stateset', 'gaugehistogram'] as const;

function samplesOf(base: string, type: FamilyType | undefined, syntax: Syntax): fc.Arbitrary<Samples> {
  const exemplar = syntax === 'openmetrics' ? optionalExemplar : none;
  switch (type) {
    case 'counter': {
      const name = syntax === 'openmetrics' ? `${base}_total` : base;
      const isCount = ({ value }: ModelSample) => /^[+]?inf/i.test(value) || Number(value) >= 0;
      return single(name, fc.oneof({ weight: 5, arbitrary: count }, sampleNumber), exemplar).map(({ samples }) => ({
        samples,
        legal: /._total$/.test(name) && samples.every(isCount),
      }));
    }
    case 'histogram':
      return histogram(base, false, exemplar);
    case 'gaugehistogram':
      return histogram(base, true, exemplar);
    case 'summary':
      return summary(base);
    case 'stateset':
      return stateset(base);
    case 'info':
      return single(`${base}_info`, fc.constantFrom('1', '1.0'), none);
    default:
      return single(base, sampleNumber, none);
  }
}

const help = fc.option(labelValue, { nil: undefined }).map((text) => text?.replace(/^[ \t]+|\r+$/g, ''));

function family(syntax: Syntax): fc.Arbitrary<ModelFamily> {
  const types = syntax === 'text' ? textTypes : openMetricsTypes;
  return fc.record({ base: baseName, total: fc.boolean(), type: fc.constantFrom(...types), help }).chain((drawn) => {
    const { type, total } = drawn;
    const counterBase = syntax === 'text' && type === 'counter' && total ? `${drawn.base}_total` : drawn.base;
    const kind = type === 'stateset' && drawn.base.includes(':') ? 'gauge' : type;
    // It is told apart by a label of its own name, which is longer than those of the metrics.
    const base = kind === 'stateset' ? `state_of_${counterBase}` : counterBase;
    const name =
      syntax === 'text' ? base : kind === 'counter' ? `${base}_total` : kind === 'info' ? `${base}_info` : base;
    const unit = syntax === 'openmetrics' && base.endsWith('_bytes') ? 'bytes' : undefined;
    return samplesOf(base, kind, syntax).map(({ samples, legal }) => {
      const { help } = drawn;
      return { name, declaredName: base, type: kind, help, unit, samples, openMetrics: legal };
    });
  });
}

const suffixes = ['', '_total', '_created', '_bucket', '_sum', '_count', '_gsum', '_gcount', '_info'];

/** Families none of which could be taken for a part of another. */
function apart(families: readonly ModelFamily[]): ModelFamily[] {
  const taken = new Set<string>();
  return families.filter((candidate) => {
    const base = candidate.name.replace(/_(total|info)$/, '');
    const names = suffixes.map((suffix) => base + suffix);
    if (names.some((name) => taken.has(name))) return false;
    for (const name of names) taken.add(name);
    return true;
  });
}

/** A body that must be taken, and what it means. */
export const legalBody = (syntax: Syntax): fc.Arbitrary<LegalBody> =>
  fc
    .record({ families: fc.array(family(syntax), { maxLength: 5 }), layout: fc.integer() })
    .map(({ families, layout }) => {
      const kept = apart(families);
      const text = syntax === 'text' ? spellText(kept, dice(layout)) : spellOpenMetrics(kept, dice(layout));
      return { syntax, families: kept, body: Buffer.from(text) };
    });

export const anyLegalBody = fc.constantFrom<Syntax>('text', 'openmetrics').chain(legalBody);

/** A number below `sides`, again and again (mulberry32): choices of layout that need no shrinking of their own. */
function dice(seed: number): (sides: number) => number {
  let state = seed | 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

type Roll = ReturnType<typeof dice>;

const escapeBreaks = (text: string): string => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
const escapeQuotes = (text: string): string => escapeBreaks(text).replace(/"/g, '\\"');
const spellLabels = (pairs: readonly (readonly [string, string])[]): string =>
  `{${pairs.map(([name, value]) => `${name}="${escapeQuotes(value)}"`).join(',')}}`;

/** With all the liberties of the text format: blanks, comments, families among one another, labels in any order. */
function spellText(families: readonly ModelFamily[], roll: Roll): string {
  const wild = roll(2) === 0;
  const blank = () => (wild ? ['', ' ', '\t', ' \t '][roll(4)]! : '');
  const gap = () => (wild ? [' ', '\t', '  '][roll(3)]! : ' ');
  const queues = families.map(({ declaredName, type, help, samples }) => {
    const lines = samples.map(({ name, labels, value }) => {
      const pairs = shuffled(labels, roll).map(([k, v]) => `${blank()}${k}${blank()}=${blank()}"${escapeQuotes(v)}"`);
      const comma = wild && pairs.length > 0 && roll(3) === 0 ? ',' : '';
      const set =
        pairs.length === 0 && roll(2) === 0 ? '' : `${blank()}{${pairs.join(`${blank()},`)}${comma}${blank()}}`;
      return `${blank()}${name}${set}${gap()}${value}${blank()}`;
    });
    if (help !== undefined) {
      lines.splice(roll(lines.length + 1), 0, `${blank()}#${gap()}HELP${gap()}${declaredName} ${escapeBreaks(help)}`);
    }
    if (type !== undefined) {
      const at = lines.findIndex((line) => !line.trimStart().startsWith('#'));
      lines.splice(roll(at + 1), 0, `${blank()}#${gap()}TYPE${gap()}${declaredName}${gap()}${type}${blank()}`);
    }
    if (wild)
      for (let i = roll(3); i > 0; i--) lines.splice(roll(lines.length), 0, ['', '# note', '#', ' \t'][roll(4)]!);
    return lines;
  });
  const lines: string[] = [];
  const interleaved = roll(2) === 0;
  while (queues.some((queue) => queue.length > 0)) {
    const left = queues.filter((queue) => queue.length > 0);
    lines.push(left[interleaved ? roll(left.length) : 0]!.shift()!);
  }
  return lines.length === 0 ? '' : lines.join('\n') + (wild && roll(2) === 0 ? '' : '\n');
}

function spellOpenMetrics(families: readonly ModelFamily[], roll: Roll): string {
  const lines = families.flatMap(({ declaredName, type, help, unit, samples }) => {
    const said: string[] = [];
    if (type !== undefined) said.push(`# TYPE ${declaredName} ${type === 'untyped' ? 'unknown' : type}`);
    if (unit !== undefined) said.push(`# UNIT ${declaredName} ${unit}`);
    if (help !== undefined) said.push(`# HELP ${declaredName} ${escapeQuotes(help)}`);
    const spelled = samples.map(({ name, labels, value, exemplar }) => {
      const set = labels.length === 0 && roll(2) === 0 ? '' : spellLabels(shuffled(labels, roll));
      return `${name}${set} ${value}${exemplar === undefined ? '' : ` # ${exemplar}`}`;
    });
    return [...shuffled(said, roll), ...spelled];
  });
  return [...lines, '# EOF'].join('\n') + (roll(2) === 0 ? '' : '\n');
}

function shuffled<T>(items: readonly T[], roll: Roll): T[] {
  const left = [...items];
  return items.map(() => left.splice(roll(left.length), 1)[0]!);
}
