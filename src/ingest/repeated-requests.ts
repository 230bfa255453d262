import { LRUCache } from 'lru-cache';
import type { Steps } from '../domain/turns.js';
import { firstLabels, type RepeatedRequest } from '../formats/remote-write/repeated-request.js';
import { writeRequest1Steps } from '../formats/remote-write/v1.js';
import type { KnownSeries, SeriesBatch } from '../formats/series-batch.js';

/** Of all requests that are kept together. */
const mostBytes = 16 * 1024 * 1024;
const largestBytes = 1024 * 1024;

/** Reads remote write 1.0, mostly from producers that send the same series again and again, in the same requests. */
export class RepeatedRequests {
  private readonly kept = new LRUCache<string, RepeatedRequest>({
    maxSize: mostBytes,
    maxEntrySize: largestBytes,
    sizeCalculation: ({ weight }) => weight,
  });

  /** As `writeRequest1Steps`. */
  *read(body: Buffer, batch: SeriesBatch, ours: Buffer, known: KnownSeries): Steps<void> {
    const key = `${known.serial} ${body.length} ${firstLabels(body)}`;
    if (this.kept.get(key)?.read(body, batch, known)) return;
    const request = yield* writeRequest1Steps(body, batch, ours, undefined, known);
    if (request !== undefined) this.kept.set(key, request);
  }
}
