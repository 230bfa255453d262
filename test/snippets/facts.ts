import fc from 'fast-check';
import { intervals, type SnippetFacts } from '../../src/snippets/facts.js';

export const facts: SnippetFacts = {
  gatewayUrl: 'https://metrics.example.com',
  projectId: 'acme',
  metricsIds: [],
  clientId: 'weir_cid_Q29uc29sZS1jbGllbnQtMQ',
  secretFile: '/etc/weir/client-secret',
  intervalSeconds: 60,
};

const id = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  // What YAML 1.1 or 1.2, or a tool, takes for something else than text.
  fc.constantFrom(
    'yes',
    'on',
    'null',
    '0777',
    '0o17',
    '0x1F',
    '1e5',
    '12e45678',
    '1_000',
    '12345678',
    '-',
    '--',
    'LICENSE_KEY',
  ),
);
const hostile = [
  '"',
  "'",
  '\\',
  '$',
  `\${HOME}`,
  '$HOME',
  '%{a}',
  '`id`',
  '$(id)',
  ' #',
  ': ',
  '{{',
  '}}',
  '[',
  ']',
  '&a',
  '*a',
  '!x',
  '|',
  ' ',
  'ü',
  '😀',
  '$$',
  '</',
  '//',
];
const path = fc
  .array(fc.oneof(fc.constantFrom(...hostile), fc.stringMatching(/^[a-z/.-]{1,8}$/)), { maxLength: 8 })
  .map((parts) => `/${parts.join('')}`);
const host = fc.constantFrom('metrics.example.com', '127.0.0.1:8460', '[::1]:8460', 'weir.example:444');

/** Everything a snippet may be filled in with, that it does not expect above all. */
export const anyFacts: fc.Arbitrary<SnippetFacts> = fc.record({
  gatewayUrl: fc
    .tuple(fc.constantFrom('https', 'http'), host, fc.oneof(fc.constant(''), path))
    .map(([scheme, name, prefix]) => `${scheme}://${name}${prefix}`),
  projectId: id,
  metricsIds: fc.uniqueArray(id, { maxLength: 3 }),
  clientId: fc.stringMatching(/^[A-Za-z0-9_-]{22}$/).map((text) => `weir_cid_${text}`),
  keyId: fc.option(fc.stringMatching(/^[A-Za-z0-9_-]{43}$/), { nil: undefined }),
  secretFile: path,
  intervalSeconds: fc.constantFrom(...intervals),
  caFile: fc.option(path, { nil: undefined }),
});
