import type { JsonValue } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { atOnce } from '../../src/domain/turns.js';
import { jsonWithinBounds } from '../../src/formats/otlp/json-bounds.js';
import { attribute, exportOf } from '../support/otlp.js';

function refusal(text: string | Buffer): string {
  try {
    atOnce(jsonWithinBounds(Buffer.from(text as string)));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid') return error.message;
    throw error;
  }
  return 'taken';
}

const word = (i: number): string => i.toString(36);
const listOf = (count: number, one: (i: number) => string): string =>
  `[${Array.from({ length: count }, (_, i) => one(i)).join(',')}]`;

/** One more than an earlier object has, of ten names: a tree in which each has ten children. */
function members(node: number): string {
  const parent = Math.floor((node - 1) / 10);
  return `${parent > 0 ? `${members(parent)},` : ''}"${node % 10}":{}`;
}

const tooManyShapes = /^The body has more than 1000 different lists of names in its objects\. Send protobuf/;

describe('JSON, before it becomes objects,', () => {
  const blanks = ' '.repeat(16_384);
  it.each<[what: string, of: (count: number) => string]>([
    ['each in an object of its own', (count) => listOf(count, (i) => `{"${word(i)}":1}`)],
    ['in one object', (count) => `{${listOf(count, (i) => `"${word(i)}":1`).slice(1, -1)}}`],
    ['behind one that is known', (count) => listOf(count - 1, (i) => `{"a":1,"${word(i)}":1}`)],
    ['with blanks before the colon', (count) => listOf(count, (i) => `{ "${word(i)}" \n\t:1}`)],
    ['with quotes and backslashes in them', (count) => listOf(count, (i) => `{"\\\\\\"${word(i)}\\\\":":"}`)],
    ['longer than is looked through in one go', (count) => listOf(count, (i) => `{"${'a'.repeat(300)}${word(i)}":1}`)],
    ['within objects', (count) => listOf(count, (i) => `{"0":[{"${word(i)}":{}}]}`)],
    ['of few names in ever new orders', (count) => listOf(count, (i) => `{${members(i + 1)}}`)],
  ])('has at most 1,000 lists of names: %s', (_, of) => {
    expect(refusal(of(800) + blanks)).toBe('taken');
    expect(refusal(of(1000) + blanks)).toBe('taken');
    expect(refusal(of(1001) + blanks)).toMatch(tooManyShapes);
  });

  it('may have any texts and any number of objects of one shape', () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.constantFrom('{"a":1}', '\\', '"', '":{', '[[', 'é:')), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(texts, fc.constantFrom(0, 1), (some, indent) => {
        const values = Array.from({ length: 3000 }, (_, i) => ({
          a: some[i % some.length],
          b: { c: `${i}` },
          d: some,
        }));
        const other = (count: number) => Array.from({ length: count }, (_, i) => ({ [`x${word(i)}`]: some }));
        const body = (count: number) => JSON.stringify([values, other(count), values.slice(0, 9)], null, indent);
        // "a", "b" and "d", and "c" within.
        expect(refusal(body(996))).toBe('taken');
        expect(refusal(body(997))).toMatch(tooManyShapes);
      }),
      { numRuns: 10 },
    );
  });

  it('has at most 250,000 objects and lists, and those in texts are none', () => {
    expect(refusal(listOf(249_999, () => '{}'))).toBe('taken');
    expect(refusal(listOf(249_999, () => '"[{"'))).toBe('taken');
    expect(refusal(listOf(250_000, () => '{}'))).toMatch(/^The body has more than 250000 objects and lists\. Send/);
  });

  it('has at most 750,000 commas between values, and those in texts are none', () => {
    expect(refusal(listOf(750_001, () => '1'))).toBe('taken');
    expect(refusal(listOf(750_001, () => '","'))).toBe('taken');
    expect(refusal(listOf(750_002, () => '1'))).toMatch(
      /^The body has more than 750000 commas between its values\. Send/,
    );
  });

  it.each<[what: string, buckets: number, keys: number]>([
    ['14 bounds and 6 attributes', 15, 6],
    ['30 bounds and 8 attributes', 31, 8],
  ])('may be a batch of 8,192 histograms of %s', (_, buckets, keys) => {
    const point = {
      attributes: Array.from({ length: keys }, (_, i) => attribute(`http.response.of.${i}`, 'shop.example.com')),
      startTimeUnixNano: '1767268500000000000',
      timeUnixNano: '1767268800000000000',
      count: '1200',
      sum: 12.5,
      bucketCounts: Array(buckets).fill('80'),
      explicitBounds: Array.from({ length: buckets - 1 }, (_, i) => i * 0.5),
      min: 0.001,
      max: 9.5,
    };
    const dataPoints: JsonValue[] = Array(8192).fill(point);
    const body = JSON.stringify(exportOf([{ name: 'h', histogram: { aggregationTemporality: 2, dataPoints } }]));
    expect(body.length).toBeLessThan(8 * 1024 * 1024);
    expect(refusal(body)).toBe('taken');
  });

  it('is looked through to its end whatever its bytes are', () => {
    for (const bytes of ['{"a":"', '"\\', '\\', '"', '}', ']', '}{', ',', ' ']) {
      expect([bytes, refusal(bytes.repeat(50_000))]).toEqual([bytes, 'taken']);
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 100, maxLength: 200 }), (bytes) => {
        expect(refusal(Buffer.concat(Array.from({ length: 200 }, () => bytes)))).toMatch(/^taken|more than/);
      }),
    );
  });
});
