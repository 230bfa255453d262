type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** The column, or a larger one with the same content, that has room for `length` entries. */
export function withRoom<T extends Column>(column: T, length: number): T {
  if (length <= column.length) return column;
  // A quarter more each time: doubling would leave a third of the memory empty on average.
  const larger = new (column.constructor as new (length: number) => T)(Math.max(length, column.length * 1.25 + 64));
  larger.set(column);
  return larger;
}

/** Spreads a hash over all its bits (the finalizer of MurmurHash3). */
export function spread(hash: number): number {
  let x = hash | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** Where hashes begin: what they are must not be known outside, or names could be made to have one and the same. */
export const newSeed = (): number => Math.floor(Math.random() * 2 ** 32);

/** To read and write four bytes at a time, which halves the time of a copy. */
export const wordsOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView =>
  new DataView(buffer, byteOffset, byteLength);
