import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withTables } from '../scripts/settings-table.js';
import { defaultIngest } from '../src/config/ingest.js';
import { parseListenAddress } from '../src/config/listen-address.js';
import { otherVariables, settings } from '../src/config/settings.js';
import { type ConfigSources, checkConfigFile, type LoadedConfig, loadConfig } from '../src/config.js';
import { OperatorError, WeirError } from '../src/domain/errors.js';
import { defaultLimits } from '../src/domain/limits.js';
import { defaultStatsd } from '../src/domain/statsd.js';

/** Loads with the text of weir.yml, when there is one, given by `--config.file`. */
function load({
  flags = {},
  env = {},
  yaml,
}: {
  flags?: ConfigSources['flags'];
  env?: ConfigSources['env'];
  yaml?: string;
}) {
  const fileFlag = yaml === undefined ? {} : { 'config.file': 'weir.yml' };
  return loadConfig({ flags: { ...fileFlag, ...flags }, env, readFile: () => yaml ?? '' });
}

/** The problems that loading throws, one per line. */
function problemsOf(load: () => LoadedConfig): string[] {
  try {
    load();
  } catch (error) {
    expect(error).toBeInstanceOf(OperatorError);
    return (error as OperatorError).message.split('\n');
  }
  return [];
}

test('without any setting there are only defaults', () => {
  expect(load({})).toEqual({
    config: {
      web: {
        listenAddress: '127.0.0.1:8460',
        externalUrl: undefined,
        configFile: undefined,
        trustedProxies: [],
        bodyMemory: 268_435_456,
      },
      operator: { listenAddress: '127.0.0.1:9460' },
      storage: { path: './data/weir.db' },
      secrets: { pepperFile: './data/weir.db.pepper', encryptionKeysFile: './data/weir.db.keys' },
      log: { level: 'info', format: 'json' },
      tokens: { lifetimeSeconds: 900 },
      streams: { allowedNetworks: [], allowHttp: false, proxyUrl: undefined },
      sources: { allowedNetworks: [], allowHttp: false },
      limits: defaultLimits,
      externalIssuers: [],
      ingest: defaultIngest,
      telemetry: {
        metrics: { prefix: 'weir.', sampleRate: 1, projectLabel: false, backends: [{ type: 'prometheus' }] },
      },
    },
    warnings: [],
  });
});

