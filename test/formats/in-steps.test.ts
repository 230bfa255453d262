import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import { atOnce, type Steps } from '../../src/domain/turns.js';
import { convertSteps } from '../../src/formats/otlp/convert.js';
import { otlpProtobufSteps } from '../../src/formats/otlp/protobuf.js';
import { parseSteps, type Syntax } from '../../src/formats/parse.js';
import { writeRequest1Steps } from '../../src/formats/remote-write/v1.js';
import { writeRequest2Steps } from '../../src/formats/remote-write/v2.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { SeriesTable } from '../../src/storage/live/series-table.js';
import { encodeExport } from '../support/otlp.js';
import { encodeRequest, request1 } from '../support/remote-write.js';

/** A body to read: its first word is in all its series, so that what belongs to another shows. */
interface Sent {
  readonly kind: (typeof kinds)[number];
  readonly word: string;
  readonly series: number;
  /** Whether it ends with what is refused. */
  readonly isBroken: boolean;
}

const kinds = ['text', 'openmetrics', 'remote write 1.0', 'remote write 2.0', 'otlp'] as const;
const ours = Buffer.from('instance_id');

const textOf = ({ word, series, isBroken }: Sent, syntax: Syntax): Buffer => {
  const name = syntax === 'text' ? 'm' : 'm_total';
  // Where the labels stand, and how long their names are, differs from body to body.
  const labels = (i: number): string => `{${word}="${word}",i${'_'.repeat(series % 5)}="${i}"}`;
  const lines = Array.from({ length: series }, (_, i) => `${name}${labels(i)} ${i}\n`);
  const broken = isBroken ? `${name}${labels(0)} 1\n` : '';
  const comment = syntax === 'text' ? `# ${word}="${word}"\n`.repeat(series % 7) : '';
  return Buffer.from(`# TYPE m counter\n${comment}${lines.join('')}${broken}${syntax === 'text' ? '' : '# EOF\n'}`);
};

function* batchOf(read: (batch: SeriesBatch) => Steps<unknown>): Steps<unknown> {
  const batch = new SeriesBatch();
  const said = yield* read(batch);
  const series = Array.from({ length: batch.series }, (_, i) => [
    batch.nameOf(i),
    batch.labelsOf(i),
    batch.values[i],
    batch.times[i],
  ]);
  return { said: typeof said === 'object' ? undefined : said, series, metadata: [...batch.metadata] };
}

function otlp(body: Buffer, batch: SeriesBatch): Steps<unknown> {
  return convertSteps((sink) => otlpProtobufSteps(body, sink), batch, {
    strategy: 'UnderscoreEscapingWithSuffixes',
    promoted: [],
    ours: '',
    now: 0,
  });
}

const cut = (body: Buffer, isBroken: boolean): Buffer => (isBroken ? body.subarray(0, body.length - 1) : body);

function reading(sent: Sent): Steps<unknown> {
  const { kind, word, series, isBroken } = sent;
  if (kind === 'text' || kind === 'openmetrics') {
    const labels = [['instance_id', 'db1']] as const;
    return parseSteps(textOf(sent, kind), { syntax: kind, labels, limits: defaultLimits, reservedPrefix: 'weir_' });
  }
  const each = Array.from({ length: series }, (_, i) => i);
  if (kind === 'remote write 1.0') {
    const timeseries = each.map((i) => ({
      labels: { __name__: 'm', i: String(i), x: word },
      samples: [[i, 1] as const],
    }));
    const body = cut(request1(timeseries), isBroken);
    return batchOf((batch) => writeRequest1Steps(body, batch, ours));
  }
  if (kind === 'remote write 2.0') {
    const symbols = ['', '__name__', 'm', 'x', word, 'i', ...each.map(String)];
    const timeseries = each.map((i) => ({
      labelsRefs: [1, 2, 5, 6 + i, 3, 4],
      samples: [{ value: i, timestamp: '1' }],
    }));
    const body = cut(encodeRequest('2.0', { symbols, timeseries }), isBroken);
    return batchOf((batch) => writeRequest2Steps(body, batch, ours));
  }
  const attributes = (i: number) => [
    { key: 'x', value: { stringValue: word } },
    { key: 'i', value: { stringValue: String(i) } },
  ];
  const dataPoints = each.map((i) => ({ attributes: attributes(i), asDouble: i, timeUnixNano: '1000000' }));
  // All in one metric, or each in its own.
  const metrics =
    series % 2 === 0
      ? [{ name: 'm', gauge: { dataPoints } }]
      : dataPoints.map((point) => ({ name: 'm', gauge: { dataPoints: [point] } }));
  const body = cut(encodeExport({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }), isBroken);
  return batchOf((batch) => otlp(body, batch));
}

/** What comes of it: a result or the sentence of a refusal. */
function outcome<T>(next: () => T): T | string {
  try {
    return next();
  } catch (error) {
    return (error as Error).message;
  }
}

