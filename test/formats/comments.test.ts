import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { defaultLimits, type Limits } from '../../src/domain/limits.js';
import { helpWithin } from '../../src/formats/help.js';
import { parseExposition, type Syntax } from '../../src/formats/parse.js';

const read = (body: string | Buffer, syntax: Syntax = 'text', limits: Partial<Limits> = {}) =>
  parseExposition(Buffer.isBuffer(body) ? body : Buffer.from(body), {
    syntax,
    labels: [['instance_id', 'db1']],
    limits: { ...defaultLimits, ...limits },
    reservedPrefix: 'weir_',
  });

/** What a comment line of the text format says, by the grammar as one would write it down: Prometheus text 0.0.4. */
function saidBy(line: string): string {
  const [, keyword, rest = ''] = /^#[ \t]*(TYPE|HELP)(?:[ \t]+(.*))?$/s.exec(line) ?? [];
  if (keyword === undefined) return 'nothing';
  const [, name, value = ''] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]+(.*))?$/s.exec(rest) ?? [];
  if (line.endsWith('\r') || name === undefined) return 'refused';
  if (keyword === 'HELP')
    return name === 'm'
      ? `help ${value.replaceAll('\\\\', '\0').replaceAll('\\n', '\n').replaceAll('\0', '\\')}`
      : 'nothing';
  const type = value.replace(/[ \t]*$/, '');
  if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(type)) return 'refused';
  return name === 'm' ? `type ${type}` : 'nothing';
}

describe('a comment of the text format', () => {
  it('says what the grammar says, whatever it looks like', () => {
    const piece = fc.constantFrom(
      ...['TYPE', 'HELP', 'UNIT', 'EOF', 'm', 'm2', 'M', ' ', '\t', '  ', 'gauge', 'untyped', '\\', '\\\\', '\\n', 'n'],
      ...['\r', 'é', '#', '"', '{', 'TYP', 'E', ':', '0'],
    );
    const said = fc
      .tuple(fc.constantFrom('#', '# ', '#\t', '# TYPE ', '# HELP ', '# HELP m ', '# TYPE m '), fc.array(piece))
      .map(([begin, pieces]) => begin + pieces.join(''));
    fc.assert(
      fc.property(said, fc.boolean(), (line, isLast) => {
        const expected = saidBy(line);
        const readLine = (): string => {
          // Behind the sample there may stand a help, too, but no type.
          const { header } = read(isLast ? `m_ 1\n${line}` : `${line}\nm 1\n`).families[0]!;
          if (header.help !== undefined) return `help ${header.help}`;
          return header.type === 'untyped' ? 'nothing' : `type ${header.type}`;
        };
        if (expected === 'refused') expect(readLine).toThrow(WeirError);
        else if (isLast) expect(readLine()).toBe('nothing');
        else expect(readLine()).toBe(expected === 'type untyped' ? 'nothing' : expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('that says nothing of a metric is read over, however many or long they are, and costs no text', () => {
    const body = Buffer.from(`${'#\n# some words\n#TYPEm gauge\n'.repeat(20_000)}# ${'x'.repeat(100_000)}\nm 1\n# end`);
    const texts = vi.spyOn(body, 'toString');
    expect(read(body).families.map(({ header }) => header.name)).toEqual(['m']);
    // The name of the metric, that is.
    expect(texts.mock.calls.length).toBeLessThan(5);
  });

  it('counts as a line of its own', () => {
    expect(() => read(`${'#\n'.repeat(99)}# ${'x'.repeat(40)}\nm one\n`)).toThrow('Line 101:');
  });
});

describe('a help text', () => {
  const helpOf = (raw: string, syntax: Syntax, value_length_bytes: number): string | undefined => {
    const body = `# HELP m ${raw}\nm 1\n${syntax === 'text' ? '' : '# EOF\n'}`;
    return read(body, syntax, { value_length_bytes }).families[0]!.header.help;
  };
  const escaped = (help: string, syntax: Syntax): string =>
    (syntax === 'text' ? help : help.replaceAll(/[\\"]/g, '\\$&')).replaceAll('\n', '\\n');

  it.each(['text', 'openmetrics'] as const)(
    'is as long as a label value at most, and ends with a whole character (%s)',
    (syntax) => {
      const help = fc.array(fc.constantFrom('a', 'é', '€', '😀', '\n', '"', ' '), { maxLength: 40 });
      fc.assert(
        fc.property(help, fc.nat(60), (characters, max) => {
          const text = `x${characters.join('')}`;
          const read = helpOf(escaped(text, syntax), syntax, max)!;
          const whole = Array.from(text);
          while (max > 0 && Buffer.byteLength(whole.join('')) > max) whole.pop();
          expect(read).toBe(whole.join(''));
          expect(helpWithin(text, max)).toBe(read);
        }),
      );
    },
  );

  it('is checked beyond what is kept of it', () => {
    expect(() => helpOf(`${'x'.repeat(100)}\\t`, 'openmetrics', 10)).toThrow('in a help text a backslash');
    expect(helpOf(`${'x'.repeat(100)}\\t`, 'text', 10)).toBe('x'.repeat(10));
  });

  it('of escapes alone costs what its bytes cost', () => {
    for (const syntax of ['text', 'openmetrics'] as const) {
      expect(helpOf('\\n'.repeat(2_000_000), syntax, 2048)).toBe('\n'.repeat(2048));
      expect(helpOf('\\n'.repeat(100_000), syntax, 0)).toBe('\n'.repeat(100_000));
    }
  });
});
