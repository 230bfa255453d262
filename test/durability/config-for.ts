import { defaultIngest } from '../../src/config/ingest.js';
import { defaultMetrics } from '../../src/config/telemetry.js';
import type { Config } from '../../src/config.js';
import { defaultLimits } from '../../src/domain/limits.js';

const noCountries = { countryHeader: undefined, countryFile: undefined };
const bodyMemory = 256 * 1024 * 1024;

/** The default configuration for a database at this path, on ports that are free. */
export const configFor = (path: string): Config => ({
  web: {
    listenAddress: '127.0.0.1:0',
    externalUrl: undefined,
    docsUrl: undefined,
    configFile: undefined,
    trustedProxies: [],
    ...noCountries,
    bodyMemory,
  },
  operator: { listenAddress: '127.0.0.1:0' },
  storage: { path },
  secrets: { pepperFile: `${path}.pepper`, encryptionKeysFile: `${path}.keys` },
  log: { level: 'error', format: 'json' },
  tokens: { lifetimeSeconds: 900 },
  streams: { allowedNetworks: [], allowHttp: false, proxyUrl: undefined },
  sources: { allowedNetworks: [], allowHttp: false },
  limits: defaultLimits,
  externalIssuers: [],
  ingest: defaultIngest,
  telemetry: { metrics: defaultMetrics },
});
