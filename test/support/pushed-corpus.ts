import { type PushedFamily, type PushedGroup, sample } from './pushed-families.js';

/**
 * What producers push, from the ordinary to what one format allows and the other forbids. Metric names differ from
 * group to group, but where they clash on purpose.
 */

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
const text = (job: string, ...families: PushedFamily[]): PushedGroup => ({ job, syntax: 'text', families });
const openMetrics = (job: string, ...families: PushedFamily[]): PushedGroup => ({
  job,
  syntax: 'openmetrics',
  families,
});

const tasksStarted: PushedFamily = {
  name: 'tasks_total',
  type: 'counter',
  help: 'Tasks.',
  samples: [sample('tasks_total', { queue: 'a' }, 7), sample('tasks_total', { queue: 'b' }, 8)],
};
const waitSeconds: PushedFamily = {
  name: 'wait_seconds',
  type: 'histogram',
  help: 'Waiting.',
  samples: [
    sample('wait_seconds_bucket', { le: '1' }, 1),
    sample('wait_seconds_bucket', { le: '+Inf' }, 2),
    sample('wait_seconds_sum', {}, 4.5),
    sample('wait_seconds_count', {}, 2),
  ],
};

/** Label values that have broken a parser somewhere. */
export const trickyValues: readonly string[] = [
  'a\\b',
  '\\',
  '\\\\',
  'ends in a backslash\\',
  'a "quoted" word',
  '"',
  'two\nlines',
  '\n',
  'a literal \\n',
  '\\"\n\\n"',
  'braces { } , = and # {le="1"} 5',
  '} 1',
  '# HELP x y',
  ' blanks around ',
  'a\ttab',
  'é ü ñ',
  'Ελληνικά 日本語 العربية',
  '😀 𐐷',
  '\u00a0\u2028\u0085\ufeff',
  '\r',
  '\u0001\u001f\u007f',
  'NaN',
  '+Inf',
];

/** Which numbers a sample may have. */
const numbers: Readonly<Record<string, number>> = {
  nan,
  infinity,
  'minus infinity': -infinity,
  zero: 0,
  'minus zero': -0,
  smallest: 5e-324,
  largest: Number.MAX_VALUE,
  fraction: 0.1 + 0.2,
  'beyond 2^53': 9007199254740994,
  'unix time': 1711462853.123,
  negative: -273.15,
};

/** Groups whose families text 0.0.4 and OpenMetrics show alike. */
export const plainGroups: readonly PushedGroup[] = [
  text(
    'counters',
    {
      name: 'requests_total',
      type: 'counter',
      help: 'Requests.',
      samples: [
        sample('requests_total', { code: '200', method: 'get' }, 1027),
        sample('requests_total', { code: '500', method: 'get' }, 0.5),
      ],
    },
    { name: 'overflows_total', type: 'counter', samples: [sample('overflows_total', {}, infinity)] },
  ),
  text('gauges', {
    name: 'reading',
    type: 'gauge',
    help: 'Any number.',
    samples: Object.entries(numbers).map(([kind, value]) => sample('reading', { kind }, value)),
  }),
  text('escapes', {
    name: 'tricky',
    type: 'gauge',
    help: 'A backslash \\, a literal \\n, a new\nline, "quotes", é 😀 and # {x="y"} 1',
    samples: trickyValues.map((value, i) => sample('tricky', { value, i: String(i) }, i)),
  }),
  text('histograms', {
    name: 'latency_seconds',
    type: 'histogram',
    help: 'Latency.',
    samples: ['read', 'write'].flatMap((op) => [
      sample('latency_seconds_bucket', { op, le: '0.005' }, 1),
      sample('latency_seconds_bucket', { op, le: '1' }, 2),
      sample('latency_seconds_bucket', { op, le: '1e3' }, 2),
      sample('latency_seconds_bucket', { op, le: '2500000' }, 5),
      sample('latency_seconds_bucket', { op, le: '+Inf' }, 6),
      sample('latency_seconds_sum', { op }, 1234.5),
      sample('latency_seconds_count', { op }, 6),
    ]),
  }),
  text('summaries', {
    name: 'size_bytes',
    type: 'summary',
    help: 'Sizes.',
    samples: [
      sample('size_bytes', { quantile: '0' }, 1),
      sample('size_bytes', { quantile: '.5' }, 1234),
      sample('size_bytes', { quantile: '0.999' }, nan),
      sample('size_bytes', { quantile: '1' }, infinity),
      sample('size_bytes_sum', {}, 99999.5),
      sample('size_bytes_count', {}, 77),
    ],
  }),
  text(
    'untyped',
    { name: 'undeclared', samples: [sample('undeclared', { a: 'b' }, 1), sample('undeclared', { a: 'c' }, -1)] },
    { name: 'declared', type: 'untyped', help: 'Nobody knows.', samples: [sample('declared', {}, 3)] },
  ),
  text(
    'names',
    { name: 'job:requests:rate5m', type: 'gauge', samples: [sample('job:requests:rate5m', { _x: '1', X9: '2' }, 1)] },
    { name: '_leading', type: 'gauge', samples: [sample('_leading', {}, 1)] },
    { name: ':', type: 'gauge', samples: [sample(':', {}, 1)] },
    { name: 'build_info', type: 'gauge', help: 'Build.', samples: [sample('build_info', { version: '1.0' }, 1)] },
  ),
  text(
    'creation_times',
    tasksStarted,
    {
      name: 'tasks_created',
      type: 'gauge',
      createdOf: tasksStarted,
      samples: [sample('tasks_created', { queue: 'a' }, 1711462853.5), sample('tasks_created', { queue: 'b' }, 2)],
    },
    waitSeconds,
    {
      name: 'wait_seconds_created',
      type: 'gauge',
      createdOf: waitSeconds,
      samples: [sample('wait_seconds_created', {}, 1711462853)],
    },
    { name: 'lonely_created', type: 'gauge', samples: [sample('lonely_created', {}, 5)] },
  ),
  {
    ...text('empty_labels'),
    families: [{ name: 'e', type: 'gauge', samples: [sample('e', { none: '', x: 'y' }, 1)] }],
  },
  {
    ...text('a job/with "odd" \\ letters é'),
    grouping: { instance: 'host:9100/é', shard: '' },
    families: [{ name: 'grouped', type: 'gauge', samples: [sample('grouped', { instance: 'mine' }, 1)] }],
  },
];

