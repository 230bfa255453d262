import { field, repeated } from './protobuf.js';

export const kinds = { gauge: 5, sum: 7, histogram: 9, exponential: 10, summary: 11 };
const cumulative = Buffer.from([0x10, 2]);

/** An export of one metric with these points, and what else its kind wants. */
export const exportOfPoints = (kind: keyof typeof kinds, points: Buffer): Buffer =>
  field(1, field(2, field(2, field(1, 'm'), field(kinds[kind], points, kind === 'sum' ? cumulative : ''))));

/** Empty messages: two bytes each. */
export const empty = (number: number, count: number): Buffer => repeated(field(number), count);

const many = 16 * 1024 * 1024 - 64;

/** Exports of 32 MiB in which two bytes are an object, and what is said of each. */
export const bombs: readonly (readonly [body: () => Buffer, answer: RegExp])[] = [
  [() => exportOfPoints('gauge', empty(1, many)), /beyond the 200000 points/],
  [() => exportOfPoints('exponential', empty(1, many)), /no temporality/],
  [() => exportOfPoints('summary', empty(1, many)), /beyond the 200000 series/],
  [() => exportOfPoints('summary', field(1, empty(6, many - 16))), /a list of more than 16384 numbers/],
  [() => exportOfPoints('gauge', field(1, empty(7, many - 16))), /more than 4096 attributes/],
  [() => field(1, field(2, empty(2, many))), /more than 500000 resources, scopes and metrics/],
  [() => field(1, empty(2, many)), /more than 500000 resources, scopes and metrics/],
  [() => empty(1, many), /more than 500000 resources, scopes and metrics/],
  [() => field(1, field(1, empty(1, many))), /more than 4096 attributes/],
];
