import type { MetricsEndpoint } from '../domain/endpoint.js';

/** What Prometheus calls a target group (its HTTP service discovery, "HTTP_SD Format"). */
export interface TargetGroup {
  readonly targets: readonly [string];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * One target for each endpoint. All of them have the gateway's address, so each has a path and an `instance` of its own;
 * `externalUrl` is what clients know the gateway by.
 */
export function targetGroups(endpoints: readonly MetricsEndpoint[], externalUrl: string): TargetGroup[] {
  const { protocol, host, pathname } = new URL(externalUrl);
  const prefix = pathname.replace(/\/$/, '');
  return endpoints.map(({ projectId, metricsId, name, metadata }) => ({
    targets: [host],
    labels: {
      __scheme__: protocol.slice(0, -1),
      __metrics_path__: `${prefix}/api/v1/${projectId}/${metricsId}/metrics`,
      instance: metricsId,
      __meta_weir_project: projectId,
      __meta_weir_metrics_id: metricsId,
      __meta_weir_endpoint: name,
      ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`__meta_weir_metadata_${key}`, value])),
    },
  }));
}