/** Groups pushed in OpenMetrics, with all its own means. */
export const openMetricsGroups: readonly PushedGroup[] = [
  openMetrics(
    'om_counters',
    {
      name: 'om_bytes',
      type: 'counter',
      unit: 'bytes',
      help: 'Bytes, "quoted" \\ and\nmore.',
      samples: [
        sample('om_bytes_total', { peer: 'a\n"\\' }, 10, {
          labels: { trace_id: 'a\n"\\😀' },
          value: 0.5,
          timestamp: 1711462853.25,
        }),
        sample('om_bytes_created', { peer: 'a\n"\\' }, 1711462800),
        sample('om_bytes_total', { peer: 'b' }, 20, { labels: {}, value: 1 }),
        sample('om_bytes_created', { peer: 'b' }, 1711462801.5),
      ],
    },
    { name: 'om_plain', type: 'counter', samples: [sample('om_plain_total', {}, 1)] },
  ),
  openMetrics('om_gauges', {
    name: 'om_temperature_celsius',
    type: 'gauge',
    unit: 'celsius',
    help: 'Temperature.',
    samples: [sample('om_temperature_celsius', { room: '1' }, -3.5), sample('om_temperature_celsius', {}, nan)],
  }),
  openMetrics('om_histograms', {
    name: 'om_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Durations.',
    samples: [
      sample('om_duration_seconds_bucket', { le: '0.1' }, 1, { labels: { id: 'x' }, value: 0.07, timestamp: 1.5 }),
      sample('om_duration_seconds_bucket', { le: '1.0' }, 3, { labels: { id: 'y' }, value: 0.7 }),
      sample('om_duration_seconds_bucket', { le: '+Inf' }, 4),
      sample('om_duration_seconds_count', {}, 4),
      sample('om_duration_seconds_sum', {}, 9.5),
      sample('om_duration_seconds_created', {}, 1711462853.125),
    ],
  }),
  openMetrics(
    'om_gauge_histograms',
    {
      name: 'om_sizes_bytes',
      type: 'gaugehistogram',
      unit: 'bytes',
      help: 'Sizes.',
      samples: [
        sample('om_sizes_bytes_bucket', { le: '1.0' }, 1, { labels: { id: 'z' }, value: 0.5 }),
        sample('om_sizes_bytes_bucket', { le: '+Inf' }, 4),
        sample('om_sizes_bytes_gcount', {}, 4),
        sample('om_sizes_bytes_gsum', {}, 12.5),
      ],
    },
    {
      name: 'om_drift',
      type: 'gaugehistogram',
      help: 'Below zero, and so may the sum be.',
      samples: [
        sample('om_drift_bucket', { le: '-1.0' }, 1),
        sample('om_drift_bucket', { le: '+Inf' }, 4),
        sample('om_drift_gcount', {}, 4),
        sample('om_drift_gsum', {}, -12.5),
      ],
    },
  ),
  openMetrics('om_summaries', {
    name: 'om_rpc_seconds',
    type: 'summary',
    unit: 'seconds',
    samples: [
      sample('om_rpc_seconds', { quantile: '0.5' }, 1),
      sample('om_rpc_seconds', { quantile: '0.99' }, nan),
      sample('om_rpc_seconds_count', {}, 2),
      sample('om_rpc_seconds_sum', {}, 3.5),
      sample('om_rpc_seconds_created', {}, 4),
    ],
  }),
  openMetrics(
    'om_info',
    { name: 'om_target', type: 'info', help: 'Target.', samples: [sample('om_target_info', { version: '1"2' }, 1)] },
    {
      name: 'om_feature',
      type: 'stateset',
      help: 'Features.',
      samples: [sample('om_feature', { om_feature: 'on' }, 1), sample('om_feature', { om_feature: 'off' }, 0)],
    },
    { name: 'om_strange', type: 'untyped', help: 'Unknown.', samples: [sample('om_strange', {}, -1)] },
  ),
];

