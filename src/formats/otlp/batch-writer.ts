import { withRoom } from '../columns.js';
import { nameLabel, type SeriesBatch } from '../series-batch.js';
import type { Attributes } from './request.js';

/** Fills a batch with series that are text, point by point. */
export class BatchWriter {
  private readonly batch: SeriesBatch;
  private bytes: Buffer = Buffer.allocUnsafe(4 * 1024);
  private used = 0;
  private readonly points: number[] = [];
  /** Where texts stand: names and most values come again and again. */
  private readonly places = new Map<string, readonly [from: number, to: number]>();

  constructor(batch: SeriesBatch) {
    batch.clear(this.bytes);
    this.batch = batch;
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
    batch.name(...this.place(name));
    for (const [label, text] of labels) {
      if (label !== nameLabel) batch.label(...this.place(label), ...this.place(text));
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

  private place(text: string): readonly [number, number] {
    let place = this.places.get(text);
    if (place !== undefined) return place;
    const length = Buffer.byteLength(text);
    if (this.used + length > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.ceil((this.used + length) * 1.5));
      this.bytes.copy(larger, 0, 0, this.used);
      this.bytes = larger;
    }
    this.bytes.write(text, this.used);
    place = [this.used, this.used + length];
    this.used += length;
    this.places.set(text, place);
    return place;
  }
}
