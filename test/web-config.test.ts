import { expect, test } from 'vitest';
import { OperatorError } from '../src/domain/errors.js';
import { parseWebConfig } from '../src/web-config.js';

function problemsOf(text: string): string[] {
  try {
    parseWebConfig('/etc/weir/web.yml', text);
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError);
    return (error as OperatorError).message.split('\n');
  }
  return [];
}

test('certificate paths are taken from the folder of the web config', () => {
  const text = 'tls_server_config:\n  cert_file: tls/cert.pem\n  key_file: /run/secrets/key.pem\n';
  const tls = { certFile: '/etc/weir/tls/cert.pem', keyFile: '/run/secrets/key.pem' };
  expect(parseWebConfig('/etc/weir/web.yml', text)).toEqual(tls);
  expect(parseWebConfig('web.yml', text)).toEqual({ ...tls, certFile: 'tls/cert.pem' });
});

test.each(['', '# plain HTTP for now\n', '{}'])('a file without TLS configures none: %j', (text) => {
  expect(parseWebConfig('web.yml', text)).toBeUndefined();
});

test('every key of exporter-toolkit that Weir does not read is refused by name, all at once', () => {
  const text = `basic_auth_users:
  admin: $2y$10$hunter2
http_server_config:
  http2: true
tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_auth_type: RequireAndVerifyClientCert
`;
  expect(problemsOf(text)).toEqual([
    '/etc/weir/web.yml:1: basic_auth_users is not a setting; known here: tls_server_config.',
    '/etc/weir/web.yml:3: http_server_config is not a setting; known here: tls_server_config.',
    '/etc/weir/web.yml:8: tls_server_config.client_auth_type is not a setting; known here: ' +
      'tls_server_config.cert_file, tls_server_config.key_file.',
  ]);
});

test.each([
  ['tls_server_config:', 'tls_server_config: This must be a map'],
  ['tls_server_config: {}', 'tls_server_config.cert_file: This key is missing.'],
  ['tls_server_config: {cert_file: a}', 'tls_server_config.key_file: This key is missing.'],
  ['tls_server_config: {cert_file: a, key_file: }', 'tls_server_config.key_file: Write the path'],
  ['tls_server_config: {cert_file: a, key_file: ""}', 'tls_server_config.key_file: Write the path'],
  ['tls_server_config: {cert_file: a, key_file: 7}', 'tls_server_config.key_file: Write the path'],
])('half a TLS configuration never falls back to plain HTTP: %j', (text, problem) => {
  expect(problemsOf(text).join('\n')).toContain(`/etc/weir/web.yml:1: ${problem}`);
});

test.each([
  'tls_server_config:\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    hunter2\n',
  'tls_server_config:\n  key: | hunter2\n',
  'tls_server_config:\n  key: "-----BEGIN" hunter2\n',
  'tls_server_config:\n  key: [a]] hunter2\n  -hunter2\n',
  'hunter2',
])('a private key pasted into the file is never shown: %j', (text) => {
  const problems = problemsOf(text);
  expect(problems).not.toEqual([]);
  expect(problems.join()).not.toContain('hunter2');
});
