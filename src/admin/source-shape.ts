import { z } from 'zod';
import { formatDuration, parseDuration } from '../domain/duration.js';
import { instanceLabel } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { checkName } from '../domain/ids.js';
import {
  defaultSourceIntervalMs,
  defaultStaleMs,
  defaultTenantHeader,
  defaultTimeoutMs,
  longestSourceIntervalMs,
  longestStaleMs,
  type Source,
  type SourceAuth,
  type SourceSecrets,
  type SourceSettings,
  type SourceType,
  shortestSourceIntervalMs,
  shortestStaleMs,
  sourceTypes,
} from '../domain/source.js';
import { formatMatcher, isEquality, parseMatcher } from '../formats/promql/matcher.js';
import { readRelabelConfigs } from '../formats/relabel/config.js';
import type { SourceProbe } from '../sources/probe.js';

/** The shapes of sources: what a request may say, and what is answered. */

const printableText = z.string().regex(/^[\x20-\x7e]+$/, 'must be printable ASCII');
const secret = printableText.max(4096);
const shortText = printableText.max(2000);
const username = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^:\p{Cc}]+$/u, 'must not contain a colon');

const auth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('bearer'), token: secret }),
  z.strictObject({ type: z.literal('basic'), username, password: secret }),
  z.strictObject({
    type: z.literal('oauth2'),
    client_id: shortText,
    client_secret: secret,
    token_url: shortText,
    scope: shortText.optional(),
  }),
]);
const count = z.int().min(0).max(1_000_000_000);

const changeable = {
  name: z.string(),
  status: z.enum(['enabled', 'disabled']),
  url: shortText,
  interval: z.string(),
  timeout: z.string(),
  stale_limit: z.string(),
  matchers: z.array(z.string()).max(50),
  tenant: shortText.nullable(),
  tenant_header: z
    .string()
    .max(100)
    .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must be the name of a header'),
  labels: z.record(z.string(), z.string().max(2048)),
  auth,
  metric_relabel_configs: z.array(z.looseObject({})),
  sample_limit: count,
  body_size_limit: count,
};

export const sourcePatchSchema = z.strictObject(changeable).partial();
export const newSourceSchema = sourcePatchSchema
  .required({ name: true, url: true })
  .extend({ metrics_id: z.string(), type: z.enum(sourceTypes) });

export type SourcePatch = z.output<typeof sourcePatchSchema>;

/** Settings as they are kept: what may be shown apart from what may not. */
export interface SplitSource {
  readonly settings: SourceSettings;
  readonly secrets: SourceSecrets;
}

/**
 * The settings a source has after the change; what is left out stays, or is the default. `***` stands for the secret there
 * is, as long as all goes to where it went. Throws `invalid` naming the field.
 */
export function changedSource(type: SourceType, patch: SourcePatch, before?: SplitSource): SplitSource {
  const had = before?.settings;
  const intervalMs =
    patch.interval === undefined ? (had?.intervalMs ?? defaultSourceIntervalMs) : parseDuration(patch.interval);
  const given = (text: string | undefined, there: number | undefined, preset: number): number =>
    text === undefined ? (there ?? preset) : parseDuration(text);
  const split = patch.auth === undefined ? undefined : splitAuth(patch.auth, before);
  const settings: SourceSettings = {
    name: patch.name === undefined ? had!.name : checkName('source', patch.name),
    status: patch.status ?? had?.status ?? 'enabled',
    url: patch.url === undefined ? had!.url : checkUrl(patch.url, type),
    intervalMs,
    timeoutMs: given(patch.timeout, had?.timeoutMs, defaultTimeoutMs(intervalMs)),
    staleMs: given(patch.stale_limit, had?.staleMs, defaultStaleMs(intervalMs)),
    matchers: patch.matchers?.map(parseMatcher) ?? had?.matchers ?? [],
    tenant: patch.tenant === undefined ? (had?.tenant ?? null) : patch.tenant,
    tenantHeader: patch.tenant_header ?? had?.tenantHeader ?? defaultTenantHeader,
    labels: patch.labels === undefined ? (had?.labels ?? []) : readLabels(patch.labels),
    auth: split?.auth ?? had?.auth ?? { type: 'none' },
    relabelConfigs:
      patch.metric_relabel_configs === undefined
        ? (had?.relabelConfigs ?? [])
        : readRelabelConfigs(patch.metric_relabel_configs),
    sampleLimit: patch.sample_limit ?? had?.sampleLimit ?? 0,
    bodyLimit: patch.body_size_limit ?? had?.bodyLimit ?? 0,
  };
  const secrets = split?.secrets ?? before?.secrets ?? {};
  checkTimes(settings);
  if (type === 'promql') checkMatchers(settings);
  else if (settings.matchers.length > 0 || settings.tenant !== null) {
    throw refused('matchers', 'Matchers and a tenant go with sources of type promql.');
  }
  const keepsSecret = Object.values(patch.auth ?? { all: masked }).includes(masked) && Object.keys(secrets).length > 0;
  if (keepsSecret && placesOf(settings) !== placesOf(had!)) {
    throw refused('auth', 'The secret would go to another host; give it again.');
  }
  return { settings, secrets };
}

