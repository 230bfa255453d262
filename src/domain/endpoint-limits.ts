import type { LimitName, LimitOwner, Limits } from './limits.js';

/** The limits an endpoint may have of its own, so that it cannot use up what its project may hold or take in. */
export const endpointLimitNames = [
  'body_compressed_bytes',
  'body_inflated_bytes',
  'series',
  'series_per_metric',
  'samples_per_second',
] as const satisfies readonly LimitName[];
export type EndpointLimitName = (typeof endpointLimitNames)[number];

/** Only those it has: none is 0. */
export type EndpointLimits = { readonly [name in EndpointLimitName]?: number };

/** null and 0 take one away. */
export type EndpointLimitChanges = { readonly [name in EndpointLimitName]?: number | null | undefined };

/**
 * What holds for pushes to one endpoint. The project's limits and the endpoint's hold both, so that the smaller counts:
 * where one number is held against a push it is that here; of `series` and `samples_per_second` each has its own count, and
 * the endpoint's stand in `own`.
 */
export interface LimitsAt extends Limits {
  readonly own?: EndpointLimits;
}

export function limitsAt(limits: Limits, own: EndpointLimits): LimitsAt {
  if (Object.keys(own).length === 0) return limits;
  // 0 is off.
  const smaller = (name: EndpointLimitName): number =>
    limits[name] === 0 ? (own[name] ?? 0) : Math.min(limits[name], own[name] ?? limits[name]);
  return {
    ...limits,
    body_compressed_bytes: smaller('body_compressed_bytes'),
    body_inflated_bytes: smaller('body_inflated_bytes'),
    series_per_metric: smaller('series_per_metric'),
    own,
  };
}

/** Whose limit it is of which the smaller counts. */
export const ownerOf = (limits: LimitsAt, name: EndpointLimitName): LimitOwner =>
  limits.own?.[name] === limits[name] ? 'endpoint' : 'project';

export function changedLimits(before: EndpointLimits, changes: EndpointLimitChanges): EndpointLimits {
  const all: EndpointLimitChanges = { ...before, ...changes };
  return Object.fromEntries(endpointLimitNames.flatMap((name) => (all[name] ? [[name, all[name]]] : [])));
}
