import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The real programs of the end-to-end suites. A missing one fails the suite: what was not run was not shown. */
export const prometheusProgram = (): string => installed('prometheus', 'prometheus');
export const nodeExporterProgram = (): string => installed('prometheus-node-exporter', 'prometheus-node-exporter');
export const promtoolProgram = (): string => installed('promtool', 'prometheus');

/** Modules of the suites' scripts, and the Debian packages they come in. */
const pythonPackages = {
  'prometheus_client.openmetrics.parser': 'python3-prometheus-client',
  requests_oauthlib: 'python3-requests-oauthlib',
  authlib: 'python3-authlib',
} as const;

/** The first python3 that has the modules: a version manager's python3 may come first on the path, without them. */
export function pythonProgram(...modules: readonly (keyof typeof pythonPackages)[]): string {
  const candidates = ['/usr/bin/python3', ...onPath('python3')];
  const imports = `import ${['sys', ...modules].join(', ')}`;
  const found = candidates.find((python) => spawnSync(python, ['-c', imports]).status === 0);
  if (found === undefined) {
    const packages = modules.map((module) => pythonPackages[module]).join(' ');
    throw new Error(`No python3 here can import ${modules.join(' and ')}; install the Debian packages ${packages}.`);
  }
  return found;
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** The Python of the environment with Datadog's check. */
export function datadogPython(): string {
  const python = join(root, '.e2e/datadog-venv/bin/python');
  if (!isExecutable(python)) {
    throw new Error(
      "Datadog's check is not installed; run: bash scripts/datadog-venv.sh (Debian package: python3-venv).",
    );
  }
  return python;
}

/** Out of Debian's package, where `scripts/victoria-metrics.sh` puts them. */
const ofVictoriaMetrics = (name: 'vmagent' | 'victoria-metrics') => (): string => {
  const found = [join(root, '.e2e/tools', name), ...onPath(name)].find(isExecutable);
  if (found === undefined) throw new Error(`${name} is missing; run: bash scripts/victoria-metrics.sh`);
  return found;
};
export const vmagentProgram = ofVictoriaMetrics('vmagent');
export const victoriaMetricsProgram = ofVictoriaMetrics('victoria-metrics');

type BuiltTool = 'prometheus3' | 'telegraf' | 'otelcol' | 'thanos' | 'mimir';

/** What `scripts/build-tools.sh` builds from Go modules, which takes too long to be asked of everybody. */
export const builtProgram = (name: BuiltTool): string | undefined =>
  [join(root, '.e2e/tools', name)].find(isExecutable);

function installed(name: string, debianPackage: string): string {
  const found = [...onPath(name), join('/usr/bin', name)].find(isExecutable);
  if (found === undefined) {
    throw new Error(`The program ${name} is missing; install the Debian package ${debianPackage}.`);
  }
  return found;
}

const onPath = (name: string): string[] =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .filter(isExecutable);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface StartOptions {
  /** Beside the variables of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunOptions extends StartOptions {
  readonly input?: string;
}

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs in the background. */
export class RunningProgram {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly exit: Promise<Finished>;
  private finished: Finished | undefined;
  stdout = '';
  stderr = '';

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status) => {
        this.finished = { status, stdout: this.stdout, stderr: this.stderr };
        resolve(this.finished);
      });
    });
    // Whoever waits hears of it; nobody waiting is no reason to bring the test process down.
    this.exit.catch(() => {});
  }

  get isRunning(): boolean {
    return this.finished === undefined;
  }

  /** Throws, with what the program said last, when it has ended. */
  mustRun(): void {
    if (this.isRunning) return;
    throw new Error(`${this.name} ended with status ${this.finished!.status}:\n${this.stderr.slice(-2000)}`);
  }

  /** Writes a line to its standard input. */
  send(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  /** Resolves when the program is gone and all it wrote is read. */
  signal(signal: NodeJS.Signals): Promise<Finished> {
    this.child.kill(signal);
    return this.exit;
  }

  /** Asks it to stop, and kills it when it does not within 10 s. */
  async end(): Promise<void> {
    const kill = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.signal('SIGTERM').catch(() => {});
    clearTimeout(kill);
  }

  done(): Promise<Finished> {
    return this.exit;
  }
}

/** The programs and files of one test file: `end` ends what still runs, in reverse order, and deletes the folder. */
export class Programs {
  readonly folder = mkdtempSync(join(tmpdir(), 'weir-e2e-'));
  private readonly ending: (() => Promise<void> | void)[] = [];

  /** Does this at the end, before what was asked earlier. */
  atEnd(action: () => Promise<void> | void): void {
    this.ending.push(action);
  }

  /** Does this again and again, so long after it was done, as a producer does; until the end, or until what this gives is called. */
  inRhythm(everyMs: number, work: (turn: number) => Promise<unknown>): () => Promise<void> {
    let stopping = false;
    const running = (async () => {
      for (let turn = 0; !stopping; turn++) {
        await work(turn);
        await pause(everyMs);
      }
    })();
    const halt = (): Promise<void> => {
      stopping = true;
      return running;
    };
    this.atEnd(halt);
    return halt;
  }

  start(path: string, args: readonly string[], { env = {} }: StartOptions = {}): RunningProgram {
    const child = spawn(path, args, { cwd: this.folder, env: { ...ownEnvironment(), ...env }, stdio: 'pipe' });
    const running = new RunningProgram([path, ...args.slice(0, 2)].join(' '), child);
    const killWithUs = (): boolean => child.kill('SIGKILL');
    process.once('exit', killWithUs);
    child.once('close', () => process.off('exit', killWithUs));
    this.atEnd(() => running.end());
    return running;
  }

  /** Runs a program to its end, whatever its exit status. */
  async run(path: string, args: readonly string[], { env = {}, input = '' }: RunOptions = {}): Promise<Finished> {
    const child = spawn(path, args, {
      cwd: this.folder,
      env: { ...ownEnvironment(), ...env },
      stdio: 'pipe',
      timeout: 180_000,
    });
    // A program that ends without reading its input tells by its status.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    return new RunningProgram(path, child).done();
  }

  async end(): Promise<void> {
    for (const action of this.ending.splice(0).reverse()) await action();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Without the variables of Weir: a gateway in a test is held by its flags alone. */
const ownEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WEIR_')));

/**
 * A port nobody listens on, from below those the system gives to connections: suites run side by side, and a port that
 * one of them closes for a moment, as a killed gateway does, is not taken by another's connection.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error('a hundred ports were tried and none of them is free');
}

export interface Patience {
  readonly withinMs?: number;
  readonly everyMs?: number;
  /** No more waiting when this program has ended. */
  readonly during?: RunningProgram;
}

/** Asks until the answer is not `undefined`; when time runs out, says for what, and what went wrong last. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  { withinMs = 30_000, everyMs = 50, during }: Patience = {},
): Promise<T> {
  const end = Date.now() + withinMs;
  let last: unknown;
  do {
    during?.mustRun();
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    await pause(everyMs);
  } while (Date.now() < end);
  throw new Error(`waited ${withinMs} ms in vain for ${what}`, { cause: last });
}
