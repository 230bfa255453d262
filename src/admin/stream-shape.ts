import { z } from 'zod';
import { checkDestination, destinationHost } from '../domain/destination.js';
import { formatDuration, parseDuration } from '../domain/duration.js';
import { WeirError } from '../domain/errors.js';
import {
  type Delivery,
  type Destination,
  type DestinationSecrets,
  defaultIntervalMs,
  type Estimate,
  longestIntervalMs,
  type MetricStream,
  metricKind,
  type RequestTag,
  requestTags,
  requestWindowMs,
  type Subscription,
  secretFields,
  shortestIntervalMs,
} from '../domain/stream.js';
import { compileSimpleRegex } from '../formats/regex.js';
import { parseSelector } from '../formats/selector.js';

/** The shapes of Auth0's Metric Streams: what a request may say, and what is answered. */

const secret = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII');
const shortText = z.string().min(1).max(2000);
const auth = {
  auth_type: z.enum(['none', 'api_key', 'bearer', 'basic']).default('none'),
  auth_header_name: shortText.optional(),
  username: z
    .string()
    .min(1)
    .max(500)
    .regex(/^[^:\p{Cc}]+$/u, 'must not contain a colon')
    .optional(),
  api_key: secret.optional(),
  token: secret.optional(),
  password: secret.optional(),
};

export const destinationSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('datadog'),
    configuration: z.strictObject({ api_key: secret, site: shortText.optional(), url: shortText.optional() }),
  }),
  z.strictObject({
    type: z.literal('otlp'),
    configuration: z.strictObject({
      endpoint: shortText,
      protocol: z.enum(['http', 'http/json']).default('http'),
      temporality: z.enum(['cumulative', 'delta']).default('cumulative'),
      ...auth,
    }),
  }),
  z.strictObject({
    type: z.literal('prometheus_remote_write'),
    configuration: z.strictObject({ endpoint: shortText, ...auth }),
  }),
  z.strictObject({ type: z.literal('dogstatsd'), configuration: z.strictObject({ address: shortText }) }),
]);

export const subscriptionSchema = z.strictObject({
  metric_type: z.string(),
  match: z.array(z.string()).max(20).optional(),
  interval: z.string().optional(),
  include_tags: z.array(z.enum(requestTags)).optional(),
  exclude_tags: z.array(z.enum(requestTags)).optional(),
});

export const subscriptionsSchema = z.array(subscriptionSchema).min(1).max(2);

export const newStreamSchema = z.strictObject({
  name: z.string(),
  subscriptions: subscriptionsSchema,
  destination: destinationSchema,
  status: z.enum(['enabled', 'disabled']).default('enabled'),
});

export const streamPatchSchema = z.strictObject({
  name: z.string().optional(),
  subscriptions: subscriptionsSchema.optional(),
  destination: destinationSchema.optional(),
  status: z.enum(['enabled', 'disabled']).optional(),
});

type DestinationBody = z.output<typeof destinationSchema>;

/** Throws `invalid` naming the first field that does not fit. What was sent is never quoted: it may be a secret. */
export function readBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const keys = issue.code === 'unrecognized_keys' ? [issue.keys[0]!] : [];
  const field = [...issue.path, ...keys].map(String).join('.') || 'body';
  const sentence = issue.code === 'unrecognized_keys' ? 'is not a field here' : issue.message;
  throw new WeirError('invalid', `${field}: ${sentence}.`, { field });
}

interface SubscriptionBody {
  readonly metric_type: string;
  readonly match?: readonly string[] | undefined;
  readonly interval?: string | undefined;
  readonly include_tags?: readonly RequestTag[] | undefined;
  readonly exclude_tags?: readonly RequestTag[] | undefined;
}

export function readSubscriptions(bodies: readonly SubscriptionBody[]): Subscription[] {
  const subscriptions = bodies.map(readSubscription);
  const kinds = subscriptions.map(({ kind }) => kind);
  if (new Set(kinds).size < kinds.length) {
    throw new WeirError('invalid', 'A stream can subscribe to each kind of metric once.', { field: 'subscriptions' });
  }
  return subscriptions;
}

function readSubscription(body: SubscriptionBody): Subscription {
  const { metric_type: metricType, match, interval, include_tags, exclude_tags } = body;
  const kind = metricKind(metricType);
  const refuse = (field: string, sentence: string): WeirError =>
    new WeirError('invalid', sentence, { field: `subscriptions.${field}` });
  if (kind === 'project.metrics') {
    if (include_tags !== undefined || exclude_tags !== undefined) {
      throw refuse('include_tags', 'Tags can be chosen for api_request.count only; choose series with match.');
    }
  } else if (match !== undefined || interval !== undefined) {
    throw refuse('match', 'match and interval go with project.metrics only; api_request.count comes every 10s.');
  }
  for (const selector of match ?? []) parseSelector(selector, compileSimpleRegex);
  const intervalMs = interval === undefined ? defaultIntervalMs : parseDuration(interval);
  if (intervalMs < shortestIntervalMs || intervalMs > longestIntervalMs || intervalMs % 1000 !== 0) {
    throw refuse('interval', 'The interval must be whole seconds from 10s to 5m.');
  }
  return {
    metricType,
    kind,
    intervalMs: kind === 'project.metrics' ? intervalMs : requestWindowMs,
    match: match ?? [],
    includeTags: include_tags ?? null,
    excludeTags: exclude_tags ?? [],
  };
}

