import { jwtBearerGrant } from '../auth/assertion.js';
import { OAuthError } from '../auth/oauth-error.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import type { Soon } from '../domain/soon.js';
import type { ApiRequests, RequestTags } from '../telemetry/api-requests.js';
import type { UsageMeters } from '../telemetry/usage.js';
import type { Ctx } from './context.js';
import type { Countries } from './countries.js';

export interface RequestCounting {
  readonly counted: ApiRequests;
  readonly usage: UsageMeters;
  readonly countries: Countries;
  readonly clock: Clock;
}

type Operation = Pick<RequestTags, 'api' | 'operation_name' | 'grant_type'>;

/** Does the work and counts it for the project of the caller, by how it ended; what has no caller is not counted. */
export function counted(
  { counted: requests, clock, countries }: RequestCounting,
  c: Ctx,
  operation: Operation,
  work: () => Soon<Response>,
): Soon<Response> {
  const count = (result: Pick<RequestTags, 'operation_result' | 'failure_code'>, error?: unknown): void => {
    const { clientId, projectId } = c.env.caller ?? (error instanceof OAuthError ? error.guessed : undefined) ?? {};
    if (clientId === undefined || typeof projectId !== 'string') return;
    requests
      .counter(projectId, { ...operation, ...result, ...countries.tag(c), client_id: clientId })
      .count(clock.now());
  };
  const answered = (response: Response): Response => {
    count(response.status < 400 ? succeeded : failure('CLIENT_SERVER_ERROR'));
    return response;
  };
  const failed = (error: unknown): never => {
    count(failure(failureCode(error)), error);
    throw error;
  };
  let response: Soon<Response>;
  try {
    response = work();
  } catch (error) {
    return failed(error);
  }
  return response instanceof Promise ? response.then(answered, failed) : answered(response);
}

/** An invented grant type would be a tag with as many values as somebody cares to invent. */
export const knownGrant = (grantType: string | undefined): Pick<RequestTags, 'grant_type'> =>
  grantType !== undefined && grantTypes.includes(grantType) ? { grant_type: grantType } : {};

const grantTypes = ['client_credentials', jwtBearerGrant];

const succeeded = { operation_result: 'SUCCESS' } as const;
type FailureCode = NonNullable<RequestTags['failure_code']>;
const failure = (failure_code: FailureCode) => ({ operation_result: 'FAILURE', failure_code }) as const;

function failureCode(error: unknown): FailureCode {
  if (error instanceof OAuthError && error.guessed !== undefined) return 'ANOMALY_DETECTION';
  const limits = ['rate_limited', 'limit_exceeded'];
  const isLimit = error instanceof WeirError && (limits.includes(error.code) || error.facts.limit !== undefined);
  return isLimit ? 'RATE_LIMIT' : 'CLIENT_SERVER_ERROR';
}
