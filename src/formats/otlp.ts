import { Buffer } from 'node:buffer';
import { ProtobufWriter } from './protobuf.js';

/**
 * OTLP metrics, `ExportMetricsServiceRequest` of opentelemetry-proto 1.x, in protobuf and in JSON. Times are
 * milliseconds since the epoch here and nanoseconds on the wire. Values must be finite.
 */
export type OtlpAttributes = readonly (readonly [key: string, value: string])[];
export type Temporality = 'cumulative' | 'delta';

interface Timed {
  readonly attributes: OtlpAttributes;
  readonly startMs?: number | undefined;
  readonly timeMs: number;
}

export interface OtlpNumber extends Timed {
  readonly value: number;
}

export interface OtlpHistogram extends Timed {
  readonly count: number;
  readonly sum?: number | undefined;
  readonly bounds: readonly number[];
  /** One more than there are bounds; each bucket's own count. */
  readonly counts: readonly number[];
}

export interface OtlpSummary extends Timed {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly (readonly [quantile: number, value: number])[];
}

interface Named {
  readonly name: string;
  readonly description?: string | undefined;
  /** UCUM. */
  readonly unit?: string | undefined;
}

export type OtlpMetric =
  | (Named & { readonly kind: 'gauge'; readonly points: readonly OtlpNumber[] })
  | (Named & {
      readonly kind: 'sum';
      readonly monotonic: boolean;
      readonly temporality: Temporality;
      readonly points: readonly OtlpNumber[];
    })
  | (Named & {
      readonly kind: 'histogram';
      readonly temporality: Temporality;
      readonly points: readonly OtlpHistogram[];
    })
  | (Named & { readonly kind: 'summary'; readonly points: readonly OtlpSummary[] });

export interface OtlpSource {
  readonly resource: OtlpAttributes;
  readonly scope: { readonly name: string; readonly version?: string | undefined };
}

export type OtlpEncoding = 'protobuf' | 'json';

/** Requests of `maxBytes` at most, the metrics in their order; a point that is larger than that stands alone. */
export function* encodeOtlp(
  source: OtlpSource,
  metrics: Iterable<OtlpMetric>,
  encoding: OtlpEncoding,
  maxBytes: number,
): Generator<Buffer> {
  const { encode, wrap } = encodings[encoding];
  const room = maxBytes - wrap(source, []).length - 16;
  let batch: Buffer[] = [];
  let size = 0;
  for (const metric of metrics) {
    for (const piece of pieces(metric, room)) {
      const bytes = encode(piece);
      if (size + bytes.length + 1 > room && batch.length > 0) {
        yield wrap(source, batch);
        batch = [];
        size = 0;
      }
      batch.push(bytes);
      size += bytes.length + 1;
    }
  }
  if (batch.length > 0) yield wrap(source, batch);
}

/** The metric in pieces that should take a quarter of the room at most, by a generous guess at its size. */
function* pieces(metric: OtlpMetric, room: number): Generator<OtlpMetric> {
  const head = 200 + 3 * (metric.name.length + (metric.description?.length ?? 0));
  let first = 0;
  let size = head;
  for (const [index, point] of metric.points.entries()) {
    const guess = guessSize(point);
    if (size + guess > room / 4 && index > first) {
      yield { ...metric, points: metric.points.slice(first, index) } as OtlpMetric;
      first = index;
      size = head;
    }
    size += guess;
  }
  yield { ...metric, points: metric.points.slice(first) } as OtlpMetric;
}

function guessSize(point: OtlpNumber | OtlpHistogram | OtlpSummary): number {
  let size = 220;
  for (const [key, value] of point.attributes) size += 50 + 3 * (key.length + value.length);
  if ('bounds' in point) size += 60 * point.bounds.length;
  if ('quantiles' in point) size += 100 * point.quantiles.length;
  return size;
}

const nanos = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;
const temporalities: Record<Temporality, number> = { delta: 1, cumulative: 2 };

// Protobuf

const encodings = {
  protobuf: {
    encode: protobufMetric,
    wrap: ({ resource, scope }: OtlpSource, metrics: readonly Buffer[]): Buffer => {
      const writer = new ProtobufWriter();
      writer.message(1, () => {
        writer.message(1, () => writeAttributes(writer, 1, resource));
        writer.message(2, () => {
          writer.message(1, () => {
            writer.string(1, scope.name);
            if (scope.version !== undefined) writer.string(2, scope.version);
          });
          for (const metric of metrics) writer.append(metric);
        });
      });
      return writer.finish();
    },
  },
  json: {
    encode: (metric: OtlpMetric): Buffer => Buffer.from(JSON.stringify(jsonMetric(metric))),
    wrap: ({ resource, scope }: OtlpSource, metrics: readonly Buffer[]): Buffer => {
      const text = metrics.map((metric) => metric.toString()).join(',');
      const shell = JSON.stringify({
        resourceMetrics: [
          { resource: { attributes: jsonAttributes(resource) }, scopeMetrics: [{ scope, metrics: [] }] },
        ],
      });
      // The last `[]` is that of the metrics.
      const at = shell.lastIndexOf('[]') + 1;
      return Buffer.from(`${shell.slice(0, at)}${text}${shell.slice(at)}`);
    },
  },
};

