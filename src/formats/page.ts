import { atOnce, type Steps } from '../domain/turns.js';
import { type Exposition, type Family, type FamilyHeader, type FamilyType, familyBytes } from './family.js';
import { hasCreated } from './family-collector.js';
import type { PageFormat } from './negotiate.js';
import { claimedNames, isLegalMetric, metricKey, openMetricsName } from './openmetrics-rules.js';
import {
  escapeHelp,
  escapeOpenMetricsHelp,
  readLine,
  type SampleLine,
  sampleValue,
  secondsOf,
  valueEnd,
} from './syntax.js';

/** One group's share of a page. */
export interface PagePart {
  readonly exposition: Exposition;
  /** When given, every sample carries this time (milliseconds since the epoch). */
  readonly timestampMs?: number | undefined;
  /** In the place of `timestampMs`, a time for each line. */
  readonly times?: Float64Array | undefined;
}

/** The same family from every part that has it. */
interface Block {
  readonly header: FamilyHeader;
  readonly pieces: Piece[];
}

interface Piece {
  readonly part: PagePart;
  readonly family: Family;
}

/**
 * Merges the parts into one page, family by family in the order of their names. Lines that need no change are copied
 * as bytes; only what a format cannot carry is taken apart.
 */
export const renderPage = (parts: readonly PagePart[], format: PageFormat): Buffer => atOnce(pageSteps(parts, format));

/** The same in steps. */
export function* pageSteps(parts: readonly PagePart[], format: PageFormat): Steps<Buffer> {
  const blocks = gather(parts);
  const chunks: Buffer[] = [];
  const created = format === 'openmetrics' ? yield* degradeForOpenMetrics(blocks) : degradeForText(blocks);
  for (const name of [...blocks.keys()].sort()) {
    const block = blocks.get(name)!;
    chunks.push(Buffer.from(format === 'text' ? textHeader(block.header) : openMetricsHeader(block.header)));
    const createdBlock = created.get(block);
    const style = { format, exemplars: format === 'openmetrics' && mayCarryExemplars(block.header.type) };
    if (createdBlock === undefined) for (const piece of block.pieces) yield* pushLines(chunks, piece, style);
    else yield* pushMetrics(chunks, block, createdBlock, style);
  }
  if (format === 'openmetrics') chunks.push(Buffer.from('# EOF\n'));
  return Buffer.concat(chunks);
}

function gather(parts: readonly PagePart[]): Map<string, Block> {
  const blocks = new Map<string, Block>();
  const conflicting = new Set<string>();
  for (const part of parts) {
    for (const family of part.exposition.families) {
      const { header } = family;
      const block = blocks.get(header.name);
      if (block === undefined) blocks.set(header.name, { header, pieces: [{ part, family }] });
      else {
        block.pieces.push({ part, family });
        if (block.header.type !== header.type) conflicting.add(header.name);
      }
    }
  }
  for (const name of conflicting) degrade(blocks, name);
  return blocks;
}

/** Makes the family untyped; its samples go under their own names, where other samples of that name may be already. */
function degrade(blocks: Map<string, Block>, name: string): void {
  const { header, pieces } = blocks.get(name)!;
  blocks.delete(name);
  for (const piece of pieces) {
    for (const [sampleName, family] of splitBySampleName(piece)) {
      if (isCompound(blocks.get(sampleName)?.header.type ?? 'untyped')) degrade(blocks, sampleName);
      const help = blocks.get(sampleName)?.header.help ?? (sampleName === name ? header.help : undefined);
      const untyped: FamilyHeader = { name: sampleName, type: 'untyped', ...(help === undefined ? {} : { help }) };
      const beside = blocks.get(sampleName)?.pieces ?? [];
      beside.push({ ...piece, family });
      blocks.set(sampleName, { header: untyped, pieces: beside });
    }
  }
}

/** Ranges of lines with one sample name each. A name may come more than once: `h_sum` of every metric of `h`. */
function* splitBySampleName({ part, family }: Piece): Generator<[string, Family]> {
  const { exposition } = part;
  let first = family.first;
  let name = sampleNameAt(exposition, first);
  for (let line = first + 1; line <= family.last; line++) {
    const next = line < family.last ? sampleNameAt(exposition, line) : undefined;
    if (next === name) continue;
    yield [name, { ...family, first, last: line }];
    first = line;
    name = next!;
  }
}

