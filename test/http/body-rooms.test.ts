import { describe, expect, it } from 'vitest';
import { BodyRooms } from '../../src/http/body-rooms.js';

const pieces = (text: string): [Buffer[], number] => {
  const bytes = Buffer.from(text);
  return [[bytes.subarray(0, 3), bytes.subarray(3)], bytes.length];
};

describe('rooms for bodies', () => {
  it('are each lent to one body at a time', () => {
    const rooms = new BodyRooms();
    const bodies = Array.from({ length: 40 }, (_, i) => rooms.gather(...pieces(`body ${i}`)));
    expect(bodies.map(String)).toEqual(bodies.map((_, i) => `body ${i}`));
    for (const body of bodies.slice(0, 20)) {
      // A second time says nothing new: the room may be another's by then.
      rooms.release(body);
      rooms.release(body);
    }
    const later = Array.from({ length: 40 }, (_, i) => rooms.gather(...pieces(`later ${i}`)));
    expect(later.map(String)).toEqual(later.map((_, i) => `later ${i}`));
    expect(bodies.slice(20).map(String)).toEqual(bodies.slice(20).map((_, i) => `body ${i + 20}`));
  });

  it('serve again, but not a body that is too large for them', () => {
    const rooms = new BodyRooms();
    const first = rooms.gather(...pieces('first'));
    rooms.release(first);
    const second = rooms.gather(...pieces('second'));
    expect(second.buffer).toBe(first.buffer);
    rooms.release(second);
    const large = rooms.gather(...pieces('x'.repeat(300_000)));
    expect([large.length, large.buffer === first.buffer]).toEqual([300_000, false]);
  });

  it('are not kept when they are huge', () => {
    const rooms = new BodyRooms();
    const huge = rooms.gather(...pieces('x'.repeat(2 ** 20 + 1)));
    rooms.release(huge);
    expect(rooms.gather(...pieces('next')).buffer).not.toBe(huge.buffer);
  });

  it('are not needed for a body that came in one piece', () => {
    const rooms = new BodyRooms();
    const body = Buffer.from('one');
    expect(rooms.gather([body], 3)).toBe(body);
    rooms.release(body);
    expect(rooms.gather(...pieces('other')).buffer).not.toBe(body.buffer);
  });
});