/** As field 2 of `ScopeMetrics`. */
function protobufMetric(metric: OtlpMetric): Buffer {
  const writer = new ProtobufWriter(1024 + metric.points.length * 128);
  writer.message(2, () => {
    writer.string(1, metric.name);
    if (metric.description !== undefined) writer.string(2, metric.description);
    if (metric.unit !== undefined) writer.string(3, metric.unit);
    switch (metric.kind) {
      case 'gauge':
        writer.message(5, () => {
          for (const point of metric.points) writeNumber(writer, point);
        });
        break;
      case 'sum':
        writer.message(7, () => {
          for (const point of metric.points) writeNumber(writer, point);
          writer.varint(2, temporalities[metric.temporality]);
          if (metric.monotonic) writer.varint(3, 1);
        });
        break;
      case 'histogram':
        writer.message(9, () => {
          for (const point of metric.points) writeHistogram(writer, point);
          writer.varint(2, temporalities[metric.temporality]);
        });
        break;
      case 'summary':
        writer.message(11, () => {
          for (const point of metric.points) writeSummary(writer, point);
        });
        break;
    }
  });
  return writer.finish();
}

function writeAttributes(writer: ProtobufWriter, field: number, attributes: OtlpAttributes): void {
  for (const [key, value] of attributes) {
    writer.message(field, () => writer.string(1, key).message(2, () => writer.string(1, value)));
  }
}

function writeTimes(writer: ProtobufWriter, { startMs, timeMs }: Timed): void {
  if (startMs !== undefined) writer.nanoseconds(2, startMs);
  writer.nanoseconds(3, timeMs);
}

function writeNumber(writer: ProtobufWriter, point: OtlpNumber): void {
  writer.message(1, () => {
    writeTimes(writer, point);
    writer.double(4, point.value);
    writeAttributes(writer, 7, point.attributes);
  });
}

function writeHistogram(writer: ProtobufWriter, point: OtlpHistogram): void {
  writer.message(1, () => {
    writeTimes(writer, point);
    writer.fixed64(4, BigInt(point.count));
    if (point.sum !== undefined) writer.double(5, point.sum);
    writer.packedFixed64(6, point.counts.map(BigInt));
    writer.packedDoubles(7, point.bounds);
    writeAttributes(writer, 9, point.attributes);
  });
}

function writeSummary(writer: ProtobufWriter, point: OtlpSummary): void {
  writer.message(1, () => {
    writeTimes(writer, point);
    writer.fixed64(4, BigInt(point.count));
    writer.double(5, point.sum);
    for (const [quantile, value] of point.quantiles) {
      writer.message(6, () => writer.double(1, quantile).double(2, value));
    }
    writeAttributes(writer, 7, point.attributes);
  });
}

// JSON: lowerCamelCase keys, 64-bit integers as strings, enums as numbers.

const jsonAttributes = (attributes: OtlpAttributes) =>
  attributes.map(([key, value]) => ({ key, value: { stringValue: value } }));

const jsonTimes = ({ attributes, startMs, timeMs }: Timed) => ({
  attributes: jsonAttributes(attributes),
  ...(startMs === undefined ? {} : { startTimeUnixNano: String(nanos(startMs)) }),
  timeUnixNano: String(nanos(timeMs)),
});

const jsonNumber = (point: OtlpNumber) => ({ ...jsonTimes(point), asDouble: point.value });

function jsonMetric(metric: OtlpMetric): object {
  const { name, description, unit } = metric;
  const named = {
    name,
    ...(description === undefined ? {} : { description }),
    ...(unit === undefined ? {} : { unit }),
  };
  switch (metric.kind) {
    case 'gauge':
      return { ...named, gauge: { dataPoints: metric.points.map(jsonNumber) } };
    case 'sum':
      return {
        ...named,
        sum: {
          dataPoints: metric.points.map(jsonNumber),
          aggregationTemporality: temporalities[metric.temporality],
          isMonotonic: metric.monotonic,
        },
      };
    case 'histogram':
      return {
        ...named,
        histogram: {
          dataPoints: metric.points.map((point) => ({
            ...jsonTimes(point),
            count: String(point.count),
            ...(point.sum === undefined ? {} : { sum: point.sum }),
            bucketCounts: point.counts.map(String),
            explicitBounds: point.bounds,
          })),
          aggregationTemporality: temporalities[metric.temporality],
        },
      };
    case 'summary':
      return {
        ...named,
        summary: {
          dataPoints: metric.points.map((point) => ({
            ...jsonTimes(point),
            count: String(point.count),
            sum: point.sum,
            quantileValues: point.quantiles.map(([quantile, value]) => ({ quantile, value })),
          })),
        },
      };
  }
}
