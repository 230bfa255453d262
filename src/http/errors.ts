import { OAuthError } from '../auth/oauth-error.js';
import { type ErrorCode, type ErrorFacts, WeirError } from '../domain/errors.js';
import type { Log } from '../telemetry/log.js';
import { rateLimitHeaders } from './rate-limit.js';
import type { RequestLine } from './request-log.js';

const answers: Record<ErrorCode, { status: number; title: string }> = {
  invalid: { status: 400, title: 'Bad Request' },
  unauthenticated: { status: 401, title: 'Unauthorized' },
  wrong_credentials: { status: 401, title: 'Unauthorized' },
  invalid_token: { status: 401, title: 'Unauthorized' },
  insufficient_scope: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not Found' },
  conflict: { status: 409, title: 'Conflict' },
  precondition_failed: { status: 412, title: 'Precondition Failed' },
  key_reused: { status: 422, title: 'Unprocessable Content' },
  too_large: { status: 413, title: 'Content Too Large' },
  unsupported_media_type: { status: 415, title: 'Unsupported Media Type' },
  limit_exceeded: { status: 422, title: 'Limit Exceeded' },
  rate_limited: { status: 429, title: 'Too Many Requests' },
  unavailable: { status: 503, title: 'Service Unavailable' },
};

/**
 * The one door errors leave through. A `WeirError` becomes a problem document (RFC 9457) with its facts as members, an
 * `OAuthError` the JSON of RFC 6749 §5.2; anything else is ours: logged with its cause, answered with a fixed sentence.
 */
export function errorResponse(error: unknown, { isOAuth, log, line, issuer }: ErrorContext): Response {
  if (error instanceof OAuthError) return oauthResponse(error);
  if (error instanceof WeirError) {
    if (error.cause !== undefined) log.error({ ...line(), err: error.cause, code: error.code }, error.message);
    if (isOAuth) return oauthResponse(oauthFrom(error), rateLimitHeaders(error.facts));
    const { status, title } = answers[error.code];
    const headers = { ...challenge(error.code, error.facts, issuer), ...rateLimitHeaders(error.facts) };
    return problem(status, title, error.message, error.facts, headers);
  }
  const { request_id, ...about } = line();
  log.error({ request_id, ...about, err: error }, 'a request failed in an unexpected way');
  const sentence = `The gateway failed; its log says why, under the request id ${request_id}.`;
  if (isOAuth) return oauthResponse(new OAuthError('server_error', sentence));
  return problem(500, 'Internal Server Error', sentence);
}

/** The status code an error is answered with. */
export function statusOf(error: unknown): number {
  if (error instanceof OAuthError) return error.status;
  return error instanceof WeirError ? answers[error.code].status : 500;
}

export interface ErrorContext {
  /** Whether the path is one of OAuth's own, with errors in OAuth's own form. */
  readonly isOAuth: boolean;
  readonly log: Log;
  /** What a log line says of the request. */
  readonly line: () => RequestLine;
  readonly issuer: string;
}

/** A problem without an error behind it: no such path or method. */
export function problem(
  status: number,
  title: string,
  detail: string,
  facts: ErrorFacts = {},
  headers: Record<string, string> = {},
): Response {
  const { retryAfterSeconds, ...members } = facts;
  return new Response(`${JSON.stringify({ type: 'about:blank', title, status, detail, ...members })}\n`, {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'private, no-store',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...headers,
    },
  });
}

/** RFC 6750 §3 and §3.1: no error code for a caller who sent no token at all. */
function challenge(code: ErrorCode, facts: ErrorFacts, issuer: string): Record<string, string> {
  const parameters: string[] = ['realm="weir"'];
  if (code === 'invalid_token') {
    parameters.push('error="invalid_token"', 'error_description="The token is malformed, expired or revoked"');
  } else if (code === 'insufficient_scope') {
    parameters.push('error="insufficient_scope"', `scope="${facts.scope ?? ''}"`);
  } else if (code === 'invalid' && (facts.field === 'Authorization' || facts.field === 'access_token')) {
    parameters.push('error="invalid_request"');
  } else if (code !== 'unauthenticated' && code !== 'wrong_credentials') return {};
  // RFC 9728 §5.1: where to read who issues tokens for this.
  if (issuer !== '') parameters.push(`resource_metadata="${issuer}/.well-known/oauth-protected-resource"`);
  const bearer = `Bearer ${parameters.join(', ')}`;
  // Only to who came with Basic: for nearly every client it is the wrong way, and browsers would ask for a password.
  return { 'www-authenticate': code === 'wrong_credentials' ? `${bearer}, ${basicChallenge}` : bearer };
}

const basicChallenge = 'Basic realm="weir", charset="UTF-8"';

function oauthResponse(error: OAuthError, more: Record<string, string> = {}): Response {
  const headers: Record<string, string> = {
    'content-type': 'application/json;charset=UTF-8',
    'cache-control': 'no-store',
    pragma: 'no-cache',
    ...more,
  };
  if (error.status === 401) headers['www-authenticate'] = basicChallenge;
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds);
  if (error.status === 405) headers.allow = 'POST';
  const body = JSON.stringify({ error: error.code, error_description: error.message });
  return new Response(`${body}\n`, { status: error.status, headers });
}

function oauthFrom({ code, message, facts }: WeirError): OAuthError {
  if (code === 'too_large') return new OAuthError('invalid_request', message, 413);
  if (code === 'rate_limited') {
    return new OAuthError('temporarily_unavailable', message, 429, facts.retryAfterSeconds);
  }
  if (code === 'unavailable') return new OAuthError('temporarily_unavailable', message);
  return new OAuthError('invalid_request', message);
}
