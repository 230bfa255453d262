import { wordsOf } from '../columns.js';
import type { KnownSeries, SeriesBatch } from '../series-batch.js';

/** The bytes of milliseconds from 2004 to 2109. */
export const usualTimeBytes = 6;

/** Notes where a request has its samples while it is read. */
export class SamplePlaces {
  private readonly places: number[] = [];

  /** A sample whose time has the usual length; its value stands before that, or was left out for being 0. */
  add(timeAt: number, hasValue: boolean): void {
    this.places.push(hasValue ? timeAt : ~timeAt);
  }

  /** For a request that has these samples and nothing else but labels of series that are known. */
  requestOf(body: Buffer, { numbers, series }: SeriesBatch): RepeatedRequest | undefined {
    if (this.places.length !== series || series === 0) return undefined;
    const bytes = Buffer.allocUnsafeSlow(body.length);
    body.copy(bytes);
    return new RepeatedRequest(bytes, Int32Array.from(this.places), numbers.slice(0, series));
  }
}

/**
 * A request that was read, by which one is known that has the same series in the same order: it is all the same bytes,
 * but for values and times.
 */
export class RepeatedRequest {
  /** As they came; the samples are those of the request that was compared last. */
  private readonly bytes: Buffer;
  private readonly words: DataView;
  private readonly places: Int32Array;
  private readonly numbers: Int32Array;

  /** `bytes` become its own. */
  constructor(bytes: Buffer, places: Int32Array, numbers: Int32Array) {
    this.bytes = bytes;
    this.words = wordsOf(bytes);
    this.places = places;
    this.numbers = numbers;
  }

  get weight(): number {
    return this.bytes.length + this.places.byteLength + this.numbers.byteLength + 500;
  }

  /**
   * Reads a body into the batch if it repeats this one; else the batch has to be cleared. Values that are NaN are left to
   * others: they may be staleness markers.
   */
  read(body: Buffer, batch: SeriesBatch, known: KnownSeries): boolean {
    const { bytes, words, places, numbers } = this;
    if (body.length !== bytes.length) return false;
    const others = wordsOf(body);
    batch.clear(body);
    let time = 0;
    let timeLow = 0;
    let timeHigh = 0;
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      const at = place < 0 ? ~place : place;
      const low = others.getInt32(at, true);
      const high = others.getInt16(at + 4, true);
      if (low !== timeLow || high !== timeHigh || i === 0) {
        if (!isUsualTime(low, high)) return false;
        time = timeOf(low, high);
        timeLow = low;
        timeHigh = high;
      }
      words.setInt32(at, low, true);
      words.setInt16(at + 4, high, true);
      let value = 0;
      if (place >= 0) {
        value = others.getFloat64(at - 9, true);
        if (Number.isNaN(value)) return false;
        words.setInt32(at - 9, others.getInt32(at - 9, true), true);
        words.setInt32(at - 5, others.getInt32(at - 5, true), true);
      }
      batch.known(numbers[i]!, value, time);
    }
    // With the samples of this one in it, what was read before is the same as a whole, or another request.
    if (!bytes.equals(body)) return false;
    known.resumeAfter(numbers[numbers.length - 1]!);
    return true;
  }
}

/** Five bytes that go on, and one that ends. */
const isUsualTime = (low: number, high: number): boolean =>
  (low & 0x80808080) === (0x80808080 | 0) && (high & 0x8080) === 0x80;

function timeOf(low: number, high: number): number {
  const lower = (low & 0x7f) | ((low >> 1) & (0x7f << 7)) | ((low >> 2) & (0x7f << 14)) | ((low >> 3) & (0x7f << 21));
  return lower + ((high & 0x7f) | ((high >> 1) & (0x7f << 7))) * 2 ** 28;
}

/** By what requests that may repeat one another are found: the labels of their first series. Fast, and no more than a hint. */
export function firstLabels(body: Buffer): number {
  const length = body[1]! < 0x80 ? body[1]! : (body[1]! & 0x7f) | (body[2]! << 7);
  const end = Math.min(body.length, 2 + length - longestSample);
  let hash = 0;
  for (let at = 0; at < end; at++) hash = Math.imul(hash ^ body[at]!, 16777619);
  return hash;
}

/** Tag and length, value and time. */
const longestSample = 2 + 9 + 11;
