import type { Point } from './request.js';

/**
 * Exponential histograms have no form in the text formats. They are served with these buckets, the same at every scale,
 * so that a producer that changes its scale changes no series: 1, 2.5 and 5 from a thousandth to ten thousand.
 */
export const fixedBounds: readonly number[] = [
  0,
  ...[-3, -2, -1, 0, 1, 2, 3].flatMap((power) => ['1', '2.5', '5'].map((digits) => Number(`${digits}e${power}`))),
  10_000,
];

export type ExponentialPoint = Pick<Point, 'scale' | 'zeroCount' | 'zeroThreshold' | 'positive' | 'negative'>;

/**
 * Counts up to each bound, of buckets that `fill` adds by their upper ends. A bucket that reaches beyond a bound counts
 * from the next one on: what is said of a bound is never too much.
 */
export function exponentialCounts(
  bounds: readonly number[],
  fill: (add: (upper: number, count: number) => void) => void,
): readonly number[] {
  const own = new Array<number>(bounds.length).fill(0);
  fill((upper, count) => {
    const index = bounds.findIndex((bound) => upper <= bound);
    if (index !== -1) own[index]! += count;
  });
  let sum = 0;
  return own.map((count) => (sum += count));
}

export function toFixedBuckets(
  { positive, negative, zeroThreshold, zeroCount, scale }: ExponentialPoint,
  bounds: readonly number[] = fixedBounds,
): { bounds: readonly number[]; counts: readonly number[] } {
  const counts = exponentialCounts(bounds, (add) => {
    // All of them are below zero.
    add(0, sumOf(negative.counts));
    add(zeroThreshold, zeroCount);
    positive.counts.forEach((count, i) => {
      if (count > 0) add(2 ** ((positive.offset + i + 1) * 2 ** -scale), count);
    });
  });
  return { bounds, counts };
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
