import type { FamilyHeader } from '../../formats/family.js';
import { SeriesTable } from './series-table.js';

/**
 * What one write changed in a table, on its way to disk: labels and series that are new, last values, ends, what was
 * said of families. A table as a whole is the record that makes it out of an empty one.
 *
 * A record is a header of 32-bit numbers and columns behind it, in the byte order of every machine Node runs on but one
 * (little-endian); the first number tells.
 */
const magic = 0x31534c57;
const headerLength = 12 * 4;
/** Columns that are one number. */
const flags = { sameTime: 1, sameSeen: 2, inRow: 4 } as const;

/** Notes what is changed, to be written as one record. */
export class Recorder {
  private readonly table: SeriesTable;
  private readonly firstPair: number;
  private readonly firstSeries: number;
  private readonly changed = new Rows();
  private readonly ended: number[] = [];
  private readonly described: FamilyHeader[] = [];

  constructor(table: SeriesTable) {
    this.table = table;
    this.firstPair = table.pairs.count;
    this.firstSeries = table.count;
  }

  get isEmpty(): boolean {
    const { table, changed, ended, described } = this;
    return changed.series.length + ended.length + described.length === 0 && table.count === this.firstSeries;
  }

  set(series: number, value: number, time: number, seen: number): void {
    this.table.set(series, value, time, seen);
    this.changed.add(series, time, seen);
  }

  end(series: number, time: number): void {
    this.table.end(series, time);
    this.ended.push(series);
  }

  describe(name: string): void {
    this.described.push(this.table.descriptions.get(name)!);
  }

  encode(): Buffer {
    const { table, firstPair, firstSeries, described } = this;
    // What was changed twice is written as it is now.
    const changed = this.ended.length === 0 ? this.changed : livingOf(table, this.changed.series);
    const ended = this.ended.filter((series) => !table.isLiving(series));
    return encode(table, { firstPair, firstSeries, changed, ended, described });
  }
}

export function encodeTable(table: SeriesTable): Buffer {
  const all = Array.from({ length: table.count }, (_, series) => series);
  const described = [...table.descriptions.values()];
  return encode(table, { firstPair: 0, firstSeries: 0, changed: livingOf(table, all), ended: [], described });
}

function livingOf(table: SeriesTable, series: readonly number[]): Rows {
  const rows = new Rows();
  for (const each of series) if (table.isLiving(each)) rows.add(each, table.times[each]!, table.seen[each]!);
  return rows;
}

/**
 * Series with new values. Mostly they came at once, were scraped at once, and stand one after the other: then one number
 * says it of all.
 */
class Rows {
  readonly series: number[] = [];
  sameTime = true;
  sameSeen = true;
  inRow = true;
  private time = 0;
  private seen = 0;

  add(series: number, time: number, seen: number): void {
    const { length } = this.series;
    if (length === 0) {
      this.time = time;
      this.seen = seen;
    } else {
      if (time !== this.time) this.sameTime = false;
      if (seen !== this.seen) this.sameSeen = false;
      if (series !== this.series[length - 1]! + 1) this.inRow = false;
    }
    this.series.push(series);
  }
}

interface Changes {
  readonly firstPair: number;
  readonly firstSeries: number;
  readonly changed: Rows;
  readonly ended: readonly number[];
  readonly described: readonly FamilyHeader[];
}

