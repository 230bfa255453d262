import type { Steps } from '../../domain/turns.js';
import type { Exposition, Family } from '../../formats/family.js';
import { claimedNames, openMetricsName } from '../../formats/openmetrics-rules.js';
import { seriesIdentity } from '../../formats/syntax.js';
import type { LiveExposition } from './exposition.js';

/**
 * Leaves out what a pushed group of the endpoint has as well: who pushes a group speaks for all of it. Only samples of
 * names that both have are looked at.
 */
export function* withoutPushed(live: LiveExposition, pushed: readonly Exposition[]): Steps<LiveExposition | undefined> {
  const names = new Set(pushed.flatMap(({ families }) => families.flatMap(sampleNames)));
  const shared = live.exposition.families.filter((family) => sampleNames(family).some((name) => names.has(name)));
  if (shared.length === 0) return live;
  const sharedNames = new Set(shared.flatMap(sampleNames));
  const taken = new Set<string>();
  for (const exposition of pushed) {
    for (const family of exposition.families) {
      if (!sampleNames(family).some((name) => sharedNames.has(name))) continue;
      for (let line = family.first; line < family.last; line++) {
        if ((taken.size & 0x3f) === 0) yield;
        taken.add(seriesIdentity(exposition.bytes, exposition.lines[line]!));
      }
    }
  }
  return yield* without(live, new Set(shared), taken);
}

const sampleNames = ({ header }: Family): string[] =>
  claimedNames(openMetricsName(header) ?? header.name, header.type).concat(header.name);

function* without(
  { exposition, times, oldest, newest }: LiveExposition,
  shared: ReadonlySet<Family>,
  taken: ReadonlySet<string>,
): Steps<LiveExposition | undefined> {
  const { bytes, lines } = exposition;
  const kept: number[] = [];
  const families: Family[] = [];
  for (const family of exposition.families) {
    const first = kept.length;
    for (let line = family.first; line < family.last; line++) {
      if ((line & 0x3f) === 0) yield;
      if (!shared.has(family) || !taken.has(seriesIdentity(bytes, lines[line]!))) kept.push(line);
    }
    if (kept.length > first) families.push({ ...family, first, last: kept.length });
  }
  if (kept.length === 0) return undefined;
  if (kept.length === times.length) return { exposition, times, oldest, newest };
  const starts = new Uint32Array(kept.length + 1);
  const chunks = kept.map((line, index) => {
    starts[index + 1] = starts[index]! + lines[line + 1]! - lines[line]!;
    return bytes.subarray(lines[line]!, lines[line + 1]!);
  });
  return {
    exposition: { families, bytes: Buffer.concat(chunks), lines: starts },
    times: Float64Array.from(kept, (line) => times[line]!),
    oldest,
    newest,
  };
}
