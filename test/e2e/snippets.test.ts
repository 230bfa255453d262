import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import {
  builtProgram,
  datadogPython,
  eventually,
  freePort,
  Programs,
  promtoolProgram,
  pythonProgram,
  vmagentProgram,
} from '../support/programs.js';
import { PrometheusProcess } from '../support/prometheus-process.js';
import { securely } from '../support/securely.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

/** Each tool runs what `weir snippet` prints, as it is, and has the samples that were pushed. */
const programs = new Programs();
afterAll(() => programs.end());

let weir: WeirProcess;
let scraper: CreatedClient;
let secretFile: string;
let keyFile: string;
let caFile: string;
const values = { db1: 42, db2: 7.5 };

beforeAll(async () => {
  const certificate = await writeDemoCertificate(programs.folder, Date.now());
  caFile = certificate.certFile;
  weir = await WeirProcess.start(programs, [`--web.config.file=${certificate.webConfigFile}`]);
  await weir.createProject('acme');
  for (const id of Object.keys(values)) await weir.createEndpoint('acme', id, '--lifetime=0');
  const producer = await weir.createClient('acme', 'write:metrics');
  scraper = await weir.createClient('acme', 'read:metrics', 'create:metric_streams', 'read:metric_streams');
  secretFile = weir.secretFile(scraper);
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  keyFile = join(programs.folder, 'private-key.pem');
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const publicFile = join(programs.folder, 'public-key.pem');
  writeFileSync(publicFile, publicKey.export({ type: 'spki', format: 'pem' }));
  await weir.command('client', 'key', 'add', scraper.client_id, publicFile);
  const authorization = await weir.bearer(producer, '--ca-file', caFile);
  for (const [id, value] of Object.entries(values)) {
    const url = `${weir.url}/api/v1/acme/${id}/metrics/job/app`;
    const body = `# TYPE queue_depth gauge\nqueue_depth{city="Malmö"} ${value}\n`;
    expect(await securely({ method: 'PUT', url, body, authorization, caFile })).toBe(200);
  }
});

