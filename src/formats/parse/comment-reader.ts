import { newline, space, tab } from '../characters.js';
import type { FamilyType } from '../family.js';
import type { FamilyCollector } from '../family-collector.js';
import { printableNumber } from './numbers.js';
import type { Transcript } from './transcript.js';

/** A line of the text format that begins with `#`: what it declares of a family, if anything. */
export function readTextComment(t: Transcript, families: FamilyCollector, checkName: (name: string) => void): void {
  const keyword = takeTextKeyword(t);
  // Comments may be many: those that say nothing cost no string.
  if (keyword === undefined) {
    t.skipLine();
    return;
  }
  const text = takeLine(t);
  if (text.endsWith('\r')) t.failAtReturn();
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]+(.*))?$/s.exec(text);
  const [, name = t.fail(`"# ${keyword}" needs a metric name`), value = ''] = match ?? [];
  checkName(name);
  if (keyword === 'HELP') families.declareHelp(name, unescapedTextHelp(value));
  else families.declareType(name, typeOf(t, textTypes, /^([a-z]*)[ \t]*$/.exec(value)?.[1] ?? value));
}

/** The same of OpenMetrics. True when it is the end mark. */
export function readOpenMetricsComment(
  t: Transcript,
  families: FamilyCollector,
  checkName: (name: string) => void,
): boolean {
  const text = takeLine(t);
  if (text === '# EOF') return true;
  if (text.endsWith('\r')) t.failAtReturn();
  const match = /^# (TYPE|HELP|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*)(?: (.*))?$/s.exec(text);
  if (match === null) {
    return t.fail(
      'OpenMetrics allows only "# TYPE", "# HELP" and "# UNIT", each with a name and its text, and "# EOF" lines',
    );
  }
  const [, keyword, name = '', value = ''] = match;
  checkName(name);
  if (keyword === 'TYPE') families.declareType(name, typeOf(t, openMetricsTypes, value));
  else if (keyword === 'HELP') families.declareHelp(name, unescapedOpenMetricsHelp(t, value));
  else families.declareUnit(name, value);
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

function takeLine(t: Transcript): string {
  const { body } = t;
  let end = body.indexOf(newline, t.p);
  if (end < 0) end = body.length;
  const text = body.toString('utf8', t.p, end);
  t.p = Math.min(end + 1, body.length);
  return text;
}

function typeOf(t: Transcript, known: ReadonlyMap<string, FamilyType>, name: string): FamilyType {
  return known.get(name) ?? t.fail(`"${printableNumber(name)}" is not a metric type (${[...known.keys()].join(', ')})`);
}

/** The reference parser of the text format keeps the escapes it does not know. */
const unescapedTextHelp = (text: string): string =>
  text.replace(/\\([\\n])/g, (_, c: string) => (c === 'n' ? '\n' : c));

const unescapedOpenMetricsHelp = (t: Transcript, text: string): string =>
  text.replace(/\\(.?)/gs, (_, c: string) => {
    if (c === 'n') return '\n';
    if (c === '\\' || c === '"') return c;
    return t.fail('in a help text a backslash must be followed by a backslash, a quote or "n"');
  });

const textTypes: ReadonlyMap<string, FamilyType> = new Map(
  (['counter', 'gauge', 'histogram', 'summary', 'untyped'] as const).map((type) => [type, type]),
);
const openMetricsTypes: ReadonlyMap<string, FamilyType> = new Map<string, FamilyType>([
  ...(['counter', 'gauge', 'histogram', 'summary', 'info', 'stateset', 'gaugehistogram'] as const).map(
    (type) => [type, type] as const,
  ),
  ['unknown', 'untyped'],
]);