test('a config file may say everything', () => {
  const yaml = `
web:
  listen_address: ':8443'
  external_url: https://metrics.example.com
  docs_url: https://docs.example.com/metrics/errors
  config_file: web.yml
  trusted_proxies: 10.0.0.0/8, fd00::1
  country_header: CF-IPCountry
  country_file: countries.mmdb
  body_memory: 1GiB
operator: {listen_address: '[::1]:9000'}
storage: {path: /var/lib/weir/weir.db}
log: {level: debug, format: pretty}
tokens: {lifetime: 1h}
streams: {allowed_networks: '10.0.0.0/8, fd00::/8', allow_http: true, proxy_url: 'http://u:p@proxy:3128'}
sources: {allowed_networks: '172.16.0.0/12', allow_http: true}
limits:
  series: 100
  samples_per_second: 5
external_issuers:
  - issuer: https://acme.okta.com/oauth2/default
    jwks_url: https://acme.okta.com/oauth2/default/v1/keys
    audience: weir
    claims: {project: project, scope: scp}
telemetry:
  metrics:
    prefix: gate.
    sample_rate: 0.5
    project_label: true
    backends:
      - type: prometheus
      - {type: dogstatsd, options: {host: agent, port: 8126, tags: {env: production}}, sample_rate: 0.1, prefixes: [request]}
      - type: otlp
        options: {endpoint: 'http://127.0.0.1:4318/v1/metrics'}
`;
  expect(load({ yaml }).config).toEqual({
    web: {
      listenAddress: ':8443',
      externalUrl: 'https://metrics.example.com',
      docsUrl: 'https://docs.example.com/metrics/errors',
      configFile: 'web.yml',
      trustedProxies: ['10.0.0.0/8', 'fd00::1'],
      countryHeader: 'cf-ipcountry',
      countryFile: 'countries.mmdb',
      bodyMemory: 1_073_741_824,
    },
    operator: { listenAddress: '[::1]:9000' },
    storage: { path: '/var/lib/weir/weir.db' },
    secrets: { pepperFile: '/var/lib/weir/weir.db.pepper', encryptionKeysFile: '/var/lib/weir/weir.db.keys' },
    log: { level: 'debug', format: 'pretty' },
    tokens: { lifetimeSeconds: 3600 },
    streams: { allowedNetworks: ['10.0.0.0/8', 'fd00::/8'], allowHttp: true, proxyUrl: 'http://u:p@proxy:3128' },
    sources: { allowedNetworks: ['172.16.0.0/12'], allowHttp: true },
    limits: { ...defaultLimits, series: 100, samples_per_second: 5 },
    externalIssuers: [expect.objectContaining({ issuer: 'https://acme.okta.com/oauth2/default', audiences: ['weir'] })],
    ingest: defaultIngest,
    telemetry: {
      metrics: {
        prefix: 'gate.',
        sampleRate: 0.5,
        projectLabel: true,
        backends: [
          { type: 'prometheus', options: {}, sampleRate: 1, prefixes: [] },
          {
            type: 'dogstatsd',
            options: { host: 'agent', port: 8126, tags: { env: 'production' } },
            sampleRate: 0.1,
            prefixes: ['request'],
          },
          { type: 'otlp', options: { endpoint: 'http://127.0.0.1:4318/v1/metrics' }, sampleRate: 1, prefixes: [] },
        ],
      },
    },
  });
  expect(checkConfigFile('weir.yml', yaml)).toEqual([]);
});

const examples: Record<string, [file: string, env: string, flag: string]> = {
  'web.listen_address': [':1', ':2', ':3'],
  'operator.listen_address': [':1', ':2', ':3'],
  'web.external_url': ['http://file', 'http://env', 'http://flag'],
  'web.docs_url': ['http://file/', 'http://env/', 'http://flag/'],
  'web.config_file': ['file', 'env', 'flag'],
  'web.trusted_proxies': ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
  'web.country_file': ['file', 'env', 'flag'],
  'storage.path': ['file', 'env', 'flag'],
  'streams.allowed_networks': ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
  'streams.proxy_url': ['http://file', 'http://env', 'http://flag'],
  'sources.allowed_networks': ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
  'log.level': ['debug', 'warn', 'error'],
  'log.format': ['pretty', 'json', 'pretty'],
};

const alone = ['web.country_header', 'web.body_memory'];
const texts = settings.filter(({ yaml = '' }) => !yaml.endsWith('.allow_http') && !alone.includes(yaml));

test.each(texts.flatMap(({ yaml, flag, env }) => (yaml && flag && env ? [{ yaml, flag, env }] : [])))(
  'the flag $flag wins over $env, that over the file, that over the default',
  ({ yaml: path, flag, env: variable }) => {
    const [inFile, inEnv, inFlag] = examples[path]!;
    const [section, key] = path.split('.');
    const yaml = `${section}: {${key}: '${inFile}'}`;
    const env = { [variable]: inEnv };
    const values = (loaded: LoadedConfig) => Object.values(loaded.config[section as 'web']).flat();

    expect(values(load({}))).not.toContain(inFile);
    expect(values(load({ yaml }))).toContain(inFile);
    expect(values(load({ yaml, env }))).toContain(inEnv);
    expect(values(load({ yaml, env, flags: { [flag]: inFlag } }))).toContain(inFlag);
  },
);

