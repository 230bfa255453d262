/** What is said of a metric: help texts are cut, for the metric is good without the rest. */

/** At most so many bytes of UTF-8, ending with a whole character; 0 for no limit. */
export function helpWithin(text: string, mostBytes: number): string {
  if (mostBytes === 0 || text.length * 3 <= mostBytes) return text;
  // No character has less than a byte.
  return bytesWithin(Buffer.from(text.slice(0, mostBytes + 1)), mostBytes);
}

/** The same of bytes. */
export function bytesWithin(bytes: Buffer, mostBytes: number): string {
  if (mostBytes === 0 || bytes.length <= mostBytes) return bytes.toString('utf8');
  let end = mostBytes;
  while (end > 0 && isWithinCharacter(bytes[end]!)) end--;
  return bytes.toString('utf8', 0, end);
}

const isWithinCharacter = (byte: number): boolean => (byte & 0xc0) === 0x80;
