import type { z } from 'zod';
import {
  allowedNetworks,
  docsUrl,
  externalUrl,
  filePath,
  headerName,
  listenAddress,
  memorySize,
  networks,
  oneOf,
  proxyUrl,
  tokenLifetime,
  yesOrNo,
} from './values.js';

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
  webBodyMemory: {
    flag: 'web.body-memory',
    env: 'WEIR_WEB_BODY_MEMORY',
    yaml: 'web.body_memory',
    default: '256MiB',
    help: 'Memory for the bodies of pushes that came and are not read yet, of all projects; over it they are told to come again (503).',
    argument: 'size',
    value: memorySize,
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
