import { WeirError } from './errors.js';
import type { RelabelConfig } from './relabel.js';

/** Where series come from when nobody pushes: an exporter whose page is fetched, or a TSDB that is asked in PromQL. */
export const sourceTypes = ['exporter', 'promql'] as const;
export type SourceType = (typeof sourceTypes)[number];

export type SourceStatus = 'enabled' | 'disabled';

/** `pending`: not asked yet; `guard`: it gave series that its matchers exclude. */
export type SourceHealth = 'pending' | 'up' | 'down' | 'guard';

export const matcherOperators = ['=', '!=', '=~', '!~'] as const;

/** One condition of a selector. */
export interface Matcher {
  readonly label: string;
  readonly operator: (typeof matcherOperators)[number];
  readonly value: string;
}

export const sourceAuthTypes = ['none', 'bearer', 'basic', 'oauth2'] as const;

/** How the gateway proves to a source who it is, without what is secret. */
export interface SourceAuth {
  readonly type: (typeof sourceAuthTypes)[number];
  /** Of `basic`. */
  readonly username?: string | undefined;
  /** Of `oauth2`, as are the others: the client credentials grant. */
  readonly client_id?: string | undefined;
  readonly token_url?: string | undefined;
  readonly scope?: string | undefined;
}

/** What is encrypted in the store and never shown. */
export interface SourceSecrets {
  readonly token?: string | undefined;
  readonly password?: string | undefined;
  readonly client_secret?: string | undefined;
}

/** What a person may change about a source. Durations are in milliseconds. */
export interface SourceSettings {
  /** Unlike those of the other sources of its endpoint: it is the label `source` on pages. */
  readonly name: string;
  readonly status: SourceStatus;
  /** Of the exporter's page; of a TSDB what stands before `/api/v1`. */
  readonly url: string;
  readonly intervalMs: number;
  /** Of each request. */
  readonly timeoutMs: number;
  /** How long the series of the last good pull are served. */
  readonly staleMs: number;
  /** Of a TSDB; every series must satisfy all of them. */
  readonly matchers: readonly Matcher[];
  /** Sent in `tenantHeader` to a TSDB that has tenants. */
  readonly tenant: string | null;
  readonly tenantHeader: string;
  /** Labels every series gets, sorted by name; they take the place of those of the same name. */
  readonly labels: readonly (readonly [string, string])[];
  readonly auth: SourceAuth;
  /** Applied in order to each series before it is stored. */
  readonly relabelConfigs: readonly RelabelConfig[];
  /** Series of one pull, after relabeling; 0 for no limit but the project's. */
  readonly sampleLimit: number;
  /** Of an answer, inflated; 0 for the project's limit of pushes. */
  readonly bodyLimit: number;
}

export interface SourceCondition {
  readonly health: SourceHealth;
  /** A sentence for whoever looks; null when all is well. */
  readonly reason: string | null;
  /** Since when it is so. */
  readonly since: number | null;
}

export interface Source extends SourceSettings, SourceCondition {
  readonly id: string;
  readonly projectId: string;
  readonly metricsId: string;
  /** Storage identity of the endpoint. */
  readonly endpointId: number;
  readonly type: SourceType;
  /** Rises with every change of settings. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What a page says about a source. */
export interface SourceState {
  readonly id: string;
  readonly name: string;
  readonly endpointId: number;
  /** How the last pull went; `undefined` before the first one of this process. */
  readonly up: boolean | undefined;
  /** Whether the last good answer was whole. */
  readonly complete: boolean;
  /** Of the last good pull of this process; milliseconds since the epoch. */
  readonly pulledAt: number | undefined;
}

export const defaultSourceIntervalMs = 15_000;
export const [shortestSourceIntervalMs, longestSourceIntervalMs] = [1_000, 3_600_000];
export const [shortestStaleMs, longestStaleMs] = [60_000, 86_400_000];
export const defaultTenantHeader = 'X-Scope-OrgID';

export const defaultTimeoutMs = (intervalMs: number): number => Math.min(10_000, intervalMs);

/** Three intervals, at least a minute. */
export const defaultStaleMs = (intervalMs: number): number =>
  Math.min(longestStaleMs, Math.max(shortestStaleMs, 3 * intervalMs));

/** Throws `limit_exceeded` for more series, after relabeling, than the source may give. */
export function checkSampleLimit(actual: number, max: number): void {
  if (max === 0 || actual <= max) return;
  const sentence = `The source has ${actual} series, more than its sample_limit = ${max}.`;
  throw new WeirError('limit_exceeded', sentence, { limit: 'sample_limit', max, actual });
}

/** The group that holds what a source gave: no push has such a key, those are JSON. */
export const sourceGroupText = (id: string): string => `${groupPrefix}${id}`;

/** The source whose group this is; `undefined` for the groups of pushes. */
export const sourceOfGroup = (keyText: string): string | undefined =>
  keyText.startsWith(groupPrefix) ? keyText.slice(groupPrefix.length) : undefined;

export const groupPrefix = 'source ';
