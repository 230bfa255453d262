/**
 * Readers of served pages that share nothing with the code under test. Strict where strict consumers are: the text
 * reader refuses what Go's `expfmt` refuses, the OpenMetrics reader what the specification and Python's parser refuse.
 */

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As it stands on the page. */
  readonly value: string;
  readonly timestamp?: string;
  readonly exemplar?: string;
}

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly help?: string;
  readonly unit?: string;
  readonly samples: ReadSample[];
}

type Draft = { -readonly [Key in keyof ReadFamily]: ReadFamily[Key] };

export function readTextPage(page: string): ReadFamily[] {
  const families: Draft[] = [];
  const seen = new Map<string, Draft>();
  for (const line of linesOf(page)) {
    if (line.startsWith('#')) {
      const [keyword, name, rest] = header(line);
      let family = families.at(-1);
      if (family?.name !== name || family.samples.length > 0) {
        check(!seen.has(name), line, 'a family twice');
        for (const suffix of ['_sum', '_count', '_bucket']) {
          const owner = name.endsWith(suffix) ? seen.get(name.slice(0, -suffix.length)) : undefined;
          const has = owner?.type === 'histogram' || (owner?.type === 'summary' && suffix !== '_bucket');
          check(!has, line, 'the name of a part of another family');
        }
        family = { name, type: '', samples: [] };
        families.push(family);
        seen.set(name, family);
      }
      if (keyword === 'HELP') {
        check(family.help === undefined && family.type === '', line, 'HELP twice or after TYPE');
        family.help = unescaped(rest, { '\\': '\\', n: '\n' });
      } else {
        check(keyword === 'TYPE' && family.type === '', line, 'TYPE twice');
        check(/^(counter|gauge|histogram|summary|untyped)$/.test(rest), line, 'no type of the text format');
        family.type = rest;
      }
      continue;
    }
    const family = families.at(-1);
    const sample = readSample(line);
    const suffixes = { histogram: ['', '_bucket', '_sum', '_count'], summary: ['', '_sum', '_count'] };
    const allowed = suffixes[family?.type as 'histogram'] ?? [''];
    check(family !== undefined && family.type !== '', line, 'a sample without a family');
    check(
      allowed.some((suffix) => family!.name + suffix === sample.name),
      line,
      'a sample of another family',
    );
    check(sample.exemplar === undefined, line, 'an exemplar');
    check(sample.timestamp === undefined || /^-?\d+$/.test(sample.timestamp), line, 'a timestamp not in milliseconds');
    family!.samples.push(sample);
  }
  checkUnique(families);
  return families;
}

const openMetricsSuffixes: Record<string, readonly string[]> = {
  counter: ['_total', '_created'],
  gauge: [''],
  unknown: [''],
  stateset: [''],
  info: ['_info'],
  histogram: ['_bucket', '_sum', '_count', '_created'],
  gaugehistogram: ['_bucket', '_gsum', '_gcount'],
  summary: ['', '_sum', '_count', '_created'],
};

export function readOpenMetricsPage(page: string): ReadFamily[] {
  const families: Draft[] = [];
  const claimed = new Set<string>();
  const lines = linesOf(page);
  check(lines.pop() === '# EOF', page.slice(-40), 'no end mark');
  for (const line of lines) {
    if (line.startsWith('#')) {
      const [keyword, name, rest] = header(line);
      if (keyword === 'TYPE') {
        const suffixes = openMetricsSuffixes[rest];
        check(suffixes !== undefined, line, 'no type of OpenMetrics');
        for (const claim of new Set([name, ...suffixes!.map((suffix) => name + suffix)])) {
          check(!claimed.has(claim), line, `a clash of names: ${claim}`);
          claimed.add(claim);
        }
        families.push({ name, type: rest, samples: [] });
        continue;
      }
      const family = families.at(-1);
      check(family?.name === name && family.samples.length === 0, line, 'a header out of place');
      if (keyword === 'UNIT') {
        check(family!.unit === undefined && family!.help === undefined, line, 'UNIT out of place');
        check(rest !== '' && name.endsWith(`_${rest}`), line, 'a unit that the name does not end in');
        check(family!.type !== 'info' && family!.type !== 'stateset', line, 'a unit of a type without one');
        family!.unit = rest;
      } else {
        check(keyword === 'HELP' && family!.help === undefined, line, 'HELP twice');
        family!.help = unescaped(rest, { '\\': '\\', n: '\n', '"': '"' });
      }
      continue;
    }
    const family = families.at(-1);
    check(family !== undefined, line, 'a sample without a family');
    const sample = readSample(line);
    const suffix = openMetricsSuffixes[family!.type]!.find((candidate) => family!.name + candidate === sample.name);
    check(suffix !== undefined, line, 'a sample of another family');
    check(sample.exemplar === undefined || suffix === '_total' || suffix === '_bucket', line, 'an exemplar');
    check(sample.timestamp === undefined || /^-?\d+\.\d+$/.test(sample.timestamp), line, 'a timestamp not in seconds');
    family!.samples.push(sample);
  }
  checkUnique(families);
  for (const family of families) checkMetrics(family);
  return families;
}

