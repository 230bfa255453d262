import { accessLogOperations } from './access-log.js';
import { auditOperations } from './audit.js';
import { banOperations } from './bans.js';
import { clientKeyOperations } from './client-keys.js';
import { clientSecretOperations } from './client-secrets.js';
import { clientTokenOperations } from './client-tokens.js';
import { clientOperations } from './clients.js';
import { deliveryOperations } from './deliveries.js';
import { endpointOperations } from './endpoints.js';
import { metricStreamOperations } from './metric-streams.js';
import type { Operation } from './operation.js';
import { projectOperations } from './projects.js';
import { signingKeyOperations } from './signing-keys.js';
import { sourceOperations } from './sources.js';
import { streamTrialOperations } from './stream-trials.js';
import { usageOperations } from './usage.js';

/** Everything there is, in the order of the document. */
export const operations: readonly Operation[] = [
  ...projectOperations,
  ...endpointOperations,
  ...clientOperations,
  ...clientSecretOperations,
  ...clientKeyOperations,
  ...clientTokenOperations,
  ...metricStreamOperations,
  ...streamTrialOperations,
  ...deliveryOperations,
  ...sourceOperations,
  ...usageOperations,
  ...accessLogOperations,
  ...auditOperations,
  ...signingKeyOperations,
  ...banOperations,
];
