import type { MetricsEndpoint } from '../domain/endpoint.js';
import { type LimitsAt, ownerOf } from '../domain/endpoint-limits.js';
import { printable } from '../domain/ids.js';
import { type LimitOwner, type Limits, limitSentence, metricLimitSentence } from '../domain/limits.js';
import type { Steps } from '../domain/turns.js';
import { change, type KnownSeries, type Metadata, notThere, type SeriesBatch } from '../formats/series-batch.js';
import type { SeriesTable } from '../storage/live/series-table.js';
import { type RefusalReason, refusalReasons } from '../storage/refusals.js';
import type { LiveWrite } from '../storage/store.js';
import { endBuckets } from './ended-buckets.js';
import { cutHelp, isMetricName, refusalOf } from './new-series.js';

/** What became of a batch: points are what is taken or refused as one. */
export interface Taken {
  readonly samples: number;
  /** Samples that came as native histograms; not among the others. */
  readonly histograms: number;
  readonly refusedPoints: number;
  readonly refusedSamples: number;
  /** Which points of the batch were refused; only of one that was taken by itself, and where there are some. */
  readonly refused?: readonly number[] | undefined;
  /** Why the first of them was refused. */
  readonly reason: string | undefined;
}

/** In the place of a sentence that nobody will read. */
const alreadySaid = 'as before';

/** Samples from further ahead would hide those that come after them, and so would markers (Prometheus' own bound). */
const mostAheadMs = 10 * 60_000;

/**
 * Takes a batch into the live series of an endpoint, point by point. Series that are known are always updated; new ones
 * are checked, and refused at the limit of project or endpoint. What is older than what is there, or than the lifetime, changes
 * nothing and counts as taken.
 */
export function takeBatch(
  batch: SeriesBatch,
  write: LiveWrite,
  { lifetimeMs }: MetricsEndpoint,
  limits: LimitsAt,
): Taken {
  const { table, record, now, refuse } = write;
  describe(batch.metadata, { table, record }, limits);
  const points = batch.points?.length ? batch.points.length - 1 : batch.series;
  const oldest = lifetimeMs === 0 ? Number.NEGATIVE_INFINITY : now - lifetimeMs;
  const found: number[] = [];
  let samples = 0;
  let histograms = 0;
  let refused: number[] | undefined;
  let refusedSamples = 0;
  let reason: string | undefined;
  let rooms: Room[] | undefined;
  let bucketsEnded: number[] | undefined;
  const refusals: Partial<Record<RefusalReason, number>> = {};
  for (let point = 0; point < points; point++) {
    const from = batch.points === undefined ? point : batch.points[point]!;
    const to = batch.points === undefined ? point + 1 : batch.points[point + 1]!;
    let refusal: string | undefined;
    let why: RefusalReason = 'invalid';
    let fresh = 0;
    for (let index = from; index < to && refusal === undefined; index++) {
      const series = numberOf(batch, index, table);
      found[index - from] = series;
      if (series === -1) refusal = refusalOf(batch, index, limits);
      if (batch.times[index]! > now + mostAheadMs) refusal ??= 'a sample is from more than 10 minutes ahead';
      if (hasValue(batch, index)) {
        // What is older than the lifetime makes no series live, and so needs no room.
        if (batch.times[index]! > oldest && (series === -1 || !table.isLiving(series))) fresh++;
        if (batch.changes[index] === change.add && series !== -1 && table.isLiving(series)) {
          if (batch.starts[index]! < table.times[series]! || batch.times[index]! <= table.times[series]!) {
            refusal ??= 'a delta overlaps the one before it, or comes after its successor';
          }
        }
      }
    }
    if (fresh > 0 && refusal === undefined && limits.series_per_metric > 0) {
      refusal = overMetricLimit(batch, { from, to, oldest }, { table, found }, limits);
      if (refusal !== undefined) why = 'series_per_metric';
    }
    if (fresh > 0 && refusal === undefined) {
      rooms ??= roomsOf(limits, write);
      const full = fullOne(rooms, fresh);
      if (full === undefined) for (const room of rooms) room.left -= fresh;
      else {
        why = 'series';
        const { of, max, left } = full;
        refusal = reason === undefined ? limitSentence('series', max, max - left + fresh, { of }) : alreadySaid;
      }
    }
    if (refusal !== undefined) {
      refusals[why] = (refusals[why] ?? 0) + to - from;
      refused ??= [];
      refused.push(point);
      for (let index = from; index < to; index++) refusedSamples += batch.samples[index]!;
      reason ??= `${describeSeries(batch, from, table)}: ${refusal}`;
      continue;
    }
    for (let index = from; index < to; index++) {
      if (point >= batch.histogramsFrom) histograms += batch.samples[index]!;
      else samples += batch.samples[index]!;
      const kind = batch.changes[index]!;
      if (kind === change.none) continue;
      const time = batch.times[index]!;
      let series = found[index - from]!;
      if (kind === change.end) {
        if (series !== -1 && time >= table.times[series]!) record.end(series, time);
        continue;
      }
      if (kind === change.endBuckets) {
        bucketsEnded ??= [];
        bucketsEnded.push(index);
        continue;
      }
      if (time <= oldest) continue;
      // It may stand in the batch twice.
      if (series === -1) series = table.find(batch, index);
      if (series === -1) series = table.add(batch, index);
      if (kind === change.add || kind === change.grow) {
        const before = table.isLiving(series) ? table.values[series]! : 0;
        record.set(series, before + batch.values[index]!, Math.max(time, table.times[series]!), now);
      } else if (time >= table.times[series]!) record.set(series, batch.values[index]!, time, now);
    }
  }
  if (bucketsEnded !== undefined) endBuckets(batch, bucketsEnded, write);
  for (const why of refusalReasons) if (refusals[why] !== undefined) refuse(why, refusals[why]);
  return { samples, histograms, refusedPoints: refused?.length ?? 0, refusedSamples, refused, reason };
}

