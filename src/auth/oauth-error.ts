/** Error codes of RFC 6749 §5.2, RFC 8707 §2, RFC 7009 §2.2.1 and, for faults of ours, of RFC 6749 §4.1.2.1. */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_token_type'
  | 'server_error'
  | 'temporarily_unavailable';

/** What the token endpoint answers when it gives no token. The description is shown to the scraper's operator. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly code: OAuthErrorCode;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  /** Whose secret is being guessed, when that is why: its owner is told, though nobody has proved anything. */
  guessed?: { readonly clientId: string; readonly projectId: string | null };

  constructor(code: OAuthErrorCode, description: string, status = defaultStatus[code], retryAfterSeconds?: number) {
    super(oauthText(description));
    this.code = code;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds ?? (status === 503 ? 5 : undefined);
  }
}

/** What each is answered with where nothing else is said. */
export const defaultStatus: Readonly<Record<OAuthErrorCode, number>> = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  unsupported_token_type: 400,
  server_error: 500,
  temporarily_unavailable: 503,
};

/** The characters RFC 6749 §5.2 allows in `error_description`: %x20-21 / %x23-5B / %x5D-7E. */
const oauthText = (text: string): string => text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'");
