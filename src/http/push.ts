import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import { type LimitsAt, limitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import type { Soon } from '../domain/soon.js';
import { pushSyntax } from '../formats/negotiate.js';
import { readGrouping } from '../ingest/grouping.js';
import type { Ingest } from '../ingest/push.js';
import type { Directory } from '../storage/directory.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import { type Authenticator, reachEndpoint, reachProject, requireScope } from './authenticate.js';
import { BodyRooms } from './body-rooms.js';
import { bodyTooLarge, type Ctx, header, pathSegments, type RoutedCtx, readBody } from './context.js';
import { statusOf } from './errors.js';
import { counted, type RequestCounting } from './requests.js';

const inflate = promisify(gunzip);

const rooms = new BodyRooms();

export interface PushOptions extends RequestCounting {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly ingest: Ingest;
  readonly metrics: GatewayMetrics;
}

/** `PUT`, `POST` and `DELETE` of `…/metrics[/job/{job}{/label/value}…]`: the Pushgateway's API, with its status codes. */
export function handlePush(c: RoutedCtx, projectId: string, metricsId: string, options: PushOptions): Soon<Response> {
  const operation_name = `${c.env.incoming.method} /api/v1/{project}/{metricsId}/metrics`;
  return counted(options, c, { api: 'METRICS', operation_name }, () => push(c, projectId, metricsId, options));
}

async function push(c: RoutedCtx, projectId: string, metricsId: string, options: PushOptions): Promise<Response> {
  const { ingest, metrics, usage, clock } = options;
  const { endpoint, limits } = await authorize(c, projectId, metricsId, options).catch((error: unknown) => {
    metrics.unauthorized(statusOf(error));
    throw error;
  });
  metrics.authorized();
  try {
    // After api, v1, project, metricsId, metrics.
    const group = readGrouping(pathSegments(c).slice(5), limits);
    const { method } = c.env.incoming;
    if (method === 'DELETE') {
      await ingest.delete(endpoint, group);
      return done(202);
    }
    const syntax = pushSyntax(header(c, 'content-type'));
    if (syntax === undefined) throw unsupportedType();
    const body = await readInflated(c, limits);
    const mode = method === 'PUT' ? 'replace-group' : 'replace-families';
    const onRead = () => releaseBody(body);
    const samples = await ingest.push({ endpoint, limits, group, mode, syntax, body, onRead });
    metrics.samples(samples);
    usage.of(projectId).samples(samples, clock.now());
    metrics.pushAccepted();
    return done(200);
  } catch (error) {
    metrics.pushRefused(error instanceof WeirError ? error.code : 'internal');
    throw error;
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

/** The body, inflated if it was compressed; refused as soon as it is larger than its limit. */
export async function readInflated(c: Ctx, limits: LimitsAt): Promise<Buffer> {
  const encoding = (header(c, 'content-encoding') ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') {
    return readRoomy(c, limits, 'body_inflated_bytes');
  }
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new WeirError('unsupported_media_type', 'The Content-Encoding must be gzip or identity.', {
      field: 'Content-Encoding',
    });
  }
  const max = limits.body_inflated_bytes;
  const body = await readRoomy(c, limits, 'body_compressed_bytes');
  try {
    const inflated = await inflate(body, max > 0 ? { maxOutputLength: max } : {});
    rooms.release(body);
    return inflated;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw bodyTooLarge(limits, 'body_inflated_bytes', max + 1);
    throw new WeirError('invalid', 'The body is not valid gzip.');
  }
}

/** Says that a body that `readInflated` gave was read, or refused. */
export const releaseBody = (body: Buffer): void => rooms.release(body);

/** To be released when it was read. */
const readRoomy = (c: Ctx, limits: LimitsAt, limit: 'body_compressed_bytes' | 'body_inflated_bytes'): Promise<Buffer> =>
  readBody(
    c,
    limits[limit],
    (actual) => bodyTooLarge(limits, limit, actual),
    (chunks, length) => rooms.gather(chunks, length),
  );

const unsupportedType = (): WeirError =>
  new WeirError(
    'unsupported_media_type',
    'The Content-Type must be text/plain; version=0.0.4 or application/openmetrics-text; version=1.0.0.',
    { field: 'Content-Type' },
  );
