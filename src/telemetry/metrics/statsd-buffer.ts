import { every } from './outbox.js';

/** Lines as they differ between StatsD and DogStatsD. */
export interface StatsdDialect {
  /** Whether one line may carry several values (DogStatsD 1.1). */
  readonly manyValues: boolean;
  /** Whether a gauge with a sign is a change of it: then a negative one is set by way of zero. */
  readonly signedGaugesAreChanges: boolean;
}

interface Slot {
  readonly head: string;
  readonly tail: string;
  /** Counters are added up, of gauges the last one counts, of all else each value does. */
  readonly kind: 'sum' | 'last' | 'each';
  values: number[];
  measurements: number;
}

const flushEveryMs = 1000;
const mostMeasurements = 10_000;

export interface StatsdBufferOptions {
  readonly dialect: StatsdDialect;
  /** Largest packet in bytes. */
  readonly packetBytes: number;
  readonly send: (packet: Buffer, measurements: number) => void;
  readonly dropped: (measurements: number) => void;
}

/** Gathers measurements for a second and packs them, so that a busy process sends packets, not a packet per call. */
export class StatsdBuffer {
  private readonly options: StatsdBufferOptions;
  private readonly slots = new Map<string, Slot>();
  private events: string[] = [];
  private held = 0;
  private readonly stop: () => void;

  constructor(options: StatsdBufferOptions) {
    this.options = options;
    this.stop = every(flushEveryMs, () => this.flush());
  }

  add(kind: Slot['kind'], [head, tail]: readonly [head: string, tail: string], value: number): void {
    const id = `${head}${tail}`;
    let slot = this.slots.get(id);
    if (slot === undefined) {
      slot = { head, tail, kind, values: [], measurements: 0 };
      this.slots.set(id, slot);
    }
    if (kind === 'each') slot.values.push(value);
    else if (kind === 'last') slot.values = [value];
    else slot.values = [(slot.values[0] ?? 0) + value];
    slot.measurements++;
    // Sums and last values grow with the number of series only.
    if (kind === 'each' || slot.measurements === 1) this.held++;
    if (this.held >= mostMeasurements) this.flush();
  }

  event(line: string): void {
    this.events.push(line);
    if (this.events.length >= 100) this.flush();
  }

  flush(): void {
    const { send, packetBytes, dropped } = this.options;
    const slots = [...this.slots.values()];
    const events = this.events;
    this.slots.clear();
    this.events = [];
    this.held = 0;
    let packet: string[] = [];
    let [bytes, measurements] = [0, 0];
    const sendPacket = (): void => {
      if (packet.length > 0) send(Buffer.from(packet.join('\n')), measurements);
      packet = [];
      [bytes, measurements] = [0, 0];
    };
    const add = (line: string, count: number): void => {
      const size = Buffer.byteLength(line) + 1;
      if (size > packetBytes) {
        dropped(count);
        return;
      }
      if (bytes + size > packetBytes) sendPacket();
      packet.push(line);
      bytes += size;
      measurements += count;
    };
    for (const slot of slots) for (const [line, count] of this.linesOf(slot)) add(line, count);
    for (const line of events) add(line, 1);
    sendPacket();
  }

  close(): void {
    this.stop();
    this.flush();
  }

  private linesOf({ head, tail, kind, values, measurements }: Slot): [line: string, measurements: number][] {
    const { dialect, packetBytes } = this.options;
    if (kind === 'sum') return [[`${head}${values[0]}${tail}`, measurements]];
    if (kind === 'last') {
      const set = `${head}${values[0]}${tail}`;
      const negative = values[0]! < 0 && dialect.signedGaugesAreChanges;
      // In one piece: another gauge's packet must not come between.
      return [[negative ? `${head}0${tail}\n${set}` : set, measurements]];
    }
    if (!dialect.manyValues) return values.map((value) => [`${head}${value}${tail}`, 1]);
    const lines: [string, number][] = [];
    const room = packetBytes - Buffer.byteLength(head) - Buffer.byteLength(tail) - 1;
    let [joined, count] = ['', 0];
    for (const value of values) {
      const text = String(value);
      if (count > 0 && joined.length + 1 + text.length > room) {
        lines.push([`${head}${joined}${tail}`, count]);
        [joined, count] = ['', 0];
      }
      joined = count === 0 ? text : `${joined}:${text}`;
      count++;
    }
    lines.push([`${head}${joined}${tail}`, count]);
    return lines;
  }
}
