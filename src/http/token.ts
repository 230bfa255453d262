import { OAuthError } from '../auth/oauth-error.js';
import { readParameters } from '../auth/token-request.js';
import type { TokenService } from '../auth/token-service.js';
import { WeirError } from '../domain/errors.js';
import type { OperatorMetrics } from '../telemetry/operator-metrics.js';
import { type Ctx, header, readBody } from './context.js';

const largestBody = 16 * 1024;

/** `POST /oauth/token` (RFC 6749 §4.4). */
export async function postToken(c: Ctx, service: TokenService, metrics: OperatorMetrics): Promise<Response> {
  try {
    refuseQuery(c);
    const parameters = readParameters(await readForm(c));
    const response = await service.token(header(c, 'authorization'), parameters);
    metrics.tokenIssued();
    return new Response(`${JSON.stringify(response)}\n`, {
      headers: { 'content-type': 'application/json;charset=UTF-8', 'cache-control': 'no-store', pragma: 'no-cache' },
    });
  } catch (error) {
    if (error instanceof OAuthError) metrics.tokenRefused(error.code);
    throw error;
  }
}

/** RFC 6749 §2.3.1: credentials must not stand in the URL, where logs and proxies keep them. */
function refuseQuery(c: Ctx): void {
  const query = (c.env.incoming.url ?? '').split('?')[1];
  if (query === undefined) return;
  const parameters = new URLSearchParams(query);
  if (['client_id', 'client_secret', 'client_assertion'].some((name) => parameters.has(name))) {
    throw new OAuthError(
      'invalid_request',
      'Client credentials must not stand in the URL; send them by HTTP Basic or in the body.',
    );
  }
}

async function readForm(c: Ctx): Promise<Buffer> {
  const type = (header(c, 'content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    throw new OAuthError(
      'invalid_request',
      'The body must be application/x-www-form-urlencoded.',
      type === '' ? 400 : 415,
    );
  }
  return readBody(c, largestBody, () => new WeirError('too_large', `The body is larger than ${largestBody} bytes.`));
}
