import type { MetricsEndpoint } from '../domain/endpoint.js';
import { type LimitsAt, limitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import type { Soon } from '../domain/soon.js';
import { nextTurn } from '../domain/turns.js';
import { pushSyntax } from '../formats/negotiate.js';
import { readGrouping } from '../ingest/grouping.js';
import type { Ingest } from '../ingest/push.js';
import type { Directory } from '../storage/directory.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import { type Authenticator, reachEndpoint, reachProject, requireScope } from './authenticate.js';
import type { BodyBudget } from './body-budget.js';
import { type Ctx, header, pathSegments, type RoutedCtx } from './context.js';
import { statusOf } from './errors.js';
import { PushedBody } from './pushed-body.js';
import { counted, type RequestCounting } from './requests.js';

export interface PushOptions extends RequestCounting {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly ingest: Ingest;
  readonly metrics: GatewayMetrics;
  readonly bodies: BodyBudget;
}

/** `PUT`, `POST` and `DELETE` of `…/metrics[/job/{job}{/label/value}…]`: the Pushgateway's API, with its status codes. */
export function handlePush(c: RoutedCtx, projectId: string, metricsId: string, options: PushOptions): Soon<Response> {
  const operation_name = `${c.env.incoming.method} /api/v1/{project}/{metricsId}/metrics`;
  return counted(options, c, { api: 'METRICS', operation_name }, () => push(c, projectId, metricsId, options));
}

async function push(c: RoutedCtx, projectId: string, metricsId: string, options: PushOptions): Promise<Response> {
  const { ingest, metrics, bodies, usage, clock } = options;
  const { endpoint, limits } = await authorize(c, projectId, metricsId, options).catch((error: unknown) => {
    metrics.unauthorized(statusOf(error));
    throw error;
  });
  metrics.authorized();
  const body = new PushedBody(bodies.open(projectId));
  try {
    // After api, v1, project, metricsId, metrics.
    const group = readGrouping(pathSegments(c).slice(5), limits);
    const { method } = c.env.incoming;
    if (method === 'DELETE') {
      // As bodies do: it must not overtake one.
      await new Promise<void>(nextTurn);
      await ingest.delete(endpoint, group);
      return done(202);
    }
    const syntax = pushSyntax(header(c, 'content-type'));
    if (syntax === undefined) throw unsupportedType();
    const bytes = await body.read(c, limits);
    const mode = method === 'PUT' ? 'replace-group' : 'replace-families';
    const samples = await ingest.push({ endpoint, limits, group, mode, syntax, body: bytes, onRead: body.release });
    metrics.samples(samples);
    usage.of(projectId).samples(samples, clock.now());
    metrics.pushAccepted();
    return done(200);
  } catch (error) {
    metrics.pushRefused(error instanceof WeirError ? error.code : 'internal');
    throw error;
  } finally {
    body.release();
  }
}

/** The endpoint of the path and what holds for pushes to it, for a caller who may write to it; counts who may not. */
export async function authorize(
  c: Ctx,
  projectId: string,
  metricsId: string,
  { authenticator, directory }: Pick<PushOptions, 'authenticator' | 'directory'>,
): Promise<{ endpoint: MetricsEndpoint; limits: LimitsAt }> {
  const access = await authenticator.authenticate(c);
  // A push waits for the disk anyway: it may as well know the newest limits and settings.
  await directory.sync();
  const project = await reachProject(access, projectId, directory);
  requireScope(access, 'write:metrics');
  const endpoint = await reachEndpoint(access, project, metricsId, directory);
  return { endpoint, limits: limitsAt(project.limits, endpoint.limits) };
}

/** The Pushgateway's answers have no body. */
const done = (status: 200 | 202): Response => new Response(null, { status, headers: { 'content-length': '0' } });

const unsupportedType = (): WeirError =>
  new WeirError(
    'unsupported_media_type',
    'The Content-Type must be text/plain; version=0.0.4 or application/openmetrics-text; version=1.0.0.',
    { field: 'Content-Type' },
  );
