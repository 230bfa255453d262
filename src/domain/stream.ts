import { WeirError } from './errors.js';

/** What a stream can carry: the project's own series, or the requests the project made of the gateway. */
export type MetricKind = 'project.metrics' | 'api_request.count';

/** Names a subscription may use; the second and third are Auth0's for the same metric. */
const spellings: Readonly<Record<string, MetricKind>> = {
  'project.metrics': 'project.metrics',
  'api_request.count': 'api_request.count',
  'weir.api_request.count': 'api_request.count',
  'auth0.api_request.count': 'api_request.count',
  'metrics_bridge.api_request': 'api_request.count',
};
export const metricTypes: readonly string[] = Object.keys(spellings);

/** What the spelling stands for; throws `invalid` naming those there are. */
export function metricKind(metricType: string): MetricKind {
  const kind = Object.hasOwn(spellings, metricType) ? spellings[metricType] : undefined;
  if (kind === undefined) {
    throw new WeirError('invalid', `The metric_type must be one of ${metricTypes.join(', ')}.`, {
      field: 'subscriptions.metric_type',
    });
  }
  return kind;
}

/** Tags of `api_request.count`, as Auth0 documents them. */
export const requestTags = [
  'api',
  'operation_name',
  'operation_result',
  'tenant',
  'failure_code',
  'country_code',
  'client_id',
  'connection_id',
  'grant_type',
] as const;
export type RequestTag = (typeof requestTags)[number];

export interface Subscription {
  /** As it was written, so that what is read back is what was sent. */
  readonly metricType: string;
  readonly kind: MetricKind;
  /** Between two windows, milliseconds. */
  readonly intervalMs: number;
  /** Series selectors, any of which lets a series pass; empty for all. `project.metrics` only. */
  readonly match: readonly string[];
  /** `api_request.count` only. null: all of them. */
  readonly includeTags: readonly RequestTag[] | null;
  readonly excludeTags: readonly RequestTag[];
}

/** How many series a subscription sends, of how many there are; null where that cannot be known. */
export interface Estimate {
  readonly metricType: string;
  readonly series: number | null;
  readonly available: number | null;
  /** Of `project.metrics`: at its interval. Of requests it depends on how many come. */
  readonly pointsPerHour: number | null;
}

/** Counts of requests are cut into windows of this length; milliseconds. */
export const requestWindowMs = 10_000;
export const defaultIntervalMs = 30_000;
export const shortestIntervalMs = 10_000;
export const longestIntervalMs = 300_000;

export const destinationTypes = ['datadog', 'otlp', 'prometheus_remote_write', 'dogstatsd'] as const;
export type DestinationType = (typeof destinationTypes)[number];
export type AuthType = 'none' | 'api_key' | 'bearer' | 'basic';

/** How a stream proves itself to its destination; the secret half is kept apart. */
export interface DestinationAuth {
  readonly auth_type: AuthType;
  readonly auth_header_name?: string | undefined;
  readonly username?: string | undefined;
}

/** What of each destination may be shown. Keys are those of the API. */
export type Destination =
  | { readonly type: 'datadog'; readonly configuration: DatadogConfiguration }
  | { readonly type: 'otlp'; readonly configuration: OtlpConfiguration }
  | { readonly type: 'prometheus_remote_write'; readonly configuration: RemoteWriteConfiguration }
  | { readonly type: 'dogstatsd'; readonly configuration: { readonly address: string } };

export interface DatadogConfiguration {
  readonly site?: string | undefined;
  /** In place of a site: to it `/api/v2/series` is appended. */
  readonly url?: string | undefined;
}

export interface OtlpConfiguration extends DestinationAuth {
  readonly endpoint: string;
  /** Protobuf, or JSON. */
  readonly protocol: 'http' | 'http/json';
  readonly temporality: 'cumulative' | 'delta';
}

export interface RemoteWriteConfiguration extends DestinationAuth {
  readonly endpoint: string;
}

/** The secret half of a configuration, by its key in the API. */
export const secretFields = ['api_key', 'token', 'password'] as const;
export type DestinationSecrets = Readonly<Partial<Record<(typeof secretFields)[number], string>>>;

/** `disabled` by a person, `suspended` by the gateway. */
export type StreamStatus = 'enabled' | 'disabled' | 'suspended';
export type DestinationHealth = 'ok' | 'degraded' | 'credential_error';

/** How the deliveries go. */
export interface StreamHealth {
  readonly health: DestinationHealth;
  /** Of the last failure; null when all is well. */
  readonly reason: string | null;
  /** Attempts that failed in a row, and when the first of them did. */
  readonly failures: number;
  readonly failingSince: number | null;
}

/** A subscription that is pushed to a destination. */
export interface MetricStream extends StreamHealth {
  /** `mst_…` */
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly status: StreamStatus;
  /** Why it is suspended. */
  readonly statusReason: string | null;
  readonly subscriptions: readonly Subscription[];
  readonly destination: Destination;
  /** Rises with every change of settings by a person. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A stream is suspended after this many failed attempts in a row, or when all have failed for this long. */
export const failuresUntilSuspended = 500;
export const failingUntilSuspendedMs = 24 * 3_600_000;

/** How old a window may become before it is given up. Datadog takes nothing older than an hour. */
export const windowAgeLimitMs: Readonly<Record<DestinationType, number>> = {
  datadog: 55 * 60_000,
  otlp: 3_600_000,
  prometheus_remote_write: 3_600_000,
  dogstatsd: 60_000,
};
/** What a stream's windows that wait may weigh together. */
export const queueLimitBytes = 64 * 1024 * 1024;

export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'dropped';

/** One window of a stream, and what became of it. */
export interface Delivery {
  /** `dlv_…` */
  readonly id: string;
  readonly streamId: string;
  readonly seq: number;
  readonly kind: MetricKind;
  /** The time it covers. */
  readonly from: number;
  readonly to: number;
  readonly points: number;
  readonly status: DeliveryStatus;
  readonly attempts: readonly Attempt[];
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

export interface Attempt {
  readonly at: number;
  readonly durationMs: number;
  /** The destination's status code, if it answered. */
  readonly status: number | null;
  readonly error: string | null;
  /** The beginning of the destination's answer, secrets masked. */
  readonly answer: string;
}

export const answerKeptBytes = 20_000;
/** Attempts kept of one delivery; the first ones go. */
export const attemptsKept = 50;
/** Delivered windows can be sent again for this long, then they are forgotten. */
export const deliveredKeptMs = 3_600_000;
/** What became of the others is remembered for this long. */
export const undeliveredKeptMs = 7 * 86_400_000;