/** A destination as it is kept: what may be shown apart from what may not. */
export interface SplitDestination {
  readonly destination: Destination;
  readonly secrets: DestinationSecrets;
}

const masked = '***';

/** `***` stands for the secret there is, as long as it goes to where it went. Throws `invalid` naming the field. */
export function readDestination(body: DestinationBody, before?: SplitDestination): SplitDestination {
  const shown: Record<string, unknown> = {};
  const secrets: Record<string, string> = {};
  for (const [name, value] of Object.entries(body.configuration)) {
    if (value === undefined) continue;
    if (isSecret(name)) secrets[name] = value as string;
    else shown[name] = value;
  }
  const destination = { type: body.type, configuration: shown } as unknown as Destination;
  for (const name of Object.keys(secrets).filter((name) => secrets[name] === masked)) {
    const field = `destination.configuration.${name}`;
    const kept = before?.secrets[name as keyof DestinationSecrets];
    if (before === undefined || kept === undefined || before.destination.type !== body.type) {
      throw new WeirError('invalid', `There is no ${name} to keep; give one.`, { field });
    }
    if (destinationHost(before.destination) !== destinationHost(destination)) {
      throw new WeirError('invalid', `The ${name} would go to another host; give it again.`, { field });
    }
    secrets[name] = kept;
  }
  checkDestination(destination, secrets);
  return { destination, secrets };
}

const isSecret = (name: string): boolean => (secretFields as readonly string[]).includes(name);

/** Which secrets a destination has, as they are shown. */
function maskedSecrets({ type, configuration }: Destination): Record<string, string> {
  if (type === 'datadog') return { api_key: masked };
  if (type === 'dogstatsd') return {};
  const names = { none: [], api_key: ['api_key'], bearer: ['token'], basic: ['password'] }[configuration.auth_type];
  return Object.fromEntries(names.map((name) => [name, masked]));
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** What every face shows of streams and deliveries. */
export type StreamFacts = Omit<MetricStream, 'failures' | 'version'>;
export type DeliveryFacts = Omit<Delivery, 'seq'>;

/** A stream as every face shows it. */
export function streamJson(stream: StreamFacts) {
  const { destination } = stream;
  return {
    id: stream.id,
    project_id: stream.projectId,
    status: stream.status,
    ...(stream.statusReason === null ? {} : { status_reason: stream.statusReason }),
    name: stream.name,
    created_at: iso(stream.createdAt),
    updated_at: iso(stream.updatedAt),
    subscriptions: stream.subscriptions.map(subscriptionJson),
    destination: {
      type: destination.type,
      configuration: { ...destination.configuration, ...maskedSecrets(destination) },
    },
    health: {
      status: stream.health,
      ...(stream.reason === null ? {} : { reason: stream.reason }),
      ...(stream.failingSince === null ? {} : { failing_since: iso(stream.failingSince) }),
    },
  };
}

function subscriptionJson({ metricType, kind, intervalMs, match, includeTags, excludeTags }: Subscription) {
  if (kind === 'project.metrics') {
    return {
      metric_type: metricType,
      interval: formatDuration(intervalMs),
      ...(match.length > 0 ? { match } : {}),
    };
  }
  return {
    metric_type: metricType,
    ...(includeTags === null ? {} : { include_tags: includeTags }),
    ...(excludeTags.length > 0 ? { exclude_tags: excludeTags } : {}),
  };
}

export const estimateJson = ({ metricType, series, available, pointsPerHour }: Estimate) => ({
  metric_type: metricType,
  series,
  series_available: available,
  points_per_hour: pointsPerHour,
});

export function deliveryJson(delivery: DeliveryFacts) {
  return {
    id: delivery.id,
    stream_id: delivery.streamId,
    metric_type: delivery.kind,
    status: delivery.status,
    from: iso(delivery.from),
    to: iso(delivery.to),
    points: delivery.points,
    created_at: iso(delivery.createdAt),
    ...(delivery.finishedAt === null ? {} : { finished_at: iso(delivery.finishedAt) }),
    attempts: delivery.attempts.map(({ at, durationMs, status, error, answer }) => ({
      timestamp: iso(at),
      duration_ms: durationMs,
      status,
      ...(error === null ? {} : { error_message: error }),
      ...(answer === '' ? {} : { answer }),
    })),
  };
}
