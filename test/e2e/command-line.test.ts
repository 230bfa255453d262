import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually, type Finished, Programs, type RunningProgram } from '../support/programs.js';

/** The program as users run it: a process with an exit status. Each run takes a third of a second, so they are few. */
const programs = new Programs();
const weir = inject('weir');
afterAll(() => programs.end());

const storage = join(programs.folder, 'weir.db');
const run = (args: readonly string[], input = '', env: Record<string, string> = {}): Promise<Finished> =>
  programs.run(process.execPath, [weir, ...args], { input, env });
const onStore = (...args: string[]): Promise<Finished> => run([...args, `--storage.path=${storage}`]);
const file = (name: string, text: string): string => {
  const path = join(programs.folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

/** A refusal: status 1, nothing on stdout, sentences without a stack on stderr. */
function refused({ status, stdout, stderr }: Finished): string {
  expect(stderr).not.toMatch(/\n\s+at |\.js:\d|node:internal/);
  expect([status, stdout]).toEqual([1, '']);
  return stderr;
}

describe('weir', () => {
  it('has help on stdout with status 0, for itself and for a command', async () => {
    const [top, nested] = await Promise.all([run(['--help']), run(['client', 'create', '--help'])]);
    expect([top.status, top.stderr, nested.status, nested.stderr]).toEqual([0, '', 0, '']);
    const commands = [...top.stdout.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name);
    expect(commands).toEqual(
      expect.arrayContaining(['serve', 'demo', 'project', 'endpoint', 'client', 'token', 'check']),
    );
    expect(nested.stdout).toMatch(/^Usage: weir client create \[options\] <name>\n/);
  });

  it('has a version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const { status, stdout } = await run(['--version']);
    expect([status, stdout.split(' (')[0]]).toEqual([0, `weir ${version}`]);
    expect(stdout).toMatch(/ \(revision \w+, node \d+\.\d+\.\d+\)\n$/);
  });

  it('refuses flags and commands there are not', async () => {
    const [flag, command] = await Promise.all([run(['serve', '--web.listen-adress', ':1']), run(['prject', 'list'])]);
    expect(refused(flag)).toMatch(/unknown option '--web\.listen-adress'\n\(Did you mean --web\.listen-address\?\)/);
    expect(refused(command)).toMatch(/unknown command 'prject'\n\(Did you mean project\?\)/);
  });

  it('refuses what cannot be done with a sentence, without a stack', async () => {
    expect(refused(await onStore('client', 'create', 'c', '--project=none', '--scope=read:metrics'))).toBe(
      'weir: There is no project "none"; "weir project list" shows those there are.\n',
    );
  });
});

describe('weir check', () => {
  it('config names every problem with its line', async () => {
    const bad = file('bad.yml', 'web:\n  listen_adress: ":80"\nlimits:\n  series: -1\n  nonsense: 2\n');
    const good = file('good.yml', 'web:\n  listen_address: ":80"\nlimits:\n  series: 10\n');
    const [problems, fine] = await Promise.all([run(['check', 'config', bad]), run(['check', 'config', good])]);
    const lines = refused(problems).trimEnd().split('\n');
    expect(lines.map((line) => line.replace(`${bad}:`, '').split(':')[0])).toEqual(['2', '4', '5']);
    expect(fine).toEqual({ status: 0, stdout: `${good} is fine.\n`, stderr: '' });
  });

  it('metrics names the line of every fault', async () => {
    const [good, bad, openMetrics] = await Promise.all([
      run(['check', 'metrics'], '# TYPE a gauge\na 1\nb{x="y"} 2\n'),
      run(['check', 'metrics'], '# TYPE a gauge\na 1\nb{x="y} 2\nc 3\nd\n'),
      run(['check', 'metrics', '--syntax=openmetrics'], '# TYPE a gauge\na 1\n# TYPE b gauge\nb{x="y} 2\n# EOF\n'),
    ]);
    expect(good).toEqual({ status: 0, stdout: '2 series in 2 families: fine.\n', stderr: '' });
    expect(refused(bad)).toMatch(/^Line 3: .*\nLine 5: .*\n$/);
    expect(refused(openMetrics)).toMatch(/^Line 4: /);
  });
});

describe('weir serve', () => {
  let server: RunningProgram;
  let url: string;
  const anywhere = ['--web.listen-address=127.0.0.1:0', '--operator.listen-address=127.0.0.1:0'];
  const addressOf = (listener: string): string | undefined => {
    const lines = server.stderr.split('\n').filter((line) => line.endsWith('}'));
    const said = lines.map((line) => JSON.parse(line) as Record<string, string>);
    return said.find((line) => line.msg === 'listening' && line.listener === listener)?.address;
  };

  beforeAll(async () => {
    const config = `--config.file=${file('weir.yml', 'log: {level: info}\n')}`;
    server = programs.start(process.execPath, [weir, 'serve', `--storage.path=${storage}`, config, ...anywhere]);
    url = await eventually('the public listener', () => addressOf('public'), { during: server });
  });

  it('logs the addresses it really listens on', async () => {
    const operatorUrl = await eventually('the operator listener', () => addressOf('operator'), { during: server });
    expect(new Set([new URL(url).port, new URL(operatorUrl).port, '', '0']).size).toBe(4);
    expect((await fetch(`${operatorUrl}/-/ready`)).status).toBe(200);
    expect((await fetch(`${url}/oauth/token`)).status).toBe(405);
  });

  it('gives tokens to weir token, which prints nothing else', async () => {
    await onStore('project', 'create', 'Acme', '--id=acme');
    const created = await onStore('client', 'create', 'c', '--project=acme', '--scope=read:metrics', '--format=json');
    const client = JSON.parse(created.stdout) as Record<string, string>;
    const id = `--client-id=${client.client_id}`;
    const right = `--client-secret-file=${file('right', `${client.client_secret}\n`)}`;
    const wrong = `--client-secret-file=${file('wrong', 'weir_cs_wrong')}`;
    const [found, given, refusal] = await Promise.all([
      onStore('token', id, right),
      run(['token', id, right], '', { WEIR_URL: url }),
      run(['token', id, wrong, `--url=${url}`]),
    ]);
    for (const { status, stdout, stderr } of [found, given]) {
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
      const page = await fetch(`${url}/api/v1/acme/metrics`, { headers: { authorization: `Bearer ${stdout.trim()}` } });
      expect(page.status).toBe(200);
    }
    expect(refused(refusal)).toContain('invalid_client');
    expect(refusal.stderr).not.toContain('weir_cs_wrong');
  });

  it('refuses a second one on the same file, and says all that is wrong with a configuration at once', async () => {
    const [second, misconfigured] = await Promise.all([
      onStore('serve', ...anywhere),
      run(['serve', '--web.listen-address=nonsense', '--log.level=loud'], '', {
        WEIR_OPERATOR_LISTEN_ADDRESS: '1:2:3',
      }),
    ]);
    const sentence = `Another "weir serve" is running on ${storage}. Stop it first, or give this one a file of its own with --storage.path.`;
    expect(refused(second)).toContain(`weir: ${sentence}\n`);
    const problems = refused(misconfigured).trimEnd().split('\n');
    expect(problems).toHaveLength(3);
    for (const name of ['--web.listen-address', 'WEIR_OPERATOR_LISTEN_ADDRESS', '--log.level']) {
      expect(problems.filter((line) => line.startsWith(`weir: ${name}`))).toHaveLength(1);
    }
  });

  it('refuses an address that is taken, with a sentence', async () => {
    const taken = `--web.listen-address=${new URL(url).host}`;
    const other = `--storage.path=${join(programs.folder, 'other.db')}`;
    const said = refused(await run(['serve', taken, '--operator.listen-address=127.0.0.1:0', other]));
    expect(said).toContain(`Cannot listen on ${new URL(url).host}: another program listens there.`);
  });

  it('tells weir check ready that it is, and why it is not', async () => {
    const at = (address: string) => run(['check', 'ready', `--operator.listen-address=${address}`]);
    const operator = new URL(addressOf('operator')!);
    const [ready, absent] = await Promise.all([at(operator.host), at('127.0.0.1:1')]);
    expect(ready).toMatchObject({ status: 0, stdout: 'Weir is ready.\n', stderr: '' });
    expect(refused(absent)).toMatch(/^weir: http:\/\/127\.0\.0\.1:1\/-\/ready does not answer: .+\.\n$/);
  });

  it('reads its configuration again on SIGHUP, and keeps the old one when it is bad', async () => {
    const said = (text: string) =>
      eventually(text, () => server.stderr.includes(text) || undefined, { during: server });
    file('weir.yml', 'log: {level: debug}\n');
    void server.signal('SIGHUP');
    await said('the configuration was read again');
    file('weir.yml', 'log: {level: loud}\n');
    void server.signal('SIGHUP');
    await said('weir.yml:1: log.level: Write one of');
    expect((await fetch(`${addressOf('operator')}/-/ready`)).status).toBe(200);
  });

  /** Last: it stops the server. */
  it('stops with status 0 on SIGTERM, having said so', async () => {
    const { status, stdout, stderr } = await server.signal('SIGTERM');
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/"msg":"stopped"\}\n$/);
  });
});
