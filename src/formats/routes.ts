import { WeirError } from '../domain/errors.js';
import { SeriesBatch, saidTwice } from './series-batch.js';

/** The part of a batch that belongs to one endpoint of one project, by the names its series gave. */
export interface Part {
  /** Empty when the series do not say. */
  readonly project: string;
  readonly endpoint: string;
  /** Attributes of their OTLP resource; labels or tags unless said. */
  readonly namedBy?: 'attributes';
  readonly batch: SeriesBatch;
  /** What came for the endpoint and has no form here: native histograms, points of OTLP. They are not in the batch. */
  readonly unfit?: number;
}

/**
 * Sorts a batch that was read with routing labels by where its series belong, in the order they came. Names become text
 * once for each part: a series only compares bytes, first with the one before it, then with the one that came next the
 * last time. `unfit` says which series have native histograms without a form here, and how many.
 */
export function partsOf(batch: SeriesBatch, unfit: ReadonlyMap<number, number>): Part[] {
  const routes = batch.routes!;
  const parts: (Part & { unfit: number })[] = [];
  /** By part, where its names stand. */
  const places: number[] = [];
  const following: number[] = [];
  const byName = new Map<string, number>();
  let last = 0;
  const points = batch.points?.length ? batch.points.length - 1 : batch.series;
  for (let point = 0; point < points; point++) {
    const series = batch.points?.[point] ?? point;
    const at = series * 4;
    let part = last;
    if (!isSame(batch, at, places, part)) part = following[last] ?? 0;
    if (!isSame(batch, at, places, part)) {
      const [project, endpoint] = [textAt(batch.bytes, routes, at), textAt(batch.bytes, routes, at + 2)];
      const name = `${project}\n${endpoint}`;
      part = byName.get(name) ?? parts.length;
      if (part === parts.length) {
        checkPartRoom(part);
        byName.set(name, part);
        places.push(at);
        const own = new SeriesBatch(roomFor(batch.series - series, parts.length + 1));
        own.clear(batch.bytes);
        parts.push({ project, endpoint, batch: own, unfit: 0 });
      }
    }
    following[last] = part;
    last = part;
    adoptPoint(parts[part]!.batch, batch, point);
    // Each such series is a point of its own, before those that histograms became.
    if (unfit.size > 0) parts[part]!.unfit += unfit.get(series) ?? 0;
  }
  for (const part of parts) part.batch.points?.push(part.batch.series);
  return parts;
}

function adoptPoint(own: SeriesBatch, batch: SeriesBatch, point: number): void {
  if (batch.points === undefined) {
    own.adopt(batch, point);
    return;
  }
  own.points ??= [];
  if (point >= batch.histogramsFrom) own.histogramsFrom = Math.min(own.histogramsFrom, own.points.length);
  own.points.push(own.series);
  for (let series = batch.points[point]!; series < batch.points[point + 1]!; series++) own.adopt(batch, series);
}

/** As if what is left belonged to all parts alike; those that need more grow. */
const roomFor = (left: number, parts: number): number => Math.max(partRoom, Math.min(256, Math.ceil(left / parts)));

/** Of many customers, most have few series in one request. */
export const partRoom = 8;

/** Of one request: each takes two thousand bytes or more, whatever its series take. */
const mostParts = 10_000;

/** For one more than the `parts` there are; throws `invalid`. */
export function checkPartRoom(parts: number): void {
  if (parts < mostParts) return;
  throw new WeirError('invalid', `The request is for more than ${mostParts} endpoints; send less at once.`);
}

function isSame({ bytes, routes }: SeriesBatch, at: number, places: readonly number[], part: number): boolean {
  const other = places[part];
  if (other === undefined) return false;
  return isSameRange(bytes, routes!, at, other) && isSameRange(bytes, routes!, at + 2, other + 2);
}

function isSameRange(bytes: Uint8Array, routes: Uint32Array, a: number, b: number): boolean {
  const [from, to, other, otherTo] = [routes[a]!, routes[a + 1]!, routes[b]!, routes[b + 1]!];
  if (to - from !== otherTo - other || (to === saidTwice) !== (otherTo === saidTwice)) return false;
  for (let i = 0; i < to - from; i++) if (bytes[from + i] !== bytes[other + i]) return false;
  return true;
}

const textAt = (bytes: Uint8Array, routes: Uint32Array, at: number): string =>
  routes[at] === saidTwice ? '' : Buffer.from(bytes.subarray(routes[at]!, routes[at + 1]!)).toString('utf8');
