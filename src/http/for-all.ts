import { WeirError } from '../domain/errors.js';
import type { Limits } from '../domain/limits.js';
import type { Directory } from '../storage/directory.js';
import type { Doer } from '../storage/store.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import { type Authenticator, requireScope } from './authenticate.js';
import { originOf, type TrustedProxies } from './client-address.js';
import type { Ctx } from './context.js';
import { statusOf } from './errors.js';

export interface ForAllOptions {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly trustedProxies: TrustedProxies;
}

/** Who writes the samples of all customers: a client of the operator, within the limits outside projects. */
export async function authorizeForAll(
  c: Ctx,
  { authenticator, directory, trustedProxies }: ForAllOptions,
): Promise<{ limits: Limits; by: Doer }> {
  const access = await authenticator.authenticate(c);
  await directory.sync();
  if (access.projectId !== null) {
    throw new WeirError(
      'insufficient_scope',
      'Samples of all customers come from clients of the operator; write to the URL of your own endpoint.',
    );
  }
  requireScope(access, 'write:metrics');
  const by = { actor: `client:${access.clientId}`, ip: originOf(c, trustedProxies).ip };
  return { limits: directory.limitsOutsideProjects, by };
}

/** Counts whether the caller was let in. */
export async function counting<T>(metrics: GatewayMetrics, authorized: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await authorized();
  } catch (error) {
    metrics.unauthorized(statusOf(error));
    throw error;
  }
  metrics.authorized();
  return result;
}
