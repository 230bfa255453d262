import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { externalIssuersSchema } from '../auth/external-issuers-schema.js';
import { parseDuration } from '../domain/duration.js';
import { WeirError } from '../domain/errors.js';
import { type LimitName, limitNames } from '../domain/limits.js';
import { parseNetworks } from '../net/addresses.js';
import { parseProxy } from '../net/proxy.js';
import { type BackendConfig, backendKinds } from '../telemetry/metrics/backends/index.js';
import { yamlMap } from '../yaml.js';
import { ingestInFile } from './ingest.js';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export const logFormats = ['json', 'pretty'] as const;

/** A place where an operator may say something. `value` turns its text into what Config holds. */
export interface Setting<T = unknown> {
  /** Without the dashes. */
  readonly flag?: string;
  readonly env?: string;
  /** Path in the config file. */
  readonly yaml?: string;
  readonly default?: string;
  readonly help: string;
  /** What the text is, for `--flag <argument>`. */
  readonly argument: string;
  readonly value: z.ZodType<T>;
}

// The values: one zod schema each, whether the text comes from a flag, the environment or the file.

const text = <T>(what: string, parse: (text: string) => T) =>
  z.string({ error: `Write ${what} here, as text.` }).transform((written, context) => {
    try {
      return parse(written);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      context.addIssue(error.message);
      return z.NEVER;
    }
  });

const oneOf = <const Words extends readonly string[]>(words: Words) =>
  z.enum(words, { error: `Write one of ${words.join(', ')} here.` });

const networks = z
  .string({ error: 'Write addresses or networks such as 10.0.0.0/8 here, with commas between.' })
  .transform((list) =>
    list
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  );

/** Checked, since a network that is misspelt would otherwise only show when a stream or source does not go through. */
const allowedNetworks = networks.transform((list, context) => {
  try {
    parseNetworks(list);
    return list;
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    context.addIssue(error.message);
    return z.NEVER;
  }
});

/** What it reads is of no use here but to tell what is wrong: the URL is kept as it was written, and read where it is used. */
const proxyUrl = text('the URL of an http proxy', (url) => {
  parseProxy(url);
  return url;
});

const yesOrNo = z
  .union([z.boolean(), z.enum(['true', 'false'])], { error: 'Write true or false here.' })
  .transform((written) => written === true || written === 'true');

const filePath = z.string({ error: 'Write a path here, as text.' }).min(1, { error: 'The path is empty.' });

const headerName = z
  .string({ error: 'Write the name of a header here, as text.' })
  .regex(/^[\w-]+$/, { error: 'The name of a header is letters, digits and hyphens, such as CF-IPCountry.' })
  .transform((name) => name.toLowerCase());

const listenAddress = text('a listen address such as 127.0.0.1:8460', (address) => {
  parseListenAddress(address);
  return address;
});

const externalUrl = text('a URL such as https://metrics.example.com', parseExternalUrl);
const docsUrl = text('a URL such as https://docs.example.com/metrics/errors', parseDocsUrl);
const tokenLifetime = text('a duration such as 15m', parseTokenLifetime);
const limit = z
  .int({ error: 'Write a whole number here; 0 switches the limit off.' })
  .min(0, { error: 'A limit is 0 (off) or more.' });

const rate = z
  .number({ error: 'Write a rate from 0 to 1 here.' })
  .min(0, { error: 'A rate is from 0 to 1.' })
  .max(1, { error: 'A rate is from 0 to 1.' });
const keyBeginning = z.string({ error: 'Write the beginning of a metric here, such as request.' });

/** One entry of the list, by its type. */
const backend = z.discriminatedUnion(
  'type',
  backendKinds.map(({ type, options }) =>
    yamlMap({
      type: z.literal(type),
      options: z.preprocess((given) => given ?? {}, options as z.ZodType<Readonly<Record<string, unknown>>>),
      sample_rate: rate.nullish(),
      prefixes: z.array(keyBeginning, { error: 'Write a list of beginnings of metrics here.' }).nullish(),
    }),
  ) as never,
  { error: `Write a type here, one of ${backendKinds.map(({ type }) => type).join(', ')}.` },
) as z.ZodType<BackendInFile>;

