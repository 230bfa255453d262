import { expect, it } from 'vitest';
import { PairTable } from '../../src/storage/live/pair-table.js';

it('a label that is longer than all that live is told to be new without being read', () => {
  const pairs = new PairTable();
  const find = (text: string): { id: number; read: number } => {
    let read = 0;
    const source = new Proxy(Buffer.from(text), {
      get: (bytes, at) => {
        read++;
        return Reflect.get(bytes, at) as unknown;
      },
    });
    return { id: pairs.find(source, 0, 1, 1, text.length), read };
  };
  const intern = (text: string): number => pairs.intern(Buffer.from(text), 0, 1, 1, text.length);
  intern('ashort');
  const long = `a${'"x'.repeat(1000)}`;
  expect(find(long)).toEqual({ id: -1, read: 0 });
  const id = intern(long);
  expect(find(long).id).toBe(id);
  expect(find(`${long}x`.repeat(2))).toEqual({ id: -1, read: 0 });
  expect(find('ashort').id).toBe(0);
});
