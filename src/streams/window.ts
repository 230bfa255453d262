import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { MetricKind } from '../domain/stream.js';
import type { FamilyType } from '../formats/family.js';

export type Labels = readonly (readonly [name: string, value: string])[];

/** One value of one series. Times are milliseconds since the epoch. */
export interface Point {
  /** The sample's name: `h_bucket` in the metric `h`. */
  readonly name: string;
  readonly labels: Labels;
  readonly time: number;
  readonly value: number;
  /** What only rises says what was added since `from`, but not when it is seen for the first time. */
  readonly delta?: number;
  readonly from?: number;
  /** When its counting began, as far as the gateway knows. */
  readonly start?: number;
}

export interface Metric {
  readonly name: string;
  readonly type: FamilyType;
  readonly help?: string;
  readonly points: readonly Point[];
}

/**
 * What a stream sends at once, in no destination's form. Whatever is made of it is the same each time, so that a
 * repetition overwrites what it repeats.
 */
export interface Window {
  readonly kind: MetricKind;
  readonly projectId: string;
  readonly from: number;
  readonly to: number;
  readonly metrics: readonly Metric[];
  /** Series that were in the window before and are not in this one. */
  readonly gone: readonly { readonly name: string; readonly labels: Labels }[];
}

export const pointCount = ({ metrics }: Window): number => metrics.reduce((sum, { points }) => sum + points.length, 0);

const [compress, inflate] = [promisify(gzip), promisify(gunzip)];

/** For the store. Level 1: a third larger than level 6, at half its price. */
export const pack = (value: unknown): Promise<Buffer> => compress(JSON.stringify(value), { level: 1 });
export const unpack = async <T>(packed: Buffer): Promise<T> => JSON.parse((await inflate(packed)).toString()) as T;

/** JSON has no word for what is not finite. */
export type PackedNumber = number | string;
export const packNumber = (value: number): PackedNumber => (Number.isFinite(value) ? value : String(value));

/** A point without the names of its fields, which would be most of it. */
type PackedPoint = readonly [
  name: string,
  labels: Labels,
  time: number,
  value: PackedNumber,
  delta?: PackedNumber | null,
  from?: number | null,
  start?: number | null,
];
type PackedWindow = Omit<Window, 'metrics'> & {
  readonly metrics: readonly (Omit<Metric, 'points'> & { readonly points: readonly PackedPoint[] })[];
};

const packPoint = ({ name, labels, time, value, delta, from, start }: Point): PackedPoint => {
  if (start === undefined && from === undefined && delta === undefined) return [name, labels, time, packNumber(value)];
  const added = delta === undefined ? null : packNumber(delta);
  return [name, labels, time, packNumber(value), added, from ?? null, start ?? null];
};

const unpackPoint = ([name, labels, time, value, delta, from, start]: PackedPoint): Point => ({
  name,
  labels,
  time,
  value: Number(value),
  ...(delta == null ? {} : { delta: Number(delta) }),
  ...(from == null ? {} : { from }),
  ...(start == null ? {} : { start }),
});

export function packWindow({ metrics, ...about }: Window): Promise<Buffer> {
  const packed: PackedWindow = {
    ...about,
    metrics: metrics.map(({ points, ...metric }) => ({ ...metric, points: points.map(packPoint) })),
  };
  return pack(packed);
}

export async function unpackWindow(bytes: Buffer): Promise<Window> {
  const { metrics, ...about } = await unpack<PackedWindow>(bytes);
  return {
    ...about,
    metrics: metrics.map(({ points, ...metric }) => ({ ...metric, points: points.map(unpackPoint) })),
  };
}

/** Whether the sample is one that only rises. */
export function isCumulative(type: FamilyType, family: string, sample: string): boolean {
  if (type === 'counter') return true;
  if (type === 'histogram') return sample !== family;
  return type === 'summary' && sample !== family;
}
