import fc from 'fast-check';

const surrogates = { from: 0xd800, many: 0x800 };

/**
 * Any character but lone surrogates: what fast-check calls `binary`, which spends a second on a table of all of them
 * before its first text.
 */
export const codePoint: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 0x10ffff - surrogates.many })
  .map((n) => String.fromCodePoint(n < surrogates.from ? n : n + surrogates.many), toNumber);

/** The way back, by which fast-check tells which dangerous texts (`__proto__`) it may try. */
function toNumber(text: unknown): number {
  const code = typeof text === 'string' ? text.codePointAt(0) : undefined;
  if (code === undefined || String.fromCodePoint(code) !== text) throw new Error('no single character');
  return code < surrogates.from ? code : code - surrogates.many;
}
