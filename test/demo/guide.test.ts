import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { readAlertRules } from '../../src/demo/alert-rules.js';
import { curlUsesProxy, type GuideOptions, guide } from '../../src/demo/guide.js';
import { demoInstances } from '../../src/demo/instances.js';
import { shellWord } from '../../src/snippets/quote.js';

const metricsIds = ['6b0c65e8', '78e7c3e0', '0a1b2c3d'];
const options: GuideOptions = {
  publicUrl: 'http://127.0.0.1:8460',
  operatorUrl: 'http://127.0.0.1:9460',
  projectId: 'demo',
  instances: demoInstances.map((instance, i) => ({ ...instance, metricsId: metricsIds[i]! })),
  clientId: 'weir_cid_abc',
  secretFile: '/tmp/weir-demo-1/client-secret',
  folder: '/tmp/weir-demo-1',
  keep: false,
  prometheusFile: '/tmp/weir-demo-1/prometheus.yml',
  interval: '10s',
  behindProxy: false,
};

const linesOf = (text: string, start: string) => text.split('\n').filter((line) => line.startsWith(start));
const curlLines = (changes: Partial<GuideOptions> = {}) => linesOf(guide({ ...options, ...changes }), 'curl');

/** Runs a line in a shell whose curl answers a token request, and otherwise prints its arguments, one on each line. */
function argumentsOfCurl(line: string): string[] {
  const curl = `curl() {
    case "$*" in
      *Bearer*) printf '%s\\n' "$@" ;;
      *) printf '%s\\n' "$@" >&2; echo '{"access_token":"a.b-c_d","token_type":"Bearer","expires_in":900}' ;;
    esac
  }`;
  const cat = 'cat() { echo "content of $1"; }';
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `${curl}\n${cat}\n${line}`], { encoding: 'utf8' });
  expect(status).toBe(0);
  return (line.includes('Bearer') ? stdout : stderr).trimEnd().split('\n');
}

describe('the lines that begin with curl', () => {
  test('are three: a token, the page of the faulty instance, the page of the project', () => {
    expect(curlLines().map(argumentsOfCurl)).toEqual([
      [
        '-sS',
        '-u',
        'weir_cid_abc:content of /tmp/weir-demo-1/client-secret',
        '-d',
        'grant_type=client_credentials',
        '-d',
        'scope=read:metrics',
        'http://127.0.0.1:8460/oauth/token',
      ],
      ['-sS', '-H', 'Authorization: Bearer a.b-c_d', 'http://127.0.0.1:8460/api/v1/demo/0a1b2c3d/metrics'],
      ['-sS', '-H', 'Authorization: Bearer a.b-c_d', 'http://127.0.0.1:8460/api/v1/demo/metrics'],
    ]);
  });

  test.each(['/tmp/demo/ca.crt', '/tmp/a b/ca.crt', '/tmp/it\'s $(here) `now` "x"/ca.crt'])(
    'trust the CA file %s, in the inner call too',
    (caFile) => {
      const lines = curlLines({ publicUrl: 'https://127.0.0.1:8460', caFile });
      for (const line of lines) expect(argumentsOfCurl(line).slice(0, 3)).toEqual(['-sS', '--cacert', caFile]);
      for (const line of lines.slice(1)) expect(line.split(`--cacert ${shellWord(caFile)} `)).toHaveLength(3);
    },
  );

  test('quote a URL that some shells would take for a pattern', () => {
    const [token, , page] = curlLines({ publicUrl: 'http://[::1]:8460' });
    expect(token).toMatch(/ 'http:\/\/\[::1\]:8460\/oauth\/token'$/);
    expect(argumentsOfCurl(page!).slice(2)).toEqual([
      'Authorization: Bearer a.b-c_d',
      'http://[::1]:8460/api/v1/demo/metrics',
    ]);
  });

  test('go past a proxy, where there is one', () => {
    for (const line of curlLines({ behindProxy: true })) {
      expect(argumentsOfCurl(line).slice(0, 3)).toEqual(['-sS', '--noproxy', '*']);
      expect(line.match(/curl -sS --noproxy '\*'/g)).toHaveLength(line.includes('Bearer') ? 2 : 1);
    }
  });
});