function sampleNameAt({ bytes, lines }: Exposition, line: number): string {
  const start = lines[line]!;
  let end = start;
  while (bytes[end] !== 0x7b) end++;
  return bytes.toString('latin1', start, end);
}

type Created = ReadonlyMap<Block, Block>;

/** Text 0.0.4 has no name for a gauge histogram, and Go's parser of it refuses families that share sample names. */
function degradeForText(blocks: Map<string, Block>): Created {
  for (const [name, { header }] of [...blocks]) {
    if (header.type === 'gaugehistogram' || sharesNames(header, blocks)) degrade(blocks, name);
  }
  return new Map();
}

/** It takes `h_count` for a part of a histogram or summary `h`, even where that is declared by itself. */
function sharesNames({ name, type }: FamilyHeader, blocks: ReadonlyMap<string, Block>): boolean {
  if (type !== 'histogram' && type !== 'summary') return false;
  return claimedNames(name, type).some(
    (claimed) => claimed !== name && claimed !== `${name}_created` && blocks.has(claimed),
  );
}

/**
 * Degrades what OpenMetrics forbids. Gives the families whose `_created` samples, separate in the text format, go into
 * their metrics.
 */
function* degradeForOpenMetrics(blocks: Map<string, Block>): Steps<Created> {
  for (const [name, block] of [...blocks]) if (!(yield* isLegal(block))) degrade(blocks, name);
  const claims = new Map<string, Block[]>();
  for (const block of blocks.values()) {
    for (const name of claimedNames(openMetricsName(block.header)!, block.header.type)) {
      claims.set(name, [...(claims.get(name) ?? []), block]);
    }
  }
  const created = new Map<Block, Block>();
  const clashing = new Set<Block>();
  for (const [name, claimants] of claims) {
    if (claimants.length < 2) continue;
    const pair = yield* createdPair(name, claimants);
    if (pair !== undefined) created.set(...pair);
    else for (const block of claimants) if (isCompound(block.header.type)) clashing.add(block);
  }
  for (const block of clashing) {
    created.delete(block);
    if (blocks.get(block.header.name) === block) degrade(blocks, block.header.name);
  }
  for (const block of created.values()) blocks.delete(block.header.name);
  return created;
}

const isCompound = (type: FamilyType): boolean => type !== 'gauge' && type !== 'untyped' && type !== 'stateset';

function* isLegal({ header, pieces }: Block): Steps<boolean> {
  const base = openMetricsName(header);
  if (base === undefined) return false;
  const { type } = header;
  if (type === 'gauge' || type === 'untyped') return true;
  const finished = new Set<string>();
  for (const piece of pieces) {
    if (type === 'counter') {
      if (!(yield* hasOnlyCounts(piece))) return false;
      continue;
    }
    for (const [key, lines] of metricsOf(piece, header)) {
      if ((finished.size & 0xf) === 0) yield;
      // The samples of one metric must stand together.
      if (finished.has(key) || !isLegalMetric(base, type, lines)) return false;
      finished.add(key);
    }
  }
  return true;
}

/** Neither negative nor NaN, by a look at the first character of each value: this runs over every counter. */
function* hasOnlyCounts({ part, family }: Piece): Steps<boolean> {
  const { bytes, lines } = part.exposition;
  for (let line = family.first; line < family.last; line++) {
    if ((line & 0xff) === 0) yield;
    const end = family.exemplars ? valueEnd(bytes, lines[line]!) : lines[line + 1]! - 1;
    let start = end;
    while (bytes[start - 1] !== 0x20) start--;
    const first = bytes[start];
    if (first === 0x4e || (first === 0x2d && sampleValue(bytes.toString('latin1', start, end)) < 0)) return false;
  }
  return true;
}

/** Neighbouring lines with the same metric labels. */
function* metricsOf({ part, family }: Piece, header: FamilyHeader): Generator<[string, SampleLine[]]> {
  const { bytes, lines } = part.exposition;
  let current: [string, SampleLine[]] | undefined;
  for (let line = family.first; line < family.last; line++) {
    const sample = readLine(bytes, lines[line]!, lines[line + 1]!);
    const key = metricKey(sample, header);
    if (current?.[0] === key) current[1].push(sample);
    else {
      if (current !== undefined) yield current;
      current = [key, [sample]];
    }
  }
  if (current !== undefined) yield current;
}

