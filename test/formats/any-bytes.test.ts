import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { type Exposition, seriesCount } from '../../src/formats/family.js';
import { renderPage } from '../../src/formats/page.js';
import { parseExposition, type Syntax } from '../../src/formats/parse.js';
import { anyLegalBody } from '../support/legal-expositions.js';

const noLimits = { labels_per_series: 0, name_length_bytes: 0, value_length_bytes: 0 };

/** What came of it; anything thrown that is no refusal naming a line fails the test. */
function read(body: Buffer, syntax: Syntax, limits: typeof noLimits = defaultLimits): Exposition | WeirError {
  try {
    return parseExposition(body, { syntax, labels: [['instance_id', 'db1']], limits, reservedPrefix: 'weir_' });
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    // A missing end mark is missed on the line after the last.
    const lines = body.toString('latin1').split('\n').length + (error.message.includes('must end with') ? 1 : 0);
    expect(error.facts.line).toBeGreaterThanOrEqual(1);
    expect(error.facts.line).toBeLessThanOrEqual(lines);
    expect(error.message).toContain(`ine ${error.facts.line}`);
    return error;
  }
}

function readAndShow(body: Buffer, syntax: Syntax): void {
  const result = read(body, syntax);
  if (result instanceof WeirError) return;
  for (const format of ['text', 'openmetrics'] as const) renderPage([{ exposition: result }], format);
}

const syntax = fc.constantFrom<Syntax>('text', 'openmetrics');

describe('any bytes at all', () => {
  it('are taken or refused with their line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), syntax, (bytes, s) => readAndShow(Buffer.from(bytes), s)),
      {
        numRuns: 500,
      },
    );
  });

  it('are taken or refused with their line when they look like metrics', () => {
    const token = fc.constantFrom(
      ...['a', 'b_bucket', '{', '}', '=', '"', ',', '\\', '\n', '\n', ' ', ' ', '\t', '\r', '#', '# TYPE ', '# HELP '],
      ...[
        '# UNIT ',
        '# EOF\n',
        'b histogram',
        'b counter',
        'le="1"',
        '1',
        '-',
        '.',
        'e',
        'NaN',
        '+Inf',
        '# {} 1',
        '\0',
      ],
      ...['\u00e9', '\u{1f600}', '\u2028', '\ufeff', 'a{x="y"} 1\n', 'b_total 1 # {x="y"} 1 1\n', '__x', 'weir_a'],
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 25 }), syntax, (tokens, s) =>
        readAndShow(Buffer.from(tokens.join('')), s),
      ),
      { numRuns: 1250 },
    );
  });

  it('are taken or refused with their line when they come of a legal body', () => {
    const change = fc.record({
      at: fc.nat(),
      remove: fc.nat(3),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
        fc.constantFrom('"', '\\', '{', '}', '\n', '\r\n', ' ', ' # {} 1', ' 123', '\xff', 'NaN', '#').map(Buffer.from),
      ),
    });
    fc.assert(
      fc.property(anyLegalBody, fc.array(change, { minLength: 1, maxLength: 3 }), ({ body, syntax }, changes) => {
        let changed = body;
        for (const { at, remove, insert } of changes) {
          const from = at % (changed.length + 1);
          changed = Buffer.concat([changed.subarray(0, from), insert, changed.subarray(from + remove)]);
        }
        readAndShow(changed, syntax);
      }),
      { numRuns: 500 },
    );
  });
});

/** Whether one of a few tries is over in time: what the body costs, not what else the machine does. */
function expectWithin(ms: number, work: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5 && best >= ms; attempt++) {
    const started = performance.now();
    work();
    best = Math.min(best, performance.now() - started);
  }
  expect(best).toBeLessThan(ms);
}

const size = 10_000;
const filled = (head: string, unit: string, tail: string): string =>
  head + unit.repeat(Math.floor((size - head.length - tail.length) / unit.length)) + tail;
const numbered = (line: (n: number) => string): string => {
  let body = '';
  for (let n = 0; body.length < size; n++) body += line(n);
  return body;
};