/** A histogram in text with these samples, each a suffix of the name, `le` if it is a bucket, and a value. */
const histogramOf = (name: string, ...samples: [string, string | undefined, number][]): PushedFamily => ({
  name,
  type: 'histogram',
  help: 'OpenMetrics would refuse it.',
  forbidden: 'in OpenMetrics',
  samples: samples.map(([suffix, le, value]) => sample(name + suffix, le === undefined ? {} : { le }, value)),
});

const gaugeHistogramOf = (name: string, sum: number): PushedFamily => ({
  name,
  type: 'gaugehistogram',
  forbidden: 'in OpenMetrics',
  samples: [
    sample(`${name}_bucket`, { le: '+Inf' }, 2, { labels: { id: 'x' }, value: 1 }),
    sample(`${name}_gcount`, {}, 2),
    sample(`${name}_gsum`, {}, sum),
  ],
});

/** What OpenMetrics forbids: there it is `unknown`, the series unchanged. */
export const forbiddenGroups: readonly PushedGroup[] = [
  text(
    'bad_counters',
    {
      name: 'hits',
      type: 'counter',
      help: 'No suffix.',
      forbidden: 'in OpenMetrics',
      samples: [sample('hits', { a: 'b' }, 5)],
    },
    {
      name: 'debt_total',
      type: 'counter',
      help: 'Negative.',
      forbidden: 'in OpenMetrics',
      samples: [sample('debt_total', { a: '1' }, 1), sample('debt_total', { a: '2' }, -1)],
    },
    {
      name: 'lost_total',
      type: 'counter',
      help: 'NaN.',
      forbidden: 'in OpenMetrics',
      samples: [sample('lost_total', {}, nan)],
    },
    {
      name: 'fell_total',
      type: 'counter',
      forbidden: 'in OpenMetrics',
      samples: [sample('fell_total', {}, -infinity)],
    },
  ),
  text(
    'gauge_beside_counter',
    { name: 'a', type: 'gauge', help: 'A gauge.', samples: [sample('a', {}, 1)] },
    {
      name: 'a_total',
      type: 'counter',
      help: 'A counter.',
      forbidden: 'in OpenMetrics',
      samples: [sample('a_total', {}, 2)],
    },
  ),
  text(
    'gauge_named_total',
    { name: 'open_total', type: 'gauge', help: 'A gauge all the same.', samples: [sample('open_total', {}, -2)] },
    { name: 'thing_bucket', type: 'gauge', samples: [sample('thing_bucket', {}, 1)] },
    { name: 'thing_info', type: 'gauge', help: 'Not one.', samples: [sample('thing_info', {}, 3)] },
  ),
  text(
    'bad_histograms',
    histogramOf('no_inf', ['_bucket', '1', 1], ['_sum', undefined, 1], ['_count', undefined, 1]),
    histogramOf(
      'falling',
      ['_bucket', '1', 5],
      ['_bucket', '+Inf', 3],
      ['_sum', undefined, 1],
      ['_count', undefined, 3],
    ),
    histogramOf('no_count', ['_bucket', '1', 1], ['_bucket', '+Inf', 3], ['_sum', undefined, 1]),
    histogramOf('mismatch', ['_bucket', '+Inf', 3], ['_sum', undefined, 1], ['_count', undefined, 4]),
    histogramOf('fractional', ['_bucket', '+Inf', 3.5], ['_sum', undefined, 1], ['_count', undefined, 3.5]),
    histogramOf('no_number', ['_bucket', '+Inf', 1], ['_sum', undefined, nan], ['_count', undefined, 1]),
    histogramOf(
      'below_zero',
      ['_bucket', '-1', 1],
      ['_bucket', '+Inf', 1],
      ['_sum', undefined, 1],
      ['_count', undefined, 1],
    ),
    histogramOf('negative_sum', ['_bucket', '+Inf', 1], ['_sum', undefined, -1], ['_count', undefined, 1]),
  ),
  text(
    'bad_summaries',
    {
      name: 'odd_quantile',
      type: 'summary',
      help: 'Above one.',
      forbidden: 'in OpenMetrics',
      samples: [sample('odd_quantile', { quantile: '1.5' }, 1), sample('odd_quantile_sum', {}, 1)],
    },
    {
      name: 'negative_quantile',
      type: 'summary',
      help: 'A value below zero.',
      forbidden: 'in OpenMetrics',
      samples: [sample('negative_quantile', { quantile: '0.5' }, -1)],
    },
    {
      name: 'half_count',
      type: 'summary',
      forbidden: 'in OpenMetrics',
      samples: [sample('half_count_sum', {}, 1), sample('half_count_count', {}, 0.5)],
    },
  ),
  openMetrics(
    'om_bad_values',
    {
      name: 'om_debt',
      type: 'counter',
      forbidden: 'in OpenMetrics',
      // An exemplar may stand on a counter alone, and this one is none any more.
      samples: [sample('om_debt_total', {}, -1, { labels: { id: 'x' }, value: 1 })],
    },
    gaugeHistogramOf('om_negative_sum', -1),
    gaugeHistogramOf('om_nan_sum', nan),
  ),
];

