import { backslash, closeBrace, comma, equals, openBrace, quote } from './characters.js';

/** Calls back with each label name of the canonical line at `start`: where it begins and ends. */
export function eachLabelName(bytes: Uint8Array, start: number, visit: (from: number, to: number) => void): void {
  let at = start;
  while (bytes[at] !== openBrace) at++;
  at++;
  while (bytes[at] !== closeBrace) {
    const from = at;
    while (bytes[at] !== equals) at++;
    visit(from, at);
    at += 2;
    while (bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
    at++;
    if (bytes[at] === comma) at++;
  }
}
