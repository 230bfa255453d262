import type { FamilyType } from '../../src/formats/family.js';

export type Labels = Readonly<Record<string, string>>;

export interface PushedSample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
  readonly exemplar?: Exemplar;
}

export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly timestamp?: number;
}

export interface PushedFamily {
  /** As `# TYPE` of the format it is pushed in has it. */
  readonly name: string;
  /** Left out: no `# TYPE` line. */
  readonly type?: FamilyType;
  readonly help?: string;
  readonly unit?: string;
  readonly samples: readonly PushedSample[];
  /** The format that forbids what is pushed here shows its samples as untyped, under their own names. */
  readonly forbidden?: 'in OpenMetrics' | 'in both';
  /** These are the `_created` samples of that family, and OpenMetrics shows them within it. */
  readonly createdOf?: PushedFamily;
}

/** What one producer pushes. */
export interface PushedGroup {
  readonly job: string;
  readonly grouping?: Labels;
  readonly syntax: 'text' | 'openmetrics';
  readonly families: readonly PushedFamily[];
}

export const sample = (name: string, labels: Labels, value: number, exemplar?: Exemplar): PushedSample => ({
  name,
  labels,
  value,
  ...(exemplar === undefined ? {} : { exemplar }),
});

/** The path of the push below the endpoint's `/metrics`. */
export const groupPath = ({ job, grouping = {} }: PushedGroup): string =>
  Object.entries({ job, ...grouping })
    .map(([name, value]) => `/${name}@base64/${value === '' ? '=' : Buffer.from(value).toString('base64url')}`)
    .join('');

/** The body of the push. Written here anew, so that a fault in the gateway's own writer cannot hide behind itself. */
export function pushBody({ syntax, families }: PushedGroup): string {
  const openMetrics = syntax === 'openmetrics';
  let body = '';
  for (const { name, type, help, unit, samples } of families) {
    if (type !== undefined) body += `# TYPE ${name} ${openMetrics && type === 'untyped' ? 'unknown' : type}\n`;
    if (unit !== undefined) body += `# UNIT ${name} ${unit}\n`;
    if (help !== undefined) body += `# HELP ${name} ${openMetrics ? escaped(help) : escapedHelp(help)}\n`;
    for (const { name: sampleName, labels, value, exemplar } of samples) {
      body += `${sampleName}${labelSet(labels)} ${spelled(value)}`;
      if (exemplar !== undefined) {
        body += ` # ${labelSet(exemplar.labels) || '{}'} ${spelled(exemplar.value)}`;
        if (exemplar.timestamp !== undefined) body += ` ${exemplar.timestamp}`;
      }
      body += '\n';
    }
  }
  return openMetrics ? `${body}# EOF\n` : body;
}

function labelSet(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
const escapedHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
function spelled(value: number): string {
  // Python's OpenMetrics parser takes -0 for an integer, where zero has no sign.
  if (Object.is(value, -0)) return '-0.0';
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

/** A sample as a scraper must find it: the label values and numbers of the push, with the labels it got on the way. */
export interface ExpectedSample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
  readonly exemplar: Exemplar | null;
}

export function expectedSamples(
  { job, grouping = {}, syntax, families }: PushedGroup,
  metricsId: string,
  format: 'text' | 'openmetrics',
): ExpectedSample[] {
  return families.flatMap((family) =>
    family.samples.map((pushed) => ({
      name: pushed.name,
      labels: comparable({ ...pushed.labels, ...grouping, job, instance_id: metricsId }),
      value: pushed.value,
      ...(format === 'text' ? metaInText(family, syntax, pushed) : metaInOpenMetrics(family, pushed)),
      exemplar: format === 'openmetrics' && !family.forbidden ? (pushed.exemplar ?? null) : null,
    })),
  );
}

type Meta = Pick<ExpectedSample, 'type' | 'help' | 'unit'>;

const ofUnknown = ({ name, help = '' }: PushedFamily, sampleName: string): Meta => ({
  type: 'unknown',
  help: name === sampleName ? help : '',
  unit: '',
});

/** Text 0.0.4 knows neither units nor the types of OpenMetrics. */
function metaInText(family: PushedFamily, syntax: string, { name }: PushedSample): Meta {
  const { type = 'untyped', help = '', forbidden } = family;
  if (type === 'untyped' || type === 'gaugehistogram' || forbidden === 'in both') return ofUnknown(family, name);
  if (syntax === 'openmetrics' && name.endsWith('_created')) return { type: 'gauge', help: '', unit: '' };
  return { type: type === 'info' || type === 'stateset' ? 'gauge' : type, help, unit: '' };
}

function metaInOpenMetrics(family: PushedFamily, { name }: PushedSample): Meta {
  const { type = 'untyped', help = '', unit = '', createdOf, forbidden } = family;
  if (createdOf !== undefined) return { type: createdOf.type!, help: createdOf.help ?? '', unit: '' };
  return forbidden || type === 'untyped' ? ofUnknown(family, name) : { type, help, unit };
}

/** Without empty labels, which are none, and with `le` and `quantile` as the numbers they are. */
export function comparable(labels: Labels): Labels {
  const kept = Object.entries(labels).filter(([, value]) => value !== '');
  return Object.fromEntries(
    kept
      .map(([name, value]) => [name, name === 'le' || name === 'quantile' ? String(boundOf(value)) : value] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const boundOf = (text: string): number => (/^\+?Inf$/i.test(text) ? Number.POSITIVE_INFINITY : Number(text));

/** In an order of its own, so that lists can be compared. */
export const sorted = <T extends Pick<ExpectedSample, 'name' | 'labels'>>(samples: readonly T[]): T[] => {
  const key = ({ name, labels }: T): string => JSON.stringify([name, labels]);
  return [...samples].sort((a, b) => (key(a) < key(b) ? -1 : 1));
};
