import { WeirError } from './errors.js';
import { printable } from './ids.js';

/** What a project may use. 0 switches a limit off. Bytes are bytes, not characters. */
export interface Limits {
  /** Body as sent, when compressed. */
  readonly body_compressed_bytes: number;
  /** Body after inflating (or as sent, when not compressed). */
  readonly body_inflated_bytes: number;
  readonly labels_per_series: number;
  /** Metric and label names. */
  readonly name_length_bytes: number;
  /** Label values. */
  readonly value_length_bytes: number;
  /** Live series of the whole project. */
  readonly series: number;
  /** Live series of one metric in one endpoint. */
  readonly series_per_metric: number;
  readonly samples_per_second: number;
  /** Of each client, at the token endpoint, counted once it has proved itself. */
  readonly token_requests_per_minute: number;
  /** Of each client. */
  readonly scrapes_per_minute: number;
  /** Of each client, to the management API. */
  readonly api_requests_per_minute: number;
  /** Metric streams of the project. */
  readonly streams: number;
}

export type LimitName = keyof Limits;

export type LimitOwner = 'project' | 'endpoint';

export const defaultLimits: Limits = {
  body_compressed_bytes: 8 * 1024 * 1024,
  body_inflated_bytes: 32 * 1024 * 1024,
  labels_per_series: 30,
  name_length_bytes: 1024,
  value_length_bytes: 2048,
  series: 50_000,
  series_per_metric: 0,
  samples_per_second: 0,
  token_requests_per_minute: 0,
  scrapes_per_minute: 0,
  api_requests_per_minute: 600,
  streams: 5,
};

/** For people; sizes are in bytes. */
export const limitMeanings: Readonly<Record<LimitName, string>> = {
  body_compressed_bytes: 'Body of a push as sent, when compressed.',
  body_inflated_bytes: 'Body of a push after inflating, or as sent when not compressed.',
  labels_per_series: 'Labels of a series.',
  name_length_bytes: 'Metric and label names.',
  value_length_bytes: 'Label values; help texts are cut to it.',
  series: 'Living series of the whole project; a push group without series counts as one.',
  series_per_metric: 'Living series of one metric in one endpoint.',
  samples_per_second: 'Samples the project takes in, on average.',
  token_requests_per_minute: 'Requests for tokens and revocations of tokens, of each client that has proved itself.',
  scrapes_per_minute: 'Scrapes of each client.',
  api_requests_per_minute: 'Requests of each client to the management API.',
  streams: 'Metric streams of the project.',
};

export const limitNames = Object.keys(defaultLimits) as LimitName[];

/** `NAME=VALUE` as typed at the command line; throws `invalid` with the list of names. */
export function parseLimit<Name extends LimitName>(text: string, names: readonly Name[]): [Name, number] {
  const [name, value, ...rest] = text.split('=');
  if (!names.includes(name as Name) || rest.length > 0) {
    throw new WeirError('invalid', `"${text}" is no limit; write NAME=VALUE with a NAME of ${names.join(', ')}.`);
  }
  if (!/^\d{1,15}$/.test(value ?? '')) {
    throw new WeirError('invalid', `The limit ${name} needs a whole number (0 switches it off), not "${value ?? ''}".`);
  }
  return [name as Name, Number(value)];
}

export interface Exceeded {
  /** Of the body. */
  readonly line?: number;
  /** Whose limit it is; the project's unless said. */
  readonly of?: LimitOwner;
}

/** What is said of every limit: its name, its value, what came, and whose it is when it is an endpoint's. */
export function limitSentence(limit: LimitName, max: number, actual: number, { line, of }: Exceeded = {}): string {
  const isOwn = of === 'endpoint';
  const what = isOwn && limit === 'series' ? 'The endpoint would hold too many series' : sentence[limit];
  const where = `${isOwn ? ' of the endpoint' : ''}${line === undefined ? '' : ` (line ${line})`}`;
  return `${what}: ${actual} is over the limit ${limit} = ${max}${where}.`;
}

/** The same for one metric, which it names. */
export const metricLimitSentence = (metric: string, max: number, actual: number, of: LimitOwner): string =>
  `${limitSentence('series_per_metric', max, actual, { of })} The metric is "${printable(metric)}".`;

/** The refusal that every limit gives. Whoever refuses series one by one takes the sentence: an error has a stack, too. */
export const limitExceeded = (limit: LimitName, max: number, actual: number, exceeded: Exceeded = {}): WeirError =>
  new WeirError('limit_exceeded', limitSentence(limit, max, actual, exceeded), factsOf(limit, max, actual, exceeded));

export const metricLimitExceeded = (metric: string, max: number, actual: number, of: LimitOwner): WeirError => {
  const facts = factsOf('series_per_metric', max, actual, { of });
  return new WeirError('limit_exceeded', metricLimitSentence(metric, max, actual, of), facts);
};

function factsOf(limit: LimitName, max: number, actual: number, { line, of }: Exceeded) {
  return {
    limit,
    ...(of === 'endpoint' ? { limit_of: of } : {}),
    max,
    actual,
    ...(line === undefined ? {} : { line }),
  };
}

const sentence: Record<LimitName, string> = {
  body_compressed_bytes: 'The compressed body is too large',
  body_inflated_bytes: 'The body is too large',
  labels_per_series: 'A series has too many labels',
  name_length_bytes: 'A name is too long',
  value_length_bytes: 'A label value is too long',
  series: 'The project would hold too many series',
  series_per_metric: 'The endpoint would hold too many series of one metric',
  samples_per_second: 'Too many samples per second',
  token_requests_per_minute: 'The client asks for or revokes too many tokens',
  scrapes_per_minute: 'The client scrapes too often',
  api_requests_per_minute: 'The client uses the management API too often',
  streams: 'The project would have too many metric streams',
};
