import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { compressSync } from 'snappy';
import type { TestGateway } from './gateway.js';

const schema = readFileSync(new URL('./proto/remote-write.binpb', import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, schema));
const messages = {
  '1.0': registry.getMessage('prometheus.WriteRequest')!,
  '2.0': registry.getMessage('io.prometheus.write.v2.Request')!,
};
export type Version = keyof typeof messages;

/** A request in protobuf's own JSON form, as bytes, by the schema alone. */
export const encodeRequest = (version: Version, request: JsonValue): Buffer =>
  Buffer.from(toBinary(messages[version], fromJson(messages[version], request)));

/** What the schema's own reader makes of the bytes. */
export const decodeRequest = (version: Version, bytes: Uint8Array): JsonValue =>
  toJson(messages[version], fromBinary(messages[version], bytes));

export interface SentSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Value and time in milliseconds. */
  readonly samples: readonly (readonly [value: number, time: number])[];
  /** 2.0 only. */
  readonly metadata?: { type: string; help?: string; unit?: string };
}

/** Labels sorted by name, as senders do. */
const sorted = (labels: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(labels).sort(([a], [b]) => (Buffer.from(a) < Buffer.from(b) ? -1 : 1));

const numberJson = (value: number): JsonValue =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';

const samplesJson = (samples: SentSeries['samples']): JsonValue =>
  samples.map(([value, time]) => ({ value: numberJson(value), timestamp: String(time) }));

export function request1(series: readonly SentSeries[], metadata: JsonValue[] = []): Buffer {
  return encodeRequest('1.0', {
    timeseries: series.map(({ labels, samples }) => ({
      labels: sorted(labels).map(([name, value]) => ({ name, value })),
      samples: samplesJson(samples),
    })),
    metadata,
  });
}

export function request2(series: readonly SentSeries[]): Buffer {
  const symbols = [''];
  const ref = (text: string): number => {
    if (!symbols.includes(text)) symbols.push(text);
    return symbols.indexOf(text);
  };
  const timeseries = series.map(({ labels, samples, metadata }) => ({
    labelsRefs: sorted(labels).flatMap(([name, value]) => [ref(name), ref(value)]),
    samples: samplesJson(samples),
    ...(metadata === undefined
      ? {}
      : {
          metadata: {
            type: `METRIC_TYPE_${metadata.type.toUpperCase()}`,
            helpRef: ref(metadata.help ?? ''),
            unitRef: ref(metadata.unit ?? ''),
          },
        }),
  }));
  return encodeRequest('2.0', { symbols, timeseries });
}

export const contentTypes: Record<Version, string> = {
  '1.0': 'application/x-protobuf',
  '2.0': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
};

/** Sends a request as Prometheus does. */
export function send(
  gateway: TestGateway,
  path: string,
  bearer: string,
  body: Buffer,
  version: Version = '1.0',
  headers: Record<string, string> = {},
): Promise<Response> {
  return gateway.fetch(`/api/v1/${path}/write`, {
    method: 'POST',
    bearer,
    body: compressSync(body) as unknown as Uint8Array<ArrayBuffer>,
    headers: {
      'content-type': contentTypes[version],
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': version === '1.0' ? '0.1.0' : '2.0.0',
      ...headers,
    },
  });
}

/** The staleness marker: a NaN with bits of its own, which JSON cannot carry, put in the place of a value. */
export function markStale(body: Buffer, value: number): Buffer {
  const marked = Buffer.from(body);
  const wanted = Buffer.alloc(8);
  wanted.writeDoubleLE(value);
  for (let at = marked.indexOf(wanted); at !== -1; at = marked.indexOf(wanted, at + 8)) {
    marked.writeUInt32LE(2, at);
    marked.writeUInt32LE(0x7ff00000, at + 4);
  }
  return marked;
}
