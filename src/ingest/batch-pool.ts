import { SeriesBatch } from '../formats/series-batch.js';

const mostFree = 16;
/** Bytes; what one large request needed is not kept for all that follow. */
const largestKept = 16 * 1024 * 1024;

/** Batches that serve again: a new one is a dozen buffers, each made anew whenever it grows. */
export class BatchPool {
  private readonly free: SeriesBatch[] = [];

  /** The batch is the work's own until what it gave has settled. */
  async lend<T>(work: (batch: SeriesBatch) => Promise<T>): Promise<T> {
    const batch = this.free.pop() ?? new SeriesBatch();
    try {
      return await work(batch);
    } finally {
      if (this.free.length < mostFree && batch.weight <= largestKept) {
        batch.clear(Buffer.alloc(0));
        this.free.push(batch);
      }
    }
  }
}
