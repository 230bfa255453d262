/** Why a request was refused, or what was wrong with an answer all the same. */
export const accessReasons = [
  'expired_token',
  'revoked_token',
  'unknown_token',
  'disabled_client',
  'wrong_credentials',
  'basic_not_allowed',
  'guessing',
  'insufficient_scope',
  'invalid_scope',
  'unknown_endpoint',
  'other_project',
  'rate_limited',
  'invalid_request',
  'incomplete_page',
  'unavailable',
  'internal',
] as const;
export type AccessReason = (typeof accessReasons)[number];

export const accessOperations = ['scrape', 'token'] as const;
export type AccessOperation = (typeof accessOperations)[number];

/** A scrape or a token request, as its customer is told of it. */
export interface AccessEntry {
  readonly at: number;
  readonly operation: AccessOperation;
  /** The metricsId that was asked for; null for the whole project, and for tokens. */
  readonly endpointId: string | null;
  readonly status: number;
  readonly reason: AccessReason | null;
  /** Of a page that was served. */
  readonly format: string | null;
  /** Of the page, as it was sent. */
  readonly bytes: number | null;
  readonly durationMs: number;
  readonly agent: string | null;
  readonly address: string;
}

/**
 * Where entries stand: by client and endpoint that is there, then those of its project, its tokens, of all else it asked
 * for, and of what only used its name. Others who know that name cannot push the client's own entries out.
 */
export type AccessRing = `endpoint:${string}` | 'project' | 'token' | 'elsewhere' | 'unproved';

export interface AccessPlace {
  readonly projectId: string;
  readonly clientId: string;
  readonly ring: AccessRing;
}

/** The newest entries of each place that are kept. */
export const accessEntriesKept = 20;
export const accessRingsPerProject = 500;
export const accessRingsInAll = 20_000;
export const accessKeptMs = 30 * 86_400_000;
