import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { OperatorError } from './domain/errors.js';
import { readYaml, yamlMap } from './yaml.js';

export interface WebTls {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * What Weir reads of exporter-toolkit's web config (`--web.config.file`): the certificate to serve. Returns undefined
 * when the file configures no TLS; throws OperatorError naming file and line of all it does not understand.
 */
export function parseWebConfig(path: string, text: string): WebTls | undefined {
  const { value, problems } = readYaml(path, text, webConfig);
  if (problems.length > 0) throw new OperatorError(problems.join('\n'));
  const tls = value?.tls_server_config;
  if (tls === undefined) return undefined;
  return { certFile: besideConfig(path, tls.cert_file), keyFile: besideConfig(path, tls.key_file) };
}

const file = z
  .string({
    error: ({ input }) => (input === undefined ? 'This key is missing.' : 'Write the path of a PEM file here.'),
  })
  .min(1, { error: 'Write the path of a PEM file here.' });

// Strict, and an empty `tls_server_config:` is refused: whoever wrote the key, or `client_auth_type`, wants a guard that
// silently would not be there.
const webConfig = yamlMap({ tls_server_config: yamlMap({ cert_file: file, key_file: file }).optional() });

/** As exporter-toolkit does, so that one folder with config and certificates can be mounted anywhere. */
function besideConfig(configPath: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(configPath), path);
}
