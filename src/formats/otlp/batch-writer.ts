import { withRoom } from '../columns.js';
import { nameLabel, type SeriesBatch } from '../series-batch.js';
import type { Attributes } from './request.js';

/** Fills a batch with series that are text, point by point. */
export class BatchWriter {
  private readonly batch: SeriesBatch;
  private bytes: Buffer = Buffer.allocUnsafe(4 * 1024);
  private used = 0;
  private readonly points: number[] = [];
  /** By text, its number: names and most values come again and again. */
  private readonly numbers = new Map<string, number>();
  /** By number, where the text begins; the next begins where it ends. */
  private starts = new Uint32Array(256);

  constructor(batch: SeriesBatch) {
    batch.clear(this.bytes);
    this.batch = batch;
  }

  /** How many different ones there are so far, names of metrics among them. */
  get texts(): number {
    return this.numbers.size;
  }

  /** What follows, up to the next call, is taken or refused as one. */
  beginPoint(): void {
    this.points.push(this.batch.series);
  }

  series(
    name: string,
    labels: Attributes,
    does: number,
    value: number,
    time: number,
    start: number,
    isCounted: boolean,
  ): void {
    const { batch } = this;
    batch.begin();
    const named = this.textOf(name);
    batch.name(this.starts[named]!, this.starts[named + 1]!);
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i]!;
      if (label[0] === nameLabel) continue;
      const key = this.textOf(label[0]);
      const value = this.textOf(label[1]);
      const { starts } = this;
      batch.label(starts[key]!, starts[key + 1]!, starts[value]!, starts[value + 1]!);
    }
    batch.sample(does, value, time);
    const index = batch.series - 1;
    batch.starts = withRoom(batch.starts, batch.values.length);
    batch.starts[index] = start;
    // Several series can make one point; it counts once.
    if (!isCounted) {
      batch.samples[index] = 0;
      batch.totalSamples--;
    }
  }

  end(): void {
    this.points.push(this.batch.series);
    this.batch.points = this.points;
    this.batch.bytes = this.bytes;
  }

  private textOf(text: string): number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    const number = this.numbers.size;
    this.numbers.set(text, number);
    // Three bytes are the most that a unit of the text may become; what it does become is asked where they have no room.
    if (this.used + text.length * 3 > this.bytes.length) this.makeRoom(this.used + Buffer.byteLength(text));
    this.used += this.bytes.write(text, this.used);
    this.starts = withRoom(this.starts, number + 2);
    this.starts[number + 1] = this.used;
    return number;
  }

  private makeRoom(length: number): void {
    if (length <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.ceil(length * 1.5));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }
}
