import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { type DescriptorProto, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { TestGateway } from './gateway.js';

const schema = readFileSync(new URL('./proto/otlp-metrics.binpb', import.meta.url));
const files = fromBinary(FileDescriptorSetSchema, schema);
for (const { messageType } of files.file) messageType.forEach(nameForJson);
const registry = createFileRegistry(files);
const service = 'opentelemetry.proto.collector.metrics.v1';
export const requestSchema = registry.getMessage(`${service}.ExportMetricsServiceRequest`)!;
const responseSchema = registry.getMessage(`${service}.ExportMetricsServiceResponse`)!;

export const encodeExport = (request: JsonValue): Buffer =>
  Buffer.from(toBinary(requestSchema, fromJson(requestSchema, request)));

/** The answer by the official schema, as JSON. */
export const decodeResponse = (bytes: Uint8Array): JsonValue =>
  toJson(responseSchema, fromBinary(responseSchema, bytes));

export type OtlpEncoding = 'protobuf' | 'json';

export const otlpTypes: Record<OtlpEncoding, string> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

export const attribute = (key: string, value: string): JsonValue => ({ key, value: { stringValue: value } });

/** An export of these metrics of one scope of one resource. */
export const exportOf = (metrics: JsonValue[], resource: JsonValue[] = []): JsonValue => ({
  resourceMetrics: [{ resource: { attributes: resource }, scopeMetrics: [{ scope: { name: 'test' }, metrics }] }],
});

export function sendOtlp(
  gateway: TestGateway,
  path: string,
  bearer: string,
  request: JsonValue,
  encoding: OtlpEncoding = 'protobuf',
): Promise<Response> {
  const body = encoding === 'json' ? JSON.stringify(request) : encodeExport(request);
  return gateway.fetch(`/api/v1/${path}/otlp/v1/metrics`, {
    method: 'POST',
    bearer,
    body: body as string,
    headers: { 'content-type': otlpTypes[encoding] },
  });
}

/** The descriptors come from Python, which leaves out the names JSON uses. */
function nameForJson(message: DescriptorProto): void {
  for (const field of message.field)
    field.jsonName = field.name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
  message.nestedType.forEach(nameForJson);
}
