import { expect, it } from 'vitest';
import { offsetOf } from '../../src/streams/moments.js';

it('projects whose ids are nearly the same are not due in the same moment', () => {
  for (const intervalMs of [10_000, 30_000, 300_000]) {
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 200; i++) tenths[Math.floor(((offsetOf(`customer-${i}`) % intervalMs) * 10) / intervalMs)]!++;
    expect(Math.min(...tenths)).toBeGreaterThan(5);
    expect(Math.max(...tenths)).toBeLessThan(40);
  }
});
