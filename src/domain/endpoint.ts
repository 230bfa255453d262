import { WeirError } from './errors.js';

/** One thing that is monitored, with a metrics URL of its own: `/api/v1/{projectId}/{metricsId}/metrics`. */
export interface MetricsEndpoint {
  /** Storage identity: never reused, so nothing kept under it can come back for a later endpoint of the same name. */
  readonly id: number;
  readonly projectId: string;
  readonly metricsId: string;
  readonly name: string;
  /** How long a group lives after its last push; 0 until it is deleted. Milliseconds. */
  readonly lifetimeMs: number;
  /** Whether samples carry the time of their push (off: Prometheus' staleness works). */
  readonly timestamps: boolean;
  /** Rises with every change of settings; part of every cache key. */
  readonly version: number;
  readonly createdAt: number;
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
