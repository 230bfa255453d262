import { backslash, closeBrace, comma, hash, quote } from '../../formats/characters.js';
import type { FamilyType } from '../../formats/family.js';
import type { LabelsOf } from '../../formats/selector.js';
import { escapeLabelValue, sampleValue, unescapeLabelValue } from '../../formats/syntax.js';
import {
  isCumulative,
  type Labels,
  type Metric,
  type PackedNumber,
  type Point,
  pack,
  packNumber,
  unpack,
  type Window,
} from '../window.js';

/** The families of a page of the project, and when its snapshot was taken. */
export interface ProjectPage {
  readonly families: readonly PageFamily[];
  readonly at: number;
}

/** By series as it stands in the page: its last value, when its counting began, when it was seen last. */
export type ProjectState = ReadonlyMap<string, readonly [value: number, start: number, seenAt: number]>;

/** A series that was away for less than this goes on where it was; what came meanwhile is not lost. */
const rememberedMs = 3_600_000;

/** `passes`: which series; left out, all. Times in milliseconds. */
export interface Collecting {
  readonly projectId: string;
  readonly from: number;
  readonly passes?: ((labels: LabelsOf) => boolean) | undefined;
}

/** The page's series that pass, with what has been added to those that only rise since they were seen last. */
export function collectProject(
  page: ProjectPage,
  before: ProjectState,
  { projectId, from, passes }: Collecting,
): { window: Window; state: ProjectState } {
  const to = page.at;
  const state = new Map<string, readonly [number, number, number]>();
  const metrics: Metric[] = [];
  for (const { name, type, help, samples } of page.families) {
    const wanted = passes === undefined ? samples : samples.filter((sample) => passes(labelsOf(sample)));
    const points: Point[] = [];
    for (const group of groupsOf(wanted, type, name)) {
      const reset = hasBegunAnew(group, type, name, before);
      for (const sample of group) {
        const point = pointOf(sample, isCumulative(type, name, sample.name), reset, before.get(sample.key), to);
        state.set(sample.key, [point.value, point.start ?? to, to]);
        points.push(point);
      }
    }
    if (points.length > 0) metrics.push({ name, type, ...(help === undefined ? {} : { help }), points });
  }
  const gone: { name: string; labels: Labels }[] = [];
  for (const [key, entry] of before) {
    if (state.has(key)) continue;
    const seenAt = entry[2];
    if (seenAt === from) gone.push(seriesOf(key));
    if (to - seenAt < rememberedMs) state.set(key, entry);
  }
  return { window: { kind: 'project.metrics', projectId, from, to, metrics, gone }, state };
}

type PackedState = readonly (readonly [key: string, value: PackedNumber, start: number, seenAt: number])[];

/** What the window of this moment does not say itself: the series that were away then. */
export function packState(state: ProjectState, at: number): Promise<Buffer> {
  const packed: (readonly [string, PackedNumber, number, number])[] = [];
  for (const [key, [value, start, seenAt]] of state) {
    if (seenAt !== at) packed.push([key, packNumber(value), start, seenAt]);
  }
  return pack(packed satisfies PackedState);
}

/** With the window that was written together with it, unless that had nothing to say. */
export async function unpackState(bytes: Buffer, window: Window | undefined): Promise<ProjectState> {
  const state = new Map<string, readonly [number, number, number]>();
  for (const [key, value, start, seenAt] of await unpack<PackedState>(bytes)) {
    state.set(key, [Number(value), start, seenAt]);
  }
  for (const { points } of window?.metrics ?? []) {
    for (const { name, labels, time, value, start = time } of points)
      state.set(keyOf(name, labels), [value, start, time]);
  }
  return state;
}

/** As it stands in the page. */
const keyOf = (name: string, labels: Labels): string =>
  `${name}{${labels.map(([label, value]) => `${label}="${escapeLabelValue(value)}"`).join(',')}}`;

