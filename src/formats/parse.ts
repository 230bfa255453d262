import { isUtf8 } from 'node:buffer';
import { WeirError } from '../domain/errors.js';
import { atOnce, type Steps } from '../domain/turns.js';
import { hash, newline } from './characters.js';
import { DuplicateCheck } from './duplicates.js';
import { type Exposition, sameFamilies } from './family.js';
import { FamilyCollector } from './family-collector.js';
import { readOpenMetricsComment, readTextComment } from './parse/comment-reader.js';
import { readExemplar } from './parse/exemplar-reader.js';
import { repeatText } from './parse/repeat.js';
import { SeriesReader } from './parse/series-reader.js';
import { type ReadLimits, Transcript } from './parse/transcript.js';
import { readOpenMetricsValue, readTextValue } from './parse/value-reader.js';
import { escapeLabelValue } from './syntax.js';

/** `text` is Prometheus text 0.0.4, `openmetrics` is OpenMetrics 1.0. */
export type Syntax = 'text' | 'openmetrics';

export interface ParseOptions {
  readonly syntax: Syntax;
  /** Labels every series gets; they take the place of labels of the same name in the body. An empty value removes it. */
  readonly labels: readonly (readonly [string, string])[];
  readonly limits: ReadLimits;
  /** Metric names beginning with this are refused. */
  readonly reservedPrefix: string;
  /** What is done about times on samples; they are refused unless told otherwise. */
  readonly timestamps?: 'refuse' | 'drop' | undefined;
  /** What the same producer pushed before: a body that repeats its series needs no second validation. */
  readonly previous?: Exposition | undefined;
}

/**
 * Bytes in, validated families in canonical form out; nothing of a body with a fault comes through.
 * Throws `invalid` naming the line, or `limit_exceeded` naming line, limit and value; never anything else.
 * Grammar: Prometheus exposition formats, text 0.0.4 and OpenMetrics 1.0 (without UTF-8 names). Timestamps on samples
 * are refused, as the Pushgateway does, or dropped. The result holds nothing of `body`. Families that are those of `previous` are
 * the same object, so that whoever keeps them can tell at a glance.
 */
export const parseExposition = (body: Buffer, options: ParseOptions): Exposition => atOnce(parseSteps(body, options));

/** The same in steps. */
export function* parseSteps(body: Buffer, options: ParseOptions): Steps<Exposition> {
  if (!isUtf8(body)) throw invalidUtf8(body);
  const suffix = suffixOf(options);
  const template = options.syntax === 'text' ? usableTemplate(options) : undefined;
  const exposition = (template && repeated(body, options, template, suffix)) ?? (yield* read(body, suffix, options));
  checkedUnder.set(exposition.bytes, options.limits);
  const { previous } = options;
  if (previous === undefined || !sameFamilies(previous.families, exposition.families)) return exposition;
  return { ...exposition, families: previous.families };
}

function repeated(
  body: Buffer,
  { limits }: ParseOptions,
  template: Exposition,
  suffix: Buffer,
): Exposition | undefined {
  const t = new Transcript(body, limits);
  try {
    return repeatText(t, template, suffix);
  } finally {
    t.release();
  }
}

/** The limits that the lines of an exposition have passed; unknown once it was merged or came back from storage. */
const checkedUnder = new WeakMap<Buffer, ReadLimits>();

/** The previous exposition, unless a limit it was not checked under could refuse one of its series now. */
function usableTemplate({ previous, limits }: ParseOptions): Exposition | undefined {
  const passed = previous && checkedUnder.get(previous.bytes);
  if (passed === undefined) return undefined;
  const names = ['labels_per_series', 'name_length_bytes', 'value_length_bytes'] as const;
  return names.every((name) => limits[name] === 0 || (passed[name] > 0 && passed[name] <= limits[name]))
    ? previous
    : undefined;
}

/** What follows the pushed labels in every line: ours, the closing brace, a blank. */
function suffixOf({ labels }: ParseOptions): Buffer {
  const text = labels.filter(([, value]) => value !== '').map(([k, v]) => `${k}="${escapeLabelValue(v)}"`);
  return Buffer.from(`${text.join(',')}} `);
}

/** Lines between two stops. */
const linesAStep = 64;

function* read(body: Buffer, suffix: Buffer, options: ParseOptions): Steps<Exposition> {
  const t = new Transcript(body, options.limits);
  const duplicates = new DuplicateCheck();
  try {
    return yield* readLines(t, duplicates, suffix, options);
  } finally {
    t.release();
    duplicates.release();
  }
}

function* readLines(
  t: Transcript,
  duplicates: DuplicateCheck,
  suffix: Buffer,
  { syntax, labels, reservedPrefix, timestamps }: ParseOptions,
): Steps<Exposition> {
  const { body } = t;
  const openMetrics = syntax === 'openmetrics';
  t.passesTimestamps = timestamps === 'drop';
  const families = new FamilyCollector(openMetrics, (reason) => t.fail(reason));
  const checkName = (name: string): void => {
    t.checkNameLength(name.length);
    if (name.startsWith(reservedPrefix)) {
      t.fail(`the metric name "${name}" is refused: names beginning with "${reservedPrefix}" are the gateway's own`);
    }
  };
  const series = new SeriesReader(t, { openMetrics, ours: labels.map(([name]) => name), suffix, checkName });

  const readSample = (): void => {
    const start = t.o;
    let seriesHash = series.read();
    families.addLine(start, series.name, series.sameName);
    const { boundLabel } = families;
    if (boundLabel !== undefined && series.respellBound(boundLabel, families.needsBound)) {
      seriesHash = series.hashAgain();
    }
    if (duplicates.isRepeated(t.out, start, seriesHash)) t.fail(`the series ${series.text} appears twice`);
    if (!openMetrics) readTextValue(t);
    else if (readOpenMetricsValue(t)) {
      if (!families.mayCarryExemplar) t.fail('exemplars may stand only on counters and histogram buckets');
      readExemplar(t);
      families.noteExemplar();
      t.endLine();
    }
    t.out[t.o++] = newline;
  };

  let ended = false;
  for (; t.p < body.length; t.line++) {
    if (t.line % linesAStep === 0) yield;
    if (ended) t.fail('nothing may follow "# EOF"');
    if (!openMetrics) t.skipBlanks();
    if (body[t.p] === hash) {
      if (openMetrics) ended = readOpenMetricsComment(t, families, checkName);
      else readTextComment(t, families, checkName);
    } else if (body[t.p] === newline || t.p === body.length) {
      if (openMetrics) t.fail('OpenMetrics allows no blank lines');
      t.endLine();
    } else readSample();
  }
  if (openMetrics && !ended) t.fail('an OpenMetrics body must end with "# EOF"');
  return families.finish(t.finish());
}

function invalidUtf8(body: Buffer): WeirError {
  let line = 1;
  let start = 0;
  for (let end = body.indexOf(newline); end >= 0; end = body.indexOf(newline, start)) {
    if (!isUtf8(body.subarray(start, end))) break;
    start = end + 1;
    line++;
  }
  return new WeirError('invalid', `Line ${line}: the body is not valid UTF-8.`, { line });
}
