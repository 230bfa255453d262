import { withRoom } from './columns.js';
import type { FamilyType } from './family.js';

/** What a producer says of a family, under the name it uses for it. */
export interface Metadata {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly unit: string;
}

/** What is to be done with a series. */
export const change = {
  /** It is mentioned, without a sample. */
  none: 0,
  /** It has ended (a stale marker). */
  end: 1,
  /** All have ended that have its name and its labels, and `le` beside them: which there are, who says so does not know. */
  endBuckets: 2,
  /** Its value is this, as of `times`. This, and what follows, is a value. */
  set: 3,
  /** Its value grows by this, for the time from `starts` to `times`. */
  add: 4,
  /** Its value grows by this; who says so sends each growth once, and in order. */
  grow: 5,
} as const;

/** Where a text stands in `bytes`. */
export type Place = readonly [from: number, to: number];

/** The label that holds the metric's name. */
export const nameLabel = '__name__';

/** Series that are known already, by numbers of theirs. */
export interface KnownSeries {
  /** How many numbers were given so far: as long as it stays, what is not there does not come. */
  readonly count: number;
  /** No other has it, and the numbers it gives are good for as long as it is there. */
  readonly serial: number;
  /**
   * Where the labels end that stand in `bytes` from `at` on, if they are those of the series that is due after the one
   * found before, spelled as in a remote write request; -1 if not.
   */
  matchNext(bytes: DataView, at: number, end: number): number;
  /** The number of the series that is due. Then the next one is. */
  takeNext(): number;
  /** Says that this series was found. */
  resumeAfter(number: number): void;
  /** The number of a series of the batch, or -1. */
  find(batch: SeriesBatch, index: number): number;
}

/** In the place of the number of a series: it has to be looked up. */
export const notLookedUp = -1;
/** It was looked up, and not found. */
export const notThere = -2;

/**
 * Of all series that the histograms of one request become: each bucket has all labels of its series, of which a request of a few
 * hundred kilobytes may have as many as buckets.
 */
export const mostLabels = 4_000_000;

/**
 * The bytes of the labels of all series of one request, each as often as it is said. Symbols, resources and histograms say in a few
 * bytes what thousands of series have, and for each it is read again to be found among those that are known.
 */
export const mostLabelBytes = 128 * 2 ** 20;

/**
 * Samples of some series, as columns. Label names and values are ranges of `bytes`; the first range of each series is
 * the metric's name, as a label with an empty name. Labels with empty values are left out. Reused between requests.
 */
export class SeriesBatch {
  bytes: Uint8Array = new Uint8Array(0);
  series = 0;
  /** For each series, the index of its first range; one entry more than there are series. */
  first: Uint32Array;
  /** Name from, name to, value from, value to. */
  ranges: Uint32Array;
  changes: Uint8Array;
  values: Float64Array;
  /** Milliseconds since the epoch. */
  times: Float64Array;
  starts = new Float64Array(0);
  /** By what number a reader found it among the known series; such a series may have no ranges. */
  numbers: Int32Array;
  /** How many samples the newest one stands for. */
  samples: Uint32Array;
  /** For each point (what is taken or refused as one), its first series; one entry more. Absent: each series is one. */
  points: number[] | undefined;
  /** Where each series belongs, by `route`; only where a reader was told to look for it. */
  routes: Uint32Array | undefined;
  readonly metadata: Metadata[] = [];
  totalSamples = 0;
  /** Native histograms as they stand in the request, and the first point that one of them became. */
  readonly natives: { readonly series: number; readonly at: number; readonly end: number }[] = [];
  histogramsFrom = Number.POSITIVE_INFINITY;
  /** How many series were known when the reading began; what was not found then may have come since. */
  knownCount = -1;
  /** Of all its ranges, as `mostLabelBytes` counts. */
  labelBytes = 0;
  private labels = 0;

  /** Grows as needed; begins with room for so many series. */
  constructor(room = 64) {
    this.first = new Uint32Array(room + 1);
    this.ranges = new Uint32Array(room * 32);
    this.changes = new Uint8Array(room);
    this.values = new Float64Array(room);
    this.times = new Float64Array(room);
    this.samples = new Uint32Array(room);
    this.numbers = new Int32Array(room);
  }

