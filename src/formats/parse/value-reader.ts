import { carriageReturn, dot, hash, minus, newline, nine, space, tab, zero } from '../characters.js';
import { canonicalNumber } from '../syntax.js';
import { isDecimal, isNumber, isPlainDecimal, parseNumber, printableNumber } from './numbers.js';
import type { Transcript } from './transcript.js';

const longestPlainNumber = 100;
const noTimestamps = 'timestamps are not accepted in pushes: a sample is as old as its push';

/** The value of a sample line of the text format, and the end of the line. */
export function readTextValue(t: Transcript): void {
  t.skipBlanks();
  if (copyPlainLine(t)) return;
  copyNumber(t, 'the value');
  t.skipBlanks();
  if (t.passesTimestamps) {
    passTimestamp(t, /^-?\d{1,20}$/);
    t.skipBlanks();
  }
  const byte = t.body[t.p];
  if (byte !== undefined && byte !== newline && byte !== carriageReturn) {
    t.fail(
      (byte >= zero && byte <= nine) || byte === minus
        ? noTimestamps
        : 'nothing may follow the value (exemplars need the OpenMetrics content type)',
    );
  }
  t.endLine();
}

/** The same of OpenMetrics. True when an exemplar follows the value, which is left to be read, as is the end of the line. */
export function readOpenMetricsValue(t: Transcript): boolean {
  const { body } = t;
  if (body[t.p] !== space) t.fail('one blank must stand before the value');
  t.p++;
  if (copyPlainLine(t)) return false;
  copyNumber(t, 'the value');
  if (t.passesTimestamps && body[t.p] === space && body[t.p + 1] !== hash) {
    t.p++;
    passTimestamp(t, /^-?\d{1,20}(\.\d{0,20})?(e[+-]?\d{1,3})?$/i);
  }
  if (body[t.p] === space && body[t.p + 1] === hash) return true;
  if (body[t.p] === space) t.fail(noTimestamps);
  t.endLine();
  return false;
}

/** Over a time of the form, if one stands here; anything else is left to be refused. */
function passTimestamp(t: Transcript, form: RegExp): void {
  const { body } = t;
  let end = t.p;
  while (end < body.length && body[end] !== newline && body[end] !== space && body[end] !== tab) end++;
  if (end - t.p <= 48 && form.test(body.toString('latin1', t.p, end))) t.p = end;
}

/** The commonest value, digits with a dot at most, with the end of its line. False, with nothing read, for any other. */
function copyPlainLine(t: Transcript): boolean {
  t.makeRoom(longestPlainNumber + 28);
  const { body, out } = t;
  const start = t.p;
  let { p, o } = t;
  let dots = 0;
  let byte = body[p];
  while (byte !== undefined && ((byte >= zero && byte <= nine) || byte === dot)) {
    if (byte === dot) dots++;
    if (p - start > longestPlainNumber) return false;
    out[o++] = byte;
    byte = body[++p];
  }
  if (byte !== newline || dots > 1 || p - start <= dots) return false;
  t.p = p + 1;
  t.o = o;
  return true;
}

/** A number as it stands when it is a plain decimal; NaN and infinities in the one spelling both formats share. */
export function copyNumber(t: Transcript, what: string): void {
  const { body } = t;
  const start = t.p;
  let p = start;
  let plain = true;
  for (;;) {
    const byte = body[p];
    if (byte === undefined || byte === newline || byte === space || byte === tab || byte === carriageReturn) break;
    // Digits and the dot need no second look when they come alone.
    if (!((byte >= zero && byte <= nine) || byte === dot)) plain = false;
    p++;
  }
  if (p === start) t.fail(`${what} is missing`);
  t.makeRoom(p - start + 16);
  if (plain && p - start < 200 && isPlainDecimal(body, start, p)) t.copyBody(start, p);
  else {
    const text = body.toString('latin1', start, p);
    if (!isNumber(text)) t.fail(`"${printableNumber(text)}" is not a number`);
    const value = parseNumber(text);
    if (Number.isFinite(value)) t.copyBody(start, p);
    else if (isDecimal(text)) t.fail(`"${printableNumber(text)}" is out of range`);
    else t.o += t.out.write(canonicalNumber(value), t.o, 'latin1');
  }
  t.p = p;
}
