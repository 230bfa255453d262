import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readAlertRules } from '../../src/demo/alert-rules.js';
import { catalogue } from '../../src/demo/catalogue.js';
import { demoInstances } from '../../src/demo/instances.js';
import {
  eventually,
  type Finished,
  freePort,
  Programs,
  prometheusProgram,
  promtoolProgram,
  type RunningProgram,
} from '../support/programs.js';

const programs = new Programs();
const weir = inject('weir');

beforeAll(() => {
  prometheusProgram();
  promtoolProgram();
});
afterAll(() => programs.end());

const anyPorts = ['--web.listen-address=127.0.0.1:0', '--operator.listen-address=127.0.0.1:0'];

/** A line as a newcomer pastes it: in a shell of its own, in which nothing of the demo is known. */
async function paste(line: string): Promise<Finished> {
  const finished = await programs.run('bash', ['-c', line]);
  if (finished.status === 127) throw new Error(`${finished.stderr} Install the Debian packages bash, curl and sed.`);
  return finished;
}

/** The demo as a process, and what it told. */
class Demo {
  /** The only place where it may leave files; its name needs quotes in a shell. */
  readonly temporary: string;
  readonly running: RunningProgram;

  constructor(name: string, args: readonly string[] = anyPorts, env: Record<string, string> = {}) {
    this.temporary = join(programs.folder, `files of ${name}`);
    mkdirSync(this.temporary);
    this.running = programs.start(process.execPath, [weir, 'demo', ...args], {
      env: { TMPDIR: this.temporary, ...env },
    });
  }

  async ready(): Promise<void> {
    const told = () => (this.running.stdout.includes('Ctrl-C stops the demo') ? true : undefined);
    await eventually('the guide', told, { during: this.running });
  }

  async stopping(): Promise<void> {
    const told = () => (this.running.stdout.includes('Stopping') ? true : undefined);
    await eventually('it to begin to stop', told, { everyMs: 5, during: this.running });
  }

  lines(start: string): string[] {
    return this.running.stdout.split('\n').filter((line) => line.startsWith(start));
  }

  /** The second column of the line that begins with the word. */
  said(word: string): string {
    const line = this.lines(`  ${word} `)[0];
    if (line === undefined) throw new Error(`there is no line for ${word} in:\n${this.running.stdout}`);
    return line.trim().split(/ {2,}/)[1]!;
  }

  get metricsIds(): string[] {
    return demoInstances.map(({ name }) => this.said(name));
  }
}

/** A request that the gateway has begun to answer, by asking for the body: nine bytes that are still to come. */
async function requestUnderWay(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const head = [
    'POST /oauth/token HTTP/1.1',
    'Host: demo',
    'Content-Type: application/x-www-form-urlencoded',
    'Content-Length: 9',
    'Expect: 100-continue',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  await once(socket, 'data');
  return socket;
}

/** A module that lets no push reach the gateway while the file is there. */
const holdPushes = (file: string): string => `
  const http = require('node:http');
  const request = http.request;
  http.request = (url, options) =>
    request(options.method === 'PUT' && require('node:fs').existsSync(${JSON.stringify(file)}) ? 'http://127.0.0.1:1/' : url, options);
  require('node:module').syncBuiltinESMExports();
`;

/** Fails unless the page has a family for each metric of the catalogue, and in it a sample of each instance. */
function expectMetricsOf(page: string, metricsIds: readonly string[]): void {
  const lines = page.split('\n');
  for (const { name, type } of catalogue) {
    expect(
      lines.filter((line) => line === `# TYPE ${name} ${type}`),
      name,
    ).toHaveLength(1);
    const instances = lines
      .filter((line) => line.startsWith(`${name}{`))
      .map((line) => /instance_id="([^"]+)"/.exec(line)?.[1]);
    expect(instances.sort(), name).toEqual([...metricsIds].sort());
  }
}

const modes = [
  { mode: 'http', flags: [], env: { WEIR_STORAGE_PATH: '/nowhere/weir.db', WEIR_WEB_LISTEN_ADDRESS: '0.0.0.0:80' } },
  { mode: 'https', flags: ['--tls'], env: {} },
];

