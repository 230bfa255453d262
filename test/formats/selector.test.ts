import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { compileRegex, compileSimpleRegex } from '../../src/formats/regex.js';
import { parseSelector, selects } from '../../src/formats/selector.js';

type Labels = Readonly<Record<string, string>>;
const over = (labels: Labels) => (name: string) => labels[name] ?? '';
const series: Labels = { __name__: 'up', job: 'app', path: '/a"b\\c\n', empty: '' };

describe('a selector', () => {
  it.each([
    'up',
    '{__name__="up"}',
    ' up { job = "app" , } ',
    'up{job!="other",gone=""}',
    "up{job='app'}",
    'up{job=`app`}',
    'up{path="/a\\"b\\\\c\\n"}',
    'up{path="\\x2fa\\u0022b\\\\c\\U0000000a"}',
    '{job=~"a.."}',
    '{job=~"app|other"}',
    '{job=~"(?i)APP"}',
    '{job=~`\\w+`}',
    '{job=~"\\w+"}',
    '{path=~"/a.*"}',
    '{job!~"ap"}',
    '{gone!~".+"}',
    '{gone=~""}',
    '{gone=~"x*"}',
    'job:up:rate5m{job="x"} ',
  ])('%j is read', (text) => {
    expect(parseSelector(text)(over({ ...series, 'job:up:rate5m': '' }))).toBe(!text.startsWith('job:'));
  });

  it.each([
    '',
    '{}',
    'up{',
    'up}',
    '{job}',
    '{job="app" path="x"}',
    '{,job="app"}',
    '{job=app}',
    '{job=="app"}',
    '{job="app}',
    '{job="a\n"}',
    '{9="x"}',
    '{a-b="x"}',
    'up[5m]',
    'up offset 5m',
    'up or down',
    'rate(up[5m])',
    '{job=~"("}',
    '{job=~"(?=a)"}',
    '{job=~"a{1001}"}',
    '{job=~"(a{100}){11}"}',
    '{job=~"((a?){30}){30}"}',
    `{job="${'x'.repeat(5000)}"}`,
  ])('%j is refused with a sentence', (text) => {
    expect(() => parseSelector(text)).toThrow(WeirError);
    expect(() => parseSelector(text)).toThrow(/is not a series selector|no regular expression that can be used here/);
  });

  it('is one that was written, whatever blanks and quotes are in it', () => {
    const value = fc.string({
      unit: fc.constantFrom('a', 'b', '"', "'", '`', '\\', '\n', '{', '}', ',', '=', 'é', '€'),
    });
    const name = fc.constantFrom('__name__', 'job', 'a', 'B_9');
    const blank = fc.constantFrom('', ' ', '\t ');
    const matcher = fc.record({ name, value, operator: fc.constantFrom('=', '!=') as fc.Arbitrary<'=' | '!='> });
    const labels = fc.dictionary(name, value, { maxKeys: 4 });
    const matchers = fc.array(matcher, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(matchers, labels, blank, fc.constantFrom('"', "'", '`'), (all, of, gap, quote) => {
        const written = all.map((each) => {
          const raw = quote === '`' && !each.value.includes('`');
          const mark = quote === '`' && !raw ? '"' : quote;
          const escaped = each.value.replace(/[\\"'\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
          return `${each.name}${gap}${each.operator}${gap}${mark}${raw ? each.value : escaped}${mark}`;
        });
        const expected = all.every((each) => ((of[each.name] ?? '') === each.value) === (each.operator === '='));
        expect(parseSelector(`${gap}{${gap}${written.join(`${gap},${gap}`)}${gap}}${gap}`)(over(of))).toBe(expected);
      }),
    );
  });

  it('of any text is read or refused, never anything else', () => {
    const piece = fc.constantFrom(
      'up',
      '{',
      '}',
      'a',
      '=',
      '!~',
      '=~',
      '"',
      "'",
      '`',
      '\\',
      ',',
      ' ',
      '(',
      '.*',
      '|',
      '[',
      '{9}',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 20 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          parseSelector(any)(over(series));
        } catch (error) {
          expect(error).toBeInstanceOf(WeirError);
        }
      }),
    );
  });

  it('several are a union, none are everything', () => {
    const passes = selects(['up{job="x"}', '{job="app"}']);
    expect([passes(over(series)), passes(over({ job: 'y' })), selects([])(over(series))]).toEqual([true, false, true]);
  });
});

describe('a regular expression', () => {
  it('is anchored at both ends, and fits what JavaScript says', () => {
    const atom = fc.constantFrom('a', 'b', '.', '\\.', '[ab]', '(a|b)', '(?:ab)');
    const piece = fc.tuple(atom, fc.constantFrom('', '*', '+', '?', '{2}')).map(([a, b]) => a + b);
    const source = fc
      .array(
        fc.array(piece, { maxLength: 4 }).map((all) => all.join('')),
        { minLength: 1, maxLength: 3 },
      )
      .map((all) => all.join('|'));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '\n'), maxLength: 6 });
    fc.assert(
      fc.property(source, text, (regex, of) => {
        expect(compileRegex(regex, 'f').fits(of)).toBe(new RegExp(`^(?:${regex})$`, 's').test(of));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes time that grows with the text, not faster', () => {
    const evil = compileRegex('(a|aa)+(a|aa)+(a|aa)+(a|aa)+b', 'f');
    expect(evil.fits('a'.repeat(2000))).toBe(false);
  });

  it('fills templates as Go does', () => {
    const regex = compileRegex('(?P<first>a+)-(b+)?', 'f');
    const templates = 'S1 S{1}x S1x Sfirst S{first}.S2 SS1 S S{ S{} S3 S01 xS{2}y'.replaceAll('S', '$').split(' ');
    const filled = 'aa aax  aa aa.b S1 S S{ S{}   xby'.replaceAll('S', '$').split(' ');
    expect(regex.expand('aa-b', templates)).toEqual(filled);
    expect(regex.expand('aa-', ['$2|'])).toEqual(['|']);
    expect(regex.expand('nope', ['$1'])).toBeUndefined();
  });

  it('is simple when it needs no machine', () => {
    for (const simple of ['', 'a|b', 'a.*|.+b', 'a\\.b', 'weir_.*']) compileSimpleRegex(simple, 'f');
    for (const other of ['a+', '(a)', '[a]', 'a?', '.', '\\d', '.*?', '^a$']) {
      expect(() => compileSimpleRegex(other, 'f')).toThrow('only letters');
    }
  });
});