const ridesSummary: PushedFamily = {
  name: 'ride_seconds',
  type: 'summary',
  help: 'Rides.',
  forbidden: 'in both',
  samples: [sample('ride_seconds_sum', {}, 1), sample('ride_seconds_count', {}, 2)],
};

/**
 * One endpoint's producers that use one name for two things, each blameless alone. In both formats `x_count` beside a
 * summary or histogram `x` is taken for a part of it.
 */
export const clashingGroups: readonly PushedGroup[] = [
  text('summary', ridesSummary),
  text('gauge_like_its_count', {
    name: 'ride_seconds_count',
    type: 'gauge',
    forbidden: 'in both',
    samples: [sample('ride_seconds_count', { lane: '1' }, 3)],
  }),
  text('histogram', { ...histogramOf('walk_seconds', ['_bucket', '+Inf', 1]), forbidden: 'in both' }),
  text('counter_like_its_bucket', {
    name: 'walk_seconds_bucket',
    type: 'counter',
    forbidden: 'in both',
    samples: [sample('walk_seconds_bucket', { lane: '1' }, 3)],
  }),
];

/** What the gateway may refuse; where it does not, no reader may stumble over it. */
export const oddGroups: readonly PushedGroup[] = [
  text('fine', { name: 'fine', type: 'gauge', samples: [sample('fine', {}, 1)] }),
  text('le_on_a_plain_sample', { name: 'odd_1', type: 'histogram', samples: [sample('odd_1', { le: 'x' }, 1)] }),
  text('le_on_a_sum', { name: 'odd_2', type: 'histogram', samples: [sample('odd_2_sum', { le: 'x' }, 1)] }),
  text('quantile_on_a_sum', { name: 'odd_3', type: 'summary', samples: [sample('odd_3_sum', { quantile: 'x' }, 1)] }),
  openMetrics(
    'gauge_like_a_sum',
    { name: 'odd_4', type: 'summary', samples: [sample('odd_4', { quantile: '0.5' }, 1)] },
    { name: 'odd_4_sum', type: 'gauge', samples: [sample('odd_4_sum', { a: 'b' }, 1)] },
  ),
];
