import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Labels, merged } from '../../src/formats/otlp/labels.js';
import { labelName } from '../../src/formats/otlp/names.js';
import type { Attribute, Attributes } from '../../src/formats/otlp/request.js';

const ours = 'instance_id';
/** Few, so that they clash: as they are, as names, and with what is left out. */
const key = fc.constantFrom('a', 'b', 'c.d', 'c_d', 'c-d', '1', 'key_1', '', '__name__', 'instance.id', ours, 'é');
const attribute: fc.Arbitrary<Attribute> = fc.tuple(key, fc.string({ maxLength: 3 }));
const few = fc.array(attribute, { maxLength: 6 });
/** Of other keys, more than are compared one with the other. */
const many = fc.array(fc.tuple(fc.string({ maxLength: 2 }), fc.string({ maxLength: 1 })), {
  minLength: 17,
  maxLength: 30,
});
const attributes: fc.Arbitrary<Attributes> = fc.oneof(
  few,
  many,
  fc.tuple(few, many).map(([a, b]) => [...a, ...b]),
);

/** The same without a care for what it costs. */
function plainLabels(from: Attributes): [string, string][] {
  const names = from.map(([each]) => labelName(each)).filter((name) => !['', ours, '__name__'].includes(name));
  return [...new Set(names)].map((name) => {
    const same = from.filter(([each]) => labelName(each) === name);
    const inOrder = same.map((pair, i) => ({ pair, i }));
    inOrder.sort((a, b) => (a.pair[0] === b.pair[0] ? a.i - b.i : a.pair[0] < b.pair[0] ? -1 : 1));
    return [name, inOrder.map(({ pair }) => pair[1]).join(';')];
  });
}

describe('labels of attributes', () => {
  it('have names of Prometheus, and the values of all keys that become one name, point after point', () => {
    fc.assert(
      fc.property(fc.array(attributes, { maxLength: 5 }), (points) => {
        const labels = new Labels(ours);
        for (const point of points) expect(labels.of(point)).toEqual(plainLabels(point));
      }),
      { numRuns: 2000 },
    );
  });

  it('are those of both lists, of the first where both have one', () => {
    const own = (from: Attributes): Attributes => plainLabels(from);
    fc.assert(
      fc.property(attributes.map(own), attributes.map(own), (first, second) => {
        const added = second.filter(([name]) => !first.some(([other]) => other === name));
        expect(merged(first, second)).toEqual([...first, ...added]);
      }),
    );
  });

  it('change nothing of what they were made of', () => {
    fc.assert(
      fc.property(attributes, attributes, (first, second) => {
        const before = JSON.stringify([first, second]);
        const labels = new Labels(ours);
        merged(labels.of(first), labels.of(second));
        expect(JSON.stringify([first, second])).toBe(before);
      }),
    );
  });
});
