import {
  backslash,
  beginsMetricName,
  carriageReturn,
  inMetricName,
  nameClass,
  newline,
  quote,
  space,
  tab,
} from '../characters.js';
import type { FamilyType } from '../family.js';
import type { FamilyCollector } from '../family-collector.js';
import { bytesWithin } from '../help.js';
import { printableNumber } from './numbers.js';
import type { Transcript } from './transcript.js';

const letterN = 0x6e;

/** A line of the text format that begins with `#`: what it declares of a family, if anything. */
export function readTextComment(t: Transcript, families: FamilyCollector, checkName: (name: string) => void): void {
  const keyword = takeTextKeyword(t);
  // Comments may be many: those that say nothing cost no string.
  if (keyword === undefined) {
    t.skipLine();
    return;
  }
  const end = lineEnd(t);
  if (t.p < end && t.body[end - 1] === carriageReturn) t.failAtReturn();
  const name = takeName(t);
  const from = t.p;
  t.skipBlanks();
  if (name === '' || (t.p === from && from < end)) t.fail(`"# ${keyword}" needs a metric name`);
  checkName(name);
  if (keyword === 'HELP') families.declareHelp(name, helpText(t, end, textEscapes));
  else families.declareType(name, typeOf(t, textTypes, t.bodyText(t.p, withoutBlanks(t, end))));
  t.p = behind(t, end);
}

/** The same of OpenMetrics. True when it is the end mark. */
export function readOpenMetricsComment(
  t: Transcript,
  families: FamilyCollector,
  checkName: (name: string) => void,
): boolean {
  const end = lineEnd(t);
  const begin = t.bodyText(t.p, Math.min(end, t.p + openMetricsBegin));
  if (begin === '# EOF' && end === t.p + begin.length) {
    t.p = behind(t, end);
    return true;
  }
  if (t.body[end - 1] === carriageReturn) t.failAtReturn();
  const keyword = openMetricsKeywords.get(begin);
  t.p += openMetricsBegin;
  const name = keyword === undefined ? '' : takeName(t);
  if (name === '' || (t.p < end && t.body[t.p] !== space)) {
    return t.fail(
      'OpenMetrics allows only "# TYPE", "# HELP" and "# UNIT", each with a name and its text, and "# EOF" lines',
    );
  }
  t.p = Math.min(t.p + 1, end);
  checkName(name);
  if (keyword === 'TYPE') families.declareType(name, typeOf(t, openMetricsTypes, t.bodyText(t.p, end)));
  else if (keyword === 'HELP') families.declareHelp(name, helpText(t, end, openMetricsEscapes));
  else families.declareUnit(name, t.bodyText(t.p, end));
  t.p = behind(t, end);
  return false;
}

const textKeywords = [
  ['TYPE', Buffer.from('TYPE').readUInt32LE()],
  ['HELP', Buffer.from('HELP').readUInt32LE()],
] as const;

/** What stands behind `#`, with the blanks on both sides. `undefined` when it is not a word of the format by itself. */
function takeTextKeyword(t: Transcript): 'TYPE' | 'HELP' | undefined {
  const { body, bodyWords } = t;
  t.p++;
  t.skipBlanks();
  const end = t.p + 4;
  if (end > body.length) return undefined;
  const after = body[end];
  if (after !== space && after !== tab && after !== newline && after !== undefined) return undefined;
  const word = bodyWords.getUint32(t.p, true);
  const found = textKeywords.find(([, bytes]) => bytes === word);
  if (found === undefined) return undefined;
  t.p = end;
  t.skipBlanks();
  return found[0];
}

/** Of each the first bytes of its line. */
const openMetricsKeywords: ReadonlyMap<string, 'TYPE' | 'HELP' | 'UNIT'> = new Map(
  (['TYPE', 'HELP', 'UNIT'] as const).map((keyword) => [`# ${keyword} `, keyword]),
);
const openMetricsBegin = '# TYPE '.length;

function lineEnd({ body, p }: Transcript): number {
  const end = body.indexOf(newline, p);
  return end < 0 ? body.length : end;
}

const behind = ({ body }: Transcript, end: number): number => Math.min(end + 1, body.length);

function withoutBlanks({ body, p }: Transcript, lineEnds: number): number {
  let end = lineEnds;
  while (end > p && (body[end - 1] === space || body[end - 1] === tab)) end--;
  return end;
}

/** The metric name that stands next; empty when none does. */
function takeName(t: Transcript): string {
  const { body, p } = t;
  if ((nameClass[body[p] ?? 0]! & beginsMetricName) === 0) return '';
  while ((nameClass[body[t.p] ?? 0]! & inMetricName) !== 0) t.p++;
  return t.bodyText(p, t.p);
}

function typeOf(t: Transcript, known: ReadonlyMap<string, FamilyType>, name: string): FamilyType {
  return known.get(name) ?? t.fail(`"${printableNumber(name)}" is not a metric type (${[...known.keys()].join(', ')})`);
}

/** What a byte behind a backslash stands for; what is not known is kept with its backslash, or refused. */
interface Escapes {
  readonly known: ReadonlyMap<number, number>;
  readonly othersAreKept: boolean;
}

/** The reference parser of the text format keeps the escapes it does not know. */
const textEscapes: Escapes = {
  known: new Map([
    [backslash, backslash],
    [letterN, newline],
  ]),
  othersAreKept: true,
};
const openMetricsEscapes: Escapes = { known: new Map([...textEscapes.known, [quote, quote]]), othersAreKept: false };

/** What stands up to `end`, cut to the length of a label value. It is cut while it is read: it may be the whole body. */
function helpText(t: Transcript, end: number, { known, othersAreKept }: Escapes): string {
  const { body } = t;
  const max = t.limits.value_length_bytes;
  // One byte more shows whether the last character is whole.
  const room = Buffer.allocUnsafe(max > 0 ? Math.min(max + 1, end - t.p) : end - t.p);
  let length = 0;
  for (let p = t.p; p < end; p++) {
    let byte = body[p]!;
    if (byte === backslash) {
      const meant = p + 1 < end ? known.get(body[p + 1]!) : undefined;
      if (meant !== undefined) {
        byte = meant;
        p++;
      } else if (!othersAreKept) {
        t.fail('in a help text a backslash must be followed by a backslash, a quote or "n"');
      }
    }
    if (length < room.length) room[length++] = byte;
    else if (othersAreKept) break;
  }
  return bytesWithin(room.subarray(0, length), max);
}

const textTypes: ReadonlyMap<string, FamilyType> = new Map(
  (['counter', 'gauge', 'histogram', 'summary', 'untyped'] as const).map((type) => [type, type]),
);
const openMetricsTypes: ReadonlyMap<string, FamilyType> = new Map<string, FamilyType>([
  ...(['counter', 'gauge', 'histogram', 'summary', 'info', 'stateset', 'gaugehistogram'] as const).map(
    (type) => [type, type] as const,
  ),
  ['unknown', 'untyped'],
]);
