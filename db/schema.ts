import { blob, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/** Times are milliseconds since the epoch. After a change here: `npm run db:generate`, and commit what it writes. */

/** Single facts about this store, such as the fingerprint of the pepper its secrets were made with. */
export const meta = sqliteTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});

export const project = sqliteTable('project', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  createdAt: integer('created_at').notNull(),
  /** JSON object of the limits that differ from the configuration. */
  limits: text('limits').notNull().default('{}'),
});

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
    version: integer('version').notNull().default(1),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [uniqueIndex('endpoint_of_project').on(table.projectId, table.metricsId)],
);

export const client = sqliteTable(
  'client',
  {
    id: text('id').primaryKey(),
    projectId: text('project_id')
      .notNull()
      .references(() => project.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    /** Space-separated, as in a token. */
    scope: text('scope').notNull(),
    /** JSON array of metricsIds, or null for every endpoint of the project. */
    endpoints: text('endpoints'),
    createdAt: integer('created_at').notNull(),
    disabledAt: integer('disabled_at'),
  },
  (table) => [index('client_of_project').on(table.projectId)],
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
  },
  (table) => [index('secret_of_client').on(table.clientId)],
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

/** What was changed about projects, endpoints, clients and keys, for processes that hold it in memory. */
export const change = sqliteTable('change', {
  seq: integer('seq').primaryKey({ autoIncrement: true }),
  noun: text('noun', { enum: ['project', 'client', 'key'] }).notNull(),
  id: text('id').notNull(),
  at: integer('at').notNull(),
});