/** The text, and a file with it of the name the tool expects. */
async function snippet(tool: string, ...args: string[]): Promise<{ text: string; path: string }> {
  const given = ['--project=acme', `--ca-file=${caFile}`, '--interval=30s', ...args];
  const secret = args.some((arg) => arg.startsWith('--secret-file')) ? [] : [`--secret-file=${secretFile}`];
  const { text, file } = await weir.command<{ text: string; file: string }>('snippet', tool, ...given, ...secret);
  expect(text).not.toContain(scraper.client_secret);
  const path = join(programs.folder, `${tool}${args.length}`, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return { text, path };
}

const both = Object.keys(values).map((id) => `--endpoint=${id}`);
const pages = (ids: readonly string[]): RegExp[] =>
  ids.map(
    (id) => new RegExp(`^queue_depth\\{city="Malmö",instance_id="${id}",job="app"\\} ${values[id as 'db1']}$`, 'm'),
  );

/** What a Prometheus has of it, once all its targets are up. */
async function scraped(prometheus: PrometheusProcess): Promise<Record<string, number>> {
  // The first scrape comes somewhen within the interval of 30 s, and what is discovered somewhat later.
  await eventually('targets', async () => ((await prometheus.targets()).length > 0 ? true : undefined));
  await prometheus.allUp(90_000);
  const series = await prometheus.query('queue_depth{job="app",project="acme"}');
  return Object.fromEntries(series.map(({ labels, samples }) => [labels.instance_id, samples.at(-1)!.value]));
}

describe.concurrent('Prometheus', () => {
  it.each([
    ['prometheus', 'the project', []],
    ['prometheus', 'two endpoints', ['--endpoint=db1', '--endpoint=db2']],
    ['prometheus-sd', 'the project', []],
    ['prometheus-sd', 'two endpoints', ['--endpoint=db1', '--endpoint=db2']],
  ] as const)('scrapes by the snippet "%s" for %s', async (tool, _, args) => {
    const { text, path } = await snippet(tool, ...args);
    const checked = await programs.run(promtoolProgram(), ['check', 'config', path]);
    expect(checked, checked.stdout).toMatchObject({ status: 0, stderr: '' });
    expect(await scraped(await PrometheusProcess.start(programs, text))).toEqual(values);
  });

  it.skipIf(builtProgram('prometheus3') === undefined)('3 signs with its key by "prometheus-jwt"', async () => {
    const { text } = await snippet('prometheus-jwt', `--secret-file=${keyFile}`);
    const prometheus = await PrometheusProcess.start(programs, text, {}, [], builtProgram('prometheus3'));
    expect(await scraped(prometheus)).toEqual(values);
  });
});

describe.concurrent('service discovery', () => {
  it('keeps the endpoints that were named, and no other', async () => {
    const { text } = await snippet('prometheus-sd', '--endpoint=db2');
    expect(await scraped(await PrometheusProcess.start(programs, text))).toEqual({ db2: values.db2 });
  });
});

describe.concurrent("New Relic's Prometheus agent", () => {
  it('hands its jobs on to a Prometheus, which takes them as they are', async () => {
    const { text } = await snippet('newrelic', ...both);
    const { jobs } = parse(text).config.static_targets;
    const scrape_configs = jobs.map(({ targets, labels, ...job }: { targets: string[]; labels: object }) => ({
      ...job,
      static_configs: [{ targets, labels }],
    }));
    expect(await scraped(await PrometheusProcess.start(programs, stringify({ scrape_configs })))).toEqual(values);
  });
});

describe.concurrent('vmagent', () => {
  it.each([[[]], [both]])('checks and scrapes what it is given for %j', async (args) => {
    const { path } = await snippet('vmagent', ...args);
    const port = await freePort();
    const own = [
      `-promscrape.config=${path}`,
      '-remoteWrite.url=http://127.0.0.1:1/',
      `-remoteWrite.tmpDataPath=${join(programs.folder, `vmagent-${port}`)}`,
      `-httpListenAddr=127.0.0.1:${port}`,
    ];
    const checked = await programs.run(vmagentProgram(), [...own, '-dryRun']);
    expect(checked.status, checked.stderr).toBe(0);
    const running = programs.start(vmagentProgram(), own);
    const targets = await eventually(
      'vmagent to have scraped',
      async () => {
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/targets`);
        const { data } = (await response.json()) as { data: { activeTargets: Record<string, unknown>[] } };
        const isDone = data.activeTargets.length > 0 && data.activeTargets.every(({ health }) => health !== 'unknown');
        return isDone && data.activeTargets.every(({ lastSamplesScraped }) => lastSamplesScraped !== 0)
          ? data.activeTargets
          : undefined;
      },
      { withinMs: 60_000, everyMs: 250, during: running },
    );
    expect(targets.map(({ health, lastError }) => [health, lastError])).toEqual(targets.map(() => ['up', '']));
    expect(targets).toHaveLength(args.length === 0 ? 1 : 2);
    await running.end();
  });
});

describe.concurrent("Datadog's OpenMetrics check", () => {
  it('takes each instance of the snippet, once the Agent has put the secret in', async () => {
    const { text } = await snippet('datadog', ...both);
    const { instances } = parse(text, { version: '1.1' });
    const script = fileURLToPath(new URL('datadog_check.py', import.meta.url));
    const got: Record<string, unknown> = {};
    for (const instance of instances) {
      const { reader } = instance.auth_token;
      // The Agent's part: it reads the file in the brackets.
      reader.client_secret = readFileSync(/^ENC\[(.*)\]$/.exec(reader.client_secret)![1]!, 'utf8');
      const env = { REQUESTS_CA_BUNDLE: caFile, DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false' };
      const { stdout, stderr } = await programs.run(datadogPython(), [script, JSON.stringify(instance)], {
        env,
        input: '{"clock_s": 0}\n',
      });
      const run = JSON.parse(stdout || '{}') as {
        error: string;
        metrics: { name: string; value: number; tags: string[] }[];
      };
      expect([run.error, stderr]).toEqual(['', '']);
      for (const { name, value, tags } of run.metrics) {
        if (name === 'weir.queue_depth') got[tags.find((tag) => tag.startsWith('instance_id:'))!.slice(12)] = value;
      }
    }
    expect(got).toEqual(values);
  });
});

describe.concurrent('by hand', () => {
  it.each([[[]], [both]])('every line of curl works alone: %j', async (args) => {
    const { text } = await snippet('curl', ...args);
    const lines = text.split('\n').filter((line) => line.startsWith('curl'));
    const answers = await Promise.all(lines.map((line) => programs.run('sh', ['-c', line])));
    expect(answers.map(({ status, stderr }) => [status, stderr])).toEqual(lines.map(() => [0, '']));
    expect(JSON.parse(answers[0]!.stdout)).toMatchObject({ token_type: 'Bearer', scope: 'read:metrics' });
    const printed = answers.slice(1).map(({ stdout }) => stdout);
    for (const page of pages(['db1', 'db2'])) expect(printed.filter((each) => page.test(each))).toHaveLength(1);
  });

  it.each([
    ['python', () => pythonProgram()],
    ['node', () => process.execPath],
  ] as const)('%s prints the pages', async (tool, program) => {
    for (const args of [[], both]) {
      const { path } = await snippet(tool, ...args);
      const env = { NODE_EXTRA_CA_CERTS: caFile };
      const { status, stdout, stderr } = await programs.run(program(), [path], { env });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      for (const page of pages(['db1', 'db2'])) expect(stdout).toMatch(page);
    }
  });
});

describe.concurrent('New Relic by OTLP', () => {
  it('is a stream once the script has run', async () => {
    const { path } = await snippet('newrelic-otlp', '--endpoint=db1');
    const env = { NEW_RELIC_LICENSE_KEY: 'eu01xxNRAL' };
    const { status, stdout, stderr } = await programs.run('sh', [path], { env });
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
    const { destination, subscriptions } = JSON.parse(stdout);
    expect(destination.configuration).toMatchObject({ endpoint: 'https://otlp.nr-data.net', api_key: '***' });
    expect(subscriptions).toMatchObject([
      { metric_type: 'project.metrics', interval: '30s', match: ['{instance_id="db1"}'] },
    ]);
    const streams = await weir.command<{ project_id: string; name: string }[]>('stream', 'list');
    expect(streams).toMatchObject([{ project_id: 'acme', name: 'new-relic', status: 'enabled' }]);
  });
});

describe.skipIf(builtProgram('telegraf') === undefined)('Telegraf', { concurrent: true }, () => {
  it('reads the pages with its HTTP input', async () => {
    const { text } = await snippet('telegraf', ...both);
    const out = join(programs.folder, 'telegraf.out');
    const config = join(programs.folder, 'telegraf.conf');
    writeFileSync(config, `${text}\n[[outputs.file]]\n  files = [${JSON.stringify(out)}]\n`);
    const env = { WEIR_CLIENT_SECRET: scraper.client_secret };
    const { status, stderr } = await programs.run(builtProgram('telegraf')!, ['--config', config, '--once'], { env });
    expect(status, stderr).toBe(0);
    const lines = readFileSync(out, 'utf8');
    for (const [id, value] of Object.entries(values)) {
      expect(lines).toMatch(new RegExp(`^prometheus,city=Malmö,.*instance_id=${id},.* queue_depth=${value} `, 'm'));
    }
  });
});

describe.skipIf(builtProgram('otelcol') === undefined)('the OpenTelemetry Collector', { concurrent: true }, () => {
  it('validates and scrapes', async () => {
    const { path } = await snippet('otelcol', ...both);
    const program = builtProgram('otelcol')!;
    const checked = await programs.run(program, ['validate', `--config=${path}`]);
    expect(checked.status, checked.stderr).toBe(0);
    const detailed = '--set=exporters.debug.verbosity=detailed';
    const running = programs.start(program, [`--config=${path}`, detailed]);
    await eventually(
      'both values to be exported',
      () => (running.stderr.includes('Value: 42') && running.stderr.includes('Value: 7.5') ? true : undefined),
      { withinMs: 90_000, during: running },
    );
    await running.end();
  });
});
