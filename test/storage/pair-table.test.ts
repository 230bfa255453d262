import { expect, it } from 'vitest';
import { PairTable } from '../../src/storage/live/pair-table.js';

it('a label that is longer than all that live is told to be new without being read', () => {
  const pairs = new PairTable();
  const bytesOf = (text: string): Buffer => Buffer.from(text);
  const find = (bytes: Uint8Array): number => pairs.find(bytes, 0, 1, 1, bytes.length);
  const intern = (text: string): number => pairs.intern(bytesOf(text), 0, 1, 1, text.length);
  /** Of this length, and cannot be looked at. */
  const closed = (length: number): Uint8Array =>
    Object.defineProperty({ length }, 0, {
      get: () => {
        throw new Error('it was read');
      },
    }) as unknown as Uint8Array;
  const long = `a${'"x'.repeat(1000)}`;
  intern('ashort');
  expect(find(closed(long.length))).toBe(-1);
  const id = intern(long);
  expect(find(bytesOf(long))).toBe(id);
  expect(find(closed(3 * long.length))).toBe(-1);
  expect(find(bytesOf('ashort'))).toBe(0);
});
