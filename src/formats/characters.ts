export const tab = 0x09;
export const newline = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const quote = 0x22;
export const hash = 0x23;
export const comma = 0x2c;
export const minus = 0x2d;
export const dot = 0x2e;
export const zero = 0x30;
export const nine = 0x39;
export const equals = 0x3d;
export const backslash = 0x5c;
export const underscore = 0x5f;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;

export const inLabelName = 1;
export const beginsLabelName = 2;
export const inMetricName = 4;
export const beginsMetricName = 8;

/** For each byte, the sum of what it may do in a name. */
export const nameClass = new Uint8Array(256);
for (let c = 0; c < 256; c++) {
  const letter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === underscore;
  const digit = c >= zero && c <= nine;
  nameClass[c] = (letter ? 15 : 0) | (digit ? 5 : 0) | (c === 58 ? 12 : 0);
}
