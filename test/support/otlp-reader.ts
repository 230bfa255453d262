import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, toJson } from '@bufbuild/protobuf';
import { type DescriptorProto, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

const schema = readFileSync(new URL('./proto/otlp-metrics.binpb', import.meta.url));
const files = fromBinary(FileDescriptorSetSchema, schema);
for (const { messageType } of files.file) messageType.forEach(nameForJson);
const registry = createFileRegistry(files);
const request = registry.getMessage('opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest')!;

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}

interface Point {
  readonly attributes?: readonly Attribute[];
  readonly startTimeUnixNano?: string;
  readonly timeUnixNano: string;
  readonly asDouble?: number;
  readonly count?: string;
  readonly sum?: number;
  readonly bucketCounts?: readonly string[];
  readonly explicitBounds?: readonly number[];
}

export interface ReadOtlp {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeMetrics: readonly {
      readonly scope: { readonly name: string };
      readonly metrics: readonly {
        readonly name: string;
        readonly description: string;
        readonly unit: string;
        readonly sum?: { dataPoints: readonly Point[]; aggregationTemporality: string; isMonotonic: boolean };
        readonly gauge?: { dataPoints: readonly Point[] };
        readonly histogram?: { dataPoints: readonly Point[]; aggregationTemporality: string };
      }[];
    }[];
  }[];
}

/** Python's descriptors leave out the names for JSON, which are the names in camel case. */
function nameForJson({ field, nestedType }: DescriptorProto): void {
  for (const each of field)
    each.jsonName = each.name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  nestedType.forEach(nameForJson);
}

/** Reads an `ExportMetricsServiceRequest` by OpenTelemetry's own schema; throws for a field that is not in it. */
export function readOtlp(bytes: Buffer): ReadOtlp {
  const message = fromBinary(request, new Uint8Array(bytes));
  if (hasUnknown(message)) throw new Error('there are fields the schema does not have');
  return toJson(request, message, { registry }) as unknown as ReadOtlp;
}

function hasUnknown(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  if ('$unknown' in value && (value.$unknown as unknown[] | undefined)?.length) return true;
  return Object.values(value).some(hasUnknown);
}

export const attributesOf = (attributes: readonly Attribute[] = []): Record<string, string> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
