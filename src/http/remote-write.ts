import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { uncompressSync } from 'snappy';
import type { LimitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import type { Soon } from '../domain/soon.js';
import { remoteWriteVersion } from '../formats/negotiate.js';
import type { RemoteWrite, RemoteWriteVersion, Written } from '../ingest/remote-write.js';
import type { Directory } from '../storage/directory.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { Authenticator } from './authenticate.js';
import type { BodyBudget } from './body-budget.js';
import type { TrustedProxies } from './client-address.js';
import { bodyTooLarge, type Ctx, header } from './context.js';
import type { ErrorLinks } from './error-reference/links.js';
import { problem } from './errors.js';
import { authorizeForAll, counting } from './for-all.js';
import { authorize } from './push.js';
import { PushedBody } from './pushed-body.js';
import { counted, type RequestCounting } from './requests.js';

export interface RemoteWriteOptions extends RequestCounting {
  readonly trustedProxies: TrustedProxies;
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly remoteWrite: RemoteWrite;
  readonly metrics: GatewayMetrics;
  readonly links: ErrorLinks;
  readonly bodies: BodyBudget;
}

/** `POST …/write`: Prometheus Remote-Write 1.0 and 2.0, told apart by the content type alone. */
export function handleRemoteWrite(
  c: Ctx,
  projectId: string,
  metricsId: string,
  options: RemoteWriteOptions,
): Soon<Response> {
  const operation_name = 'POST /api/v1/{project}/{metricsId}/write';
  return counted(options, c, { api: 'METRICS', operation_name }, () => write(c, projectId, metricsId, options));
}

/** `POST /api/v1/write`: the same for all customers in one, from clients of the operator. */
export function handleWriteForAll(c: Ctx, options: RemoteWriteOptions): Soon<Response> {
  return counted(options, c, { api: 'METRICS', operation_name: 'POST /api/v1/write' }, () => writeForAll(c, options));
}

async function writeForAll(c: Ctx, options: RemoteWriteOptions): Promise<Response> {
  try {
    const { limits, by } = await counting(options.metrics, () => authorizeForAll(c, options));
    const { remoteWrite } = options;
    return await take(c, by.actor, limits, options, (version, body) => remoteWrite.writeRouted({ version, body, by }));
  } catch (error) {
    declareNothingWritten(c);
    throw error;
  }
}

async function write(c: Ctx, projectId: string, metricsId: string, options: RemoteWriteOptions): Promise<Response> {
  try {
    const { endpoint, limits } = await counting(options.metrics, () => authorize(c, projectId, metricsId, options));
    const { remoteWrite, usage, clock } = options;
    return await take(c, projectId, limits, options, async (version, body) => {
      const written = await remoteWrite.write({ endpoint, limits, version, body });
      usage.of(projectId).samples(written.samples, clock.now());
      return written;
    });
  } catch (error) {
    declareNothingWritten(c);
    throw error;
  }
}

/** On errors, too: a sender of 2.0 takes the absence of these headers for a receiver that knows 1.0 only. */
function declareNothingWritten(c: Ctx): void {
  for (const [name, value] of Object.entries(writtenHeaders(0, 0))) c.env.outgoing.setHeader(name, value);
}

async function take(
  c: Ctx,
  owner: string,
  limits: LimitsAt,
  { metrics, links, bodies }: RemoteWriteOptions,
  store: (version: RemoteWriteVersion, body: Buffer) => Promise<Written>,
): Promise<Response> {
  const pushed = new PushedBody(bodies.open(owner));
  try {
    const version = remoteWriteVersion(header(c, 'content-type'));
    if (version === undefined) throw unsupportedType();
    const encoding = (header(c, 'content-encoding') ?? 'snappy').trim().toLowerCase();
    if (encoding !== 'snappy') throw unsupportedEncoding();
    const body = inflate(await pushed.readCompressed(c, limits), limits, pushed);
    pushed.forget();
    const { samples, histograms, reason } = await store(version, body);
    metrics.samples(samples + histograms);
    const headers = writtenHeaders(samples, histograms);
    if (reason === undefined) {
      metrics.pushAccepted();
      // Without a Response in between: it would cost a twentieth of the request.
      c.env.outgoing.writeHead(204, headers);
      c.env.outgoing.end();
      return RESPONSE_ALREADY_SENT;
    }
    metrics.pushRefused('invalid');
    return problem(links, 'partly_refused', `${reason} The rest is stored; do not send it again.`, {}, headers);
  } catch (error) {
    metrics.pushRefused(error instanceof WeirError ? error.code : 'internal');
    throw error;
  } finally {
    pushed.release();
  }
}

const writtenHeaders = (samples: number, histograms: number): Record<string, string> => ({
  'x-prometheus-remote-write-samples-written': String(samples),
  'x-prometheus-remote-write-histograms-written': String(histograms),
  'x-prometheus-remote-write-exemplars-written': '0',
});

/** No three bytes of a snappy block stand for more than 64: what declares more is not one. */
const mostInflation = 64;

/** A snappy block. It declares its length, which is looked at before anything is inflated. */
function inflate(body: Buffer, limits: LimitsAt, pushed: PushedBody): Buffer {
  const declared = declaredLength(body);
  if (declared === undefined) throw notSnappy();
  const { body_inflated_bytes: max } = limits;
  if (max > 0 && declared > max) throw bodyTooLarge(limits, 'body_inflated_bytes', declared);
  if (declared > body.length * mostInflation) throw notSnappy();
  pushed.take(declared);
  try {
    return uncompressSync(body, { copyOutputData: true }) as Buffer;
  } catch {
    throw notSnappy();
  }
}

function declaredLength(body: Buffer): number | undefined {
  let length = 0;
  for (let i = 0; i < 5 && i < body.length; i++) {
    length += (body[i]! & 0x7f) * 2 ** (7 * i);
    if (body[i]! < 0x80) return length < 2 ** 32 ? length : undefined;
  }
  return undefined;
}

const notSnappy = (): WeirError =>
  new WeirError('invalid', 'The body is not a snappy block (the block format, not the framed one).', {
    field: 'Content-Encoding',
  });

const unsupportedType = (): WeirError =>
  new WeirError(
    'unsupported_media_type',
    'The Content-Type must be application/x-protobuf, alone or with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request.',
    { field: 'Content-Type' },
  );

const unsupportedEncoding = (): WeirError =>
  new WeirError('unsupported_media_type', 'The Content-Encoding must be snappy.', { field: 'Content-Encoding' });
