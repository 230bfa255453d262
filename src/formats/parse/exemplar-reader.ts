import { backslash, closeBrace, newline, openBrace, quote, space } from '../characters.js';
import { readLabels } from '../syntax.js';
import { isDecimal } from './numbers.js';
import type { Transcript } from './transcript.js';
import { copyNumber } from './value-reader.js';

/** OpenMetrics 1.0, "Exemplars": names and values together. Each may take four bytes, a pair four more. */
const mostCharacters = 128;
const longestLabels = 8 * mostCharacters;

/** ` # {labels} value [timestamp]`, copied as it stands. OpenMetrics 1.0, "Exemplars". */
export function readExemplar(t: Transcript): void {
  const { body } = t;
  const start = t.p;
  if (body[start + 2] !== space || body[start + 3] !== openBrace) t.fail('an exemplar must begin with " # {"');
  t.p = start + 3;
  const kept = t.o;
  readExemplarLabels(t);
  if (body[t.p] !== space) t.fail('one blank must stand before the value of an exemplar');
  t.p++;
  copyNumber(t, 'the value of the exemplar');
  if (body[t.p] === space) {
    t.p++;
    const time = t.p;
    copyNumber(t, 'the timestamp of the exemplar');
    if (!isDecimal(body.toString('latin1', time, t.p))) t.fail('the timestamp of an exemplar must be a number');
  }
  t.o = kept;
  t.makeRoom(t.p - start + 2);
  t.copyBody(start, t.p);
}

function readExemplarLabels(t: Transcript): void {
  const { body } = t;
  const start = t.p + 1;
  let quoted = false;
  let p = start;
  for (; quoted || body[p] !== closeBrace; p++) {
    if (body[p] === undefined || body[p] === newline) t.fail('the label set of an exemplar has no end');
    if (quoted && body[p] === backslash) p++;
    else if (body[p] === quote) quoted = !quoted;
  }
  t.p = p + 1;
  if (p - start > longestLabels) failTooLong(t);
  const text = t.bodyText(start, p);
  if (text === '') return;
  const pair = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\]|\\\\[\\\\"n])*"';
  if (!new RegExp(`^${pair}(?:,${pair})*$`, 's').test(text)) t.fail('the label set of an exemplar is malformed');
  const labels = readLabels(text);
  if (new Set(labels.map(([name]) => name)).size < labels.length) t.fail('a label name of an exemplar appears twice');
  const characters = labels.reduce((sum, [name, value]) => sum + name.length + [...value].length, 0);
  if (characters > mostCharacters) failTooLong(t);
}

const failTooLong = (t: Transcript): never =>
  t.fail(`the labels of an exemplar may hold ${mostCharacters} characters at most`);