interface BackendInFile {
  readonly type: BackendConfig['type'];
  readonly options: Readonly<Record<string, unknown>>;
  readonly sample_rate?: number | null;
  readonly prefixes?: readonly string[] | null;
}

const metricsInFile = yamlMap({
  prefix: z
    .string({ error: 'Write a prefix such as "weir." here.' })
    .regex(/^([A-Za-z][A-Za-z0-9_.]*[._])?$/, { error: 'A prefix is letters and digits and ends with a dot: "weir.".' })
    .nullish(),
  sample_rate: rate.nullish(),
  project_label: z.boolean({ error: 'Write true or false here.' }).nullish(),
  backends: z.array(backend, { error: 'Write a list of backends here.' }).nullish(),
});

/**
 * The shape of the config file. A key without a value counts as not written (`nullish`), so that a template may leave
 * a section empty.
 */
export const configFile = yamlMap({
  web: yamlMap({
    listen_address: listenAddress.nullish(),
    external_url: externalUrl.nullish(),
    docs_url: docsUrl.nullish(),
    config_file: filePath.nullish(),
    trusted_proxies: networks.nullish(),
    country_header: headerName.nullish(),
    country_file: filePath.nullish(),
  }).nullish(),
  operator: yamlMap({ listen_address: listenAddress.nullish() }).nullish(),
  storage: yamlMap({ path: filePath.nullish() }).nullish(),
  log: yamlMap({ level: oneOf(logLevels).nullish(), format: oneOf(logFormats).nullish() }).nullish(),
  tokens: yamlMap({ lifetime: tokenLifetime.nullish() }).nullish(),
  streams: yamlMap({
    allowed_networks: allowedNetworks.nullish(),
    allow_http: yesOrNo.nullish(),
    proxy_url: proxyUrl.nullish(),
  }).nullish(),
  sources: yamlMap({ allowed_networks: allowedNetworks.nullish(), allow_http: yesOrNo.nullish() }).nullish(),
  limits: yamlMap(byLimit(() => limit.nullish())).nullish(),
  external_issuers: externalIssuersSchema.nullish(),
  ingest: ingestInFile.nullish(),
  telemetry: yamlMap({ metrics: metricsInFile.nullish() }).nullish(),
});

export type ConfigFile = z.output<typeof configFile>;
export type MetricsInFile = z.output<typeof metricsInFile>;