/** The family and its `_created` family, when that is what two claims to a name are and every sample finds its metric. */
function* createdPair(name: string, claimants: readonly Block[]): Steps<[Block, Block] | undefined> {
  const owner = claimants.find(
    ({ header }) => hasCreated(header.type) && `${openMetricsName(header)}_created` === name,
  );
  const created = claimants.find(({ header }) => header.type === 'gauge' && header.name === name);
  if (claimants.length !== 2 || owner === undefined || created === undefined) return undefined;
  const keys = yield* metricKeys(owner);
  for (const key of yield* metricKeys(created)) if (!keys.has(key)) return undefined;
  return [owner, created];
}

function* metricKeys({ header, pieces }: Block): Steps<Set<string>> {
  const keys = new Set<string>();
  for (const piece of pieces) {
    for (const [key] of metricsOf(piece, header)) {
      if ((keys.size & 0xf) === 0) yield;
      keys.add(key);
    }
  }
  return keys;
}

/** A family metric by metric, each followed by its creation time. */
function* pushMetrics(chunks: Buffer[], block: Block, created: Block, style: LineStyle): Steps<void> {
  const times = new Map<string, Buffer[]>();
  for (const piece of created.pieces) {
    let line = piece.family.first;
    for (const [key] of metricsOf(piece, created.header)) {
      const text: Buffer[] = [];
      yield* pushLines(text, { ...piece, family: { ...piece.family, first: line, last: ++line } }, style);
      times.set(key, text);
    }
  }
  for (const piece of block.pieces) {
    let line = piece.family.first;
    for (const [key, lines] of metricsOf(piece, block.header)) {
      const family = { ...piece.family, first: line, last: line + lines.length };
      line = family.last;
      yield* pushLines(chunks, { ...piece, family }, style);
      chunks.push(...(times.get(key) ?? []));
    }
  }
}

interface LineStyle {
  readonly format: PageFormat;
  readonly exemplars: boolean;
}

const mayCarryExemplars = (type: FamilyType): boolean =>
  type === 'counter' || type === 'histogram' || type === 'gaugehistogram';

/** The lines as they stand, unless the page wants timestamps or cannot have exemplars. */
function* pushLines(chunks: Buffer[], { part, family }: Piece, { format, exemplars }: LineStyle): Steps<void> {
  const { exposition, timestampMs, times } = part;
  const withoutExemplars = family.exemplars && !exemplars;
  yield;
  if (timestampMs === undefined && !withoutExemplars) {
    chunks.push(familyBytes(exposition, family));
    return;
  }
  const timeText = (ms: number | undefined): string =>
    ms === undefined ? '' : ` ${format === 'text' ? ms : secondsOf(ms)}`;
  const time = timeText(timestampMs);
  const { bytes, lines } = exposition;
  let text = '';
  for (let line = family.first; line < family.last; line++) {
    if ((line & 0x3f) === 0) yield;
    const start = lines[line]!;
    const end = lines[line + 1]! - 1;
    const stop = family.exemplars ? valueEnd(bytes, start) : end;
    text += bytes.toString('utf8', start, stop) + (times === undefined ? time : timeText(times[line]));
    if (!withoutExemplars) text += bytes.toString('utf8', stop, end);
    text += '\n';
  }
  chunks.push(Buffer.from(text));
}

const textTypes: Record<FamilyType, string> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'untyped',
  info: 'gauge',
  stateset: 'gauge',
  gaugehistogram: 'untyped',
};

function textHeader({ name, type, help }: FamilyHeader): string {
  const said = help === undefined ? '' : `# HELP ${name} ${escapeHelp(help)}\n`;
  return `${said}# TYPE ${name} ${textTypes[type]}\n`;
}

const mayHaveUnit = ({ type }: FamilyHeader): boolean => type !== 'info' && type !== 'stateset';

function openMetricsHeader(header: FamilyHeader): string {
  const name = openMetricsName(header)!;
  let text = `# TYPE ${name} ${header.type === 'untyped' ? 'unknown' : header.type}\n`;
  if (header.unit !== undefined && mayHaveUnit(header) && name.endsWith(`_${header.unit}`))
    text += `# UNIT ${name} ${header.unit}\n`;
  if (header.help !== undefined) text += `# HELP ${name} ${escapeOpenMetricsHelp(header.help)}\n`;
  return text;
}