describe('bodies that are read in turns', () => {
  const sent = fc.record({
    kind: fc.constantFrom(...kinds),
    word: fc.stringMatching(/^[a-z]{1,8}$/),
    series: fc.integer({ min: 1, max: 300 }),
    isBroken: fc.boolean(),
  });

  it('say the same as each by itself, whatever the turns', () => {
    fc.assert(
      fc.property(fc.array(sent, { minLength: 2, maxLength: 5 }), fc.infiniteStream(fc.nat()), (all, order) => {
        const alone = all.map((each) => outcome(() => atOnce(reading(each))));
        const open = all.map((each, i) => ({ i, steps: reading(each) }));
        const together: unknown[] = [];
        while (open.length > 0) {
          const at = order.next().value! % open.length;
          const { i, steps } = open[at]!;
          const step = outcome(() => steps.next(0));
          if (typeof step === 'object' && !step.done) continue;
          together[i] = typeof step === 'object' ? step.value : step;
          open.splice(at, 1);
        }
        expect(together).toEqual(alone);
      }),
      { numRuns: 100 },
    );
  });

  it('stop on the way when they are large, and not when they are small', () => {
    const stops = (kind: Sent['kind'], series: number): number => {
      const steps = reading({ kind, word: 'w', series, isBroken: false });
      let count = 0;
      while (!steps.next(0).done) count++;
      return count;
    };
    for (const kind of kinds) {
      expect([kind, stops(kind, 10)]).toEqual([kind, expect.toSatisfy((count: number) => count <= 2)]);
      for (const many of [1000, 1001]) {
        expect([kind, stops(kind, many)]).toEqual([kind, expect.toSatisfy((count: number) => count >= 15)]);
      }
    }
  });

  it.each([
    ['resources', Buffer.from('0a00'.repeat(10_000), 'hex')],
    ['scopes', encodeExport({ resourceMetrics: [{ scopeMetrics: Array.from({ length: 10_000 }, () => ({})) }] })],
    [
      'metrics',
      encodeExport({ resourceMetrics: [{ scopeMetrics: [{ metrics: Array(10_000).fill({ name: 'm' }) }] }] }),
    ],
  ])('stop on the way when they are nothing but empty %s', (_, body) => {
    const stopsOf = (steps: Steps<unknown>): number => {
      let count = 0;
      while (!steps.next(0).done) count++;
      return count;
    };
    expect(stopsOf(otlp(body, new SeriesBatch()))).toBeGreaterThan(100);
  });

  it('stop among symbols that stand before the series', () => {
    const body = encodeRequest('2.0', { symbols: ['', ...Array.from({ length: 10_000 }, (_, i) => `s${i}`)] });
    let stops = 0;
    for (const steps = writeRequest2Steps(body, new SeriesBatch(), ours); !steps.next(0).done; ) stops++;
    expect(stops).toBeGreaterThan(100);
  });

  it('stop also when all their series are known', () => {
    const table = new SeriesTable();
    const sent = Array.from({ length: 1000 }, (_, i) => ({
      labels: { __name__: 'm', i: String(i) },
      samples: [[i, 1] as const],
    }));
    const batch = new SeriesBatch();
    atOnce(writeRequest1Steps(request1(sent), batch, ours));
    for (let i = 0; i < batch.series; i++) {
      table.find(batch, i);
      table.add(batch, i);
    }
    let stops = 0;
    const again = new SeriesBatch();
    const steps = writeRequest1Steps(request1(sent), again, ours, undefined, table);
    while (!steps.next(0).done) stops++;
    expect(Array.from(again.numbers.subarray(0, 1000))).toEqual(sent.map((_, i) => i));
    expect(stops).toBeGreaterThanOrEqual(15);
  });

  const text = (body: string, metricsId: string): Steps<unknown> => {
    const labels = [['instance_id', metricsId]] as const;
    return parseSteps(Buffer.from(body), { syntax: 'text', labels, limits: defaultLimits, reservedPrefix: 'weir_' });
  };
  const drained = (steps: Steps<unknown>): unknown => outcome(() => atOnce(steps));

  it('do not take the layout of their lines from each other', () => {
    const lines = (label: string): string =>
      Array.from({ length: 70 }, (_, i) => `m{${label}="${String(i).padStart(3, '0')}"} 1\n`).join('');
    const repeats = text(`${lines('a')}m{a="000"} 1\n`, 'own');
    const other = text(lines('b'), 'other');
    repeats.next(0);
    other.next(0);
    expect(drained(repeats)).toMatch(/^Line 71: the series .* appears twice/);
  });

  it('cannot be made to keep a label that is the gateway\u2019s own', () => {
    const samples = Array.from({ length: 62 }, (_, i) => `m{k="${i}"} 1\n`).join('');
    const body = `# instance_id="\n${samples}m{instance_id="victim"} 1\n`;
    const own = text(body, 'own');
    const other = text(`m{abcdefghijk="1"} 1\n${'#\n'.repeat(70)}`, 'other');
    own.next(0);
    other.next(0);
    expect(drained(own)).toEqual(drained(text(body, 'own')));
  });
});
