/** Time as an argument. `now` is wall-clock milliseconds since the epoch; `monotonic` never jumps and measures ages. */
export interface Clock {
  now(): number;
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