test('a country header needs proxies whose word counts', () => {
  const yaml = 'web: {country_header: CF-IPCountry, trusted_proxies: 10.0.0.1}';
  expect(load({ yaml }).config.web.countryHeader).toBe('cf-ipcountry');
  expect(load({ yaml, env: { WEIR_WEB_COUNTRY_HEADER: 'X-Country' } }).config.web.countryHeader).toBe('x-country');
  expect(load({ yaml, flags: { 'web.country-header': 'X-Land' } }).config.web.countryHeader).toBe('x-land');
  expect(problemsOf(() => load({ flags: { 'web.country-header': 'CF-IPCountry' } }))).toEqual([
    'A country header is believed of trusted proxies only: name them in web.trusted_proxies, too.',
  ]);
  expect(problemsOf(() => load({ flags: { 'web.country-header': 'two words' } }))).toEqual([
    '--web.country-header: The name of a header is letters, digits and hyphens, such as CF-IPCountry.',
  ]);
});

test('the memory for bodies is a size, by flag, environment or file', () => {
  const memory = (given: Parameters<typeof load>[0]): number => load(given).config.web.bodyMemory;
  const yaml = 'web: {body_memory: 64MiB}';
  const env = { WEIR_WEB_BODY_MEMORY: '2048KiB' };
  expect(memory({ yaml })).toBe(67_108_864);
  expect(memory({ yaml: 'web: {body_memory: 2000000}' })).toBe(2_000_000);
  expect(memory({ yaml, env })).toBe(2_097_152);
  expect(memory({ yaml, env, flags: { 'web.body-memory': '3000000' } })).toBe(3_000_000);
  for (const size of ['1023KiB', '0', '-1GiB', '1.5GiB', '256MB', '64 MiB', '1000000000GiB', 'much']) {
    expect(problemsOf(() => load({ flags: { 'web.body-memory': size } }))).toEqual([
      '--web.body-memory: Write a size of 1MiB or more here, such as 256MiB: bytes, KiB, MiB or GiB.',
    ]);
  }
});

test('streams and sources use plain http only where it is said, by flag, environment or file', () => {
  for (const room of ['streams', 'sources'] as const) {
    const allowed = (given: Parameters<typeof load>[0]) => load(given).config[room].allowHttp;
    const [yaml, variable, flag] = [
      `${room}: {allow_http: true}`,
      `WEIR_${room.toUpperCase()}_ALLOW_HTTP`,
      `${room}.allow-http`,
    ];
    expect(allowed({ yaml })).toBe(true);
    expect(allowed({ yaml, env: { [variable]: 'false' } })).toBe(false);
    expect(allowed({ env: { [variable]: 'false' }, flags: { [flag]: 'true' } })).toBe(true);
    expect(problemsOf(() => load({ flags: { [flag]: 'yes' } }))).toEqual([`--${flag}: Write true or false here.`]);
  }
});

test('a proxy that is none is refused without being quoted: it may hold a password', () => {
  const sentence = 'Write the URL of an http or https proxy here, such as http://proxy:3128.';
  const proxy = 'socks5://user:canary@proxy';
  expect(problemsOf(() => load({ flags: { 'streams.proxy-url': proxy } }))).toEqual([
    `--streams.proxy-url: ${sentence}`,
  ]);
  expect(problemsOf(() => load({ yaml: `streams: {proxy_url: '${proxy}'}` }))).toEqual([
    `weir.yml:1: streams.proxy_url: ${sentence}`,
  ]);
});

test('a network streams or sources may reach must be one', () => {
  for (const flag of ['streams.allowed-networks', 'sources.allowed-networks']) {
    expect(problemsOf(() => load({ flags: { [flag]: '10.0.0.0/8, 10.0.0.0/40' } }))).toEqual([
      `--${flag}: "10.0.0.0/40" is not a network; write it like 10.0.0.0/8 or fd00::/8.`,
    ]);
  }
});

