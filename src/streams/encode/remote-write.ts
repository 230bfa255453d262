import type { FamilyType } from '../../formats/family.js';
import { ProtobufWriter } from '../../formats/protobuf.js';
import type { Labels, Metric, Window } from '../window.js';

/** One series with its samples in the order of time. `undefined` stands for the stale marker. */
export interface WriteSeries {
  /** Sorted, `__name__` among them. */
  readonly labels: Labels;
  readonly samples: readonly { readonly time: number; readonly value: number | undefined }[];
  readonly type: FamilyType;
  readonly help: string | undefined;
}

/** Samples in one request. */
export const mostSamples = 2000;

/** Requests in a fixed order; all samples of a series are in one. */
export function* writeBatches(window: Window): Generator<WriteSeries[]> {
  let batch: WriteSeries[] = [];
  let samples = 0;
  for (const series of allSeries(window)) {
    if (samples + series.samples.length > mostSamples && batch.length > 0) {
      yield batch;
      batch = [];
      samples = 0;
    }
    batch.push(series);
    samples += series.samples.length;
  }
  if (batch.length > 0) yield batch;
}

function* allSeries(window: Window): Generator<WriteSeries> {
  for (const metric of window.metrics) {
    if (window.kind === 'api_request.count') yield* seriesOf(metric);
    else yield* eachOnce(metric);
  }
  for (const { name, labels } of window.gone) {
    const samples = [{ time: window.to, value: undefined }];
    yield { labels: sorted(writeName(name, 'counter'), labels), samples, type: 'untyped', help: undefined };
  }
}

/** A snapshot has each series once. */
function* eachOnce({ points, type, help }: Metric): Generator<WriteSeries> {
  for (const { name, labels, time, value } of points) {
    yield { labels: sorted(writeName(name, type), labels), samples: [{ time, value }], type, help };
  }
}

function seriesOf({ points, type, help }: Metric): Iterable<WriteSeries> {
  const found = new Map<string, { labels: Labels; samples: { time: number; value: number }[] }>();
  for (const { name, labels, time, value, delta, start, from } of points) {
    const all = sorted(writeName(name, type), labels);
    const key = JSON.stringify(all);
    let series = found.get(key);
    if (series === undefined) {
      series = { labels: all, samples: [] };
      found.set(key, series);
      // Its beginning at zero, or Prometheus would not see the first requests as a rise.
      if (name.includes('.') && delta === value && start === from && start !== undefined && start < time) {
        series.samples.push({ time: start, value: 0 });
      }
    }
    series.samples.push({ time, value });
  }
  return [...found.values()].map((series) => ({ ...series, type, help }));
}

/** The gateway's own metric has dots, which Prometheus 2 does not take. */
function writeName(name: string, type: FamilyType): string {
  if (!name.includes('.')) return name;
  const plain = name.replaceAll('.', '_');
  return type === 'counter' && !plain.endsWith('_total') ? `${plain}_total` : plain;
}

function sorted(name: string, labels: Labels): Labels {
  const all: (readonly [string, string])[] = [['__name__', name]];
  for (const label of labels) if (label[1] !== '') all.push(label);
  return all.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Prometheus' `StaleNaN`, 0x7ff0000000000002, in its two halves. */
const [staleLow, staleHigh] = [2, 0x7ff00000];

function writeSample(writer: ProtobufWriter, { time, value }: WriteSeries['samples'][number]): void {
  writer.message(2, () => {
    if (value === undefined) writer.doubleBits(1, staleLow, staleHigh);
    else if (Number.isNaN(value)) writer.doubleBits(1, 1, 0x7ff80000);
    else writer.double(1, value);
    writer.int64(2, time);
  });
}

/** `prometheus.WriteRequest` (remote write 1.0), not compressed. */
export function encodeWrite1(batch: readonly WriteSeries[]): Buffer {
  const writer = new ProtobufWriter(batch.length * 256 + 1024);
  for (const { labels, samples } of batch) {
    writer.message(1, () => {
      for (const [name, value] of labels) writer.message(1, () => writer.string(1, name).string(2, value));
      for (const sample of samples) writeSample(writer, sample);
    });
  }
  return writer.finish();
}

/** `Metadata.MetricType` of remote write 2.0. */
const metadataTypes: Record<FamilyType, number> = {
  untyped: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
  info: 6,
  stateset: 7,
};

/** `io.prometheus.write.v2.Request`, not compressed. */
export function encodeWrite2(batch: readonly WriteSeries[]): Buffer {
  const symbols = new Map<string, number>([['', 0]]);
  const ref = (text: string): number => {
    const known = symbols.get(text);
    if (known !== undefined) return known;
    symbols.set(text, symbols.size);
    return symbols.size - 1;
  };
  const references = batch.map(({ labels, help }) => {
    const refs: number[] = [];
    for (const [name, value] of labels) refs.push(ref(name), ref(value));
    return { labels: refs, help: help === undefined ? 0 : ref(help) };
  });
  const writer = new ProtobufWriter(batch.length * 128 + 1024);
  for (const text of symbols.keys()) writer.string(4, text);
  for (const [index, { samples, type }] of batch.entries()) {
    const { labels, help } = references[index]!;
    writer.message(5, () => {
      writer.packedVarints(1, labels);
      for (const sample of samples) writeSample(writer, sample);
      writer.message(5, () => {
        if (metadataTypes[type] !== 0) writer.varint(1, metadataTypes[type]);
        if (help !== 0) writer.varint(3, help);
      });
    });
  }
  return writer.finish();
}