describe('10 kB take less than 100 ms', () => {
  it.each<[string, string]>([
    ['of lines with one name', numbered((n) => `a{x="${n}"} 1\n`)],
    ['of the same line', filled('', 'a 1\n', '')],
    ['of families', numbered((n) => `# TYPE a${n} gauge\na${n} 1\n`)],
    ['of histograms', numbered((n) => `# TYPE a${n} histogram\na${n}_bucket{le="1"} 1\n`)],
    ['of one label value', filled('a{x="', 'v', '"} 1\n')],
    ['of one label value that does not end', filled('a{x="', 'v', '')],
    ['of backslashes', filled('a{x="', '\\\\', '"} 1\n')],
    ['of backslashes before a quote', filled('a{x="', '\\', '"} 1\n')],
    ['of quotes', filled('a{', '"', '} 1\n')],
    ['of braces', filled('a', '{', '} 1\n')],
    ['of labels', `a{${numbered((n) => `l${n}="",`)}} 1\n`],
    ['of a label again and again', filled('a{', 'l="",', '} 1\n')],
    ['of our label again and again', filled('a{', 'instance_id="",', '} 1\n')],
    ['of digits', filled('a ', '1', '\n')],
    ['of digits that are no number', filled('a ', '1', 'x\n')],
    ['of digits behind a point that are no number', filled('a 1.', '1', 'x\n')],
    ['of digits in a bound', filled('# TYPE a histogram\na_bucket{le="', '1', 'x"} 1\n')],
    ['of a metric name', filled('', 'a', ' 1\n')],
    ['of blanks', filled('a', ' ', '1\n')],
    ['of blanks in a header', filled('# TYPE a', ' ', 'x gauge\n')],
    ['of blanks behind a type', filled('# TYPE a gauge', ' ', 'x\n')],
    ['of blanks in a comment', filled('#', ' \t', 'TYPE\n')],
    ['of blank lines', filled('', '\n', '')],
    ['of comments', filled('', '#\n', '')],
    ['of help', filled('# HELP a ', '\\', '\n')],
    ['of carriage returns', filled('', '\r', '')],
    ['of NUL', filled('', '\0', '')],
    ['of exemplars', numbered((n) => `${n === 0 ? '# TYPE a counter\n' : ''}a_total{x="${n}"} 1 # {y="z"} 1\n`)],
    ['of an exemplar', filled('# TYPE a counter\na_total 1 # {x="', 'v', '"} 1\n')],
    ['of backslashes in an exemplar', filled('# TYPE a counter\na_total 1 # {x="', '\\\\', '"} 1\n')],
    ['of an exemplar without end', filled('# TYPE a counter\na_total 1 # {x="', '\\"', '\n')],
    ['of families left and entered again', numbered((n) => `a{x="${n}"} 1\nb{x="${n}"} 1\n`)],
  ])('%s', (_what, text) => {
    for (const s of ['text', 'openmetrics'] as const) {
      for (const limits of [defaultLimits, noLimits]) {
        const body = Buffer.from(s === 'text' ? text : `${text}\n# EOF\n`);
        expectWithin(100, () => read(body, s, limits));
      }
    }
  });
});

describe('a large body costs time in proportion to its size', () => {
  it.each<[string, string]>([
    ['one number that is none', `a ${'1'.repeat(1_000_000)}x\n`],
    ['one bound that is none', `# TYPE a histogram\na_bucket{le="${'1'.repeat(1_000_000)}x"} 1\n`],
    ['blanks behind a type', `# TYPE a gauge${' '.repeat(1_000_000)}x\n`],
    ['50,000 labels', `a{${Array.from({ length: 50_000 }, (_, n) => `l${n}=""`).join(',')}} 1\n`],
    ['30,000 label names of one hash', `a{${oneHash(30_000).map((name) => `${name}=""`)}} 1\n`],
  ])('%s', (_what, text) => {
    // Each would take minutes if the work grew with the square of the size.
    expectWithin(2000, () => read(Buffer.from(text), 'text', noLimits));
  });

  it.each<[string, Syntax, string]>([
    ['an exemplar', 'openmetrics', `# TYPE a counter\na_total 1 # {x="${'v'.repeat(9_000_000)}"} 1\n# EOF\n`],
    ['a series twice', 'text', `a{x="${'v'.repeat(9_000_000)}"} 1\n`.repeat(2)],
  ])('without running out of stack: %s', (_what, s, text) => {
    expect(read(Buffer.from(text), s, noLimits)).toBeInstanceOf(WeirError);
  });

  it('without running out of stack when it is served', () => {
    const body = `# TYPE a summary\na_sum{x="${'v'.repeat(9_000_000)}"} 1\n`;
    const exposition = read(Buffer.from(body), 'text', noLimits) as Exposition;
    for (const format of ['text', 'openmetrics'] as const) {
      expect(renderPage([{ exposition }], format).length).toBeGreaterThan(9_000_000);
    }
  });

  it('and a bound that is missing is looked for in its own line only', () => {
    // Enough lines that memory lies behind the last one which no line was ever written to.
    const lines = Array.from({ length: 3000 }, (_, n) => `pad_${n}_${'x'.repeat(100)} 1\n`).join('');
    const result = read(Buffer.from(`${lines}# TYPE a histogram\na_bucket 1\n`), 'text');
    expect((result as WeirError).message).toBe('Line 3002: a histogram bucket needs the label "le".');
    const summary = read(Buffer.from(`${lines}# TYPE a summary\na 1\n`), 'text');
    expect(seriesCount(summary as Exposition)).toBe(3001);
  });
});

/** Different label names with the same FNV-1a hash: pairs that collide from the same state, in every combination. */
function oneHash(many: number): string[] {
  let names = ['l'];
  while (names.length < many) {
    const pair = collidingFrom(fnv(names[0]!));
    names = names.flatMap((name) => pair.map((end) => name + end));
  }
  return names.slice(0, many);
}

function collidingFrom(state: number): [string, string] {
  // By the lower bits of a hash, the last number whose text had it.
  const seen = new Int32Array(1 << 20);
  const hashes = new Int32Array(1 << 20);
  for (let n = 1; ; n++) {
    const hash = hashOfEnd(n, state);
    const at = hash & (seen.length - 1);
    if (seen[at] !== 0 && hashes[at] === hash) return [endOf(seen[at]!), endOf(n)];
    seen[at] = n;
    hashes[at] = hash;
  }
}

/** Scattered: short texts that are alike hardly ever collide. */
const letterOf = (n: number, place: number): number => 97 + ((Math.imul(n, 2_654_435_761) >>> (place * 4)) & 15);
const places = [7, 6, 5, 4, 3, 2, 1, 0];
const endOf = (n: number): string => String.fromCharCode(...places.map((place) => letterOf(n, place)));

function hashOfEnd(n: number, state: number): number {
  let hash = state;
  for (let place = 7; place >= 0; place--) hash = Math.imul(hash ^ letterOf(n, place), 16777619);
  return hash;
}

function fnv(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
  return hash;
}
