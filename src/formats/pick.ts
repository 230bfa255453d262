import type { Steps } from '../domain/turns.js';
import type { Exposition, Family } from './family.js';
import type { PagePart } from './page.js';
import type { LabelsOf } from './selector.js';
import { labelSetEnd, readLabels } from './syntax.js';

/** The lines of a part for which `keep` is true; the part itself when it is for all. Families without lines go. */
function* pickLines(part: PagePart, keep: (line: number) => boolean): Steps<PagePart> {
  const { exposition, times } = part;
  const families: Family[] = [];
  const kept: number[] = [];
  for (const family of exposition.families) {
    const first = kept.length;
    for (let line = family.first; line < family.last; line++) {
      if ((line & 0x3f) === 0) yield;
      if (keep(line)) kept.push(line);
    }
    if (kept.length > first) families.push({ ...family, first, last: kept.length });
  }
  if (kept.length === exposition.lines.length - 1) return part;
  const picked = { ...part, exposition: copyLines(exposition, kept, families) };
  return times === undefined ? picked : { ...picked, times: Float64Array.from(kept, (line) => times[line]!) };
}

function copyLines({ bytes, lines }: Exposition, kept: readonly number[], families: Family[]): Exposition {
  const starts = new Uint32Array(kept.length + 1);
  const chunks: Buffer[] = [];
  let length = 0;
  for (let index = 0; index < kept.length; ) {
    // Neighbours are copied together.
    const from = kept[index]!;
    let next = from;
    while (kept[index] === next) {
      starts[index++] = length + lines[next]! - lines[from]!;
      next++;
    }
    chunks.push(bytes.subarray(lines[from]!, lines[next]!));
    length += lines[next]! - lines[from]!;
  }
  starts[kept.length] = length;
  return { families, bytes: Buffer.concat(chunks, length), lines: starts };
}

/** The series of a part that a selector lets pass, each by itself: of a histogram that may be some buckets only. */
export function pickSeries(part: PagePart, selects: (label: LabelsOf) => boolean): Steps<PagePart> {
  const { bytes, lines } = part.exposition;
  return pickLines(part, (line) => {
    const start = lines[line]!;
    const brace = bytes.indexOf(0x7b, start);
    const name = bytes.toString('latin1', start, brace);
    let labels: Map<string, string> | undefined;
    return selects((label) => {
      if (label === '__name__') return name;
      labels ??= new Map(readLabels(bytes.toString('utf8', brace + 1, labelSetEnd(bytes, start) - 1)));
      return labels.get(label) ?? '';
    });
  });
}
