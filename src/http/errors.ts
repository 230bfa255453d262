import { OAuthError } from '../auth/oauth-error.js';
import { type ErrorCode, type ErrorFacts, WeirError } from '../domain/errors.js';
import type { Log } from '../telemetry/log.js';
import { answers, type ProblemCode } from './error-codes.js';
import { type ErrorLinks, topicOf } from './error-reference/links.js';
import { rateLimitHeaders } from './rate-limit.js';
import type { RequestLine } from './request-log.js';

/**
 * The one door errors leave through. A `WeirError` becomes a problem document (RFC 9457) with its facts as members, an
 * `OAuthError` the JSON of RFC 6749 §5.2; anything else is ours: logged with its cause, answered with a fixed sentence.
 * Each says where to read more.
 */
export function errorResponse(error: unknown, { isOAuth, log, line, issuer, links }: ErrorContext): Response {
  if (error instanceof OAuthError) return oauthResponse(error, links);
  if (error instanceof WeirError) {
    if (error.cause !== undefined) log.error({ ...line(), err: error.cause, code: error.code }, error.message);
    if (isOAuth) return oauthResponse(oauthFrom(error), links, rateLimitHeaders(error.facts));
    const headers = { ...challenge(error.code, error.facts, issuer, links), ...rateLimitHeaders(error.facts) };
    return problem(links, error.code, error.message, error.facts, headers);
  }
  const { request_id, ...about } = line();
  log.error({ request_id, ...about, err: error }, 'a request failed in an unexpected way');
  const sentence = `The gateway failed; its log says why, under the request id ${request_id}.`;
  if (isOAuth) return oauthResponse(new OAuthError('server_error', sentence), links);
  return problem(links, 'internal', sentence);
}

/** What cannot even be taken for a request of ours, such as one with a malformed Host: in the form of its path all the same. */
export function malformedRequest(target: string, links: ErrorLinks): Response {
  const sentence = 'The request is malformed.';
  if (target.startsWith('/oauth/')) return oauthResponse(new OAuthError('invalid_request', sentence), links);
  return problem(links, 'invalid', sentence);
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
  readonly links: ErrorLinks;
}

/** A problem without an error behind it: no such path or method. */
export function problem(
  links: ErrorLinks,
  code: ProblemCode,
  detail: string,
  facts: ErrorFacts = {},
  headers: Record<string, string> = {},
): Response {
  const { retryAfterSeconds, ...members } = facts;
  const { status, title } = answers[code];
  return new Response(`${JSON.stringify({ type: links(code), title, status, detail, ...members })}\n`, {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'private, no-store',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...headers,
    },
  });
}

/** RFC 6750 §3 and §3.1: no error code for a caller who sent no token at all, and nothing about it then. */
function challenge(code: ErrorCode, facts: ErrorFacts, issuer: string, links: ErrorLinks): Record<string, string> {
  const parameters: string[] = ['realm="weir"'];
  if (code === 'invalid_token') {
    parameters.push('error="invalid_token"', 'error_description="The token is malformed, expired or revoked"');
  } else if (code === 'insufficient_scope') {
    parameters.push('error="insufficient_scope"');
    // Absent where no scope would help.
    if (facts.scope !== undefined) parameters.push(`scope="${facts.scope}"`);
  } else if (code === 'invalid' && (facts.field === 'Authorization' || facts.field === 'access_token')) {
    parameters.push('error="invalid_request"');
  } else if (code !== 'unauthenticated' && code !== 'wrong_credentials') return {};
  if (parameters.length > 1) parameters.push(`error_uri="${links(code)}"`);
  // RFC 9728 §5.1: where to read who issues tokens for this.
  if (issuer !== '') parameters.push(`resource_metadata="${issuer}/.well-known/oauth-protected-resource"`);
  const bearer = `Bearer ${parameters.join(', ')}`;
  // Only to who came with Basic: for nearly every client it is the wrong way, and browsers would ask for a password.
  return { 'www-authenticate': code === 'wrong_credentials' ? `${bearer}, ${basicChallenge}` : bearer };
}

const basicChallenge = 'Basic realm="weir", charset="UTF-8"';

function oauthResponse(error: OAuthError, links: ErrorLinks, more: Record<string, string> = {}): Response {
  const headers: Record<string, string> = {
    'content-type': 'application/json;charset=UTF-8',
    'cache-control': 'no-store',
    pragma: 'no-cache',
    ...more,
  };
  if (error.status === 401) headers['www-authenticate'] = basicChallenge;
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds);
  if (error.status === 405) headers.allow = 'POST';
  const described = { error: error.code, error_description: error.message, error_uri: links(topicOf(error)) };
  return new Response(`${JSON.stringify(described)}\n`, { status: error.status, headers });
}

function oauthFrom({ code, message, facts }: WeirError): OAuthError {
  if (code === 'too_large') return new OAuthError('invalid_request', message, 413);
  if (code === 'rate_limited') {
    return new OAuthError('temporarily_unavailable', message, 429, facts.retryAfterSeconds);
  }
  if (code === 'unavailable') return new OAuthError('temporarily_unavailable', message);
  return new OAuthError('invalid_request', message);
}