test('the environment may name the config file', () => {
  const { config } = loadConfig({
    flags: {},
    env: { WEIR_CONFIG_FILE: '/etc/weir.yml' },
    readFile: (path) => (path === '/etc/weir.yml' ? 'log: {level: warn}' : ''),
  });
  expect(config.log.level).toBe('warn');
});

test('secret files follow the storage path unless the environment names them', () => {
  const env = { WEIR_STORAGE_PATH: 'a.db', WEIR_SECRET_PEPPER_FILE: '/run/secrets/pepper' };
  expect(load({ env }).config.secrets).toEqual({ pepperFile: '/run/secrets/pepper', encryptionKeysFile: 'a.db.keys' });
});

test('an empty environment variable counts as unset, an empty flag does not', () => {
  expect(load({ env: { WEIR_LOG_LEVEL: '', WEIR_STRAY: '' } })).toEqual(load({}));
  expect(problemsOf(() => load({ flags: { 'storage.path': '' } }))).toEqual(['--storage.path: The path is empty.']);
});

test.each(['', '# nothing yet\n', '---\n', 'web:\nlimits:\n', 'web:\n  external_url:\nlimits:\n  series: ~\n'])(
  'a file that leaves everything out is fine: %j',
  (yaml) => expect(load({ yaml })).toEqual(load({})),
);

test('a file from Windows, with byte order mark and CRLF, reads the same', () => {
  expect(load({ yaml: '\ufefflog:\r\n  level: warn\r\n' }).config.log.level).toBe('warn');
});

test('all problems are reported at once, each with its place', () => {
  const yaml = 'web:\n  listen_address: nowhere\nlogs:\n  level: info\ntokens:\n  lifetime: 5m\n';
  const problems = problemsOf(() =>
    load({ yaml, env: { WEIR_LOG_LEVEL: 'loud' }, flags: { 'operator.listen-address': '9460' } }),
  );
  expect(problems.map((problem) => problem.split(' ', 2).join(' '))).toEqual([
    'weir.yml:2: web.listen_address:',
    'weir.yml:3: logs',
    'weir.yml:6: tokens.lifetime:',
    '--operator.listen-address: "9460"',
    'WEIR_LOG_LEVEL: Write',
  ]);
});

test('a value in the file is checked even when a flag overrides it', () => {
  const problems = problemsOf(() => load({ yaml: 'log: {level: loud}', flags: { 'log.level': 'info' } }));
  expect(problems).toEqual(['weir.yml:1: log.level: Write one of debug, info, warn, error here.']);
});

test.each([
  ['web:\n  listen_adress: ":1"', 2, 'web.listen_adress is not a setting; did you mean web.listen_address?'],
  ['web:\n  listen-address: ":1"', 2, 'web.listen-address is not a setting; did you mean web.listen_address?'],
  ['\nexternal_url: http://a', 2, 'external_url is not a setting; did you mean web.external_url?'],
  ['log_level: info', 1, 'log_level is not a setting; did you mean log.level?'],
  ['log:\n  colour: red', 2, 'log.colour is not a setting; known here: log.level, log.format.'],
  [
    '__proto__: {}',
    1,
    '__proto__ is not a setting; known here: web, operator, storage, log, tokens, streams, sources, limits, external_issuers, ingest, telemetry.',
  ],
])('an unknown key is an error with its line and the nearest known key: %j', (yaml, line, sentence) => {
  expect(checkConfigFile('weir.yml', yaml)).toEqual([`weir.yml:${line}: ${sentence}`]);
});

const issuer = (...lines: string[]): string =>
  [
    'external_issuers:',
    '  - issuer: https://a.example',
    '    jwks_url: https://a.example/keys',
    '    audience: weir',
    '    claims: {project: p, scope: s}',
    '  - issuer: https://b.example',
    ...lines,
  ].join('\n');
const rest = ['    jwks_url: https://b.example/keys', '    audience: weir'];

