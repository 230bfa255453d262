import { blob, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { EndpointLimits } from '../src/domain/endpoint-limits.js';
import type { RelabelConfig } from '../src/domain/relabel.js';

/** Times are milliseconds since the epoch. After a change here: `npm run db:generate`, and commit what it writes. */

/** Single facts about this store, such as the fingerprint of the pepper its secrets were made with. */
export const meta = sqliteTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});

export const project = sqliteTable(
  'project',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    createdAt: integer('created_at').notNull(),
    /** JSON object of the limits that differ from the configuration. */
    limits: text('limits').notNull().default('{}'),
  },
  (table) => [index('project_by_creation').on(table.createdAt, table.id)],
);

export const endpoint = sqliteTable(
  'endpoint',
  {
    /** Never reused: what was kept for a deleted endpoint cannot come back under a new one of the same name. */
    id: integer('id').primaryKey({ autoIncrement: true }),
    projectId: text('project_id')
      .notNull()
      .references(() => project.id, { onDelete: 'cascade' }),
    metricsId: text('metrics_id').notNull(),
    name: text('name').notNull(),
    lifetimeMs: integer('lifetime_ms').notNull(),
    timestamps: integer('timestamps', { mode: 'boolean' }).notNull(),
    /** JSON object of names and values. */
    metadata: text('metadata', { mode: 'json' }).$type<Record<string, string>>().notNull().default({}),
    /** JSON arrays: names, rules as they were given, names. */
    droppedMetrics: text('dropped_metrics', { mode: 'json' }).$type<readonly string[]>().notNull().default([]),
    relabelConfigs: text('relabel_configs', { mode: 'json' }).$type<readonly RelabelConfig[]>().notNull().default([]),
    droppedLabels: text('dropped_labels', { mode: 'json' }).$type<readonly string[]>().notNull().default([]),
    /** JSON object of the limits it has beside those of its project. */
    limits: text('limits', { mode: 'json' }).$type<EndpointLimits>().notNull().default({}),
    version: integer('version').notNull().default(1),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [uniqueIndex('endpoint_of_project').on(table.projectId, table.metricsId)],
);

export const client = sqliteTable(
  'client',
  {
    id: text('id').primaryKey(),
    /** null for a client of the operator. */
    projectId: text('project_id').references(() => project.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    /** Space-separated, as in a token. */
    scope: text('scope').notNull(),
    /** JSON array of metricsIds, or null for every endpoint of the project. */
    endpoints: text('endpoints'),
    createdAt: integer('created_at').notNull(),
    disabledAt: integer('disabled_at'),
    /** Whether id and secret are taken by HTTP Basic on the metrics routes themselves. */
    allowBasic: integer('allow_basic', { mode: 'boolean' }).notNull().default(false),
    /** Where the client publishes its public keys, besides those registered here. */
    jwksUrl: text('jwks_url'),
    /** Tokens carry the number they were issued under; raising it ends all of them. */
    tokenGeneration: integer('token_generation').notNull().default(1),
  },
  (table) => [
    index('client_of_project').on(table.projectId, table.createdAt, table.id),
    index('client_by_creation').on(table.createdAt, table.id),
  ],
);

export const clientSecret = sqliteTable(
  'client_secret',
  {
    id: text('id').primaryKey(),
    clientId: text('client_id')
      .notNull()
      .references(() => client.id, { onDelete: 'cascade' }),
    /** HMAC-SHA-256 of the secret under the pepper. */
    mac: blob('mac', { mode: 'buffer' }).notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
    /** Tokens it obtained are refused, too. The row stays until the last of them has ended. */
    revokedAt: integer('revoked_at'),
    lastUsedAt: integer('last_used_at'),
    lastUsedIp: text('last_used_ip'),
    lastUsedAgent: text('last_used_agent'),
  },
  (table) => [index('secret_of_client').on(table.clientId)],
);

/** Public keys a client proves itself with, instead of a secret. */
export const clientKey = sqliteTable(
  'client_key',
  {
    clientId: text('client_id')
      .notNull()
      .references(() => client.id, { onDelete: 'cascade' }),
    kid: text('kid').notNull(),
    /** Public JWK as JSON. */
    jwk: text('jwk').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.clientId, table.kid] })],
);