function encode(table: SeriesTable, { firstPair, firstSeries, changed, ended, described }: Changes): Buffer {
  const { nameLengths, lengths, bytes } = table.pairs.written(firstPair);
  const descriptions = described.length === 0 ? Buffer.alloc(0) : Buffer.from(JSON.stringify(described));
  const added = table.count - firstSeries;
  const ids = table.ids.subarray(table.firsts[firstSeries]!, table.firsts[table.count]!);
  const { series } = changed;
  const rows = series.length;
  const [sameTime, sameSeen, inRow] = [changed.sameTime, changed.sameSeen, changed.inRow].map((is) => is && rows > 0);
  const numberCount = rows + (sameTime ? 1 : rows) + (sameSeen ? 1 : rows) + ended.length;
  const wordCount = (inRow ? 1 : rows) + ended.length + lengths.length + added + ids.length;
  const textAt = headerLength + numberCount * 8 + wordCount * 4 + nameLengths.length * 2;
  // Made in its place, not put together of columns: a record may weigh megabytes, and is garbage when it is on disk.
  const record = Buffer.allocUnsafeSlow(textAt + bytes.length + descriptions.length);
  const numbers = new Float64Array(record.buffer, headerLength, numberCount);
  if (inRow) numbers.set(table.values.subarray(series[0], series[0]! + rows));
  else for (let i = 0; i < rows; i++) numbers[i] = table.values[series[i]!]!;
  let at = rows;
  for (let i = 0; i < (sameTime ? 1 : rows); i++) numbers[at++] = table.times[series[i]!]!;
  for (let i = 0; i < (sameSeen ? 1 : rows); i++) numbers[at++] = table.seen[series[i]!]!;
  for (let i = 0; i < ended.length; i++) numbers[at++] = table.times[ended[i]!]!;
  const header = [
    magic,
    firstPair,
    lengths.length,
    bytes.length,
    firstSeries,
    added,
    ids.length,
    rows,
    (sameTime ? flags.sameTime : 0) | (sameSeen ? flags.sameSeen : 0) | (inRow ? flags.inRow : 0),
    ended.length,
    descriptions.length,
    0,
  ];
  new Uint32Array(record.buffer, 0, header.length).set(header);
  const words = new Uint32Array(record.buffer, headerLength + numberCount * 8, wordCount);
  let word = 0;
  for (let i = 0; i < (inRow ? 1 : rows); i++) words[word++] = series[i]!;
  for (let i = 0; i < ended.length; i++) words[word++] = ended[i]!;
  words.set(lengths, word);
  word += lengths.length;
  for (let i = firstSeries; i < table.count; i++) words[word++] = table.firsts[i + 1]! - table.firsts[i]!;
  words.set(ids, word);
  new Uint16Array(record.buffer, textAt - nameLengths.length * 2, nameLengths.length).set(nameLengths);
  record.set(bytes, textAt);
  record.set(descriptions, textAt + bytes.length);
  return record;
}

/** Applies a record to the table it was made for, in the state it had then. Throws on anything else. */
export function applyRecord(table: SeriesTable, record: Buffer): void {
  const data = record.buffer.slice(record.byteOffset, record.byteOffset + record.length) as ArrayBuffer;
  const header = new Uint32Array(data, 0, headerLength / 4);
  const [mark, firstPair, pairs, pairBytes, firstSeries, series, idCount, rows, marks, ended, described] = header;
  if (mark !== magic || firstPair !== table.pairs.count || firstSeries !== table.count) {
    throw new Error('a record of live series does not follow the one before it');
  }
  let at = headerLength;
  const take = <T>(type: new (data: ArrayBuffer, at: number, length: number) => T, size: number, length: number): T => {
    const column = new type(data, at, length);
    at += size * length;
    return column;
  };
  const [timeStep, seenStep, numberStep] = [flags.sameTime, flags.sameSeen, flags.inRow].map((flag) =>
    (marks! & flag) !== 0 ? 0 : 1,
  ) as [0 | 1, 0 | 1, 0 | 1];
  const [times, seens] = [timeStep === 0 ? 1 : rows!, seenStep === 0 ? 1 : rows!];
  const numbers = take(Float64Array, 8, rows! + times + seens + ended!);
  const changed = take(Uint32Array, 4, numberStep === 0 ? 1 : rows!);
  const endedSeries = take(Uint32Array, 4, ended!);
  const lengths = take(Uint32Array, 4, pairs!);
  const widths = take(Uint32Array, 4, series!);
  const ids = take(Uint32Array, 4, idCount!);
  const nameLengths = take(Uint16Array, 2, pairs!);
  table.pairs.read({ nameLengths, lengths, bytes: Buffer.from(data, at, pairBytes!) });
  at += pairBytes!;
  for (let i = 0, id = 0; i < series!; i++) {
    table.append(ids.subarray(id, id + widths[i]!));
    id += widths[i]!;
  }
  for (let i = 0; i < rows!; i++) {
    const time = numbers[rows! + i * timeStep]!;
    const seen = numbers[rows! + times + i * seenStep]!;
    table.set(numberStep === 0 ? changed[0]! + i : changed[i]!, numbers[i]!, time, seen);
  }
  const endsAt = numbers.length - ended!;
  for (let i = 0; i < ended!; i++) table.end(endedSeries[i]!, numbers[endsAt + i]!);
  if (described! > 0) {
    for (const header of JSON.parse(Buffer.from(data, at, described!).toString()) as FamilyHeader[]) {
      table.describe({ ...header, help: header.help ?? '', unit: header.unit ?? '' });
    }
  }
}

/** A table from its records, in their order. */
export function tableOf(records: Iterable<Buffer>): SeriesTable {
  const table = new SeriesTable();
  for (const record of records) applyRecord(table, record);
  return table;
}
