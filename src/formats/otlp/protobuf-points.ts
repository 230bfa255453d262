import { type ProtoReader, wire } from '../proto-reader.js';
import type { Metric, Point } from './request.js';

/** Reads one field of a point into it. `attribute`: it is one, and not read yet. False: it is not known. */
type Read = (reader: ProtoReader, point: Point, field: number, type: number, end: number) => boolean | 'attribute';

const noValueFlag = 1;

const number: Read = (reader, point, field, type, end) => {
  if (field === 7 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.value = reader.double(end);
  else if (field === 6 && type === wire.fixed64) point.value = reader.sfixed64(end);
  else if (field === 8 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else return false;
  return true;
};

const histogram: Read = (reader, point, field, type, end) => {
  if (field === 9 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.count = reader.fixed64(end);
  else if (field === 5 && type === wire.fixed64) point.sum = reader.double(end);
  else if (field === 6) reader.fixed64s(point.bucketCounts, type, end);
  else if (field === 7) reader.doubles(point.bounds, type, end);
  else if (field === 10 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else return false;
  return true;
};

const exponential: Read = (reader, point, field, type, end) => {
  if (field === 1 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.count = reader.fixed64(end);
  else if (field === 5 && type === wire.fixed64) point.sum = reader.double(end);
  else if (field === 6 && type === wire.varint) point.scale = reader.sint32(end);
  else if (field === 7 && type === wire.fixed64) point.zeroCount = reader.fixed64(end);
  else if (field === 8 && type === wire.bytes) readBuckets(reader, point.positive, end);
  else if (field === 9 && type === wire.bytes) readBuckets(reader, point.negative, end);
  else if (field === 10 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else if (field === 14 && type === wire.fixed64) point.zeroThreshold = reader.double(end);
  else return false;
  return true;
};

function readBuckets(reader: ProtoReader, buckets: Point['positive'], outer: number): void {
  const end = reader.block(outer);
  while (reader.at < end) {
    reader.count();
    const tag = reader.varint(end);
    if (tag === 0x08) buckets.offset = reader.sint32(end);
    else if (Math.floor(tag / 8) === 2) reader.varints(buckets.counts, tag % 8, end);
    else reader.skip(tag < 8 ? reader.fail('a field without a number') : tag % 8, end);
  }
}

const summary: Read = (reader, point, field, type, end) => {
  if (field === 7 && type === wire.bytes) return 'attribute';
  if (field === 4 && type === wire.fixed64) point.count = reader.fixed64(end);
  else if (field === 5 && type === wire.fixed64) point.sum = reader.double(end);
  else if (field === 6 && type === wire.bytes) {
    const stop = reader.block(end);
    const pair: [number, number] = [0, 0];
    while (reader.at < stop) {
      reader.count();
      const tag = reader.varint(stop);
      if (tag === 0x09) pair[0] = reader.double(stop);
      else if (tag === 0x11) pair[1] = reader.double(stop);
      else reader.skip(tag < 8 ? reader.fail('a field without a number') : tag % 8, stop);
    }
    reader.countListed(point.quantiles);
    point.quantiles.push(pair);
  } else if (field === 8 && type === wire.varint) point.noValue = (reader.varint(end) & noValueFlag) !== 0;
  else return false;
  return true;
};

/** By kind of metric, what a field of its points says; of a kind that is not known as of numbers. */
export const pointReaders: Readonly<Record<Metric['kind'], Read>> = {
  gauge: number,
  sum: number,
  histogram,
  exponential,
  summary,
  none: number,
};
