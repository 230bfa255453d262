import { instanceLabel } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';
import { type Limits, limitExceeded } from '../domain/limits.js';
import type { GroupKey } from '../storage/store.js';

/**
 * The grouping labels of a push URL, from the path segments after `…/metrics`: none, or `job`, `<job>` and more pairs,
 * still percent-encoded. A label name ending in `@base64` has its value in URL-safe base64, `=` alone for an empty one.
 * As in the Pushgateway's README, "URL".
 */
export function readGrouping(path: readonly string[], limits: Limits): GroupKey {
  const labels = new Map<string, string>();
  const segments = path.at(-1) === '' ? path.slice(0, -1) : path;
  if (segments.length % 2 === 1) throw refused('must be pairs of a label name and a value');
  for (let i = 0; i < segments.length; i += 2) {
    const [name, value] = readPair(segments[i]!, segments[i + 1]!);
    if (i === 0 && name !== 'job') throw refused('must begin with /job/<job>');
    if (i === 0 && value === '') throw refused('need a job that is not empty');
    checkName(name);
    if (labels.has(name)) throw refused(`name "${printable(name)}" twice`);
    const { name_length_bytes, value_length_bytes } = limits;
    checkLength('name_length_bytes', name_length_bytes, name);
    checkLength('value_length_bytes', value_length_bytes, value);
    labels.set(name, value);
  }
  if (limits.labels_per_series > 0 && labels.size > limits.labels_per_series) {
    throw limitExceeded('labels_per_series', limits.labels_per_series, labels.size);
  }
  const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  return { text: JSON.stringify(sorted), labels: sorted };
}

function readPair(nameSegment: string, valueSegment: string): [string, string] {
  const name = decode(nameSegment);
  const value = decode(valueSegment);
  if (!name.endsWith('@base64')) return [name, value];
  if (!/^[A-Za-z0-9_+/-]*={0,2}$/.test(value))
    throw refused(`have a value for "${printable(name)}" that is not base64`);
  const bytes = Buffer.from(value, 'base64url');
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes))
    throw refused(`have a value for "${printable(name)}" that is not UTF-8`);
  return [name.slice(0, -'@base64'.length), text];
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw refused(`have a malformed percent-escape in "${printable(segment)}"`);
  }
}

function checkName(name: string): void {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) throw refused(`have a label name "${printable(name)}" that is not one`);
  if (name.startsWith('__')) throw refused(`have a label name "${printable(name)}" that is reserved`);
  if (name === instanceLabel) throw refused(`must leave out "${instanceLabel}": the gateway sets it to the metricsId`);
}

function checkLength(limit: 'name_length_bytes' | 'value_length_bytes', max: number, text: string): void {
  const length = Buffer.byteLength(text);
  if (max > 0 && length > max) throw limitExceeded(limit, max, length);
}

const refused = (what: string): WeirError =>
  new WeirError(
    'invalid',
    `The grouping labels after "/metrics" ${what}; write /metrics/job/<job>{/<label>/<value>}.`,
    {
      field: 'path',
    },
  );
