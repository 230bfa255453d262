/** How a stream that an operator writes for all customers says where each series belongs. */
export interface RoutingSettings {
  /** Labels of remote write, and tags of StatsD. */
  readonly projectLabel: string;
  readonly endpointLabel: string;
  /** Attributes of an OTLP resource. */
  readonly projectAttribute: string;
  readonly endpointAttribute: string;
  /** What becomes of samples for a project or endpoint that is not there. */
  readonly unknown: 'refuse' | 'create';
}

export const defaultRouting: RoutingSettings = {
  projectLabel: 'weir_project',
  endpointLabel: 'weir_endpoint',
  projectAttribute: 'weir.project',
  endpointAttribute: 'weir.endpoint',
  unknown: 'refuse',
};

/** Why samples of such a stream go nowhere. */
export const unroutedReasons = ['missing', 'unknown', 'rate_limited'] as const;
export type UnroutedReason = (typeof unroutedReasons)[number];