function fullOne(rooms: readonly Room[], fresh: number): Room | undefined {
  for (const room of rooms) if (fresh > room.left) return room;
  return undefined;
}

/** The series, or -1: as it was found when the request was read, as far as that holds. */
function numberOf(batch: SeriesBatch, index: number, table: SeriesTable): number {
  const number = batch.numbers[index]!;
  if (number >= 0) return number;
  return number === notThere && table.count === batch.knownCount ? -1 : table.find(batch, index);
}

/** Looks the series of a batch up, before their turn to be taken: at a limit that is the most of the work. */
export function* lookUp(batch: SeriesBatch, known: KnownSeries): Steps<void> {
  batch.knownCount = known.count;
  for (let index = 0; index < batch.series; index++) {
    if (index % seriesAStep === 0) yield;
    batch.lookUp(index, known);
  }
}

const seriesAStep = 64;

/** How many more series there may be. */
interface Room {
  readonly of: LimitOwner;
  readonly max: number;
  left: number;
}

function roomsOf({ series, own }: LimitsAt, { projectSeries, endpointSeries }: LiveWrite): Room[] {
  const rooms: Room[] = [];
  if (own?.series !== undefined) rooms.push({ of: 'endpoint', max: own.series, left: own.series - endpointSeries() });
  if (series > 0) rooms.push({ of: 'project', max: series, left: series - projectSeries() });
  return rooms;
}

/** Whether a series lives afterwards. */
const hasValue = ({ changes }: SeriesBatch, index: number): boolean => changes[index]! >= change.set;

/** Why the point may not be taken, if one of its metrics would have too many series. */
function overMetricLimit(
  batch: SeriesBatch,
  { from, to, oldest }: { from: number; to: number; oldest: number },
  { table, found }: { table: SeriesTable; found: readonly number[] },
  limits: LimitsAt,
): string | undefined {
  const { series_per_metric: max } = limits;
  const fresh = new Map<string, number>();
  for (let index = from; index < to; index++) {
    const series = found[index - from]!;
    if (!hasValue(batch, index) || batch.times[index]! <= oldest) continue;
    if (series !== -1 && table.isLiving(series)) continue;
    const name = series === -1 ? batch.nameOf(index) : table.nameOf(series);
    const count = (fresh.get(name) ?? 0) + 1;
    const living = series === -1 ? table.livingOfMetric(batch, index) : table.livingBeside(series);
    if (living + count > max) {
      return metricLimitSentence(name, max, living + count, ownerOf(limits, 'series_per_metric'));
    }
    fresh.set(name, count);
  }
  return undefined;
}

/** Notes what was said of metrics, as far as it is new. */
export function describe(
  said: readonly Metadata[],
  { table, record }: Pick<LiveWrite, 'table' | 'record'>,
  limits: Limits,
): void {
  for (const metadata of said) {
    if (isMetricName(metadata.name, limits) && table.describe(cutHelp(metadata, limits)))
      record.describe(metadata.name);
  }
}

/** A series for a sentence. */
function describeSeries(batch: SeriesBatch, index: number, table: SeriesTable): string {
  const number = batch.numbers[index]!;
  const isUnread = batch.first[index] === batch.first[index + 1];
  const name = isUnread ? table.nameOf(number) : batch.nameOf(index);
  const labels = isUnread ? table.labelsOf(number) : batch.labelsOf(index);
  const said = labels.slice(0, 8).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return printable(`${name}{${said.join(',')}}`, 200);
}