test.each([
  [issuer(...rest, '    claims:', '      project: p'), 9, 'external_issuers[1].claims.scope: Write the name'],
  [issuer(...rest), 6, 'external_issuers[1].claims: This must be a map'],
  [issuer(...rest, '    algorithms: [RS256, HS256]'), 9, 'external_issuers[1].algorithms: Write algorithms out of'],
  [
    issuer(...rest, '    jwks_networks: [10.0.0.0/8, 10.0.0.0/33]'),
    9,
    'external_issuers[1].jwks_networks[1]: This is not a network',
  ],
  [
    issuer(...rest, '    claims: {project: p, scope: s}', '    audiance: x'),
    10,
    'external_issuers[1].audiance is not a setting; did you mean external_issuers[1].audience?',
  ],
  [
    issuer(...rest, '    claims:', '      project: p', '      scope: s', '      colour: s'),
    12,
    'external_issuers[1].claims.colour is not a setting; known here: external_issuers[1].claims.project, external_issuers[1].claims.endpoints, ',
  ],
  ['external_issuers: [x]', 1, 'external_issuers[0]: This must be a map'],
  ['external_issuers:\n  a: b', 1, 'external_issuers: This must be a list'],
])('a problem in a list has its line and its place: %j', (yaml, line, sentence) => {
  const problems = checkConfigFile('weir.yml', yaml);
  expect(problems.join('\n')).toContain(`weir.yml:${line}: `);
  expect(problems.join('\n')).toContain(sentence);
  expect(problemsOf(() => load({ yaml }))).toEqual(problems);
});

test.each([
  ['log:\n  level: info\n  level: warn', 'weir.yml:3: level is written twice in one map.'],
  ['web:\nweb:\n', 'weir.yml:2: web is written twice in one map.'],
  ['log:\n\tlevel: info', 'weir.yml:2: Tabs are not allowed as indentation.'],
  ['log: {level: info}\n---\nlog: {level: warn}', 'weir.yml:2: A second document starts here'],
  ['log:\n  level: !vault x', 'weir.yml:2: Unresolved tag: !vault.'],
  ['? [a]\n: 1', 'weir.yml:1: A key must be a plain word.'],
  ['web: &a {}\nlog: *a', 'weir.yml:2: Aliases such as *a are not read here'],
  ['log:\n  level: *nowhere', 'weir.yml:2: Aliases such as *nowhere are not read here'],
  ['- web', 'weir.yml:1: This must be a map'],
  ['web: 8460', 'weir.yml:1: web: This must be a map'],
])('broken YAML is a problem with its line: %j', (yaml, problem) => {
  expect(checkConfigFile('weir.yml', yaml)[0]).toContain(problem);
});

test('nested aliases and deep nesting are refused at once', () => {
  const levels = Array.from({ length: 30 }, (_, level) => `a${level + 1}: &a${level + 1} [*a${level}, *a${level}]`);
  expect(checkConfigFile('weir.yml', ['a0: &a0 [x]', ...levels].join('\n'))).not.toEqual([]);
  expect(checkConfigFile('weir.yml', `web: ${'['.repeat(20_000)}`)).toContain(
    'weir.yml:1: The file is nested too deeply.',
  );
});

test('a file over 1 MiB is refused', () => {
  const comment = (bytes: number) => `#${'x'.repeat(bytes - 1)}`;
  expect(checkConfigFile('weir.yml', comment(1024 * 1024))).toEqual([]);
  expect(checkConfigFile('weir.yml', comment(1024 * 1024 + 1))).toEqual([
    'weir.yml:1: The file is larger than 1 MiB; settings never are.',
  ]);
});

test('a config file that is missing or unreadable is said in a sentence', () => {
  const failing = (code: string, message: string) => () =>
    loadConfig({
      flags: { 'config.file': 'weir.yml' },
      env: {},
      readFile: () => {
        throw Object.assign(new Error(message), { code });
      },
    });
  expect(problemsOf(failing('ENOENT', 'ENOENT: no such file'))).toEqual([
    'The config file weir.yml does not exist; create it, or leave out --config.file and WEIR_CONFIG_FILE.',
  ]);
  expect(problemsOf(failing('EACCES', 'EACCES: permission denied'))).toEqual([
    'The config file weir.yml cannot be read: EACCES: permission denied.',
  ]);
});