describe('a proxy', () => {
  test.each([
    [{ http_proxy: 'http://p:1' }, 'http', true],
    [{ http_proxy: 'http://p:1' }, 'https', false],
    [{ HTTPS_PROXY: 'http://p:1' }, 'https', true],
    [{ https_proxy: 'http://p:1' }, 'https', true],
    [{ ALL_PROXY: 'http://p:1' }, 'http', true],
    [{ HTTP_PROXY: 'http://p:1' }, 'http', false],
    [{ http_proxy: '' }, 'http', false],
    [{}, 'http', false],
  ] as const)('in %j concerns curl over %s: %s', (env, scheme, expected) => {
    expect(curlUsesProxy(env, scheme)).toBe(expected);
  });
});

describe('the guide', () => {
  test('says what is running where', () => {
    const text = guide(options);
    expect(text).toMatch(/^ {2}gateway +http:\/\/127\.0\.0\.1:8460 /m);
    expect(text).toMatch(/^ {2}operator +http:\/\/127\.0\.0\.1:9460 /m);
    expect(text).toMatch(/^ {2}folder +\/tmp\/weir-demo-1 .*removed at the end$/m);
    expect(text).not.toContain('certificate');
    expect(guide({ ...options, caFile: '/tmp/ca.crt' })).toMatch(/^ {2}certificate +\/tmp\/ca\.crt /m);
    for (const [i, { name }] of demoInstances.entries()) {
      expect(text).toMatch(new RegExp(`^ {2}${name} +${metricsIds[i]} `, 'm'));
    }
  });

  test('has one line for Prometheus, which a shell reads as one argument', () => {
    const [line, ...others] = linesOf(guide({ ...options, prometheusFile: '/tmp/a b/prometheus.yml' }), 'prometheus ');
    expect(others).toEqual([]);
    const run = spawnSync('sh', ['-c', `prometheus() { printf '%s|' "$@"; }\n${line}`], { encoding: 'utf8' });
    expect(run.stdout).toBe('--config.file=/tmp/a b/prometheus.yml|');
  });

  test('names the instance with the fault, and every alert that finds it', () => {
    const text = guide(options);
    expect(text).toContain('The fault is in fraud-detection.');
    for (const { alert } of readAlertRules()) expect(text).toMatch(new RegExp(`^ {2}${alert} `, 'm'));
  });

  test('says how to stop, and what becomes of the folder', () => {
    expect(guide(options)).toContain('Ctrl-C stops the demo and removes its folder.');
    const kept = guide({ ...options, keep: true });
    expect(kept).toContain('kept at the end');
    expect(kept).toContain('Ctrl-C stops the demo.');
    expect(kept).not.toContain('removes');
  });

  test('aligns its columns and leaves no blanks at line ends', () => {
    const lines = guide(options).split('\n');
    expect(lines.filter((line) => /\s$/.test(line))).toEqual([]);
    const at = (start: string, word: string) => lines.find((line) => line.startsWith(`  ${start}`))!.indexOf(word);
    const columnsAt = demoInstances.map(({ name }, i) => at(name, metricsIds[i]!));
    expect(new Set([at('NAME', 'METRICS ID'), ...columnsAt]).size).toBe(1);
  });
});

test('a Prometheus that runs is where to look, not what to start', () => {
  const text = guide({ ...options, prometheusUrl: 'http://127.0.0.1:9091' });
  expect(linesOf(text, 'prometheus ')).toEqual([]);
  expect(linesOf(text, '  targets')[0]).toContain('http://127.0.0.1:9091/targets');
  const chart = /http\S+\/graph\S+/.exec(text)![0];
  expect(new URL(chart).searchParams.get('g0.expr')).toBe('neo4j_aura_cpu_usage / neo4j_aura_cpu_limit');
});
