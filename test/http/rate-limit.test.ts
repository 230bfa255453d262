import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/domain/clock.js';
import { RateLimit } from '../../src/http/rate-limit.js';
import { HeldClock } from '../support/gateway.js';

describe('a rate limit', () => {
  const start = (maxClients?: number) => {
    const clock = new HeldClock();
    return { clock, limit: new RateLimit('token_requests_per_minute', clock, maxClients) };
  };
  const passed = (limit: RateLimit, client: string, perMinute: number, tries: number): number =>
    Array.from({ length: tries }, () => limit.take(client, perMinute)).filter((refusal) => refusal === undefined)
      .length;

  it('lets a minute’s worth pass at once, then what the minute brings', () => {
    const { clock, limit } = start();
    expect(passed(limit, 'a', 60, 100)).toBe(60);
    clock.advance(10_000);
    expect(passed(limit, 'a', 60, 100)).toBe(10);
    clock.advance(3_600_000);
    expect(passed(limit, 'a', 60, 100)).toBe(60);
  });

  it('says when to come back', () => {
    const { clock, limit } = start();
    passed(limit, 'a', 7, 7);
    clock.advance(1000);
    expect(limit.take('a', 7)).toBe(8);
  });

  it('counts each client by itself', () => {
    const { limit } = start();
    expect(passed(limit, 'a', 5, 50)).toBe(5);
    expect(passed(limit, 'b', 5, 50)).toBe(5);
  });

  it('counts each kind of request by itself', () => {
    const clock = new HeldClock();
    const scrapes = new RateLimit('scrapes_per_minute', clock);
    passed(new RateLimit('token_requests_per_minute', clock), 'a', 5, 50);
    expect(passed(scrapes, 'a', 5, 50)).toBe(5);
    expect(scrapes.take('a', 5)).toBe(12);
  });

  it('of 0 is off, and does not even look at the time', () => {
    const broken: Clock = {
      now: () => expect.unreachable(),
      monotonic: () => expect.unreachable(),
    };
    expect(passed(new RateLimit('scrapes_per_minute', broken), 'a', 0, 1000)).toBe(1000);
  });

  it('that was changed holds for the next request', () => {
    const { limit } = start();
    expect(passed(limit, 'a', 60, 10)).toBe(10);
    expect(passed(limit, 'a', 5, 50)).toBe(5);
  });

  it('remembers no more clients than it may, and forgets the one idle longest', () => {
    const { limit } = start(2);
    for (const client of ['a', 'b']) passed(limit, client, 1, 1);
    expect(limit.take('a', 1)).toBeDefined();
    passed(limit, 'c', 1, 1);
    expect(limit.take('a', 1)).toBeDefined();
    expect(limit.take('b', 1)).toBeUndefined();
  });

  it('does not refuse for a rounding error who asked too early before', () => {
    const { clock, limit } = start();
    passed(limit, 'a', 60, 60);
    // In floating point, 0.94 + 0.059 + 0.001 is less than 1.
    for (const wait of [940, 59]) {
      clock.advance(wait);
      expect(limit.take('a', 60)).toBe(1);
    }
    clock.advance(1);
    expect(limit.take('a', 60)).toBeUndefined();
  });

  it('never lets more pass than its burst and its rate, and never refuses who waited as told', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ wait: fc.integer({ min: 0, max: 90_000 }), tries: fc.integer({ min: 1, max: 30 }) }),
        fc.constant('as told' as const),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), steps, (perMinute, run) => {
        const { clock, limit } = start(1);
        const passes: number[] = [];
        const take = () => {
          const refusal = limit.take('a', perMinute);
          if (refusal === undefined) passes.push(clock.monotonic());
          return refusal;
        };
        for (const step of run) {
          if (step === 'as told') {
            const refusal = take();
            if (refusal === undefined) continue;
            clock.advance(refusal * 1000);
            expect(take()).toBeUndefined();
          } else {
            clock.advance(step.wait);
            for (let i = 0; i < step.tries; i++) take();
          }
        }
        // Over every stretch from one request that passed to another.
        const excess = passes.flatMap((from, i) =>
          passes.slice(i).map((to, more) => more + 1 - perMinute - ((to - from) * perMinute) / 60_000),
        );
        expect(excess.reduce((most, one) => Math.max(most, one), 0)).toBeLessThan(0.01);
      }),
    );
  });
});
