/**
 * The one error type that crosses floors. It has three readers: `code` for programs, `message` for the caller (a
 * sentence that says what to do, safe to show), and `cause` for us (logged, never shown).
 * Anything else that is thrown counts as internal: the caller sees a fixed sentence.
 */
export type ErrorCode =
  | 'invalid' // the request or value is malformed
  | 'not_found' // not there, or not yours: the two look the same
  | 'conflict' // contradicts what is stored
  | 'precondition_failed' // what is stored is not what the caller expects
  | 'key_reused' // an idempotency key that stands for another request
  | 'too_large' // a body over its size limit
  | 'limit_exceeded' // well-formed, but over a limit of the project
  | 'rate_limited' // too much for now; retryAfterSeconds says when
  | 'unsupported_media_type'
  | 'unauthenticated' // no usable credentials
  | 'wrong_credentials' // a client id and secret that are not, or not here, good
  | 'invalid_token' // a bearer token that is not, or no longer, good
  | 'insufficient_scope'
  | 'unavailable'; // we cannot at the moment; nothing was stored

/** Facts for programs beside the sentence: `line` of a body, `limit`, `limit_of` and `max` of a limit, `field` of a request. */
export interface ErrorFacts {
  readonly line?: number;
  readonly field?: string;
  readonly limit?: string;
  /** There when it is not the project's. */
  readonly limit_of?: 'endpoint';
  readonly max?: number;
  readonly actual?: number;
  readonly scope?: string;
  readonly retryAfterSeconds?: number;
}

export class WeirError extends Error {
  override readonly name = 'WeirError';
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }
}

/** A start-up or command-line problem the operator can mend; printed as it is, without a stack. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}
