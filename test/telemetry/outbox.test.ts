import { describe, expect, it } from 'vitest';
import { Outbox, type OutboxOptions, TryAgain } from '../../src/telemetry/metrics/outbox.js';

/** An outbox, and what became of what was put into it. */
function outbox(send: OutboxOptions<number>['send'], more: Partial<OutboxOptions<number>> = {}) {
  const outcome = { dropped: 0, complaints: 0 };
  const made = new Outbox<number>({
    send,
    capacity: 10,
    timeoutMs: 50,
    attempts: 3,
    firstBackoffMs: 1,
    dropped: (measurements) => {
      outcome.dropped += measurements;
    },
    complain: () => {
      outcome.complaints++;
    },
    random: () => 0.5,
    ...more,
  });
  return { outbox: made, outcome };
}

const hanging = (): Promise<void> => new Promise(() => {});

describe('a queue before a receiver', () => {
  it('that takes everything gets everything, in order, one at a time', async () => {
    const taken: number[] = [];
    let underWay = 0;
    const { outbox: box, outcome } = outbox(async (parcel) => {
      expect(++underWay).toBe(1);
      await Promise.resolve();
      taken.push(parcel);
      underWay--;
    });
    for (let parcel = 0; parcel < 10; parcel++) box.push(parcel, 1);
    await box.settled();
    box.push(10, 1);
    await box.settled();
    expect(taken).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(outcome).toEqual({ dropped: 0, complaints: 0 });
  });

  it('that hangs holds no more than its capacity, drops the oldest and counts what they held', async () => {
    const taken: number[] = [];
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { outbox: box, outcome } = outbox(
      async (parcel) => {
        await opened;
        taken.push(parcel);
      },
      { timeoutMs: 10_000 },
    );
    box.push(0, 3);
    await Promise.resolve();
    await Promise.resolve();
    for (let parcel = 1; parcel <= 100_000; parcel++) box.push(parcel, 3);
    expect(outcome.dropped).toBe(3 * (100_000 - 10));
    open();
    await box.settled();
    expect(taken).toEqual([0, ...Array.from({ length: 10 }, (_, at) => 99_991 + at)]);
  });

  it('that never answers is given up in time, also when it does not heed the signal', async () => {
    const { outbox: box, outcome } = outbox(hanging, { timeoutMs: 5 });
    box.push(1, 7);
    await box.settled();
    expect(outcome).toEqual({ dropped: 7, complaints: 3 });
  });

  it('that fails for a while is tried again, and one that refuses is not', async () => {
    const tried: number[] = [];
    const { outbox: box, outcome } = outbox(async (parcel) => {
      tried.push(parcel);
      if (parcel === 2) throw new Error('never');
      if (tried.length < 3) throw new TryAgain('later');
    });
    box.push(1, 1);
    box.push(2, 1);
    await box.settled();
    expect(tried).toEqual([1, 1, 1, 2]);
    expect(outcome).toEqual({ dropped: 1, complaints: 3 });
  });

  it('is closed in time: what cannot be sent is dropped and counted, and so is what comes later', async () => {
    const { outbox: box, outcome } = outbox(hanging, { timeoutMs: 60_000 });
    for (let parcel = 0; parcel < 5; parcel++) box.push(parcel, 1);
    const started = performance.now();
    await box.close(AbortSignal.timeout(50));
    expect(performance.now() - started).toBeLessThan(2000);
    expect(outcome.dropped).toBe(5);
    box.push(6, 1);
    expect(outcome.dropped).toBe(6);
  });

  it('that waits to try again tries once more when it is closed', async () => {
    let tries = 0;
    const send = async (): Promise<void> => {
      if (++tries === 1) throw new TryAgain('later', 60_000);
    };
    const { outbox: box, outcome } = outbox(send, { longestBackoffMs: 60_000 });
    box.push(1, 1);
    // Until it has failed for the first time.
    while (outcome.complaints === 0) await new Promise((resolve) => setImmediate(resolve));
    await box.close(AbortSignal.timeout(5000));
    expect([tries, outcome.dropped]).toEqual([2, 0]);
  });
});
