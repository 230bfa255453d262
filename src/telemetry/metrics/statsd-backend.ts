import type { StatsdType } from '../../formats/statsd.js';
import type { BackendContext, Facts, MetricsBackend } from './backend.js';
import { every, Outbox } from './outbox.js';
import type { PacketSender } from './packet-sender.js';
import { StatsdBuffer, type StatsdDialect } from './statsd-buffer.js';

export interface StatsdParts {
  readonly sender: PacketSender;
  readonly packetBytes: number;
  readonly dialect: StatsdDialect;
  readonly line: (type: StatsdType) => (key: string, facts: Facts) => [head: string, tail: string];
  /** The type of what is neither counted nor timed. */
  readonly distribution: StatsdType;
}

/** What StatsD and DogStatsD have in common: all but events, for which there is the buffer. */
export function statsdBackend(
  { sender, packetBytes, dialect, line, distribution }: StatsdParts,
  { collect, complain, dropped, random }: BackendContext,
): { recorder: MetricsBackend; buffer: StatsdBuffer } {
  const outbox = new Outbox<Buffer>({
    send: (packet, signal) => sender.send(packet, signal),
    capacity: 500,
    timeoutMs: 5000,
    attempts: 5,
    dropped,
    complain: (error) => complain(error, 'measurements could not be sent to StatsD'),
    random,
  });
  const buffer = new StatsdBuffer({
    dialect,
    packetBytes,
    send: (packet, measurements) => outbox.push(packet, measurements),
    dropped,
  });
  const stopCollecting = every(10_000, () => void collect());
  const record = (type: StatsdType, kind: 'sum' | 'last' | 'each') => {
    const partsOf = remembered(line(type));
    return (key: string, value: number, facts: Facts) => buffer.add(kind, partsOf(key, facts), value);
  };
  const recorder: MetricsBackend = {
    incr: record('c', 'sum'),
    gauge: record('g', 'last'),
    timing: record('ms', 'each'),
    distribution: record(distribution, 'each'),
    flush: async () => {
      await collect();
      buffer.flush();
      await outbox.settled();
    },
    close: async (signal) => {
      stopCollecting();
      buffer.close();
      await outbox.close(signal);
      sender.close();
    },
  };
  return { recorder, buffer };
}

/** A bound series brings the same facts each time. */
function remembered(make: (key: string, facts: Facts) => [head: string, tail: string]) {
  const known = new WeakMap<Facts, [head: string, tail: string]>();
  return (key: string, facts: Facts): [head: string, tail: string] => {
    let parts = known.get(facts);
    if (parts === undefined) {
      parts = make(key, facts);
      known.set(facts, parts);
    }
    return parts;
  };
}