/** The rules within one family: metrics in one piece each, and what the type asks of their values. */
function checkMetrics({ name, type, samples }: ReadFamily): void {
  const metrics = new Map<string, ReadSample[]>();
  let last = '';
  for (const sample of samples) {
    const labels = { ...sample.labels };
    const suffix = sample.name.slice(name.length);
    const part = type === 'stateset' ? name : suffix === '_bucket' ? 'le' : type === 'summary' && !suffix && 'quantile';
    if (part) {
      check(labels[part] !== undefined, sample.name, `no label ${part}`);
      delete labels[part];
    }
    const key = JSON.stringify(Object.entries(labels).sort());
    check(key === last || !metrics.has(key), `${sample.name} ${key}`, 'the samples of one metric apart');
    metrics.set(key, [...(metrics.get(key) ?? []), sample]);
    last = key;
    if (type === 'histogram' || type === 'gaugehistogram') check(labels.le === undefined, key, 'le beside buckets');
    if (type === 'summary') check(labels.quantile === undefined, key, 'quantile beside quantiles');
    checkValue(type, suffix, sample);
  }
  if (type !== 'histogram' && type !== 'gaugehistogram') return;
  for (const metric of metrics.values()) checkBuckets(name, metric);
}

function checkValue(type: string, suffix: string, { name, labels, value }: ReadSample): void {
  const number = numberOf(value);
  const at = `${name} ${value}`;
  if (type === 'info') check(number === 1, at, 'an info that is not 1');
  if (type === 'stateset') check(number === 0 || number === 1, at, 'a state that is neither 0 nor 1');
  if (type === 'gauge' || type === 'unknown' || suffix === '_created') return;
  if (/^_(total|sum|count|bucket|gcount)$/.test(suffix)) check(number >= 0, at, 'negative or NaN');
  if (/^_(count|bucket|gcount)$/.test(suffix)) check(Number.isInteger(number), at, 'not whole');
  if (type === 'summary' && suffix === '') {
    const quantile = numberOf(labels.quantile!);
    check(quantile >= 0 && quantile <= 1 && !(number < 0), at, 'an illegal quantile');
    checkCanonical(labels.quantile!);
  }
}

function checkBuckets(name: string, metric: readonly ReadSample[]): void {
  const buckets = metric.filter((sample) => sample.name === `${name}_bucket`);
  let bound = Number.NEGATIVE_INFINITY;
  let before = 0;
  let negative = false;
  for (const { labels, value } of buckets) {
    checkCanonical(labels.le!);
    const le = numberOf(labels.le!);
    check(le > bound && numberOf(value) >= before, `${name} le=${labels.le}`, 'buckets out of order');
    if (le < 0) negative = true;
    bound = le;
    before = numberOf(value);
  }
  check(bound === Number.POSITIVE_INFINITY, name, 'no +Inf bucket');
  const others = new Map(metric.map((sample) => [sample.name.slice(name.length), numberOf(sample.value)]));
  const count = others.get('_count') ?? others.get('_gcount');
  const gaugeSum = others.get('_gsum') ?? 0;
  check(!negative || !others.has('_sum'), name, 'a sum beside negative bounds');
  check(negative ? !Number.isNaN(gaugeSum) : gaugeSum >= 0, name, 'a gauge sum that is NaN, or negative without cause');
  check((count === undefined) === ((others.get('_sum') ?? others.get('_gsum')) === undefined), name, 'count iff sum');
  check(count === undefined || count === before, name, 'a count that is not the +Inf bucket');
}

/** Go's `%g` with `.0` for whole numbers, made from the shortest digits. */
function checkCanonical(text: string): void {
  const value = numberOf(text);
  if (!Number.isFinite(value)) {
    check(text === '+Inf' || text === '-Inf' || text === 'NaN', text, 'not canonical');
    return;
  }
  const [digits = '', exponent = 0] = [value.toExponential().replace(/^-|\.|e.*/g, ''), exponentOf(value)];
  let expected: string;
  if (exponent < -4 || exponent >= 6) {
    const sign = exponent < 0 ? '-' : '+';
    const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
    expected = `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  } else if (exponent < 0) expected = `0.${'0'.repeat(-exponent - 1)}${digits}`;
  else expected = `${digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')}.${digits.slice(exponent + 1) || '0'}`;
  check(text.replace(/^-/, '') === expected, `${text} for ${expected}`, 'not canonical');
}

const exponentOf = (value: number): number => (value === 0 ? 0 : Number(value.toExponential().split('e')[1]));

/** `NaN` and the infinities as both formats spell them on our pages; anything else must be plain digits. */
export function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  if (text === 'NaN') return Number.NaN;
  check(/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text.slice(0, 2000)), text, 'not a number');
  return Number(text);
}

