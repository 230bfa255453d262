import fc from 'fast-check';
import { codePoint } from './code-point.js';
import { type Labels, type PushedFamily, type PushedGroup, type PushedSample, sample } from './pushed-families.js';

/** Names that are each other's suffixed forms, so that families of one page get in each other's way. */
const names = [
  'a',
  'a_total',
  'a_count',
  'a_sum',
  'a_bucket',
  'a_created',
  'a_info',
  'a_gsum',
  'b',
  'b_total',
  'b_count',
];
const numbers = fc.oneof(
  fc.constantFrom(0, -0, 1, 0.5, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300),
  fc.double(),
);
const labelValue = fc.string({ unit: codePoint, maxLength: 8 });
const labelSets = fc.uniqueArray(fc.record({ x: labelValue, y: labelValue }), {
  minLength: 1,
  maxLength: 4,
  selector: (labels) => JSON.stringify(labels),
});
const exemplars = fc.option(fc.record({ labels: fc.record({ id: labelValue }), value: numbers }), { nil: undefined });

/** The samples one label set has in a family of the type. */
function samplesOf(type: string, base: string, openMetrics: boolean, labels: Labels): fc.Arbitrary<PushedSample[]> {
  const plain = (suffix: string) => numbers.map((value) => [sample(base + suffix, labels, value)]);
  const bucket = (le: string, value: number) => sample(`${base}_bucket`, { ...labels, le }, value);
  switch (type) {
    case 'counter':
      if (!openMetrics) return plain('');
      return fc
        .tuple(numbers, exemplars)
        .map(([value, exemplar]) => [sample(`${base}_total`, labels, value, exemplar)]);
    case 'histogram':
    case 'gaugehistogram': {
      const [sum, count] = type === 'histogram' ? ['_sum', '_count'] : ['_gsum', '_gcount'];
      return fc
        .tuple(fc.constantFrom('1', '-1.0', '1e3'), fc.nat(9), fc.nat(9), numbers)
        .map(([le, below, above, total]) => [
          bucket(le, below),
          bucket('+Inf', above),
          sample(base + sum, labels, total),
          sample(base + count, labels, above),
        ]);
    }
    case 'summary':
      return fc
        .tuple(numbers, numbers)
        .map(([value, total]) => [
          sample(base, { ...labels, quantile: '.5' }, value),
          sample(`${base}_sum`, labels, total),
          sample(`${base}_count`, labels, 2),
        ]);
    case 'info':
      return fc.constant([sample(`${base}_info`, labels, 1)]);
    default:
      return plain('');
  }
}

const textTypes = ['counter', 'gauge', 'histogram', 'summary', 'untyped'] as const;
const openMetricsTypes = [...textTypes, 'info', 'gaugehistogram'] as const;

const families = (openMetrics: boolean): fc.Arbitrary<PushedFamily> =>
  fc
    .tuple(fc.constantFrom(...names), fc.constantFrom(...(openMetrics ? openMetricsTypes : textTypes)), labelSets)
    .chain(([base, type, sets]) => {
      // Python reads a counter without `_total` in the text format under another name: nothing could be compared.
      const name = type === 'counter' && !openMetrics ? `${base}_total` : base;
      return fc
        .tuple(...sets.map((labels) => samplesOf(type, name, openMetrics, labels)))
        .map((samples) => ({ name, type, samples: samples.flat() }));
    });

/** The same groups for the same seed. Not all can be accepted: some use a name for two things. */
export function randomGroups(seed: number, count: number): PushedGroup[] {
  const group = fc
    .boolean()
    .chain((openMetrics) =>
      fc
        .uniqueArray(families(openMetrics), { minLength: 1, maxLength: 3, selector: ({ name }) => name })
        .map((pushed) => ({ openMetrics, pushed })),
    );
  return fc.sample(group, { seed, numRuns: count }).map(({ openMetrics, pushed }, i) => ({
    job: `random_${i}`,
    syntax: openMetrics ? 'openmetrics' : 'text',
    families: pushed,
  }));
}
