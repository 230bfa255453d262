import type { LimitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import type { Soon } from '../domain/soon.js';
import { otlpEncoding } from '../formats/negotiate.js';
import { exportResponse, type OtlpEncoding, otlpTypes, statusResponse } from '../formats/otlp/response.js';
import type { Exported, Otlp, OtlpExport } from '../ingest/otlp.js';
import type { Directory } from '../storage/directory.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { Authenticator } from './authenticate.js';
import type { BodyBudget } from './body-budget.js';
import type { TrustedProxies } from './client-address.js';
import { type Ctx, header } from './context.js';
import { authorizeForAll, counting } from './for-all.js';
import { authorize } from './push.js';
import { PushedBody } from './pushed-body.js';
import { counted, type RequestCounting } from './requests.js';

export interface OtlpOptions extends RequestCounting {
  readonly trustedProxies: TrustedProxies;
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly otlp: Otlp;
  readonly metrics: GatewayMetrics;
  readonly bodies: BodyBudget;
}

/** `POST …/otlp/v1/metrics`: OTLP/HTTP (OTLP 1.x, "OTLP/HTTP"), protobuf and JSON. */
export function handleOtlp(c: Ctx, projectId: string, metricsId: string, options: OtlpOptions): Soon<Response> {
  const operation_name = 'POST /api/v1/{project}/{metricsId}/otlp/v1/metrics';
  return counted(options, c, { api: 'METRICS', operation_name }, () => exportTo(c, projectId, metricsId, options));
}

/** `POST /otlp/v1/metrics`: the same for all customers in one, from clients of the operator. */
export function handleOtlpForAll(c: Ctx, options: OtlpOptions): Soon<Response> {
  return counted(options, c, { api: 'METRICS', operation_name: 'POST /otlp/v1/metrics' }, async () => {
    const { limits, by } = await counting(options.metrics, () => authorizeForAll(c, options));
    return take(c, by.actor, limits, options, (request) => options.otlp.exportRouted({ ...request, by }));
  });
}

async function exportTo(c: Ctx, projectId: string, metricsId: string, options: OtlpOptions): Promise<Response> {
  const { endpoint, limits } = await counting(options.metrics, () => authorize(c, projectId, metricsId, options));
  const { otlp, usage, clock } = options;
  return take(c, projectId, limits, options, async (request) => {
    const exported = await otlp.export({ endpoint, limits, ...request });
    usage.of(projectId).samples(exported.points, clock.now());
    return exported;
  });
}

async function take(
  c: Ctx,
  owner: string,
  limits: LimitsAt,
  { metrics, bodies }: OtlpOptions,
  store: (request: Pick<OtlpExport, 'encoding' | 'body' | 'onRead'>) => Promise<Exported>,
): Promise<Response> {
  const pushed = new PushedBody(bodies.open(owner));
  try {
    const encoding = otlpEncoding(header(c, 'content-type'));
    if (encoding === undefined) throw unsupportedType();
    const body = await (encoding === 'json' ? readJson(pushed, c, limits) : pushed.read(c, limits));
    const { points, rejectedPoints, message } = await store({ encoding, body, onRead: pushed.release });
    metrics.samples(points);
    if (rejectedPoints === 0) metrics.pushAccepted();
    else metrics.pushRefused('invalid');
    // 200 also where a part was refused: a client must not send the rest again.
    return answer(200, encoding, exportResponse(encoding, rejectedPoints, message));
  } catch (error) {
    metrics.pushRefused(error instanceof WeirError ? error.code : 'internal');
    throw error;
  } finally {
    pushed.release();
  }
}

/** Bytes, inflated: a Collector's batch of 8,192 histograms fits. JSON becomes objects in one go, which others wait for. */
const largestJson = 8 * 1024 * 1024;

async function readJson(pushed: PushedBody, c: Ctx, limits: LimitsAt): Promise<Buffer> {
  const { body_inflated_bytes: max } = limits;
  if (max > 0 && max <= largestJson) return pushed.read(c, limits);
  try {
    return await pushed.read(c, { ...limits, body_inflated_bytes: largestJson });
  } catch (error) {
    if (!(error instanceof WeirError) || error.facts.limit !== 'body_inflated_bytes') throw error;
    const { actual } = error.facts;
    throw new WeirError(
      'too_large',
      `A body of JSON may have ${largestJson} bytes, and this one has more. Send protobuf (application/x-protobuf), or less at once.`,
      { max: largestJson, ...(actual === undefined ? {} : { actual }) },
    );
  }
}

/** The numbers of `google.rpc.Code`. */
const codes: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 429: 8, 503: 14 };

/** An error in the form OTLP wants, with the status and headers it has anyway. */
export async function asOtlpStatus(c: Ctx, error: Response): Promise<Response> {
  const { detail, type } = (await error.json()) as { detail: string; type: string };
  // Its readers show the message, and little else.
  const message = `${detail} See ${type}`;
  const encoding = otlpEncoding(header(c, 'content-type')) ?? 'json';
  const response = answer(error.status, encoding, statusResponse(encoding, codes[error.status] ?? 13, message));
  for (const name of ['retry-after', 'www-authenticate', 'cache-control']) {
    const value = error.headers.get(name);
    if (value !== null) response.headers.set(name, value);
  }
  return response;
}

const answer = (status: number, encoding: OtlpEncoding, body: Buffer): Response =>
  new Response(body as unknown as Uint8Array<ArrayBuffer>, {
    status,
    headers: { 'content-type': otlpTypes[encoding] },
  });

const unsupportedType = (): WeirError =>
  new WeirError('unsupported_media_type', 'The Content-Type must be application/x-protobuf or application/json.', {
    field: 'Content-Type',
  });