/** Long-lived opaque tokens for scrapers that cannot do OAuth2. */
export const scrapeToken = sqliteTable(
  'scrape_token',
  {
    id: text('id').primaryKey(),
    clientId: text('client_id')
      .notNull()
      .references(() => client.id, { onDelete: 'cascade' }),
    name: text('name'),
    /** HMAC-SHA-256 of the token under the pepper. */
    mac: blob('mac', { mode: 'buffer' }).notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    lastUsedAt: integer('last_used_at'),
    lastUsedIp: text('last_used_ip'),
    lastUsedAgent: text('last_used_agent'),
  },
  (table) => [index('scrape_token_of_client').on(table.clientId)],
);

/** Single access tokens refused before their end. */
export const revokedToken = sqliteTable(
  'revoked_token',
  {
    jti: text('jti').primaryKey(),
    clientId: text('client_id')
      .notNull()
      .references(() => client.id, { onDelete: 'cascade' }),
    /** When the token would have ended anyway, leeway included. */
    endsAt: integer('ends_at').notNull(),
  },
  (table) => [index('revoked_token_of_client').on(table.clientId)],
);

/** Client assertions that were taken: each is good once. */
export const usedAssertion = sqliteTable(
  'used_assertion',
  {
    clientId: text('client_id').notNull(),
    jti: text('jti').notNull(),
    endsAt: integer('ends_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.clientId, table.jti] }), index('assertion_by_end').on(table.endsAt)],
);

/** Who is answered 429 for wrong secrets: a client id, known or not, from one address. */
export const ban = sqliteTable(
  'ban',
  {
    clientId: text('client_id').notNull(),
    address: text('address').notNull(),
    createdAt: integer('created_at').notNull(),
    endsAt: integer('ends_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.clientId, table.address] })],
);

/** Requests that were made with an `Idempotency-Key`, so that a repeated one does nothing again. */
export const idempotencyKey = sqliteTable(
  'idempotency_key',
  {
    clientId: text('client_id')
      .notNull()
      .references(() => client.id, { onDelete: 'cascade' }),
    key: text('key').notNull(),
    /** HMAC of method, path and body: the same key with another request is a mistake. */
    digest: blob('digest', { mode: 'buffer' }).notNull(),
    /** What was made, such as `client:<id>`. */
    object: text('object').notNull(),
    /** The answer as JSON, without what is shown once; null until it is known. */
    answer: text('answer'),
    endsAt: integer('ends_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.clientId, table.key] }), index('idempotency_by_end').on(table.endsAt)],
);

/** Who did what to which noun, from where, when. Never a secret. */
export const auditEvent = sqliteTable(
  'audit_event',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    at: integer('at').notNull(),
    /** `cli:<user>`, `client:<id>` or `system`. */
    actor: text('actor').notNull(),
    /** Noun and verb, such as `client.rotate`. */
    action: text('action').notNull(),
    /** What it was done to, such as `client:<id>`. */
    object: text('object').notNull(),
    projectId: text('project_id'),
    ip: text('ip'),
  },
  (table) => [index('audit_of_project').on(table.projectId, table.id)],
);

export const signingKey = sqliteTable('signing_key', {
  kid: text('kid').primaryKey(),
  alg: text('alg').notNull(),
  state: text('state', { enum: ['next', 'current', 'retired'] }).notNull(),
  /** Public JWK as JSON. */
  publicJwk: text('public_jwk').notNull(),
  /** Private JWK, encrypted (see src/auth/envelope.ts). */
  privateJwk: blob('private_jwk', { mode: 'buffer' }).notNull(),
  createdAt: integer('created_at').notNull(),
  /** When the last token it signed has ended, or at once when it was retired by hand; null while it may sign. */
  endsAt: integer('ends_at'),
});

/** Issuers this gateway has signed as: tokens of a former external URL stay good until they end. */
export const issuer = sqliteTable('issuer', {
  url: text('url').primaryKey(),
  lastUsedAt: integer('last_used_at').notNull(),
});

/** What one producer replaces as a whole: its families in canonical form as one blob, with the index beside it. */
export const pushGroup = sqliteTable(
  'push_group',
  {
    endpointId: integer('endpoint_id')
      .notNull()
      .references(() => endpoint.id, { onDelete: 'cascade' }),
    /** Canonical text of the grouping labels. */
    key: text('key').notNull(),
    /** JSON array of [name, value] pairs. */
    labels: text('labels').notNull(),
    /** JSON array of [header, lines, exemplars], in the order of the blob. */
    families: text('families').notNull(),
    samples: blob('samples', { mode: 'buffer' }).notNull(),
    series: integer('series').notNull(),
    pushedAt: integer('pushed_at').notNull(),
    /** null: lives until replaced or deleted. */
    expiresAt: integer('expires_at'),
    /** The number of the write that made it; rises over the whole store. */
    version: integer('version').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.endpointId, table.key] }),
    index('group_by_expiry').on(table.expiresAt),
    index('group_by_version').on(table.version),
  ],
);

/** Subscriptions that are pushed to a destination, and how that goes. */
export const metricStream = sqliteTable(
  'metric_stream',
  {
    id: text('id').primaryKey(),
    projectId: text('project_id')
      .notNull()
      .references(() => project.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    status: text('status', { enum: ['enabled', 'disabled', 'suspended'] }).notNull(),
    statusReason: text('status_reason'),
    /** JSON array. */
    subscriptions: text('subscriptions').notNull(),
    destinationType: text('destination_type', {
      enum: ['datadog', 'otlp', 'prometheus_remote_write', 'dogstatsd'],
    }).notNull(),
    /** JSON object, without what is secret. */
    configuration: text('configuration').notNull(),
    /** JSON object of what is secret, encrypted (see src/auth/envelope.ts). */
    secrets: blob('secrets', { mode: 'buffer' }).notNull(),
    health: text('health', { enum: ['ok', 'degraded', 'credential_error'] })
      .notNull()
      .default('ok'),
    healthReason: text('health_reason'),
    failures: integer('failures').notNull().default(0),
    failingSince: integer('failing_since'),
    version: integer('version').notNull().default(1),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [index('stream_of_project').on(table.projectId)],
);

/** What a stream must remember between two windows: the last value of each counter. One row per kind of metric. */
export const streamState = sqliteTable(
  'stream_state',
  {
    streamId: text('stream_id')
      .notNull()
      .references(() => metricStream.id, { onDelete: 'cascade' }),
    kind: text('kind', { enum: ['project.metrics', 'api_request.count'] }).notNull(),
    state: blob('state', { mode: 'buffer' }).notNull(),
    at: integer('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.kind] })],
);

/** Windows of streams, and what became of them. The first pending one is where a stream stands. */
export const delivery = sqliteTable(
  'delivery',
  {
    seq: integer('seq').primaryKey({ autoIncrement: true }),
    id: text('id').notNull(),
    streamId: text('stream_id')
      .notNull()
      .references(() => metricStream.id, { onDelete: 'cascade' }),
    kind: text('kind', { enum: ['project.metrics', 'api_request.count'] }).notNull(),
    from: integer('from_time').notNull(),
    to: integer('to_time').notNull(),
    points: integer('points').notNull(),
    /** Compressed; null once it can no longer be sent again. */
    window: blob('window', { mode: 'buffer' }),
    status: text('status', { enum: ['pending', 'delivered', 'failed', 'dropped'] }).notNull(),
    /** Requests of it that the destination has taken already. */
    partsDone: integer('parts_done').notNull().default(0),
    createdAt: integer('created_at').notNull(),
    finishedAt: integer('finished_at'),
  },
  (table) => [
    uniqueIndex('delivery_by_id').on(table.id),
    index('delivery_of_stream').on(table.streamId, table.seq),
    index('delivery_by_status').on(table.streamId, table.status, table.seq),
  ],
);

export const deliveryAttempt = sqliteTable(
  'delivery_attempt',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    deliverySeq: integer('delivery_seq')
      .notNull()
      .references(() => delivery.seq, { onDelete: 'cascade' }),
    at: integer('at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    status: integer('status'),
    error: text('error'),
    answer: text('answer').notNull(),
  },
  (table) => [index('attempt_of_delivery').on(table.deliverySeq, table.id)],
);

/** Where an endpoint's series are fetched from. What it gave last lies in `push_group`, with the key `source <id>`. */
export const source = sqliteTable(
  'source',
  {
    id: text('id').primaryKey(),
    endpointId: integer('endpoint_id')
      .notNull()
      .references(() => endpoint.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    type: text('type', { enum: ['exporter', 'promql'] }).notNull(),
    status: text('status', { enum: ['enabled', 'disabled'] }).notNull(),
    url: text('url').notNull(),
    intervalMs: integer('interval_ms').notNull(),
    timeoutMs: integer('timeout_ms').notNull(),
    staleMs: integer('stale_ms').notNull(),
    /** JSON object of the other settings, without what is secret. */
    configuration: text('configuration').notNull(),
    /** JSON object of what is secret, encrypted (see src/auth/envelope.ts). */
    secrets: blob('secrets', { mode: 'buffer' }).notNull(),
    health: text('health', { enum: ['pending', 'up', 'down', 'guard'] }).notNull(),
    healthReason: text('health_reason'),
    healthSince: integer('health_since'),
    version: integer('version').notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [uniqueIndex('source_of_endpoint').on(table.endpointId, table.name)],
);

/** The live series of an endpoint as they were once: one record of `src/storage/live/record.ts`. */
export const liveBase = sqliteTable('live_base', {
  endpointId: integer('endpoint_id')
    .primaryKey()
    .references(() => endpoint.id, { onDelete: 'cascade' }),
  record: blob('record', { mode: 'buffer' }).notNull(),
});

/** What was written to them since, in the order of `seq`; folded into the base from time to time. */
export const liveDelta = sqliteTable(
  'live_delta',
  {
    seq: integer('seq').primaryKey(),
    endpointId: integer('endpoint_id')
      .notNull()
      .references(() => endpoint.id, { onDelete: 'cascade' }),
    record: blob('record', { mode: 'buffer' }).notNull(),
  },
  (table) => [index('delta_of_endpoint').on(table.endpointId, table.seq)],
);

/** What each project used on each UTC day. */
export const usage = sqliteTable(
  'usage',
  {
    projectId: text('project_id')
      .notNull()
      .references(() => project.id, { onDelete: 'cascade' }),
    /** Its beginning. */
    day: integer('day').notNull(),
    scrapes: integer('scrapes').notNull(),
    bytesServed: integer('bytes_served').notNull(),
    samplesIn: integer('samples_in').notNull(),
    pointsStreamed: integer('points_streamed').notNull(),
    tokensIssued: integer('tokens_issued').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.day] }),
    index('usage_by_day').on(table.day, table.projectId),
  ],
);

/** The newest scrapes and token requests of each client and endpoint (see src/domain/access.ts). */
export const accessRing = sqliteTable(
  'access_ring',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    projectId: text('project_id')
      .notNull()
      .references(() => project.id, { onDelete: 'cascade' }),
    /** Also of clients that another issuer knows. */
    clientId: text('client_id').notNull(),
    ring: text('ring').notNull(),
    /** Of the entries. */
    firstAt: integer('first_at').notNull(),
    lastAt: integer('last_at').notNull(),
    /** How many there ever were. */
    added: integer('added').notNull(),
    /** JSON array of arrays, oldest first. */
    entries: text('entries').notNull(),
  },
  (table) => [
    uniqueIndex('ring_of_client').on(table.projectId, table.clientId, table.ring),
    index('ring_of_project_by_time').on(table.projectId, table.lastAt),
    index('ring_by_time').on(table.lastAt),
  ],
);

/** What was changed about projects, endpoints, clients and keys, for processes that hold it in memory. */
export const change = sqliteTable('change', {
  seq: integer('seq').primaryKey({ autoIncrement: true }),
  noun: text('noun', { enum: ['project', 'client', 'key', 'ban', 'stream', 'source'] }).notNull(),
  id: text('id').notNull(),
  at: integer('at').notNull(),
});