test('an unknown WEIR_ variable is a warning that names it and never shows its value', () => {
  const env = { WEIR_SERVICE_HOST: '10.0.0.7', WEIR_PEPPER: 'hunter2', PATH: '/bin', WEIR_URL: 'http://weir' };
  const { warnings } = load({ env });
  expect(otherVariables).toContain('WEIR_URL');
  expect(warnings).toEqual([
    'The environment variable WEIR_PEPPER is not a setting of Weir and was ignored.',
    'The environment variable WEIR_SERVICE_HOST is not a setting of Weir and was ignored.',
  ]);
});

test.each([
  ['docs.example.com', 'This is not an http or https URL; write one such as https://docs.example.com/metrics/errors.'],
  ['https://u:p@docs.example.com', 'The URL must not carry a user name or password.'],
  ['https://docs.example.com/errors#invalid', 'The URL must not have a query or fragment (? or #).'],
  [`https://docs.example.com/${'x'.repeat(500)}`, 'The URL is longer than 500 characters.'],
])('the page about errors is not %s', (url, sentence) => {
  expect(problemsOf(() => load({ flags: { 'web.docs-url': url } }))).toEqual([`--web.docs-url: ${sentence}`]);
});

test('the page about errors fits into a header, whatever stands in its URL', () => {
  const { config } = load({ flags: { 'web.docs-url': 'https://docs.example.com/a"b\\c/ü' } });
  expect(config.web.docsUrl).toBe('https://docs.example.com/a%22b/c/%C3%BC');
});

test.each([
  ['https://metrics.example.com', 'https://metrics.example.com'],
  ['https://metrics.example.com/', 'https://metrics.example.com'],
  ['http://[::1]:8460/', 'http://[::1]:8460'],
  ['HTTPS://Metrics.Example.com:443', 'https://metrics.example.com'],
])('the external URL %s is kept as its origin', (url, origin) => {
  expect(load({ flags: { 'web.external-url': url } }).config.web.externalUrl).toBe(origin);
});

test.each([
  ['metrics.example.com', 'not an http or https URL'],
  ['ftp://metrics.example.com', 'not an http or https URL'],
  ['https://', 'not an http or https URL'],
  ['https://metrics.exa\nmple.com', 'not an http or https URL'],
  ['https://a.example?', 'query or fragment'],
  ['https://a.example/#top', 'query or fragment'],
  ['https://a.example/weir', 'serve Weir at the root of a host name'],
  ['https://a.example/weir/', 'serve Weir at the root of a host name'],
  ['https://user:hunter2@a.example/weir?x=1', 'must not carry a user name or password'],
])('the external URL %j is refused, unquoted', (url, sentence) => {
  const [problem, ...others] = problemsOf(() => load({ env: { WEIR_WEB_EXTERNAL_URL: url } }));
  expect(problem).toMatch(/^WEIR_WEB_EXTERNAL_URL: /);
  expect(problem).toContain(sentence);
  expect(problem).not.toContain('hunter2');
  expect(others).toEqual([]);
});

test.each([
  ['301s', 301],
  ['15m', 900],
  ['1h', 3600],
])('tokens may live %s', (lifetime, seconds) => {
  expect(load({ yaml: `tokens: {lifetime: ${lifetime}}` }).config.tokens.lifetimeSeconds).toBe(seconds);
});

test.each(['300s', '5m', '3601s', '301500ms', '0', '900', 'soon', '[15m]'])('tokens may not live %s', (lifetime) => {
  expect(checkConfigFile('weir.yml', `tokens:\n  lifetime: ${lifetime}`)).toEqual([
    expect.stringMatching(/^weir\.yml:2: tokens\.lifetime: /),
  ]);
});

