import type { Exposition, Family } from '../../formats/family.js';
import { escapeLabelValue } from '../../formats/syntax.js';
import { familiesOf, type LiveFamily } from './families.js';
import type { SeriesTable } from './series-table.js';

/** Live series at one moment, in the form of a push. */
export interface LiveExposition {
  readonly exposition: Exposition;
  /** By line, the time the producer gave; milliseconds. */
  readonly times: Float64Array;
  /** When the oldest and the newest of them came. */
  readonly oldest: number;
  readonly newest: number;
}

const families = new WeakMap<SeriesTable, { structure: number; list: readonly LiveFamily[] }>();

/** Which series stand where is found out again only when there are others. */
function familiesKept(table: SeriesTable): readonly LiveFamily[] {
  const kept = families.get(table);
  if (kept?.structure === table.structure) return kept.list;
  const list = familiesOf(table);
  families.set(table, { structure: table.structure, list });
  return list;
}

/** The series that came after `since`, each with the given labels of ours. `undefined` when there are none. */
export function liveExposition(
  table: SeriesTable,
  since: number,
  ours: readonly (readonly [string, string])[],
): LiveExposition | undefined {
  const { values, times, seen, pairs, ids, firsts } = table;
  const suffix = Buffer.from(ours.map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(','));
  const out: Family[] = [];
  const lines = new Uint32Array(table.living + 1);
  const lineTimes = new Float64Array(table.living);
  let bytes: Buffer = Buffer.allocUnsafeSlow(table.living * 160 + 1024);
  let at = 0;
  let line = 0;
  let oldest = Number.POSITIVE_INFINITY;
  let newest = 0;
  for (const { header, series, bounds } of familiesKept(table)) {
    const first = line;
    for (const each of series) {
      const came = seen[each]!;
      if (came <= since) continue;
      if (came < oldest) oldest = came;
      if (came > newest) newest = came;
      const end = firsts[each + 1]!;
      let length = suffix.length + 32;
      for (let i = firsts[each]!; i < end; i++) length += pairs.length(ids[i]!) + 12;
      if (at + length > bytes.length) bytes = larger(bytes, at, length);
      lines[line] = at;
      lineTimes[line++] = times[each]!;
      at = pairs.copy(ids[firsts[each]!]!, bytes, at);
      bytes[at++] = 0x7b;
      for (let i = firsts[each]! + 1; i < end; i++) {
        const id = ids[i]!;
        const spelled = bounds.size === 0 ? undefined : bounds.get(id);
        if (spelled === undefined) at = pairs.copy(id, bytes, at);
        else {
          bytes.set(spelled, at);
          at += spelled.length;
        }
        bytes[at++] = 0x2c;
      }
      bytes.set(suffix, at);
      at += suffix.length;
      bytes[at++] = 0x7d;
      bytes[at++] = 0x20;
      at += bytes.write(valueText(values[each]!), at, 'latin1');
      bytes[at++] = 0x0a;
    }
    if (line > first) out.push({ header, first, last: line, exemplars: false });
  }
  if (line === 0) return undefined;
  lines[line] = at;
  return {
    exposition: { families: out, bytes: bytes.subarray(0, at), lines: lines.subarray(0, line + 1) },
    times: lineTimes.subarray(0, line),
    oldest,
    newest,
  };
}

function larger(bytes: Buffer, used: number, needed: number): Buffer {
  const room = Buffer.allocUnsafeSlow(Math.ceil((used + needed) * 1.5));
  bytes.copy(room, 0, 0, used);
  return room;
}

/** As the formats spell it. */
function valueText(value: number): string {
  if (Number.isFinite(value)) {
    return value === 0 && Object.is(value, -0) ? '-0' : String(value);
  }
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
