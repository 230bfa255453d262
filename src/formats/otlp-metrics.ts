/** A metric of OpenTelemetry's data model, as far as it is sent from here. Times are milliseconds since the epoch. */
export type OtlpMetric = {
  readonly name: string;
  readonly description: string;
  /** UCUM: `s`, `By`, `1`. */
  readonly unit: string;
} & (
  | { readonly kind: 'sum' | 'gauge'; readonly points: readonly OtlpNumber[] }
  | { readonly kind: 'histogram'; readonly points: readonly OtlpHistogram[] }
);

export interface OtlpNumber {
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface OtlpHistogram {
  readonly attributes: Readonly<Record<string, string>>;
  readonly sum: number;
  readonly bounds: readonly number[];
  /** One more than there are bounds. */
  readonly counts: readonly number[];
}

export interface OtlpExport {
  readonly resource: Readonly<Record<string, string>>;
  readonly scope: { readonly name: string; readonly version: string };
  readonly metrics: readonly OtlpMetric[];
  readonly temporality: 'cumulative' | 'delta';
  readonly startedAt: number;
  readonly at: number;
}

/** `ExportMetricsServiceRequest` in protobuf; the numbers are those of OpenTelemetry's metrics.proto (v1). */
export function encodeOtlpMetrics(given: OtlpExport): Buffer {
  const out = new Writer();
  out.message(1, (resourceMetrics) => {
    resourceMetrics.message(1, (resource) => attributes(resource, 1, given.resource));
    resourceMetrics.message(2, (scopeMetrics) => {
      scopeMetrics.message(1, (scope) => {
        scope.text(1, given.scope.name);
        scope.text(2, given.scope.version);
      });
      for (const metric of given.metrics) scopeMetrics.message(2, (inner) => writeMetric(inner, metric, given));
    });
  });
  return out.finish();
}

const temporalities = { delta: 1, cumulative: 2 } as const;

function writeMetric(out: Writer, metric: OtlpMetric, { temporality, startedAt, at }: OtlpExport): void {
  out.text(1, metric.name);
  out.text(2, metric.description);
  out.text(3, metric.unit);
  const start = metric.kind === 'gauge' ? undefined : startedAt;
  if (metric.kind === 'histogram') {
    out.message(9, (histogram) => {
      for (const point of metric.points) histogram.message(1, (inner) => writeHistogram(inner, point, startedAt, at));
      histogram.varint(2, temporalities[temporality]);
    });
    return;
  }
  out.message(metric.kind === 'gauge' ? 5 : 7, (data) => {
    for (const { attributes: labels, value } of metric.points) {
      data.message(1, (point) => {
        attributes(point, 7, labels);
        if (start !== undefined) point.nanoseconds(2, start);
        point.nanoseconds(3, at);
        point.double(4, value);
      });
    }
    if (metric.kind === 'gauge') return;
    data.varint(2, temporalities[temporality]);
    data.varint(3, 1); // is_monotonic
  });
}

function writeHistogram(out: Writer, point: OtlpHistogram, startedAt: number, at: number): void {
  attributes(out, 9, point.attributes);
  out.nanoseconds(2, startedAt);
  out.nanoseconds(3, at);
  out.fixed64(
    4,
    point.counts.reduce((sum, count) => sum + count, 0),
  );
  out.double(5, point.sum);
  out.packed64(6, point.counts, (target, count) => target.writeBigUInt64LE(BigInt(count)));
  out.packed64(7, point.bounds, (target, bound) => target.writeDoubleLE(bound));
}

/** `KeyValue` with a string value each. */
function attributes(out: Writer, field: number, labels: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(labels)) {
    out.message(field, (pair) => {
      pair.text(1, name);
      pair.message(2, (any) => any.text(1, value));
    });
  }
}

/** Protobuf's wire format, as much of it as is needed (protobuf.dev, Encoding). */
class Writer {
  private readonly chunks: Buffer[] = [];

  varint(field: number, value: number): void {
    this.chunks.push(varint(field * 8), varint(value));
  }

  text(field: number, text: string): void {
    this.bytes(field, Buffer.from(text, 'utf8'));
  }

  message(field: number, write: (inner: Writer) => void): void {
    const inner = new Writer();
    write(inner);
    this.bytes(field, inner.finish());
  }

  double(field: number, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.chunks.push(varint(field * 8 + 1), bytes);
  }

  fixed64(field: number, value: number | bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.chunks.push(varint(field * 8 + 1), bytes);
  }

  nanoseconds(field: number, ms: number): void {
    this.fixed64(field, BigInt(Math.round(ms)) * 1_000_000n);
  }

  packed64(field: number, values: readonly number[], write: (target: Buffer, value: number) => void): void {
    const each = values.map((value) => {
      const bytes = Buffer.alloc(8);
      write(bytes, value);
      return bytes;
    });
    this.bytes(field, Buffer.concat(each));
  }

  finish(): Buffer {
    return Buffer.concat(this.chunks);
  }

  private bytes(field: number, bytes: Buffer): void {
    this.chunks.push(varint(field * 8 + 2), varint(bytes.length), bytes);
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
