import { isUtf8 } from 'node:buffer';
import { reservedMetricPrefix } from '../domain/endpoint.js';
import { printable } from '../domain/ids.js';
import { type LimitName, type Limits, limitSentence } from '../domain/limits.js';
import { beginsLabelName, beginsMetricName, inLabelName, inMetricName, nameClass } from '../formats/characters.js';
import { helpWithin } from '../formats/help.js';
import type { Metadata, SeriesBatch } from '../formats/series-batch.js';
import { longestName } from '../storage/live/pair-table.js';

const reserved = Buffer.from(reservedMetricPrefix);

/**
 * Why a series that is not known may not become one; `undefined` when it may, and then its labels are sorted. Looks at bytes alone:
 * whoever is at a limit sends new series without end.
 */
export function refusalOf(batch: SeriesBatch, index: number, limits: Limits): string | undefined {
  const { bytes, ranges } = batch;
  const nameFrom = ranges[batch.first[index]! * 4 + 2]!;
  const nameTo = ranges[batch.first[index]! * 4 + 3]!;
  if (nameFrom === nameTo) return 'it has no metric name';
  if (!isName(bytes, nameFrom, nameTo, beginsMetricName, inMetricName)) return 'its metric name is not one';
  if (begins(bytes, nameFrom, nameTo, reserved)) {
    return `metric names beginning with "${reservedMetricPrefix}" are the gateway's own`;
  }
  const first = batch.first[index]! + 1;
  const count = batch.first[index + 1]! - first;
  const { labels_per_series, value_length_bytes } = limits;
  const tooLong = nameTooLong(nameTo - nameFrom, limits);
  if (tooLong !== undefined) return tooLong;
  if (labels_per_series > 0 && count > labels_per_series) return over('labels_per_series', limits, count);
  batch.sort(index);
  const repeated = batch.repeatedName(index);
  if (repeated !== -1) return `it has the label "${printable(batch.text(repeated, 'name'))}" twice`;
  for (let label = first; label < first + count; label++) {
    const labelFrom = ranges[label * 4]!;
    const labelTo = ranges[label * 4 + 1]!;
    if (!isName(bytes, labelFrom, labelTo, beginsLabelName, inLabelName)) {
      return `"${printable(batch.text(label, 'name'))}" is not a label name`;
    }
    const labelTooLong = nameTooLong(labelTo - labelFrom, limits);
    if (labelTooLong !== undefined) return labelTooLong;
    const valueFrom = ranges[label * 4 + 2]!;
    const valueTo = ranges[label * 4 + 3]!;
    const length = valueTo - valueFrom;
    if (value_length_bytes > 0 && length > value_length_bytes) return over('value_length_bytes', limits, length);
    if (!isAscii(bytes, valueFrom, valueTo) && !isUtf8(bytes.subarray(valueFrom, valueTo))) {
      return `the value of "${batch.text(label, 'name')}" is not UTF-8`;
    }
  }
  return undefined;
}

/** Whether something may be said of a metric of this name. */
export const isMetricName = (name: string, limits: Limits): boolean =>
  /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name) &&
  !name.startsWith(reservedMetricPrefix) &&
  nameTooLong(name.length, limits) === undefined;

/** What is said of a metric, within the limits. */
export function cutHelp(metadata: Metadata, { value_length_bytes: max }: Limits): Metadata {
  const help = helpWithin(metadata.help, max);
  const unit = max > 0 && Buffer.byteLength(metadata.unit) > max ? '' : metadata.unit;
  return help === metadata.help && unit === metadata.unit ? metadata : { ...metadata, help, unit };
}

function isName(bytes: Uint8Array, from: number, to: number, begins: number, continues: number): boolean {
  if (from === to || (nameClass[bytes[from]!]! & begins) === 0) return false;
  for (let i = from + 1; i < to; i++) if ((nameClass[bytes[i]!]! & continues) === 0) return false;
  return true;
}

function begins(bytes: Uint8Array, from: number, to: number, prefix: Uint8Array): boolean {
  if (to - from < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[from + i] !== prefix[i]) return false;
  return true;
}

function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i]! >= 0x80) return false;
  return true;
}

function nameTooLong(length: number, limits: Limits): string | undefined {
  const { name_length_bytes: max } = limits;
  if (max > 0 && length > max) return over('name_length_bytes', limits, length);
  return length > longestName ? `a name is longer than ${longestName} bytes` : undefined;
}

const over = (limit: LimitName, limits: Limits, actual: number): string => limitSentence(limit, limits[limit], actual);
