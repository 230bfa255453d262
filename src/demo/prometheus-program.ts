import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseListenAddress } from '../config/listen-address.js';
import { OperatorError } from '../domain/errors.js';
import type { DemoFolder } from './folder.js';

const readyWithinMs = 60_000;
const askEveryMs = 100;
const stopWithinMs = 10_000;

/** The `prometheus` on the path; throws `OperatorError` when there is none. */
export function findPrometheus(path = process.env.PATH ?? ''): string {
  const candidates = path.split(delimiter).map((folder) => join(folder, 'prometheus'));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new OperatorError(
    'There is no program "prometheus" on the path. Install it (on Debian: apt-get install prometheus), or leave out --prometheus.',
  );
}

/** A Prometheus beside the demo, with its data and its log in the demo's folder. */
export class PrometheusProgram {
  readonly url: string;
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private isOver = false;

  private constructor(child: ChildProcess, url: string) {
    this.child = child;
    this.url = url;
    this.exited = new Promise((resolve) => {
      const over = (): void => {
        this.isOver = true;
        resolve();
      };
      child.once('exit', over).once('error', over);
    });
  }

  /**
   * Starts it and waits until it is ready or `interruption` comes; port 0 is any that is free. Throws `OperatorError` with its
   * last words when it does not come up.
   */
  static async start(
    program: string,
    { listenAddress, configFile, folder }: { listenAddress: string; configFile: string; folder: DemoFolder },
    interruption: AbortSignal,
  ): Promise<PrometheusProgram> {
    const { host = '127.0.0.1', port } = parseListenAddress(listenAddress);
    const name = host.includes(':') ? `[${host}]` : host;
    const address = `${name}:${port === 0 ? await freePort(host) : port}`;
    const logFile = folder.file('prometheus.log');
    const log = openSync(logFile, 'a', 0o600);
    const args = [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${folder.file('prometheus')}`,
      `--web.listen-address=${address}`,
      // So that rules can be changed and tried: docs/validation.md.
      '--web.enable-lifecycle',
    ];
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    const prometheus = new PrometheusProgram(child, `http://${address}`);
    await prometheus.ready(logFile, interruption);
    return prometheus;
  }

  /** Resolves when it is over, for whatever reason. */
  get ended(): Promise<void> {
    return this.exited;
  }

  async stop(): Promise<void> {
    if (this.isOver) return;
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), stopWithinMs);
    await this.exited;
    clearTimeout(late);
  }

  private async ready(logFile: string, interruption: AbortSignal): Promise<void> {
    for (let waited = 0; waited < readyWithinMs && !this.isOver; waited += askEveryMs) {
      if (interruption.aborted || (await this.answers())) return;
      await pause(askEveryMs);
    }
    await this.stop();
    const lastWords = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join('\n');
    throw new OperatorError(`Prometheus did not come up at ${this.url}. Its last words:\n${lastWords}`);
  }

  private async answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/-/ready`, { signal: AbortSignal.timeout(2000) })).ok;
    } catch {
      return false;
    }
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Prometheus does not tell which port it was given for 0. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