function linesOf(page: string): string[] {
  if (page === '') return [];
  check(page.endsWith('\n'), page.slice(-40), 'no newline at the end');
  return page.slice(0, -1).split('\n');
}

function header(line: string): [keyword: string, name: string, rest: string] {
  const [mark, keyword, name, ...rest] = line.split(' ');
  check(mark === '#' && /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name ?? '') && rest.length > 0, line, 'a malformed header');
  return [keyword!, name!, rest.join(' ')];
}

/** `name{labels} value[ timestamp][ # {labels} value[ timestamp]]`, one blank between them. */
export function readSample(line: string): ReadSample {
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0] ?? '';
  check(name !== '', line, 'no metric name');
  const [labels, end] = line[name.length] === '{' ? readLabelSet(line, name.length) : [{}, name.length];
  const [before, ...exemplar] = line.slice(end).split(' # ');
  const [nothing, value, timestamp, ...more] = before!.split(' ');
  check(nothing === '' && value !== undefined && value !== '' && more.length === 0, line, 'a malformed value');
  numberOf(value!);
  if (exemplar.length > 0) checkExemplar(exemplar.join(' # '));
  return {
    name,
    labels,
    value: value!,
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(exemplar.length === 0 ? {} : { exemplar: exemplar.join(' # ') }),
  };
}

function checkExemplar(text: string): void {
  const [labels, end] = readLabelSet(text, 0);
  const length = Object.entries(labels).reduce((sum, [name, value]) => sum + [...name, ...value].length, 0);
  const [nothing, value, timestamp = '0', ...more] = text.slice(end).split(' ');
  check(length <= 128 && nothing === '' && value !== undefined && more.length === 0, text, 'a malformed exemplar');
  check(!Number.isNaN(numberOf(value!) + 1) || value === 'NaN', text, 'an exemplar without a value');
  check(Number.isFinite(numberOf(timestamp)), text, 'an exemplar with an illegal timestamp');
}

function readLabelSet(text: string, brace: number): [labels: Record<string, string>, end: number] {
  const labels: Record<string, string> = {};
  let at = brace + 1;
  check(text[brace] === '{', text, 'no label set');
  if (text[at] === '}') return [labels, at + 1];
  for (;;) {
    const name = /^[a-zA-Z_][a-zA-Z0-9_]*/.exec(text.slice(at, at + 2000))?.[0] ?? '';
    check(name !== '' && !Object.hasOwn(labels, name), text, `a malformed or repeated label at ${at}`);
    at += name.length;
    check(text.slice(at, at + 2) === '="', text, `a malformed label at ${at}`);
    const start = at + 2;
    for (at = start; text[at] !== '"'; at++) {
      if (text[at] === '\\') at++;
      check(at < text.length, text, 'a label value without end');
    }
    labels[name] = unescaped(text.slice(start, at), { '\\': '\\', n: '\n', '"': '"' });
    at++;
    if (text[at] === '}') return [labels, at + 1];
    check(text[at] === ',', text, `a malformed label set at ${at}`);
    at++;
  }
}

function unescaped(text: string, escapes: Record<string, string>): string {
  return text
    .split(/(\\.)/s)
    .map((piece, index) => {
      if (index % 2 === 0) {
        check(!piece.includes('\\'), text, 'a backslash without its character');
        return piece;
      }
      check(Object.hasOwn(escapes, piece[1]!), text, `an unknown escape ${piece}`);
      return escapes[piece[1]!]!;
    })
    .join('');
}

function checkUnique(families: readonly ReadFamily[]): void {
  const seen = new Set<string>();
  for (const sample of families.flatMap(({ samples }) => samples)) {
    const labels = Object.entries(sample.labels).filter(([, value]) => value !== '');
    const key = JSON.stringify([sample.name, labels.sort()]);
    check(!seen.has(key), key, 'a series twice');
    seen.add(key);
  }
}

function check(holds: boolean, where: string, fault: string): void {
  if (!holds) throw new Error(`not readable: ${fault}: ${where.slice(0, 300)}`);
}