test('a limit is a whole number, and 0 switches it off', () => {
  expect(load({ yaml: 'limits: {series: 0}' }).config.limits).toEqual({ ...defaultLimits, series: 0 });
  for (const value of ['-1', '1.5', '"100"', '1e30', '50_000', '.inf', '.nan', 'none']) {
    expect(checkConfigFile('weir.yml', `limits:\n  series: ${value}`)).toEqual([
      expect.stringMatching(/^weir\.yml:2: limits\.series: /),
    ]);
  }
});

test('the example in docs/security.md is right', () => {
  const [, yaml] = /```yaml\n(external_issuers:[^`]*)```/.exec(readFileSync('docs/security.md', 'utf8'))!;
  expect(checkConfigFile('weir.yml', yaml!)).toEqual([]);
  expect(checkConfigFile('weir.yml', yaml!.replace('# project_map', 'project_map'))).toEqual([]);
});

test.each([
  [
    '{type: graphite}',
    'backends[0].type: Write a type here, one of dummy, prometheus, dogstatsd, statsd, datadog, otlp, logging.',
  ],
  ['{type: dogstatsd, options: {hots: agent}}', 'backends[0].options.hots is not a setting'],
  ['{type: dogstatsd, options: {socket: /run/dsd.socket, port: 8125}}', 'Give either socket, or host and port.'],
  ['{type: statsd, options: {port: 0}}', 'backends[0].options.port: A port is from 1 to 65535.'],
  ['{type: datadog}', 'backends[0].options.api_key_file: Write a path here, as text.'],
  ['{type: datadog, options: {api_key: hunter2, api_key_file: key}}', 'backends[0].options.api_key is not a setting'],
  ['{type: otlp, options: {endpoint: "https://user:hunter2@a.example"}}', 'keys go into a file'],
  ['{type: prometheus, sample_rate: 2}', 'backends[0].sample_rate: A rate is from 0 to 1.'],
  ['{type: prometheus, prefixes: request}', 'backends[0].prefixes: Write a list'],
])('a metrics backend that cannot be meant is refused: %s', (backend, sentence) => {
  const problems = checkConfigFile('weir.yml', `telemetry:\n  metrics:\n    backends:\n      - ${backend}\n`);
  expect(problems).toEqual([expect.stringMatching(/^weir\.yml:\d+: telemetry\.metrics\./)]);
  expect(problems[0]).toContain(sentence);
  expect(problems[0]).not.toContain('hunter2');
});

test('an empty list of metrics backends is none, and none written is the page', () => {
  expect(load({ yaml: 'telemetry: {metrics: {backends: []}}' }).config.telemetry.metrics.backends).toEqual([]);
  expect(load({ yaml: 'telemetry: {metrics: {prefix: a.}}' }).config.telemetry.metrics.backends).toHaveLength(1);
});

test('nobody can change the config', () => {
  const { config } = load({ yaml: 'limits: {series: 1}' });
  for (const part of [config, ...Object.values(config)]) expect(Object.isFrozen(part)).toBe(true);
  expect(Object.isFrozen(defaultLimits)).toBe(false);
});

test.each([
  ['127.0.0.1:8460', '127.0.0.1', 8460],
  [':8460', undefined, 8460],
  ['[::]:0', '::', 0],
  ['localhost:65535', 'localhost', 65535],
  ['weir-0.weir.svc:80', 'weir-0.weir.svc', 80],
])('%s is a listen address', (text, host, port) => {
  expect(parseListenAddress(text)).toEqual({ host, port });
});

test.each([
  '',
  '8460',
  'localhost',
  'localhost:',
  'localhost:http',
  'localhost:65536',
  ':-1',
  '::1:8460',
  '[localhost]:1',
  '256.0.0.1:1',
  '*:8460',
  'http://localhost:8460',
  'a b:1',
  'a:1\n',
])('%j is no listen address, and the refusal shows how to write one', (text) => {
  expect(() => parseListenAddress(text)).toThrow(WeirError);
  expect(() => parseListenAddress(text)).toThrow('write host:port');
});

test('every setting explains itself, and no two share a name', () => {
  for (const setting of settings) expect(setting.help).toMatch(/^[A-Z].*\.$/);
  for (const names of [settings.map(({ flag }) => flag), settings.map(({ env }) => env)]) {
    const given = names.filter((name) => name !== undefined);
    expect(new Set(given).size).toBe(given.length);
  }
});

test('how data comes in is said under ingest', () => {
  const yaml = `
