import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { atOnce, type Steps } from '../../src/domain/turns.js';
import { convertSteps } from '../../src/formats/otlp/convert.js';
import { otlpJsonSteps } from '../../src/formats/otlp/json.js';
import { otlpProtobufSteps } from '../../src/formats/otlp/protobuf.js';
import type { OtlpSink } from '../../src/formats/otlp/request.js';
import { RoutingConverter } from '../../src/formats/otlp/routes.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { bombs, empty, exportOfPoints, kinds } from '../support/otlp-bombs.js';
import { nobody } from '../support/otlp-request.js';
import { field, repeated } from '../support/protobuf.js';

const options = { strategy: 'UnderscoreEscapingWithSuffixes', promoted: [], ours: '', now: 1 } as const;

const converted = (body: Buffer): { reason: string | undefined; refused: number; series: number } => {
  const batch = new SeriesBatch();
  const outcome = atOnce(convertSteps((sink) => otlpProtobufSteps(body, sink), batch, options));
  return { ...outcome, series: batch.series };
};

/** What a reader refuses the body with. */
function refusal(read: Steps<unknown>): string {
  try {
    atOnce(read);
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid') return error.message;
    throw error;
  }
  return 'taken';
}

const run = promisify(execFile);

describe('an export of OTLP', () => {
  it('of 32 MiB is read or refused with 100 MB of memory, whatever stands in it', async () => {
    const program = fileURLToPath(new URL('../support/otlp-bombs-process.ts', import.meta.url));
    // The bodies are not in its heap.
    const { stdout } = await run(process.execPath, ['--max-old-space-size=100', '--import', 'tsx', program]);
    expect(stdout.trim().split('\n')).toEqual(bombs.map(([, answer]) => expect.stringMatching(answer)));
  }, 60_000);

  it('has its points read one by one, up to the most that one request may have; the rest is counted', () => {
    expect(converted(exportOfPoints('sum', empty(1, 200_000)))).toMatchObject({ refused: 0, series: 200_000 });
    expect(converted(exportOfPoints('sum', empty(1, 300_000)))).toEqual({
      refused: 100_000,
      series: 200_000,
      reason: 'a point of the metric "m" is beyond the 200000 points that one request may have: send less at once',
    });
  });

  it('has no more different texts in its labels than one request may have', () => {
    const attribute = (value: string): Buffer => field(7, field(1, value), field(2, field(1, `${value}=`)));
    const point = (from: number): Buffer =>
      field(1, ...Array.from({ length: 2000 }, (_, i) => attribute((from * 2000 + i).toString(36))));
    const { refused, reason } = converted(
      exportOfPoints('gauge', Buffer.concat(Array.from({ length: 130 }, (_, i) => point(i)))),
    );
    expect(reason).toContain('is beyond the 500000 different names and values');
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(10);
  });

  it('has 128 MiB of labels, each counted with every series that has it', () => {
    const attribute = field(7, field(1, 'a'), field(2, field(1, 'x'.repeat(2 ** 20))));
    const outcome = (points: number) => converted(exportOfPoints('gauge', repeated(field(1, attribute), points)));
    expect(outcome(127)).toMatchObject({ refused: 0, series: 127 });
    expect(outcome(130)).toMatchObject({
      refused: 3,
      series: 127,
      reason: expect.stringContaining(
        'is beyond the 134217728 bytes that the labels of all series of one request may have',
      ),
    });
  });

  it('is read in both encodings with as many attributes, of a resource, a point and within their values', () => {
    const json = (attributes: unknown[], of: 'resource' | 'point'): Buffer => {
      const dataPoints = of === 'point' ? [{ attributes }] : [];
      const scopeMetrics = [{ metrics: [{ name: 'm', gauge: { dataPoints } }] }];
      const resource = of === 'resource' ? { attributes } : {};
      return Buffer.from(JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics }] }));
    };
    const list = (length: number): unknown[] => [
      { key: 'a', value: { arrayValue: { values: Array.from({ length: length - 1 }, () => ({})) } } },
    ];
    const plain = (length: number): unknown[] => Array.from({ length }, () => ({}));
    const read: [name: string, read: (length: number, sink: OtlpSink) => Steps<void>][] = [
      ['point', (length, sink) => otlpProtobufSteps(exportOfPoints('gauge', field(1, empty(7, length))), sink)],
      ['resource', (length, sink) => otlpProtobufSteps(field(1, field(1, empty(1, length))), sink)],
      [
        'list',
        (length, sink) => {
          const attribute = field(1, field(1, 'a'), field(2, field(5, empty(1, length - 1))));
          return otlpProtobufSteps(field(1, field(1, attribute)), sink);
        },
      ],
      ['point, JSON', (length, sink) => otlpJsonSteps(json(plain(length), 'point'), sink)],
      ['resource, JSON', (length, sink) => otlpJsonSteps(json(plain(length), 'resource'), sink)],
      ['list, JSON', (length, sink) => otlpJsonSteps(json(list(length), 'resource'), sink)],
    ];
    for (const [name, steps] of read) {
      expect([name, refusal(steps(4096, nobody))]).toEqual([name, 'taken']);
      expect([name, refusal(steps(4097, nobody))]).toEqual([name, expect.stringContaining('more than 4096')]);
    }
  });

  it('has no message of more fields than are read in one go, known or not', () => {
    for (const unknown of [0x40, 0x78]) {
      const fields = (count: number): Buffer => field(1, repeated(Buffer.from([unknown, 0]), count));
      expect(refusal(otlpProtobufSteps(exportOfPoints('gauge', fields(65_536)), nobody))).toBe('taken');
      expect(refusal(otlpProtobufSteps(exportOfPoints('gauge', fields(65_537)), nobody))).toMatch(
        /more than 65536 fields/,
      );
    }
  });

  it('has no attribute of more fields than are read in one go', () => {
    const point = (count: number): Buffer => field(1, field(7, repeated(Buffer.from([0x40, 0]), count)));
    expect(refusal(otlpProtobufSteps(exportOfPoints('gauge', point(64)), nobody))).toBe('taken');
    expect(refusal(otlpProtobufSteps(exportOfPoints('gauge', point(65)), nobody))).toMatch(/more than 64 fields/);
  });

  it('for all customers is for no more endpoints than one request may be', () => {
    const resource = (i: number): Buffer => {
      const attribute = field(1, field(1, 'p'), field(2, field(1, `p${i}`)));
      return field(1, field(1, attribute), field(2, field(2, field(1, 'm'), field(kinds.gauge, field(1)))));
    };
    const read = (count: number) => {
      const converter = new RoutingConverter({ project: 'p', endpoint: 'e' }, options);
      const body = Buffer.concat(Array.from({ length: count }, (_, i) => resource(i)));
      const message = refusal(otlpProtobufSteps(body, converter));
      return { message, parts: converter.end().parts.length };
    };
    expect(read(10_000)).toEqual({ message: 'taken', parts: 10_000 });
    expect(read(10_001).message).toBe('The request is for more than 10000 endpoints; send less at once.');
  });
});
