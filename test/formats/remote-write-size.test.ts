import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { atOnce, type Steps } from '../../src/domain/turns.js';
import { fixedBounds } from '../../src/formats/otlp/exponential.js';
import { expandHistograms } from '../../src/formats/remote-write/native-histogram.js';
import { writeRequest1Steps } from '../../src/formats/remote-write/v1.js';
import { writeRequest2Steps } from '../../src/formats/remote-write/v2.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { field, repeated } from '../support/protobuf.js';
import type { Version } from '../support/remote-write.js';

const readers: Record<Version, (body: Buffer, batch: SeriesBatch, ours: Buffer) => Steps<unknown>> = {
  '1.0': writeRequest1Steps,
  '2.0': writeRequest2Steps,
};

/** What a request is refused with. */
function outcome(version: Version, ...body: Buffer[]): string {
  const batch = new SeriesBatch();
  try {
    atOnce(readers[version](Buffer.concat(body), batch, Buffer.from('instance_id')));
    atOnce(expandHistograms(batch, fixedBounds));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid') return error.message;
    throw error;
  }
  return 'taken';
}

const label = (name: string, value: string): Buffer => field(1, field(1, name), field(2, value));
const named = label('__name__', 'h');
const empty = (number: number, count: number): Buffer => repeated(field(number), count);
const symbols = Buffer.concat(['', '__name__', 'h', 'a'].map((each) => field(4, each)));
const series1 = (...content: Buffer[]): Buffer => field(1, named, ...content);
const series2 = (...content: Buffer[]): Buffer => field(5, field(1, Buffer.from([1, 2])), ...content);
/** References to a name and a value. */
const refs = (pairs: number): Buffer => field(1, repeated(Buffer.from([3, 2]), pairs));
const spans = (number: number, count: number): Buffer => field(4, empty(number, count));

describe('a remote write request is read up to, and refused beyond,', () => {
  /** Each of `count` of something. */
  const bodies: [what: string, version: Version, most: number, body: (count: number) => Buffer, says: string][] = [
    [
      'labels of a series',
      '1.0',
      4096,
      (n) => field(1, repeated(label('a', 'b'), n)),
      'more than 4096 labels of one series',
    ],
    ['labels without a name', '1.0', 4096, (n) => field(1, empty(1, n)), 'more than 4096 labels of one series'],
    [
      'labels of a series',
      '2.0',
      4096,
      (n) => Buffer.concat([symbols, field(5, refs(n))]),
      'more than 4096 labels of one series',
    ],
    ['spans', '1.0', 16_384, (n) => series1(spans(8, n)), 'a list of more than 16384 numbers'],
    ['spans of positive buckets', '1.0', 16_384, (n) => series1(spans(11, n)), 'a list of more than 16384 numbers'],
    ['samples of a series', '1.0', 65_536, (n) => series1(empty(2, n - 1)), 'more than 65536 fields of one message'],
    [
      'fields of a label',
      '1.0',
      64,
      (n) => field(1, field(1, repeated(Buffer.from([0x40, 0]), n))),
      'more than 64 fields of one small message',
    ],
    [
      'fields of a sample',
      '2.0',
      64,
      (n) => Buffer.concat([symbols, series2(field(2, repeated(Buffer.from([0x40, 0]), n)))]),
      'more than 64 fields of one small message',
    ],
    ['metric descriptions', '1.0', 100_000, (n) => empty(3, n), 'more than 100000 metric descriptions'],
    ['symbols', '2.0', 1_000_000, (n) => empty(4, n), 'more than 1000000 symbols'],
    ['series', '1.0', 1_000_000, (n) => empty(1, n), 'more than 1000000 series'],
    ['series', '2.0', 1_000_000, (n) => Buffer.concat([symbols, empty(5, n)]), 'more than 1000000 series'],
  ];
  it.each(bodies)('%s (%s): %i', (_, version, most, body, says) => {
    expect(outcome(version, body(most))).toBe('taken');
    expect(outcome(version, body(most + 1))).toContain(says);
  });

  it('four million labels', () => {
    const of1000 = field(5, refs(1000));
    // Each has its name, too.
    const count = Math.floor(4_000_000 / 1001);
    expect(outcome('2.0', symbols, repeated(of1000, count))).toBe('taken');
    expect(outcome('2.0', symbols, repeated(of1000, count + 1))).toContain('more than 4000000 labels');
  });

  it('a hundred thousand native histograms', () => {
    const of1000 = series1(empty(4, 1000));
    expect(outcome('1.0', repeated(of1000, 100), field(1))).toBe('taken');
    expect(outcome('1.0', repeated(of1000, 100), series1(empty(4, 1)))).toContain('more than 100000 native histograms');
  });

  it('128 MiB of labels, each counted with every series that has it', () => {
    const long = [symbols, field(4, 'x'.repeat(2 ** 20))];
    const series = field(5, field(1, Buffer.from([1, 2, 3, 4])));
    const says = 'more than 134217728 bytes of labels, each counted with every series that has it';
    expect(outcome('2.0', ...long, repeated(series, 127))).toBe('taken');
    expect(outcome('2.0', ...long, repeated(series, 128))).toContain(says);
  });

  it('128 MiB of labels of the classic histograms that a native one becomes', () => {
    const histogram = (size: number): Buffer => series1(label('a', 'x'.repeat(size)), field(4, field(1, '')));
    expect(outcome('1.0', histogram(2 ** 20))).toBe('taken');
    expect(outcome('1.0', histogram(2 ** 23))).toContain('or 134217728 bytes of them');
  });
});