  /** What its columns weigh, in bytes: few series may have many labels. */
  get weight(): number {
    const { first, ranges, changes, values, times, starts, numbers, samples } = this;
    const columns = [first, ranges, changes, values, times, starts, numbers, samples];
    return columns.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  clear(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.series = 0;
    this.labels = 0;
    this.labelBytes = 0;
    this.first[0] = 0;
    this.points = undefined;
    this.routes = undefined;
    this.metadata.length = 0;
    this.totalSamples = 0;
    this.natives.length = 0;
    this.histogramsFrom = Number.POSITIVE_INFINITY;
    this.knownCount = -1;
  }

  /** Notes which of the known series one is. */
  lookUp(index: number, known: KnownSeries): void {
    const number = known.find(this, index);
    this.numbers[index] = number === -1 ? notThere : number;
  }

  /** Begins a series. Its name may come before, between or after its labels. */
  begin(): void {
    const series = this.series++;
    if (series + 2 > this.first.length) this.grow(series + 2);
    this.changes[series] = change.none;
    this.samples[series] = 0;
    this.times[series] = Number.NEGATIVE_INFINITY;
    this.numbers[series] = notLookedUp;
    this.range(0, 0, 0, 0);
    const { routes } = this;
    if (routes !== undefined) {
      const at = series * 4;
      routes[at] = 0;
      routes[at + 1] = 0;
      routes[at + 2] = 0;
      routes[at + 3] = 0;
    }
  }

  /** A series that was recognised as a whole, with its only sample: nobody needs to know its labels. */
  known(number: number, value: number, time: number): void {
    const series = this.series++;
    if (series + 2 > this.first.length) this.grow(series + 2);
    this.first[series + 1] = this.labels;
    this.numbers[series] = number;
    this.changes[series] = change.set;
    this.values[series] = value;
    this.times[series] = time;
    this.samples[series] = 1;
    this.totalSamples++;
  }

  name(valueAt: number, valueEnd: number): void {
    const at = this.first[this.series - 1]! * 4;
    this.ranges[at + 2] = valueAt;
    this.ranges[at + 3] = valueEnd;
    this.labelBytes += valueEnd - valueAt;
  }

  label(nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): void {
    if (valueAt < valueEnd) this.range(nameAt, nameEnd, valueAt, valueEnd);
  }

  /** From now on series are told where they belong. */
  beginRoutes(): void {
    this.routes = new Uint32Array(this.first.length * 4);
  }

  /** The value of a label that says where the series belongs; said twice, it says nothing that could be relied upon. */
  route(to: 'project' | 'endpoint', valueAt: number, valueEnd: number): void {
    const routes = this.routes!;
    const at = (this.series - 1) * 4 + (to === 'project' ? 0 : 2);
    const isRepeated = routes[at + 1] !== 0;
    routes[at] = isRepeated ? saidTwice : valueAt;
    routes[at + 1] = isRepeated ? saidTwice : valueEnd;
  }

  /** Adds a series of another batch, which has the same `bytes`, with its sample. */
  adopt(from: SeriesBatch, series: number): void {
    const to = this.series++;
    if (to + 2 > this.first.length) this.grow(to + 2);
    const source = from.ranges;
    const end = from.first[series + 1]! * 4;
    let at = this.labels * 4;
    const start = from.first[series]! * 4;
    if (at + end - start > this.ranges.length) this.ranges = withRoom(this.ranges, at + end - start);
    const { ranges } = this;
    // For a few dozen numbers a loop is cheaper than a call.
    for (let i = start; i < end; i++) ranges[at++] = source[i]!;
    this.labels = at / 4;
    this.first[to + 1] = this.labels;
    this.changes[to] = from.changes[series]!;
    this.values[to] = from.values[series]!;
    this.times[to] = from.times[series]!;
    this.samples[to] = from.samples[series]!;
    this.numbers[to] = notLookedUp;
    this.totalSamples += from.samples[series]!;
  }

  /** Begins a series with the labels of another of this batch, under another name and with one label more. */
  derive(from: number, name: Place, extra: readonly [name: Place, value: Place] | undefined): void {
    this.begin();
    const to = this.series - 1;
    this.name(...name);
    const end = this.first[from + 1]!;
    for (let label = this.first[from]! + 1; label < end; label++) {
      const at = label * 4;
      this.range(this.ranges[at]!, this.ranges[at + 1]!, this.ranges[at + 2]!, this.ranges[at + 3]!);
    }
    if (extra !== undefined) this.range(...extra[0], ...extra[1]);
    this.routes?.copyWithin(to * 4, from * 4, from * 4 + 4);
  }

  private range(nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): void {
    let at = this.labels++ * 4;
    if (at + 4 > this.ranges.length) this.ranges = withRoom(this.ranges, at + 4);
    const { ranges } = this;
    ranges[at++] = nameAt;
    ranges[at++] = nameEnd;
    ranges[at++] = valueAt;
    ranges[at] = valueEnd;
    this.first[this.series] = this.labels;
    this.labelBytes += nameEnd - nameAt + valueEnd - valueAt;
  }

  /** A sample of the series; the newest counts, the later of equals. */
  sample(kind: number, value: number, time: number): void {
    const series = this.series - 1;
    this.samples[series]!++;
    this.totalSamples++;
    if (time < this.times[series]!) return;
    this.changes[series] = kind;
    this.values[series] = value;
    this.times[series] = time;
  }

  private grow(length: number): void {
    this.first = withRoom(this.first, length);
    const { length: room } = this.first;
    this.changes = withRoom(this.changes, room);
    this.values = withRoom(this.values, room);
    this.times = withRoom(this.times, room);
    this.samples = withRoom(this.samples, room);
    this.numbers = withRoom(this.numbers, room);
    if (this.routes !== undefined) this.routes = withRoom(this.routes, room * 4);
  }

  /** Of the labels of one series, its name among them. */
  labelBytesOf(series: number): number {
    const { ranges } = this;
    let bytes = 0;
    for (let at = this.first[series]! * 4; at < this.first[series + 1]! * 4; at += 2)
      bytes += ranges[at + 1]! - ranges[at]!;
    return bytes;
  }

  /** The metric's name as text. */
  nameOf(series: number): string {
    const at = this.first[series]! * 4;
    return Buffer.from(this.bytes.subarray(this.ranges[at + 2]!, this.ranges[at + 3]!)).toString('utf8');
  }

  /** Name and value of its labels, but for the metric's name. */
  labelsOf(series: number): [name: string, value: string][] {
    const labels: [string, string][] = [];
    for (let at = this.first[series]! + 1; at < this.first[series + 1]!; at++) {
      labels.push([this.text(at, 'name'), this.text(at, 'value')]);
    }
    return labels;
  }

  /** The name of a label, or its value, as text. */
  text(index: number, of: 'name' | 'value'): string {
    const at = index * 4 + (of === 'name' ? 0 : 2);
    return Buffer.from(this.bytes.subarray(this.ranges[at]!, this.ranges[at + 1]!)).toString('utf8');
  }

  /** Puts the labels of the series in the order of their names. */
  sort(series: number): void {
    const { ranges, bytes } = this;
    const from = this.first[series]! + 1;
    const to = this.first[series + 1]!;
    // Senders sort them; what is in order costs one look each.
    if (to - from > mostSortedByInsertion) {
      this.sortMany(from, to);
      return;
    }
    for (let i = from + 1; i < to; i++) {
      for (let j = i; j > from && compareNames(bytes, ranges, j - 1, j) > 0; j--) swap(ranges, j - 1, j);
    }
  }

  private sortMany(from: number, to: number): void {
    const order = Array.from({ length: to - from }, (_, i) => from + i);
    order.sort((a, b) => compareNames(this.bytes, this.ranges, a, b));
    const sorted = order.flatMap((index) => [...this.ranges.subarray(index * 4, index * 4 + 4)]);
    this.ranges.set(sorted, from * 4);
  }

  /** Whether two neighbours of the sorted labels have one name; gives the index of the second, or -1. */
  repeatedName(series: number): number {
    for (let i = this.first[series]! + 2; i < this.first[series + 1]!; i++) {
      if (compareNames(this.bytes, this.ranges, i - 1, i) === 0) return i;
    }
    return -1;
  }
}

const mostSortedByInsertion = 100;
/** In the place of a range. */
export const saidTwice = 0xffffffff;

function compareNames(bytes: Uint8Array, ranges: Uint32Array, a: number, b: number): number {
  let i = ranges[a * 4]!;
  let j = ranges[b * 4]!;
  const iEnd = ranges[a * 4 + 1]!;
  const jEnd = ranges[b * 4 + 1]!;
  while (i < iEnd && j < jEnd) {
    const difference = bytes[i++]! - bytes[j++]!;
    if (difference !== 0) return difference;
  }
  return iEnd - i - (jEnd - j);
}

function swap(ranges: Uint32Array, a: number, b: number): void {
  for (let k = 0; k < 4; k++) {
    const kept = ranges[a * 4 + k]!;
    ranges[a * 4 + k] = ranges[b * 4 + k]!;
    ranges[b * 4 + k] = kept;
  }
}
