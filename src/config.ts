import type { ExternalIssuer } from './auth/external-issuers.js';
import { byLimit, type ConfigFile, configFile } from './config/file.js';
import { type IngestConfig, ingestOf } from './config/ingest.js';
import { type logFormats, type logLevels, otherVariables, type Setting, settings, table } from './config/settings.js';
import { type MetricsConfig, metricsOf } from './config/telemetry.js';
import { OperatorError } from './domain/errors.js';
import { defaultLimits, type Limits } from './domain/limits.js';
import { readYaml } from './yaml.js';

export interface Config {
  readonly web: {
    readonly listenAddress: string;
    /** An origin, `https://metrics.example.com`, without a slash at the end. */
    readonly externalUrl: string | undefined;
    /** The operator's own page about errors, without a query or fragment. */
    readonly docsUrl: string | undefined;
    readonly configFile: string | undefined;
    /** Addresses and networks, not checked yet. */
    readonly trustedProxies: readonly string[];
    /** In lower case; believed of trusted proxies only. */
    readonly countryHeader: string | undefined;
    readonly countryFile: string | undefined;
    /** For bodies of pushes that are not read yet, in bytes. */
    readonly bodyMemory: number;
  };
  readonly operator: { readonly listenAddress: string };
  readonly storage: { readonly path: string };
  readonly secrets: { readonly pepperFile: string; readonly encryptionKeysFile: string };
  readonly log: { readonly level: (typeof logLevels)[number]; readonly format: (typeof logFormats)[number] };
  readonly tokens: { readonly lifetimeSeconds: number };
  /** What metric streams may reach beside public addresses, and through what. */
  readonly streams: {
    readonly allowedNetworks: readonly string[];
    readonly allowHttp: boolean;
    /** May hold a password. */
    readonly proxyUrl: string | undefined;
  };
  /** The same of sources. */
  readonly sources: { readonly allowedNetworks: readonly string[]; readonly allowHttp: boolean };
  readonly limits: Limits;
  /** Whose tokens are taken beside our own. */
  readonly externalIssuers: readonly ExternalIssuer[];
  readonly ingest: IngestConfig;
  readonly telemetry: { readonly metrics: MetricsConfig };
}

/** Flag values as commander gives them, keyed by the flag name without dashes, e.g. 'web.listen-address'. */
export type Flags = Readonly<Record<string, string | undefined>>;

export interface ConfigSources {
  readonly flags: Flags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
}

/**
 * One frozen Config out of flags, `WEIR_*` environment, config file and defaults, the first that speaks winning.
 * Throws OperatorError with all problems, one per line.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: string[] = [];
  const pick = <T>(setting: Setting<T>, inFile?: T | null): T => {
    const given = givenOutside(setting, sources);
    if (given === undefined) return inFile ?? setting.value.parse(setting.default);
    const result = setting.value.safeParse(given.text);
    if (result.success) return result.data;
    problems.push(...result.error.issues.map((issue) => `${given.name}: ${issue.message}`));
    return setting.value.parse(setting.default);
  };

  const configPath = pick(table.configFile);
  const file: ConfigFile = configPath === undefined ? {} : readConfigFile(configPath, sources, problems);
  const storagePath = pick(table.storagePath, file.storage?.path);
  const config: Config = {
    web: {
      listenAddress: pick(table.webListenAddress, file.web?.listen_address),
      externalUrl: pick(table.webExternalUrl, file.web?.external_url),
      docsUrl: pick(table.webDocsUrl, file.web?.docs_url),
      configFile: pick(table.webConfigFile, file.web?.config_file),
      trustedProxies: pick(table.webTrustedProxies, file.web?.trusted_proxies),
      countryHeader: pick(table.webCountryHeader, file.web?.country_header),
      countryFile: pick(table.webCountryFile, file.web?.country_file),
      bodyMemory: pick(table.webBodyMemory, file.web?.body_memory),
    },
    operator: { listenAddress: pick(table.operatorListenAddress, file.operator?.listen_address) },
    storage: { path: storagePath },
    secrets: {
      pepperFile: pick(table.pepperFile) ?? `${storagePath}.pepper`,
      encryptionKeysFile: pick(table.encryptionKeysFile) ?? `${storagePath}.keys`,
    },
    log: { level: pick(table.logLevel, file.log?.level), format: pick(table.logFormat, file.log?.format) },
    tokens: { lifetimeSeconds: pick(table.tokenLifetime, file.tokens?.lifetime) },
    streams: {
      allowedNetworks: pick(table.streamsAllowedNetworks, file.streams?.allowed_networks),
      allowHttp: pick(table.streamsAllowHttp, file.streams?.allow_http),
      proxyUrl: pick(table.streamsProxyUrl, file.streams?.proxy_url),
    },
    sources: {
      allowedNetworks: pick(table.sourcesAllowedNetworks, file.sources?.allowed_networks),
      allowHttp: pick(table.sourcesAllowHttp, file.sources?.allow_http),
    },
    limits: overlay(file.limits ?? {}),
    externalIssuers: file.external_issuers ?? [],
    ingest: ingestOf(file.ingest ?? {}),
    telemetry: { metrics: metricsOf(file.telemetry?.metrics ?? {}) },
  };
  if (config.web.countryHeader !== undefined && config.web.trustedProxies.length === 0) {
    problems.push('A country header is believed of trusted proxies only: name them in web.trusted_proxies, too.');
  }
  if (problems.length > 0) throw new OperatorError(problems.join('\n'));
  return { config: deepFreeze(config), warnings: unknownVariables(sources.env) };
}

/** What is wrong with a config file, each as "file:line: sentence"; empty when all is well. */
export function checkConfigFile(path: string, text: string): string[] {
  return [...readYaml(path, text, configFile).problems];
}

function givenOutside(setting: Setting, { flags, env }: ConfigSources): { name: string; text: string } | undefined {
  const flag = setting.flag === undefined ? undefined : flags[setting.flag];
  if (flag !== undefined) return { name: `--${setting.flag}`, text: flag };
  // Empty counts as unset: compose files and charts write `WEIR_X=` for "nothing given".
  const variable = setting.env === undefined ? undefined : env[setting.env];
  if (variable !== undefined && variable !== '') return { name: setting.env!, text: variable };
  return undefined;
}

function readConfigFile(path: string, { readFile }: ConfigSources, problems: string[]): ConfigFile {
  let content: string;
  try {
    content = readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    problems.push(
      code === 'ENOENT'
        ? `The config file ${path} does not exist; create it, or leave out --config.file and WEIR_CONFIG_FILE.`
        : `The config file ${path} cannot be read: ${message}.`,
    );
    return {};
  }
  const reading = readYaml(path, content, configFile);
  problems.push(...reading.problems);
  return reading.value ?? {};
}

function overlay(given: NonNullable<ConfigFile['limits']>): Limits {
  return byLimit((name) => given[name] ?? defaultLimits[name]);
}

function unknownVariables(env: ConfigSources['env']): string[] {
  const known = new Set([...settings.map((setting) => setting.env), ...otherVariables]);
  return Object.keys(env)
    .filter((name) => name.startsWith('WEIR_') && env[name] !== '' && env[name] !== undefined && !known.has(name))
    .sort()
    .map((name) => `The environment variable ${name} is not a setting of Weir and was ignored.`);
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}
