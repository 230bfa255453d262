import { create, createFileRegistry, fromBinary, toJson } from '@bufbuild/protobuf';
import {
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';

/**
 * Reads remote write with `@bufbuild/protobuf`, by a schema written down from the two specifications
 * (prometheus.io/docs/specs/prw): it knows nothing of our encoder.
 */
type Field = readonly [number: number, name: string, type: Type | string, many?: 'many' | 'packed'];

const message = (name: string, fields: readonly Field[]) => ({
  name,
  field: fields.map(([number, fieldName, type, many]) => ({
    name: fieldName,
    jsonName: fieldName,
    number,
    label: many === undefined ? Label.OPTIONAL : Label.REPEATED,
    ...(typeof type === 'string' ? { type: Type.MESSAGE, typeName: `.${type}` } : { type }),
  })),
});

const { STRING, DOUBLE, INT64, UINT32, INT32 } = Type;
const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      {
        name: 'v1.proto',
        package: 'v1',
        syntax: 'proto3',
        messageType: [
          message('Label', [
            [1, 'name', STRING],
            [2, 'value', STRING],
          ]),
          message('Sample', [
            [1, 'value', DOUBLE],
            [2, 'timestamp', INT64],
          ]),
          message('TimeSeries', [
            [1, 'labels', 'v1.Label', 'many'],
            [2, 'samples', 'v1.Sample', 'many'],
          ]),
          message('WriteRequest', [[1, 'timeseries', 'v1.TimeSeries', 'many']]),
        ],
      },
      {
        name: 'v2.proto',
        package: 'v2',
        syntax: 'proto3',
        messageType: [
          message('Sample', [
            [1, 'value', DOUBLE],
            [2, 'timestamp', INT64],
          ]),
          message('Metadata', [
            [1, 'type', INT32],
            [3, 'help_ref', UINT32],
            [4, 'unit_ref', UINT32],
          ]),
          message('TimeSeries', [
            [1, 'labels_refs', UINT32, 'packed'],
            [2, 'samples', 'v2.Sample', 'many'],
            [5, 'metadata', 'v2.Metadata'],
          ]),
          message('Request', [
            [4, 'symbols', STRING, 'many'],
            [5, 'timeseries', 'v2.TimeSeries', 'many'],
          ]),
        ],
      },
    ],
  }),
);

export interface ReadSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [time: number, value: number])[];
  readonly type?: number | undefined;
  readonly help?: string | undefined;
}

interface Raw {
  $unknown?: unknown[];
  labels: { name: string; value: string }[];
  labelsRefs: number[];
  samples: { value: number; timestamp: bigint }[];
  metadata?: { type: number; helpRef: number };
}

const read = (name: string, bytes: Buffer): { timeseries: Raw[]; symbols: string[] } => {
  const schema = registry.getMessage(name)!;
  const found = fromBinary(schema, new Uint8Array(bytes));
  refuseUnknown(found);
  toJson(schema, found);
  return found as unknown as { timeseries: Raw[]; symbols: string[] };
};

function refuseUnknown(value: unknown): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if ('$unknown' in value && (value.$unknown as unknown[] | undefined)?.length) {
    throw new Error('there are fields the schema does not have');
  }
  for (const each of Object.values(value)) refuseUnknown(each);
}

const samplesOf = ({ samples }: Raw) => samples.map(({ timestamp, value }) => [Number(timestamp), value] as const);

export function readWrite1(bytes: Buffer): ReadSeries[] {
  return read('v1.WriteRequest', bytes).timeseries.map((series) => ({
    labels: Object.fromEntries(inOrder(series.labels.map(({ name, value }) => [name, value] as const))),
    samples: samplesOf(series),
  }));
}

export function readWrite2(bytes: Buffer): ReadSeries[] {
  const { symbols, timeseries } = read('v2.Request', bytes);
  if (symbols[0] !== '') throw new Error('the first symbol is not empty');
  return timeseries.map((series) => {
    const pairs: (readonly [string, string])[] = [];
    for (let at = 0; at < series.labelsRefs.length; at += 2) {
      pairs.push([symbols[series.labelsRefs[at]!]!, symbols[series.labelsRefs[at + 1]!]!]);
    }
    return {
      labels: Object.fromEntries(inOrder(pairs)),
      samples: samplesOf(series),
      type: series.metadata?.type,
      help: symbols[series.metadata?.helpRef ?? 0],
    };
  });
}

/** As both specifications want them: sorted, each once, none empty. */
function inOrder(pairs: (readonly [string, string])[]): (readonly [string, string])[] {
  for (const [index, [name, value]] of pairs.entries()) {
    if (name === '' || value === '') throw new Error(`an empty label: ${name}`);
    if (index > 0 && !(pairs[index - 1]![0] < name)) throw new Error(`labels out of order: ${name}`);
  }
  return pairs;
}