/** Both modes at once, each with its Prometheus: the first scrape may take half a minute. */
const demos: Record<string, { demo: Demo; prometheusUrl: string }> = {};
beforeAll(async () => {
  for (const { mode, flags, env } of modes) {
    const demo = new Demo(mode, [...anyPorts, ...flags], env);
    await demo.ready();
    const port = await freePort();
    const storage = join(programs.folder, `prometheus-${mode}`);
    const [line] = demo.lines('prometheus ');
    const ours = `--web.listen-address=127.0.0.1:${port} --storage.tsdb.path=${storage}`;
    programs.start('bash', ['-c', `exec ${line} ${ours}`]);
    demos[mode] = { demo, prometheusUrl: `http://127.0.0.1:${port}` };
  }
});

describe.each(modes)('the demo over $mode', ({ mode, env }) => {
  let demo: Demo;
  let prometheusUrl: string;

  beforeAll(() => {
    ({ demo, prometheusUrl } = demos[mode]!);
  });

  test('says what it waits for before it says how to go on', () => {
    const [first, second] = demo.running.stdout.split('\n');
    expect(first).toBe('Starting the gateway ...');
    expect(second).toBe(
      'Waiting until the first pushes are acknowledged: orders, recommendations, fraud-detection ...',
    );
    expect(demo.said('gateway')).toMatch(new RegExp(`^${mode}://127\\.0\\.0\\.1:\\d+$`));
    for (const metricsId of demo.metricsIds) expect(metricsId).toMatch(/^[0-9a-f]{8}$/);
  });

  test('keeps standard error for what is amiss', () => {
    const unread = Object.keys(env).map(() => expect.stringMatching(/does not read WEIR_.+, WEIR_/));
    expect(demo.running.stderr.split('\n').filter(Boolean)).toEqual(unread.slice(0, 1));
  });

  test('prints three curl lines, of which the first gives a token', async () => {
    expect(demo.lines('curl')).toHaveLength(3);
    const { status, stdout, stderr } = await paste(demo.lines('curl')[0]!);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ token_type: 'Bearer', expires_in: 900, scope: 'read:metrics' });
    expect(JSON.parse(stdout).access_token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  test('the second gives the page of the instance with the fault', async () => {
    const { status, stdout, stderr } = await paste(demo.lines('curl')[1]!);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expectMetricsOf(stdout, [demo.said('fraud-detection')]);
  });

  test('the third gives the page of the project, with all metrics of all instances', async () => {
    const { status, stdout, stderr } = await paste(demo.lines('curl')[2]!);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expectMetricsOf(stdout, demo.metricsIds);
    expect(await programs.run(promtoolProgram(), ['check', 'metrics'], { input: stdout })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('a stock Prometheus scrapes with the file it wrote, and finds the instance with the fault', async () => {
    const api = async <T>(path: string): Promise<T> =>
      ((await (await fetch(`${prometheusUrl}/api/v1/${path}`)).json()) as { data: T }).data;
    type Vector = { result: { metric: Record<string, string> }[] };
    const instancesOf = async (expression: string): Promise<string[]> => {
      const { result } = await api<Vector>(`query?query=${encodeURIComponent(expression)}`);
      return result.map(({ metric }) => metric.instance_id!).sort();
    };
    await eventually(
      'the first scrape to be stored',
      async () => ((await instancesOf('neo4j_aura_cpu_usage')).length > 0 ? true : undefined),
      { withinMs: 60_000, everyMs: 250, during: demo.running },
    );
    const { activeTargets } = await eventually(
      'both targets to be scraped',
      async () => {
        const targets = await api<{ activeTargets: { health: string; lastError: string }[] }>('targets?state=active');
        return targets.activeTargets.some(({ health }) => health === 'unknown') ? undefined : targets;
      },
      { withinMs: 60_000, everyMs: 250, during: demo.running },
    );
    expect(activeTargets.map(({ health, lastError }) => health + lastError)).toEqual(['up', 'up']);
    expect(await instancesOf('neo4j_aura_cpu_usage')).toEqual(demo.metricsIds.sort());

    const faulty = [demo.said('fraud-detection')];
    const instant = readAlertRules().filter(({ expr }) => !expr.includes('['));
    expect(instant).toHaveLength(3);
    for (const { alert, expr } of instant) expect(await instancesOf(expr), alert).toEqual(faulty);
    const { groups } = await api<{ groups: { rules: { name: string; type: string }[] }[] }>('rules');
    const alerts = groups.flatMap(({ rules }) => rules).filter(({ type }) => type === 'alerting');
    expect(alerts.map(({ name }) => name)).toEqual(readAlertRules().map(({ alert }) => alert));
  });

  test('Ctrl-C ends it within 10 s, with status 0 and nothing left behind', async () => {
    const folder = demo.said('folder');
    expect(readdirSync(demo.temporary)).toEqual([folder.slice(demo.temporary.length + 1)]);
    const sentAt = performance.now();
    const { status, stdout, stderr } = await demo.running.signal('SIGINT');
    expect(status).toBe(0);
    expect(performance.now() - sentAt).toBeLessThan(10_000);
    expect(stdout).toMatch(/\nStopping \.\.\.\nStopped\.\n$/);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readdirSync(demo.temporary)).toEqual([]);
  });
});

describe('the demo', () => {
  test('shows no page before the first pushes are acknowledged, and says why it waits', async () => {
    const hold = join(programs.folder, 'hold');
    const preload = join(programs.folder, 'hold-pushes.cjs');
    writeFileSync(hold, '');
    writeFileSync(preload, holdPushes(hold));
    const demo = new Demo('held pushes', anyPorts, { NODE_OPTIONS: `--require=${preload}` });
    const failed = /^[\d:]{8} The push failed for orders, recommendations, fraud-detection: .*ECONNREFUSED.*\n$/;
    await eventually('the reason', () => failed.test(demo.running.stderr) || undefined, { during: demo.running });
    expect(demo.running.stdout).toMatch(/\nWaiting until the first pushes are acknowledged: .* \.\.\.\n$/);
    rmSync(hold);
    await demo.ready();
    expect(demo.running.stderr).toMatch(/again\.\n$/);
    expectMetricsOf((await paste(demo.lines('curl')[2]!)).stdout, demo.metricsIds);
    expect(await demo.running.signal('SIGINT')).toMatchObject({ status: 0 });
  });

  test('ends while it waits, too', async () => {
    const demo = new Demo('an early end');
    const waits = () => demo.running.stdout.includes('Waiting') || undefined;
    await eventually('it to wait', waits, { everyMs: 1, during: demo.running });
    expect(await demo.running.signal('SIGINT')).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(demo.temporary)).toEqual([]);
  });

  test('says when pushes fail and when they are acknowledged again, and goes on', async () => {
    const demo = new Demo('a disabled client', [...anyPorts, '--interval=1s', '--keep']);
    await demo.ready();
    const client = async (verb: string, ...args: string[]) => {
      const on = `--storage.path=${join(demo.said('folder'), 'weir.db')}`;
      const run = await programs.run(process.execPath, [weir, 'client', verb, ...args, on, '--format=json']);
      expect(run).toMatchObject({ status: 0, stderr: '' });
      return JSON.parse(run.stdout || 'null');
    };
    const clients: { client_id: string; name: string }[] = await client('list');
    const simulator = clients.find(({ name }) => name === 'simulator')!.client_id;
    const says = (pattern: RegExp) =>
      eventually(`${pattern}`, () => pattern.test(demo.running.stderr) || undefined, { during: demo.running });
    await client('disable', simulator);
    await says(
      /The push failed for .*fraud-detection: the token request was answered with 401 \(.*\)\. It is tried again\.\n$/,
    );
    await client('enable', simulator);
    await says(/Pushes are acknowledged again\.\n$/);
    expect(await demo.running.signal('SIGINT')).toMatchObject({ status: 0 });
  });

  test.each([['SIGTERM'], ['SIGHUP']] as const)('ends in the same way on %s', async (signal) => {
    const demo = new Demo(signal);
    await demo.ready();
    expect(await demo.running.signal(signal)).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(demo.temporary)).toEqual([]);
  });

  test('takes a Ctrl-C that npm hands on a second time for one', async () => {
    const demo = new Demo('a doubled signal');
    await demo.ready();
    const request = await requestUnderWay(demo.said('gateway'));
    const ended = demo.running.signal('SIGINT');
    await demo.stopping();
    demo.running.signal('SIGINT');
    request.write('form=ends');
    expect(await ended).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(demo.temporary)).toEqual([]);
  });

  test('does not wait for a request under way when it is told to stop again, and leaves nothing behind', async () => {
    const demo = new Demo('a second signal');
    await demo.ready();
    const request = await requestUnderWay(demo.said('gateway'));
    demo.running.signal('SIGINT');
    await demo.stopping();
    await eventually(
      'it to end',
      () => {
        demo.running.signal('SIGINT');
        return demo.running.isRunning ? undefined : true;
      },
      { withinMs: 10_000, everyMs: 100 },
    );
    expect(await demo.running.done()).toMatchObject({ status: 1, stderr: '' });
    expect(readdirSync(demo.temporary)).toEqual([]);
    request.destroy();
  });

  test('starts a Prometheus beside it, says where to look, and ends it', async () => {
    const demo = new Demo('a Prometheus', [...anyPorts, '--prometheus=127.0.0.1:0']);
    await demo.ready();
    const targets = demo.said('targets');
    const api = targets.replace('/targets', '/api/v1/');
    const got = async (path: string) => JSON.stringify(await (await fetch(`${api}${path}`)).json());
    const isUp = async () => (await got('targets')).includes('"health":"up"') || undefined;
    await eventually('a target to be up', isUp, { withinMs: 60_000, everyMs: 250, during: demo.running });
    for (const { alert } of readAlertRules()) expect(await got('rules')).toContain(`"name":"${alert}"`);
    expect((await fetch(demo.said('chart'))).status).toBe(200);
    expect(await demo.running.signal('SIGINT')).toMatchObject({ status: 0, stderr: '' });
    await expect(fetch(targets)).rejects.toThrow();
    expect(readdirSync(demo.temporary)).toEqual([]);
  });

  test('says so when there is no Prometheus to start, or another program has its port', async () => {
    const nowhere = new Demo('no Prometheus', [...anyPorts, '--prometheus'], { PATH: '/nowhere' });
    const absent = { status: 1, stderr: expect.stringContaining('apt-get install prometheus') };
    expect(await nowhere.running.done()).toMatchObject(absent);
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const taken = new Demo('a port that is taken', [...anyPorts, `--prometheus=127.0.0.1:${port}`]);
    const inUse = { status: 1, stderr: expect.stringContaining('address already in use') };
    expect(await taken.running.done()).toMatchObject(inUse);
    expect(readdirSync(taken.temporary)).toEqual([]);
    other.close();
  });

  test('keeps a folder that was asked for', async () => {
    const dir = join(programs.folder, 'chosen');
    const demo = new Demo('the chosen folder', [...anyPorts, '--dir', dir]);
    await demo.ready();
    expect(demo.said('folder')).toBe(dir);
    const { status, stdout } = await demo.running.signal('SIGINT');
    expect(status).toBe(0);
    expect(stdout).toContain(`Stopped. Its files are in ${dir}.`);
    expect(readdirSync(dir)).toEqual(expect.arrayContaining(['weir.db', 'prometheus.yml', 'alerts.yml']));

    const again = new Demo('the chosen folder again', [...anyPorts, '--dir', dir]);
    expect(await again.running.done()).toMatchObject({ status: 1, stderr: expect.stringContaining('is not empty') });
  });

  test('names the port that is taken, says how to choose another, and leaves nothing behind', async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
    });
    const demo = new Demo('a taken port', [
      '--operator.listen-address=127.0.0.1:0',
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const { status, stderr } = await demo.running.done();
    expect(status).toBe(1);
    expect(stderr.split('\n').filter(Boolean)).toEqual([
      `weir: Cannot listen on 127.0.0.1:${port}: another program listens there.`,
      expect.stringMatching(/^weir: .*--web\.listen-address 127\.0\.0\.1:0/),
    ]);
    expect(readdirSync(demo.temporary)).toEqual([]);
    await new Promise((resolve) => other.close(resolve));
  });

  test('ends without a stack when nobody reads what it prints', async () => {
    const temporary = join(programs.folder, 'files of the closed pipe');
    mkdirSync(temporary);
    const child = spawn(process.execPath, [weir, 'demo', ...anyPorts], { env: { PATH: '', TMPDIR: temporary } });
    programs.atEnd(() => void child.kill('SIGKILL'));
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const status = await new Promise((resolve) => child.once('close', resolve));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('refuses to be reached from other machines before it makes a file', async () => {
    const demo = new Demo('a remote address', [
      '--web.listen-address=0.0.0.0:0',
      '--operator.listen-address=127.0.0.1:0',
    ]);
    const { status, stdout, stderr } = await demo.running.done();
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^weir: --web\.listen-address 0\.0\.0\.0:0 .*--allow-remote/);
    expect(existsSync(demo.temporary) && readdirSync(demo.temporary)).toEqual([]);
  });
});
