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
 * Counts up to each fixed bound. A bucket that reaches beyond a bound counts from the next one on: what is said of a
 * bound is never too much.
 */
export function toFixedBuckets(
  point: ExponentialPoint,
  bounds: readonly number[] = fixedBounds,
): { bounds: readonly number[]; counts: readonly number[] } {
  const own = new Array<number>(bounds.length).fill(0);
  const add = (upper: number, count: number): void => {
    const index = bounds.findIndex((bound) => upper <= bound);
    if (index !== -1) own[index]! += count;
  };
  // All of them are below zero.
  add(0, sumOf(point.negative.counts));
  add(point.zeroThreshold, point.zeroCount);
  const { offset, counts } = point.positive;
  counts.forEach((count, i) => {
    if (count > 0) add(2 ** ((offset + i + 1) * 2 ** -point.scale), count);
  });
  let sum = 0;
  return { bounds, counts: own.map((count) => (sum += count)) };
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
