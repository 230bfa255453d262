import type { Soon } from '../domain/soon.js';
import type { Catalogue } from '../scrape/descriptors.js';
import { targetGroups } from '../scrape/discovery.js';
import { projectTarget } from '../scrape/targets.js';
import type { Directory } from '../storage/directory.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import { type Authenticator, reachProject, requireScope } from './authenticate.js';
import type { Ctx } from './context.js';
import { statusOf } from './errors.js';
import type { RateLimit } from './rate-limit.js';
import { counted, type RequestCounting } from './requests.js';
import { readQuery } from './selections.js';

export interface DiscoveryOptions extends RequestCounting {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly catalogue: Catalogue;
  readonly rateLimit: RateLimit;
  readonly metrics: GatewayMetrics;
  /** Without a slash at its end. */
  readonly externalUrl: () => string;
}

/** `GET …/sd`: the endpoints the caller may scrape, as Prometheus' HTTP service discovery wants them. */
export function handleDiscovery(c: Ctx, projectId: string, options: DiscoveryOptions): Soon<Response> {
  return handle(c, 'sd', options, async () => {
    const { endpoints } = await authorize(c, projectId, options);
    return JSON.stringify(targetGroups(endpoints, options.externalUrl()));
  });
}

/** `GET …/descriptors`: the metrics the caller may scrape, without their samples. */
export function handleDescriptors(c: Ctx, projectId: string, options: DiscoveryOptions): Soon<Response> {
  return handle(c, 'descriptors', options, async () => options.catalogue.get(await authorize(c, projectId, options)));
}

function handle(c: Ctx, noun: string, options: DiscoveryOptions, body: () => Promise<string>): Soon<Response> {
  const operation_name = `${c.env.incoming.method} /api/v1/{project}/${noun}`;
  return counted(options, c, { api: 'METRICS', operation_name }, async () => {
    readQuery(c.env.incoming.url!);
    return new Response(await body(), {
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'private, no-store',
        vary: 'Authorization',
      },
    });
  });
}

/** What of the project the caller sees. Counts towards its `scrapes_per_minute`. */
async function authorize(c: Ctx, projectId: string, options: DiscoveryOptions) {
  const { authenticator, directory, metrics, rateLimit } = options;
  try {
    const access = await authenticator.authenticate(c);
    const project = await reachProject(access, projectId, directory);
    requireScope(access, 'read:metrics');
    metrics.authorized();
    rateLimit.check(access.clientId, project.limits);
    return projectTarget(project, access.sight);
  } catch (error) {
    if (statusOf(error) !== 429) metrics.unauthorized(statusOf(error));
    throw error;
  }
}
