import type { Clock } from './clock.js';
import { WeirError } from './errors.js';

/**
 * Work that stops now and then, where others may go on. What `yield` gives back is how long it has been at work so far;
 * milliseconds.
 */
export type Steps<T> = Generator<void, T, number>;

/** Without stopping. They are told no time unless there is a clock. */
export function atOnce<T>(steps: Steps<T>, clock?: Pick<Clock, 'monotonic'>): T {
  const began = clock?.monotonic() ?? 0;
  for (;;) {
    const step = steps.next((clock?.monotonic() ?? 0) - began);
    if (step.done) return step.value;
  }
}

/** The same steps, until they have been at work for too long: then `refusal` is thrown. */
export function* within<T>(mostMs: number, steps: Steps<T>, refusal: () => Error): Steps<T> {
  const began = yield;
  let at = began;
  for (;;) {
    const step = steps.next(at - began);
    if (step.done) return step.value;
    at = yield;
    if (at - began > mostMs) throw refusal();
  }
}

/** Does a step and goes on until the time is over; true when it has ended. Monotonic milliseconds. */
type Job = (until: number) => boolean;

/** In one turn of the event loop a scrape from the cache takes two thirds of this. */
const sliceMs = 0.25;

/** Of work that has just come: in the same turn its request or body was read, which took as long as a slice. */
const firstSliceMs = 0.05;

/**
 * Calls back in the next turn of the event loop, when sockets have been looked at once more. An immediate alone comes before that
 * if it is asked for while they are read, as it mostly is here.
 */
export const nextTurn = (then: () => void): void => {
  setImmediate(() => setImmediate(then));
};

/** Each may hold a whole body. */
const mostInLane = 1024;

const laneFull = (): WeirError =>
  new WeirError('unavailable', `${mostInLane} bodies that came before are waiting to be read. Try again.`, {
    retryAfterSeconds: 5,
  });

/**
 * Does long work in slices, one in each turn of the event loop, whoever's it is: a large page keeps others waiting for a
 * slice, not for the page.
 */
export class Turns {
  private readonly waiting: Job[] = [];
  private readonly lanes = new Map<string | number, Job[]>();
  private readonly clock: Pick<Clock, 'monotonic'>;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.clock = clock;
  }

  /**
   * The first slice is done at once, so that small work waits for nobody. Work in one lane is done in the order it came, and gets one
   * slice for all of it: that of others is not delayed by how much there is. Rejects with `unavailable` when too much waits in the lane.
   */
  do<T>(steps: Steps<T>, lane?: string | number): Promise<T> {
    return new Promise((resolve, reject) => {
      let spent = 0;
      const goOn = (until: number): boolean => {
        const began = this.clock.monotonic();
        let now = began;
        try {
          do {
            const step = steps.next(spent + now - began);
            if (step.done) {
              resolve(step.value);
              return true;
            }
            now = this.clock.monotonic();
          } while (now < until);
        } catch (error) {
          reject(error);
          return true;
        }
        spent += now - began;
        return false;
      };
      const before = lane === undefined ? undefined : this.lanes.get(lane);
      if (before !== undefined) {
        if (before.length < mostInLane) before.push(goOn);
        else reject(laneFull());
      } else if (!goOn(this.sliceEnd(firstSliceMs))) this.wait(lane === undefined ? goOn : this.openLane(lane, goOn));
    });
  }

  /** Resolves when all that is in the lane now is done. */
  after(lane: string | number): Promise<void> {
    return new Promise((resolve) => {
      const before = this.lanes.get(lane);
      const last = (): boolean => {
        resolve();
        return true;
      };
      if (before === undefined) last();
      else before.push(last);
    });
  }

  private openLane(lane: string | number, first: Job): Job {
    const jobs = [first];
    this.lanes.set(lane, jobs);
    return (until) => {
      do {
        if (!jobs[0]!(until)) return false;
        jobs.shift();
      } while (jobs.length > 0 && this.clock.monotonic() < until);
      return jobs.length === 0 && this.lanes.delete(lane);
    };
  }

  private sliceEnd(ms: number): number {
    return this.clock.monotonic() + ms;
  }

  private wait(job: Job): void {
    this.waiting.push(job);
    if (this.waiting.length === 1) nextTurn(this.turn);
  }

  private readonly turn = (): void => {
    const job = this.waiting.shift()!;
    if (!job(this.sliceEnd(sliceMs))) this.waiting.push(job);
    if (this.waiting.length > 0) setImmediate(this.turn);
  };
}