export interface Sample {
  /** Name and labels as they stand in the page. */
  readonly key: string;
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

export interface PageFamily {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string | undefined;
  readonly samples: Sample[];
}

/** Families of a page in the text format that we rendered ourselves. */
export function* readPage(page: Buffer): Generator<PageFamily> {
  const text = page.toString('utf8');
  let family: PageFamily | undefined;
  let help: string | undefined;
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    if (text.charCodeAt(start) === hash) {
      const comment = text.slice(start + 2, end);
      const [kind, name] = comment.split(' ', 2);
      const rest = comment.slice(kind!.length + name!.length + 2);
      if (kind === 'HELP') help = rest.replace(/\\([\\n])/g, (_, c: string) => (c === 'n' ? '\n' : '\\'));
      if (kind === 'TYPE') {
        if (family !== undefined) yield family;
        family = { name: name!, type: rest as FamilyType, help, samples: [] };
        help = undefined;
      }
    } else family!.samples.push(readSample(text, start, end));
    start = end + 1;
  }
  if (family !== undefined) yield family;
}

/** The line from `start` to `end`. As text, since a page is whole in memory anyway: twice as fast as from its bytes. */
function readSample(text: string, start: number, end: number): Sample {
  const { name, labels, setEnd } = readSeries(text, start);
  const blank = text.indexOf(' ', setEnd + 1);
  const number = sampleValue(text.slice(setEnd + 1, blank === -1 || blank > end ? end : blank));
  // No -0: what is stored as JSON comes back as 0, and a repetition has to have the same bytes.
  return { key: text.slice(start, setEnd), name, labels, value: number === 0 ? 0 : number };
}

/** `setEnd` is just after the closing brace. */
function readSeries(text: string, start: number): { name: string; labels: Labels; setEnd: number } {
  const brace = text.indexOf('{', start);
  const labels: [string, string][] = [];
  let at = brace + 1;
  while (text.charCodeAt(at) !== closeBrace) {
    const sign = text.indexOf('=', at);
    const from = sign + 2;
    let to = from;
    let isEscaped = false;
    for (let c = text.charCodeAt(to); c !== quote; c = text.charCodeAt(to)) {
      if (c === backslash) {
        isEscaped = true;
        to++;
      }
      to++;
    }
    const value = text.slice(from, to);
    labels.push([text.slice(at, sign), isEscaped ? unescapeLabelValue(value) : value]);
    at = to + 1;
    if (text.charCodeAt(at) === comma) at++;
  }
  return { name: text.slice(start, brace), labels, setEnd: at + 1 };
}

/** As a selector sees it. */
export const labelsOf =
  ({ name, labels }: Sample): LabelsOf =>
  (label) =>
    label === '__name__' ? name : (labels.find(([each]) => each === label)?.[1] ?? '');

/** Samples that rise and start anew together: those of one histogram or summary; of a counter each its own. */
function groupsOf(samples: readonly Sample[], type: FamilyType, family: string): Iterable<readonly Sample[]> {
  const apart = type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : undefined;
  if (apart === undefined) return type === 'counter' ? samples.map((sample) => [sample]) : [samples];
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const own = sample.name === family || sample.name.endsWith('_bucket') ? sample.labels : undefined;
    const key = JSON.stringify((own?.filter(([name]) => name !== apart) ?? [...sample.labels]).sort());
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sample]);
    else group.push(sample);
  }
  return groups.values();
}

/** A counter that has become smaller began anew: all of it was added since. A sum may become smaller by itself. */
function hasBegunAnew(samples: readonly Sample[], type: FamilyType, family: string, before: ProjectState): boolean {
  const isSum = (name: string): boolean => type !== 'counter' && name === `${family}_sum`;
  return samples.some(({ key, name, value }) => {
    if (!isCumulative(type, family, name) || isSum(name)) return false;
    const known = before.get(key);
    return known !== undefined && value < known[0];
  });
}

function pointOf(
  { name, labels, value }: Sample,
  rises: boolean,
  reset: boolean,
  known: readonly [value: number, start: number, seenAt: number] | undefined,
  time: number,
): Point {
  if (!rises) return { name, labels, time, value };
  if (known === undefined) return { name, labels, time, value, start: time };
  const [last, start, seenAt] = known;
  const delta = reset ? value : value - last;
  return { name, labels, time, value, start: reset ? seenAt : start, from: seenAt, delta };
}

/** What a key says. */
function seriesOf(key: string): { name: string; labels: Labels } {
  const { name, labels } = readSeries(key, 0);
  return { name, labels };
}
