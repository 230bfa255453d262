import { z } from 'zod';
import { externalIssuersSchema } from '../auth/external-issuers-schema.js';
import { type LimitName, limitNames } from '../domain/limits.js';
import { yamlMap } from '../yaml.js';
import { ingestInFile } from './ingest.js';
import { logFormats, logLevels } from './settings.js';
import { metricsInFile } from './telemetry.js';
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

const limit = z
  .int({ error: 'Write a whole number here; 0 switches the limit off.' })
  .min(0, { error: 'A limit is 0 (off) or more.' });

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
    body_memory: memorySize.nullish(),
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

export function byLimit<T>(make: (name: LimitName) => T): Record<LimitName, T> {
  return Object.fromEntries(limitNames.map((name) => [name, make(name)])) as Record<LimitName, T>;
}
