import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MetricsEndpoint } from '../../src/domain/endpoint.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { BatchWriter } from '../../src/formats/otlp/batch-writer.js';
import type { Attributes } from '../../src/formats/otlp/request.js';
import { change, SeriesBatch } from '../../src/formats/series-batch.js';
import { takeBatch } from '../../src/ingest/live-series.js';
import { Recorder } from '../../src/storage/live/record.js';
import { SeriesTable } from '../../src/storage/live/series-table.js';
import type { LiveWrite } from '../../src/storage/store.js';

interface Sent {
  readonly name: string;
  readonly labels: Attributes;
  readonly time: number;
  readonly does: number;
}

const now = 1_700_000_000_000;
const endpoint = { lifetimeMs: 0 } as MetricsEndpoint;

function take(table: SeriesTable, sent: readonly Sent[]): void {
  const batch = new SeriesBatch();
  const writer = new BatchWriter(batch);
  for (const { name, labels, time, does } of sent) {
    writer.beginPoint();
    writer.series(name, labels, does, 1, time, 0, true);
  }
  writer.end();
  const none = (): number => 0;
  const write: LiveWrite = {
    table,
    record: new Recorder(table),
    now,
    projectSeries: none,
    endpointSeries: none,
    refuse: none,
  };
  takeBatch(batch, write, endpoint, defaultLimits);
}

/** Names and labels of what lives, as text. */
const living = (table: SeriesTable): string[] =>
  Array.from({ length: table.count }, (_, series) => series)
    .filter((series) => table.isLiving(series))
    .map((series) => textOf(table.nameOf(series), table.labelsOf(series)))
    .sort();

const textOf = (name: string, labels: Attributes): string => `${name} ${JSON.stringify(inOrder(labels))}`;
const inOrder = (labels: Attributes): Attributes => [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
const without = (labels: Attributes, name: string): Attributes => labels.filter(([other]) => other !== name);

const label = fc.tuple(fc.constantFrom('le', 'le', 'a', 'lf', 'Le'), fc.constantFrom('1', '2'));
const sent = (...does: number[]): fc.Arbitrary<Sent> =>
  fc.record({
    name: fc.constantFrom('h_bucket', 'g_bucket'),
    labels: fc.uniqueArray(label, { maxLength: 2, selector: ([name]) => name }),
    time: fc.integer({ min: now - 2, max: now }),
    does: fc.constantFrom(...does),
  });

/** A batch by the rule itself: by text, whether a series lives, and since or until when. */
function takePlainly(
  known: Map<string, { sent: Sent; isLiving: boolean; time: number }>,
  batch: readonly Sent[],
): void {
  for (const sent of batch.filter(({ does }) => does === change.set)) {
    const text = textOf(sent.name, sent.labels);
    if ((known.get(text)?.time ?? 0) <= sent.time) known.set(text, { sent, isLiving: true, time: sent.time });
  }
  const ends = batch.filter(({ does }) => does === change.endBuckets);
  for (const each of known.values()) {
    const { name, labels } = each.sent;
    if (!each.isLiving || !labels.some(([label]) => label === 'le')) continue;
    const histogram = textOf(name, without(labels, 'le'));
    const times = ends.filter((end) => textOf(end.name, end.labels) === histogram).map(({ time }) => time);
    const newest = Math.max(...times);
    if (newest >= each.time) Object.assign(each, { isLiving: false, time: newest });
  }
}

describe('the end of all buckets of a histogram', () => {
  it('ends what has its name, its labels and a bound, and is not newer; nothing else, whatever came when', () => {
    const batch = fc.array(sent(change.endBuckets, change.set, change.set), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 6 }), (batches) => {
        const table = new SeriesTable();
        const known: Parameters<typeof takePlainly>[0] = new Map();
        for (const batch of batches) {
          take(table, batch);
          takePlainly(known, batch);
          const expected = [...known].filter(([, { isLiving }]) => isLiving).map(([text]) => text);
          expect(living(table)).toEqual(expected.sort());
        }
      }),
      { numRuns: 500 },
    );
  });
});