const masked = '***';

function splitAuth(
  { type, ...fields }: NonNullable<SourcePatch['auth']>,
  before: SplitSource | undefined,
): { auth: SourceAuth; secrets: SourceSecrets } {
  const shown: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (!secretFields.includes(name)) {
      shown[name] = name === 'token_url' ? checkUrl(value, 'exporter', 'auth.token_url') : value;
      continue;
    }
    const kept = before?.settings.auth.type === type ? before.secrets[name as keyof SourceSecrets] : undefined;
    if (value === masked && kept === undefined) {
      throw refused(`auth.${name}`, `There is no ${name} to keep; give one.`);
    }
    secrets[name] = value === masked ? kept! : value;
  }
  return { auth: { type, ...shown }, secrets };
}

const secretFields = ['token', 'password', 'client_secret'];

/** Where secrets go. */
const placesOf = ({ url, auth: { token_url } }: SourceSettings): string =>
  JSON.stringify([url, token_url].map((text) => text && new URL(text).origin));

function checkUrl(text: string, type: SourceType, field = 'url'): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw refused(field, 'The URL must be an http or https one, such as https://exporter.example/metrics.');
  }
  if (url.username !== '' || url.password !== '') throw refused(field, 'Credentials go into auth, not into the URL.');
  if (url.hash !== '') throw refused(field, 'The URL must not have a fragment (#).');
  if (type === 'exporter') return url.href;
  if (url.search !== '' || /\/api\/v1(\/query)?\/?$/.test(url.pathname)) {
    throw refused(field, 'Give what stands before /api/v1, without a query.');
  }
  return url.href.replace(/\/+$/, '');
}

function checkTimes({ intervalMs, timeoutMs, staleMs }: SourceSettings): void {
  if (intervalMs < shortestSourceIntervalMs || intervalMs > longestSourceIntervalMs) {
    throw refused('interval', 'The interval must be 1s to 1h.');
  }
  if (timeoutMs < 100 || timeoutMs > intervalMs) {
    throw refused('timeout', 'The timeout must be 100ms or more, and not longer than the interval.');
  }
  if (staleMs < Math.max(shortestStaleMs, intervalMs) || staleMs > longestStaleMs) {
    throw refused('stale_limit', 'The stale limit must be 1m to 1d, and not shorter than the interval.');
  }
}

function checkMatchers({ matchers }: SourceSettings): void {
  if (!matchers.some(isEquality)) {
    throw refused(
      'matchers',
      'A promql source needs a matcher such as project="acme": a label, not the metric name, that equals something.',
    );
  }
}

function readLabels(labels: Readonly<Record<string, string>>): [string, string][] {
  const pairs = Object.entries(labels);
  const wrong = pairs.find(
    ([name, value]) =>
      !/^[a-zA-Z_][a-zA-Z0-9_]{0,1023}$/.test(name) ||
      name.startsWith('__') ||
      name === instanceLabel ||
      /[\p{Surrogate}]/u.test(value),
  );
  if (wrong !== undefined || pairs.length > 30) {
    throw refused('labels', `Labels are at most 30, named as in Prometheus, without "__" and "${instanceLabel}".`);
  }
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1));
}

const refused = (field: string, sentence: string): WeirError => new WeirError('invalid', sentence, { field });

const iso = (ms: number): string => new Date(ms).toISOString();

/** A source as every face shows it. */
export function sourceJson(source: Source) {
  const { auth, health, reason, since } = source;
  const names = { none: [], bearer: ['token'], basic: ['password'], oauth2: ['client_secret'] }[auth.type];
  return {
    id: source.id,
    project_id: source.projectId,
    metrics_id: source.metricsId,
    name: source.name,
    type: source.type,
    status: source.status,
    url: source.url,
    interval: formatDuration(source.intervalMs),
    timeout: formatDuration(source.timeoutMs),
    stale_limit: formatDuration(source.staleMs),
    ...(source.type === 'exporter'
      ? {}
      : { matchers: source.matchers.map(formatMatcher), tenant: source.tenant, tenant_header: source.tenantHeader }),
    labels: Object.fromEntries(source.labels),
    auth: { ...auth, ...Object.fromEntries(names.map((name) => [name, masked])) },
    metric_relabel_configs: source.relabelConfigs,
    sample_limit: source.sampleLimit,
    body_size_limit: source.bodyLimit,
    health: {
      status: health,
      ...(reason === null ? {} : { reason }),
      ...(since === null ? {} : { since: iso(since) }),
    },
    created_at: iso(source.createdAt),
    updated_at: iso(source.updatedAt),
  };
}

/** What came of asking a source once, as every face shows it. */
export const probeJson = ({ durationMs, ...rest }: SourceProbe) => ({ ...rest, duration_ms: durationMs });

export type SourceJson = ReturnType<typeof sourceJson>;
