import { expect, it } from 'vitest';
import { inPortions } from '../../src/gateway/timers.js';

it('what is written in portions lets others have a turn between any two of them', async () => {
  const order: string[] = [];
  let left = 3;
  await inPortions(async () => {
    order.push('portion');
    setImmediate(() => order.push('other'));
    return --left > 0;
  });
  expect(order).toEqual(['portion', 'other', 'portion', 'other', 'portion']);
});

it('what never ends stops for the next time', async () => {
  let portions = 0;
  await inPortions(async () => {
    portions++;
    return true;
  }, 7);
  expect(portions).toBe(7);
});
