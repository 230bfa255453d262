import type { ErrorCode } from '../domain/errors.js';

/** What a problem document can be about: what was thrown, and what no code of ours threw. */
export type ProblemCode = ErrorCode | 'partly_refused' | 'no_such_path' | 'method_not_allowed' | 'internal';

/** How each is answered. */
export const answers: Readonly<Record<ProblemCode, { readonly status: number; readonly title: string }>> = {
  invalid: { status: 400, title: 'Bad Request' },
  partly_refused: { status: 400, title: 'Bad Request' },
  unauthenticated: { status: 401, title: 'Unauthorized' },
  wrong_credentials: { status: 401, title: 'Unauthorized' },
  invalid_token: { status: 401, title: 'Unauthorized' },
  insufficient_scope: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not Found' },
  no_such_path: { status: 404, title: 'Not Found' },
  method_not_allowed: { status: 405, title: 'Method Not Allowed' },
  conflict: { status: 409, title: 'Conflict' },
  precondition_failed: { status: 412, title: 'Precondition Failed' },
  too_large: { status: 413, title: 'Content Too Large' },
  unsupported_media_type: { status: 415, title: 'Unsupported Media Type' },
  limit_exceeded: { status: 422, title: 'Limit Exceeded' },
  key_reused: { status: 422, title: 'Unprocessable Content' },
  rate_limited: { status: 429, title: 'Too Many Requests' },
  internal: { status: 500, title: 'Internal Server Error' },
  unavailable: { status: 503, title: 'Service Unavailable' },
};