export const table = {
  webListenAddress: {
    flag: 'web.listen-address',
    env: 'WEIR_WEB_LISTEN_ADDRESS',
    yaml: 'web.listen_address',
    default: '127.0.0.1:8460',
    help: 'Address of the public listener, which customers and producers use.',
    argument: 'host:port',
    value: listenAddress,
  },
  operatorListenAddress: {
    flag: 'operator.listen-address',
    env: 'WEIR_OPERATOR_LISTEN_ADDRESS',
    yaml: 'operator.listen_address',
    default: '127.0.0.1:9460',
    help: 'Address of the operator listener: /metrics, health and reload. Keep it away from the public.',
    argument: 'host:port',
    value: listenAddress,
  },
  webExternalUrl: {
    flag: 'web.external-url',
    env: 'WEIR_WEB_EXTERNAL_URL',
    yaml: 'web.external_url',
    help: 'URL under which customers reach the public listener, when a proxy stands before it.',
    argument: 'url',
    value: externalUrl.optional(),
  },
  webDocsUrl: {
    flag: 'web.docs-url',
    env: 'WEIR_WEB_DOCS_URL',
    yaml: 'web.docs_url',
    help: "Your own page about errors, with the anchors of docs/errors.md, to which errors link instead of Weir's at /docs/errors.",
    argument: 'url',
    value: docsUrl.optional(),
  },
  webConfigFile: {
    flag: 'web.config.file',
    env: 'WEIR_WEB_CONFIG_FILE',
    yaml: 'web.config_file',
    help: "TLS certificate of the public listener, in the format of Prometheus' exporter-toolkit.",
    argument: 'file',
    value: filePath.optional(),
  },
  webTrustedProxies: {
    flag: 'web.trusted-proxies',
    env: 'WEIR_WEB_TRUSTED_PROXIES',
    yaml: 'web.trusted_proxies',
    default: '',
    help: 'Proxies whose X-Forwarded-For is believed, with commas between: addresses or networks.',
    argument: 'networks',
    value: networks,
  },
  webCountryHeader: {
    flag: 'web.country-header',
    env: 'WEIR_WEB_COUNTRY_HEADER',
    yaml: 'web.country_header',
    help: 'Header in which trusted proxies say which country a client is in, such as CF-IPCountry.',
    argument: 'header',
    value: headerName.optional(),
  },
  webCountryFile: {
    flag: 'web.country-file',
    env: 'WEIR_WEB_COUNTRY_FILE',
    yaml: 'web.country_file',
    help: 'Database of countries by address in the format of MaxMind (.mmdb).',
    argument: 'file',
    value: filePath.optional(),
  },
  storagePath: {
    flag: 'storage.path',
    env: 'WEIR_STORAGE_PATH',
    yaml: 'storage.path',
    default: './data/weir.db',
    help: 'SQLite database file.',
    argument: 'file',
    value: filePath,
  },
  configFile: {
    flag: 'config.file',
    env: 'WEIR_CONFIG_FILE',
    help: 'YAML file with settings; flags and environment override it.',
    argument: 'file',
    value: filePath.optional(),
  },
  logLevel: {
    flag: 'log.level',
    env: 'WEIR_LOG_LEVEL',
    yaml: 'log.level',
    default: 'info',
    help: `Least severe level that is logged: ${logLevels.join(', ')}.`,
    argument: 'level',
    value: oneOf(logLevels),
  },
  logFormat: {
    flag: 'log.format',
    env: 'WEIR_LOG_FORMAT',
    yaml: 'log.format',
    default: 'json',
    help: `Form of log lines: ${logFormats.join(', ')}.`,
    argument: 'format',
    value: oneOf(logFormats),
  },
  pepperFile: {
    env: 'WEIR_SECRET_PEPPER_FILE',
    help: 'File with the key under which client secrets are hashed (default: the storage path with .pepper added).',
    argument: 'file',
    value: filePath.optional(),
  },
  encryptionKeysFile: {
    env: 'WEIR_ENCRYPTION_KEYS_FILE',
    help: 'File with the keys that encrypt what is secret in the store (default: the storage path with .keys added).',
    argument: 'file',
    value: filePath.optional(),
  },
  streamsAllowedNetworks: {
    flag: 'streams.allowed-networks',
    env: 'WEIR_STREAMS_ALLOWED_NETWORKS',
    yaml: 'streams.allowed_networks',
    default: '',
    help: 'Networks that metric streams may reach on any port although they are not public, with commas between.',
    argument: 'networks',
    value: allowedNetworks,
  },
  streamsAllowHttp: {
    flag: 'streams.allow-http',
    env: 'WEIR_STREAMS_ALLOW_HTTP',
    yaml: 'streams.allow_http',
    default: 'false',
    help: 'Whether metric streams may send to http URLs, in the clear: true or false.',
    argument: 'bool',
    value: yesOrNo,
  },
  sourcesAllowedNetworks: {
    flag: 'sources.allowed-networks',
    env: 'WEIR_SOURCES_ALLOWED_NETWORKS',
    yaml: 'sources.allowed_networks',
    default: '',
    help: 'Networks in which sources may be asked on any port although they are not public, with commas between.',
    argument: 'networks',
    value: allowedNetworks,
  },
  sourcesAllowHttp: {
    flag: 'sources.allow-http',
    env: 'WEIR_SOURCES_ALLOW_HTTP',
    yaml: 'sources.allow_http',
    default: 'false',
    help: 'Whether sources may be asked at http URLs, in the clear: true or false.',
    argument: 'bool',
    value: yesOrNo,
  },
  streamsProxyUrl: {
    flag: 'streams.proxy-url',
    env: 'WEIR_STREAMS_PROXY_URL',
    yaml: 'streams.proxy_url',
    help: 'An http proxy (CONNECT) through which metric streams connect; it resolves names and says what may be reached.',
    argument: 'url',
    value: proxyUrl.optional(),
  },
  tokenLifetime: {
    yaml: 'tokens.lifetime',
    default: '15m',
    help: 'Lifetime of access tokens, from 301s to 1h.',
    argument: 'duration',
    value: tokenLifetime,
  },
} as const satisfies Record<string, Setting>;

