import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { type Exposition, indexLines } from '../../src/formats/family.js';
import { repeatText } from '../../src/formats/parse/repeat.js';
import { Transcript } from '../../src/formats/parse/transcript.js';
import { parseExposition } from '../../src/formats/parse.js';

const parse = (body: string, previous?: Exposition): Exposition =>
  parseExposition(Buffer.from(body), {
    syntax: 'text',
    labels: [['instance_id', 'db1']],
    limits: { ...defaultLimits, value_length_bytes: 14 },
    reservedPrefix: 'weir_',
    previous,
  });

/** The canonical lines, or why there are none (but not on which line: it stands elsewhere alone). */
function outcome(body: string): string {
  try {
    return parse(body).bytes.toString();
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return `${error.code}: ${error.message.replace(/line \d+/i, '')}`;
  }
}

/** Of every length around a word of four bytes, with whatever could be taken for the end of a value. */
const value = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ', '{', '}', ',', '=', '\\\\', '\\"', '\\n', 'é'), maxLength: 9 }),
  fc.constantFrom('', 'abc', 'abcd', 'abcdefgh', '\\x', 'abc\\', 'too long for it', 'a"b', 'abc\n'),
);
const shape = fc.uniqueArray(fc.constantFrom('a', 'b', 'pod', 'zone_', 'long_label_name', 'instance_id'), {
  minLength: 1,
  maxLength: 4,
});
const set = (names: readonly string[], values: readonly string[]): string =>
  names.map((name, i) => `${name}="${values[i]}"`).join(',');

describe('a line that looks like the line before', () => {
  it('is read as if it stood alone', () => {
    const lines = shape.chain((names) =>
      fc.array(
        fc.record({
          name: fc.constantFrom('m', 'm', 'm', 'mm', 'mmmmm'),
          values: fc.array(value, { minLength: names.length, maxLength: names.length }),
          names: fc.oneof({ weight: 5, arbitrary: fc.constant(names) }, { weight: 1, arbitrary: shape }),
          close: fc.constantFrom('}', '}', '}', ',}', '} ', ''),
        }),
        { maxLength: 5 },
      ),
    );
    let whole = 0;
    fc.assert(
      fc.property(lines, (some) => {
        const texts = some.map(({ name, names, values, close }, i) => {
          return `${name}{n="${i}",${set(names, values)}${close} ${i}\n`;
        });
        const alone = texts.map(outcome);
        const together = outcome(texts.join(''));
        const firstFault = alone.find((text) => !text.startsWith('m'));
        if (firstFault !== undefined) expect(together).toBe(firstFault);
        else {
          whole++;
          // The lines of a family are gathered.
          expect(together.split('\n').sort()).toEqual(alone.join('').split('\n').sort());
        }
      }),
      { numRuns: 3000 },
    );
    expect(whole).toBeGreaterThan(300);
  });

  it('is found again when its labels are turned', () => {
    const good = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\\\\'), maxLength: 5 });
    fc.assert(
      fc.property(good, good, (x, y) => {
        const body = `m{x="1",y="1"} 1\nm{x="${x}",y="${y}"} 1\nm{y="${y}",x="${x}"} 1\n`;
        expect(() => parse(body)).toThrow('Line 3: the series');
      }),
      { numRuns: 500 },
    );
  });
});

describe('a body that repeats the one before', () => {
  const header = '# HELP h Some text.\n# TYPE h histogram\n';
  const bounds = ['0.5', '1', '10', '1e+06', '+Inf'];
  const histogram = (v: string): string =>
    `${header}${bounds.map((le) => `h_bucket{x="}",le="${le}"} ${v}\n`).join('')}h_sum{x="}"} ${v}\nh_count{x="}"} 1\n`;
  const bodies = (v: string): string[] => [
    histogram(v),
    `# TYPE s summary\ns{quantile="0"} ${v}\ns{quantile="1",x="le=1"} ${v}\ns_count 1\n`,
    `# HELP g é\\\\\\n\n# TYPE g untyped\ng{x="a,instance_id="} ${v}\ng ${v}\n`,
  ];
  const values = ['7', '-7.25', '.5', '5.', '1e3', '+1E-5', 'NaN', '+Inf', '-Inf', '123456789012345678901234567890'];

  const repeated = (body: string, previous: Exposition): Exposition | undefined =>
    repeatText(new Transcript(Buffer.from(body), defaultLimits), previous, Buffer.from('instance_id="db1"} '));

  it.each(values)('is known by it, with the value %s', (v) => {
    for (const [i, body] of bodies(v).entries()) {
      const previous = parse(bodies('1')[i]!);
      const now = repeated(body, previous)!;
      expect(now.families).toBe(previous.families);
      expect(now.bytes.toString()).toBe(parse(body).bytes.toString());
      expect([...now.lines]).toEqual([...indexLines(now.bytes, now.lines.length - 1)]);
    }
  });

  it('is read in full when it differs in more than its values', () => {
    for (const body of bodies('1')) {
      const previous = parse(body);
      for (let at = 0; at < body.length; at++) {
        const other = `${body.slice(0, at)}${body[at] === 'q' ? 'r' : 'q'}${body.slice(at + 1)}`;
        expect(repeated(other, previous), other).toBeUndefined();
        expect(repeated(body.slice(0, at), previous), body.slice(0, at)).toBeUndefined();
      }
      expect(repeated(`${body}q 1\n`, previous)).toBeUndefined();
    }
  });

  it('has the families of it as one object, when its series are new and when they come in OpenMetrics', () => {
    const previous = parse('# TYPE g gauge\ng{x="1"} 1\n');
    expect(parse('# TYPE g gauge\ng{x="2"} 1\n', previous).families).toBe(previous.families);
    expect(parse('# TYPE g counter\ng{x="1"} 1\n', previous).families).not.toBe(previous.families);
    expect(parse('# TYPE g gauge\ng{x="1"} 1\ng 2\n', previous).families).not.toBe(previous.families);
    const openMetrics = parseExposition(Buffer.from('# TYPE g gauge\ng{x="1"} 1\n# EOF\n'), {
      syntax: 'openmetrics',
      labels: [],
      limits: defaultLimits,
      reservedPrefix: 'weir_',
      previous,
    });
    expect(openMetrics.families).toBe(previous.families);
  });

  it('shares nothing with the body, nor with what was read before and after it', () => {
    const body = Buffer.from(histogram('1'));
    const options = {
      syntax: 'text' as const,
      labels: [['instance_id', 'db1']] as const,
      limits: defaultLimits,
      reservedPrefix: 'weir_',
    };
    const first = parseExposition(body, options);
    const second = parseExposition(body, { ...options, previous: first });
    const kept = first.bytes.toString();
    body.fill('x');
    parse(histogram('9'), parse(histogram('8')));
    expect([first.bytes.toString(), second.bytes.toString()]).toEqual([kept, kept]);
    expect(first.bytes.buffer.byteLength).toBe(first.bytes.length);
  });
});
