import type { EndpointLimits } from './endpoint-limits.js';
import { WeirError } from './errors.js';
import { printable } from './ids.js';
import type { Relabeling } from './relabel.js';

/** One thing that is monitored, with a metrics URL of its own: `/api/v1/{projectId}/{metricsId}/metrics`. */
export interface MetricsEndpoint extends Relabeling {
  /** Storage identity: never reused, so nothing kept under it can come back for a later endpoint of the same name. */
  readonly id: number;
  readonly projectId: string;
  readonly metricsId: string;
  readonly name: string;
  /** How long a group lives after its last push; 0 until it is deleted. Milliseconds. */
  readonly lifetimeMs: number;
  /** Whether samples carry the time of their push (off: Prometheus' staleness works). */
  readonly timestamps: boolean;
  /** What the operator or customer notes about it, as labels; service discovery hands it out, no series carries it. */
  readonly metadata: Metadata;
  /** Those of its own, beside the project's. */
  readonly limits: EndpointLimits;
  /** Rises with every change of settings; part of every cache key. */
  readonly version: number;
  readonly createdAt: number;
}

export type Metadata = Readonly<Record<string, string>>;

const mostMetadata = 32;

/** The names are those of labels, so that they can be part of one; throws `invalid`. */
export function checkMetadata(metadata: Metadata): Metadata {
  const entries = Object.entries(metadata);
  if (entries.length > mostMetadata) {
    throw new WeirError('invalid', `An endpoint has at most ${mostMetadata} metadata, not ${entries.length}.`);
  }
  for (const [name, value] of entries) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/.test(name)) {
      throw new WeirError(
        'invalid',
        `The name of metadata "${printable(name)}" must be 1 to 64 of A-Z, a-z, 0-9 and "_", and not begin with a digit.`,
      );
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
    if (value.length > 256 || /[\u0000-\u001f\u007f]/.test(value)) {
      throw new WeirError(
        'invalid',
        `The value of metadata "${name}" must be at most 256 characters without control characters.`,
      );
    }
  }
  return metadata;
}

/** `NAME=VALUE` as typed at the command line. */
export function parseMetadata(pairs: readonly string[]): Metadata {
  return checkMetadata(
    Object.fromEntries(
      pairs.map((pair) => {
        const equals = pair.indexOf('=');
        if (equals === -1) throw new WeirError('invalid', `"${printable(pair)}" is no metadata; write NAME=VALUE.`);
        return [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
    ),
  );
}

export const defaultLifetimeMs = 5 * 60_000;

/** The label that names the endpoint on every series it serves; a pushed value for it is overwritten. */
export const instanceLabel = 'instance_id';

/** Metric names with this prefix are the gateway's own and refused in pushes. */
export const reservedMetricPrefix = 'weir_';

/** One answer for what is not there and for what is another's. */
export const outOfReach = (): WeirError =>
  new WeirError(
    'not_found',
    'There is no such metrics endpoint, or it is out of reach for these credentials. Check project and metricsId.',
  );