/**
 * The one table of settings. Beside it the file has `limits`, a number for each name in `limitNames`, `external_issuers`,
 * `ingest` (docs/ingest.md), and `telemetry` (docs/telemetry.md).
 */
export const settings: readonly Setting[] = Object.values(table);

/** WEIR_* variables that other commands read, so that sharing an environment with them causes no warning. */
export const otherVariables: readonly string[] = ['WEIR_URL'];

/** `host:port`; no host means every interface. Throws `invalid`. */
export function parseListenAddress(text: string): { host: string | undefined; port: number } {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535 || !isHost(host)) {
    throw new WeirError(
      'invalid',
      `${JSON.stringify(text)} is not a listen address; write host:port with a port from 0 to 65535, such as 127.0.0.1:8460, ` +
        '[::1]:8460, or :8460 for every interface.',
    );
  }
  return { host: host === '' ? undefined : host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function isHost(host: string): boolean {
  if (host === '') return true;
  if (host.startsWith('[') && host.endsWith(']')) return isIPv6(host.slice(1, -1));
  if (/^[\d.]+$/.test(host)) return isIPv4(host);
  return /^[\w-]+(\.[\w-]+)*$/.test(host);
}

/** The URL is never quoted, because it may carry the credentials it is refused for. */
function parseWebUrl(text: string, example: string): URL {
  const refuse = (sentence: string) => new WeirError('invalid', sentence);
  if (!/^https?:\/\/\S+$/i.test(text) || !URL.canParse(text)) {
    throw refuse(`This is not an http or https URL; write one such as ${example}.`);
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw refuse('The URL must not carry a user name or password.');
  if (/[?#]/.test(text)) throw refuse('The URL must not have a query or fragment (? or #).');
  return url;
}

/** It stands in every error, in a header of some: their size is bounded. */
const longestDocsUrl = 500;

function parseDocsUrl(text: string): string {
  const { href } = parseWebUrl(text, 'https://docs.example.com/metrics/errors');
  if (href.length > longestDocsUrl)
    throw new WeirError('invalid', `The URL is longer than ${longestDocsUrl} characters.`);
  return href;
}

/** To its origin. */
function parseExternalUrl(text: string): string {
  const refuse = (sentence: string) => new WeirError('invalid', sentence);
  const url = parseWebUrl(text, 'https://metrics.example.com');
  if (url.pathname !== '/') {
    throw refuse('The URL must not have a path; serve Weir at the root of a host name, not under a prefix.');
  }
  return url.origin;
}

/** To seconds. */
function parseTokenLifetime(text: string): number {
  const seconds = parseDuration(text) / 1000;
  if (!Number.isInteger(seconds) || seconds < 301 || seconds > 3600) {
    throw new WeirError(
      'invalid',
      'A token must live whole seconds from 301s to 1h; OpenTelemetry asks for a new one 5 minutes before the end.',
    );
  }
  return seconds;
}

export function byLimit<T>(make: (name: LimitName) => T): Record<LimitName, T> {
  return Object.fromEntries(limitNames.map((name) => [name, make(name)])) as Record<LimitName, T>;
}
