import { join } from 'node:path';
import type { EncodeReport } from './encode-worker.js';
import { type Bench, digits, median, quotients, resultOf, say } from './harness.js';
import { Pinned, serverCore } from './processes.js';
import { compiled, root } from './weir.js';

const schemas = join(root, 'test', 'support', 'proto');

const whats: Readonly<Record<string, string>> = {
  datadog: 'Datadog series',
  otlp: 'OTLP in protobuf',
  'remote-write': 'remote write 2.0',
};

/** CPU of turning a window of 1,000 series into the bytes that are compressed and sent, against `JSON.stringify` of as much. */
export const encodeBench: Bench = async ({ rounds }) => {
  say('encoding windows of 1,000 series, in process');
  const args = ['--expose-gc', compiled('encode-worker.js'), String(Math.min(rounds, 7)), schemas];
  const output = await new Pinned(serverCore, process.execPath, args, { progress: true }).finished(120);
  const report = JSON.parse(output) as EncodeReport;
  return Object.entries(report).map(([name, { ours, floor, library, bytes }]) => {
    const beside = library === undefined ? '' : `, ${digits(median(library))} by @bufbuild/protobuf`;
    return resultOf(
      {
        name: `encode-${name}`,
        what: `CPU of encoding a window of 1,000 series as ${whats[name]}, against JSON.stringify of the same ready-made message`,
        better: 'lower',
        detail: `${digits(median(ours))} against ${digits(median(floor))} µs a series${beside}; ${digits(bytes)} bytes a series`,
      },
      quotients(ours, floor),
    );
  });
};
