import type { FamilyType } from '../../formats/family.js';
import type { LabelsOf } from '../../formats/selector.js';
import { readLine, sampleValue } from '../../formats/syntax.js';
import { isCumulative, type Labels, type Metric, type Point, type Window } from '../window.js';

/** The families of a page of the project, and when its snapshot was taken. */
export interface ProjectPage {
  readonly families: readonly PageFamily[];
  readonly at: number;
}

/** By series as it stands in the page: its last value, when its counting began, when it was seen last. */
export type ProjectState = ReadonlyMap<string, readonly [value: number, start: number, seenAt: number]>;

/** A series that was away for less than this goes on where it was; what came meanwhile is not lost. */
const rememberedMs = 3_600_000;

/** The page's series that pass, with what has been added to those that only rise since they were seen last. */
export function collectProject(
  page: ProjectPage,
  before: ProjectState,
  { projectId, from, passes }: { projectId: string; from: number; passes: (labels: LabelsOf) => boolean },
): { window: Window; state: ProjectState } {
  const to = page.at;
  const state = new Map<string, readonly [number, number, number]>();
  const metrics: Metric[] = [];
  for (const { name, type, help, samples } of page.families) {
    const wanted = samples.filter((sample) => passes(labelsOf(sample)));
    const points = [...metricsOf(wanted, type, name)].flatMap((group) => risen(group, type, name, before, to));
    for (const { point, key } of points) state.set(key, [point.value, point.start ?? to, to]);
    if (points.length > 0) {
      metrics.push({ name, type, ...(help === undefined ? {} : { help }), points: points.map(({ point }) => point) });
    }
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
export function* readPage(text: Buffer): Generator<PageFamily> {
  let family: PageFamily | undefined;
  let help: string | undefined;
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(10, start) + 1;
    if (text[start] === 0x23) {
      const comment = text.toString('utf8', start + 2, end - 1);
      const [kind, name] = comment.split(' ', 2);
      const rest = comment.slice(kind!.length + name!.length + 2);
      if (kind === 'HELP') help = rest.replace(/\\([\\n])/g, (_, c: string) => (c === 'n' ? '\n' : '\\'));
      if (kind === 'TYPE') {
        if (family !== undefined) yield family;
        family = { name: name!, type: rest as FamilyType, help, samples: [] };
        help = undefined;
      }
    } else {
      const { name, labels, value } = readLine(text, start, end);
      const key = text.toString('utf8', start, end - 1);
      const number = sampleValue(value);
      // No -0: what is stored as JSON comes back as 0, and a repetition has to have the same bytes.
      const plain = number === 0 ? 0 : number;
      family!.samples.push({ key: key.slice(0, key.lastIndexOf('}') + 1), name, labels, value: plain });
    }
    start = end;
  }
  if (family !== undefined) yield family;
}

const labelsOf =
  ({ name, labels }: Sample): LabelsOf =>
  (label) =>
    label === '__name__' ? name : (labels.find(([each]) => each === label)?.[1] ?? '');

/** Samples that rise and start anew together: those of one histogram or summary; of a counter each its own. */
function* metricsOf(samples: readonly Sample[], type: FamilyType, family: string): Generator<Sample[]> {
  const apart = type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : undefined;
  if (apart === undefined) {
    for (const sample of samples) yield [sample];
    return;
  }
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const own = sample.name === family || sample.name.endsWith('_bucket') ? sample.labels : undefined;
    const key = JSON.stringify((own?.filter(([name]) => name !== apart) ?? [...sample.labels]).sort());
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sample]);
    else group.push(sample);
  }
  yield* groups.values();
}

/** A counter that has become smaller began anew: all of it was added since. A sum may become smaller by itself. */
function risen(
  samples: readonly Sample[],
  type: FamilyType,
  family: string,
  before: ProjectState,
  to: number,
): { point: Point; key: string }[] {
  const isSum = (name: string): boolean => type !== 'counter' && name === `${family}_sum`;
  const reset = samples.some(({ key, name, value }) => {
    const known = before.get(key);
    return known !== undefined && isCumulative(type, family, name) && !isSum(name) && value < known[0];
  });
  return samples.map(({ key, name, labels, value }) => {
    const point = { name, labels, time: to, value };
    if (!isCumulative(type, family, name)) return { key, point };
    const known = before.get(key);
    if (known === undefined) return { key, point: { ...point, start: to } };
    const [last, start, seenAt] = known;
    return {
      key,
      point: { ...point, start: reset ? seenAt : start, from: seenAt, delta: reset ? value : value - last },
    };
  });
}

/** What a key says. */
function seriesOf(key: string): { name: string; labels: Labels } {
  const line = Buffer.from(`${key} 0\n`);
  const { name, labels } = readLine(line, 0, line.length);
  return { name, labels };
}
