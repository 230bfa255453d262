/**
 * Hashes of names (FNV-1a) and of label values. They only find what may be equal; whoever uses them compares the bytes
 * as well.
 */
export const fnvOffset = 0x811c9dc5;
export const fnvPrime = 16777619;

/** Of a label value: four bytes at a time. The shift brings down again what the multiplication moved up. */
export function hashOfValue(bytes: Buffer, words: DataView, from: number, to: number): number {
  let h = fnvOffset;
  let at = from;
  for (; at + 4 <= to; at += 4) h = withWord(h, words.getInt32(at, true));
  for (; at < to; at++) h = Math.imul(h ^ bytes[at]!, fnvPrime);
  return h;
}

export function withWord(h: number, word: number): number {
  const next = Math.imul(h ^ word, fnvPrime);
  return next ^ (next >>> 15);
}