ingest:
  routing:
    project_label: tenant
    endpoint_attribute: tenant.db
    unknown: create
  otlp:
    translation_strategy: UnderscoreEscapingWithoutSuffixes
    promote_resource_attributes: [k8s.pod.name]
    exponential_histogram_buckets: [0.1, 1, 10]
  statsd:
    - listen: 127.0.0.1:8125
      project: acme
      endpoint: db1
      dialect: statsd
      flush_interval: 5s
      timer_buckets: [0.1, 1]
    - listen: unixstream:///run/weir/dsd.sock
    - listen: ':8125'
      allow_remote: true
`;
  expect(load({ yaml }).config.ingest).toEqual({
    ...defaultIngest,
    routing: {
      projectLabel: 'tenant',
      endpointLabel: 'weir_endpoint',
      projectAttribute: 'weir.project',
      endpointAttribute: 'tenant.db',
      unknown: 'create',
    },
    otlp: { strategy: 'UnderscoreEscapingWithoutSuffixes', promoted: ['k8s.pod.name'], bounds: [0.1, 1, 10] },
    statsd: [
      {
        ...defaultStatsd,
        listen: '127.0.0.1:8125',
        target: { projectId: 'acme', metricsId: 'db1' },
        dialect: 'statsd',
        flushMs: 5000,
        timerBounds: [0.1, 1],
      },
      { ...defaultStatsd, listen: 'unixstream:///run/weir/dsd.sock', target: undefined },
      { ...defaultStatsd, listen: ':8125', target: undefined },
    ],
  });
});

test.each([
  ['routing: {project_label: weir_endpoint}', 'What names the project must differ'],
  ['routing: {project_label: instance_id}', 'another meaning'],
  ['routing: {project_label: a-b}', 'letters, digits and underscores'],
  ['routing: {unknown: ignore}', 'refuse or create'],
  ['otlp: {translation_strategy: NoTranslation}', 'Write one of UnderscoreEscapingWithSuffixes'],
  ['otlp: {exponential_histogram_buckets: [1, 1]}', 'finite and rise'],
  ['otlp: {exponential_histogram_buckets: []}', 'no bucket'],
  ['statsd: [{listen: "0.0.0.0:8125"}]', 'whoever reaches this address could write'],
  ['statsd: [{listen: ":8125"}]', 'whoever reaches this address could write'],
  ['statsd: [{listen: "127.0.0.1"}]', 'not an address'],
  ['statsd: [{listen: "unixstream://dsd.sock"}]', 'from the root'],
  ['statsd: [{listen: "127.0.0.1:8125", project: acme}]', 'or neither'],
  ['statsd: [{listen: "127.0.0.1:8125", flush_interval: 2m}]', 'not from 1s to 60s'],
  ['otlp: {promote: [a]}', 'is not a setting'],
])('ingest with %s is refused', (yaml, sentence) => {
  expect(problemsOf(() => load({ yaml: `ingest: {${yaml}}` })).join()).toContain(sentence);
});

test('the tables of docs/configuration.md are current; if not: npx tsx scripts/settings-table.ts', () => {
  const page = readFileSync('docs/configuration.md', 'utf8');
  expect(page).toBe(withTables(page));
  for (const { flag } of settings) if (flag !== undefined) expect(page).toContain(`| \`--${flag}\` |`);
});
