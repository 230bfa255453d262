/** Where `random` stands, it is uniform in [0, 1). */

/** The next step of a bounded walk around 0 that forgets where it was in about `seconds`. */
export function wander(position: number, seconds: number, random: () => number): number {
  const step = 0.45 * Math.sqrt(6 / seconds) * (2 * random() - 1);
  return Math.max(-1, Math.min(1, position * (1 - 1 / seconds) + step));
}

/** How many of something that happens `expected` times on average (Poisson; its normal shape where that is as good). */
export function arrivals(expected: number, random: () => number): number {
  if (expected > 20) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(expected + Math.sqrt(expected) * normal));
  }
  const limit = Math.exp(-expected);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

export const between = ([low, high]: readonly [number, number], random: () => number): number =>
  low + (high - low) * random();
