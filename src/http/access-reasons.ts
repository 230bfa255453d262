import { OAuthError } from '../auth/oauth-error.js';
import type { AccessReason } from '../domain/access.js';
import { type ErrorCode, WeirError } from '../domain/errors.js';

/** What a customer is told of why a request of theirs was refused. */
export function reasonOf(error: unknown): AccessReason {
  if (error instanceof WeirError) return reasons[error.code];
  if (!(error instanceof OAuthError)) return 'internal';
  if (error.guessed !== undefined) return 'guessing';
  switch (error.code) {
    case 'invalid_client':
    case 'invalid_grant':
      return 'wrong_credentials';
    case 'invalid_scope':
      return 'invalid_scope';
    case 'temporarily_unavailable':
      return error.status === 429 ? 'rate_limited' : 'unavailable';
    case 'server_error':
      return 'internal';
    default:
      return 'invalid_request';
  }
}

const reasons: Record<ErrorCode, AccessReason> = {
  invalid: 'invalid_request',
  unauthenticated: 'invalid_request',
  wrong_credentials: 'wrong_credentials',
  invalid_token: 'revoked_token',
  insufficient_scope: 'insufficient_scope',
  not_found: 'unknown_endpoint',
  rate_limited: 'rate_limited',
  unavailable: 'unavailable',
  conflict: 'invalid_request',
  precondition_failed: 'invalid_request',
  key_reused: 'invalid_request',
  too_large: 'invalid_request',
  limit_exceeded: 'invalid_request',
  unsupported_media_type: 'invalid_request',
};
