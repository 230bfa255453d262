import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileRegistry, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { type DescriptorProto, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { encodeOtlp } from '../../src/formats/otlp.js';
import { collectProject, readPage } from '../../src/streams/collect/project.js';
import { datadogBody, datadogSeries } from '../../src/streams/encode/datadog.js';
import { otlpMetrics } from '../../src/streams/encode/otlp.js';
import { encodeWrite2, writeBatches } from '../../src/streams/encode/remote-write.js';
import type { Window } from '../../src/streams/window.js';
import { Body, mixedFamilies } from './series.js';

/** Microseconds of CPU a series, one figure per round. */
export interface Encoded {
  readonly ours: readonly number[];
  /** `JSON.stringify` of the same message. */
  readonly floor: readonly number[];
  /** The same message by a protobuf library. */
  readonly library?: readonly number[];
  /** A series, not compressed. */
  readonly bytes: number;
}

export type EncodeReport = Readonly<Record<string, Encoded>>;

const series = 1000;
const turns = 40;

/** A second window of a project whose values have moved. */
function windowOf(): Window {
  const body = new Body(mixedFamilies(series), 1);
  const page = (at: number) => ({ families: [...readPage(body.bytes)], at });
  const about = { projectId: 'bench', from: 0, passes: () => true };
  const first = collectProject(page(1_767_225_600_000), new Map(), about);
  body.move();
  return collectProject(page(1_767_225_610_000), first.state, { ...about, from: first.window.to }).window;
}

function cpuOf(work: () => unknown): number {
  globalThis.gc!();
  const before = process.cpuUsage();
  for (let turn = 0; turn < turns; turn++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / turns / series;
}

const [rounds, schemas] = [Number(process.argv[2]), process.argv[3]!];
const window = windowOf();

/** The message that was sent, by its official schema: as a library would send it, and as JSON. */
function readMade(file: string, name: string, bytes: Buffer) {
  const files = fromBinary(FileDescriptorSetSchema, readFileSync(join(schemas, file)));
  for (const { messageType } of files.file) messageType.forEach(nameForJson);
  const registry = createFileRegistry(files);
  const schema = registry.getMessage(name)!;
  const message = fromBinary(schema, new Uint8Array(bytes));
  const json = toJson(schema, message, { registry });
  return { library: () => toBinary(schema, message), floor: () => JSON.stringify(json) };
}

/** Descriptors may leave out the names for JSON, which are the names in camel case. */
function nameForJson({ field, nestedType }: DescriptorProto): void {
  for (const each of field)
    each.jsonName = each.name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  nestedType.forEach(nameForJson);
}

const source = { resource: [['service.name', 'weir']], scope: { name: 'weir' } } as const;
const rules = { temporality: 'cumulative', mostBuckets: 500 } as const;
const ours = {
  datadog: () => [Buffer.from(datadogBody(datadogSeries(window)))],
  otlp: () => [...encodeOtlp(source, otlpMetrics(window, rules), 'protobuf', 10_000_000)],
  'remote-write': () => [...writeBatches(window)].map(encodeWrite2),
};
const made = (name: keyof typeof ours): Buffer => ours[name]()[0]!;

const datadog: unknown = JSON.parse(made('datadog').toString());
const others = {
  datadog: { floor: () => JSON.stringify(datadog) },
  otlp: readMade(
    'otlp-metrics.binpb',
    'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
    made('otlp'),
  ),
  'remote-write': readMade('remote-write.binpb', 'io.prometheus.write.v2.Request', made('remote-write')),
};

const report: Record<string, Encoded> = {};
for (const name of Object.keys(ours) as (keyof typeof ours)[]) {
  const other: { floor: () => unknown; library?: () => unknown } = others[name];
  const figures = { ours: [] as number[], floor: [] as number[], library: [] as number[] };
  // The first round is thrown away: code gets compiled.
  for (let round = 0; round <= rounds; round++) {
    figures.ours.push(cpuOf(ours[name]));
    figures.floor.push(cpuOf(other.floor));
    if (other.library !== undefined) figures.library.push(cpuOf(other.library));
  }
  const { library, ...sides } = { ...figures, ours: figures.ours.slice(1), floor: figures.floor.slice(1) };
  report[name] = {
    ...sides,
    ...(library.length === 0 ? {} : { library: library.slice(1) }),
    bytes: made(name).length / series,
  };
}
process.stdout.write(JSON.stringify(report));
