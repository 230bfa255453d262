import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Servers run on one core and the load on the other, so that the load costs the servers nothing. */
export const serverCore = 0;
export const loadCore = 1;
/** For a server whose threads may run side by side, as they do where it is at home. */
export const anyCore = [serverCore, loadCore];

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

/** A command pinned to a core; ends with this process at the latest. Its last words are kept for error messages. */
export class Pinned {
  readonly child: ChildProcess;
  private readonly name: string;
  private output = '';
  private exited = false;
  private ending = 'is running';

  /** `progress` lets its standard error through. */
  constructor(
    core: number | readonly number[],
    command: string,
    args: readonly string[],
    options: { ipc?: boolean; progress?: boolean; env?: Readonly<Record<string, string>> } = {},
  ) {
    this.name = [command, ...args].join(' ');
    this.child = spawn('taskset', ['-c', [core].flat().join(','), command, ...args], {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', options.progress ? 'inherit' : 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
    });
    running.add(this.child);
    this.child.once('error', (error) => this.ended(String(error)));
    this.child.once('exit', (code, signal) => this.ended(`ended with ${code ?? signal}`));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-100_000);
      });
    }
  }

  /** taskset becomes the command, so this is the command's own id. */
  get pid(): number {
    return this.child.pid!;
  }

  /** What `find` finds in the output, from `from` on; fails when the process ends first or after `seconds`. */
  async wait<T>(find: (output: string) => T | undefined, seconds = 20, from = 0): Promise<T> {
    for (const until = Date.now() + seconds * 1000; Date.now() < until; ) {
      const found = find(this.output.slice(from));
      if (found !== undefined) return found;
      if (this.exited) break;
      await pause(20);
    }
    throw new Error(`${this.name} ${this.ending}; waited in vain for its answer. ${this.lastWords}`);
  }

  /** How much has been said: a place for `wait` to begin at. */
  get said(): number {
    return this.output.length;
  }

  /** Everything it wrote, when it has ended well. */
  async finished(seconds: number): Promise<string> {
    for (const until = Date.now() + seconds * 1000; Date.now() < until && !this.exited; ) await pause(20);
    if (this.child.exitCode !== 0) {
      this.child.kill('SIGKILL');
      throw new Error(`${this.name} ${this.ending}; it had ${seconds} s to end well. ${this.lastWords}`);
    }
    return this.output;
  }

  /** Asks it to end and waits for that; kills it after 10 s. */
  async stop(): Promise<void> {
    if (!this.exited) this.child.kill('SIGTERM');
    for (const until = Date.now() + 10_000; Date.now() < until && !this.exited; ) await pause(20);
    if (!this.exited) this.child.kill('SIGKILL');
  }

  private get lastWords(): string {
    return `It said:\n${this.output.slice(-2000)}`;
  }

  private ended(how: string): void {
    this.exited = true;
    this.ending = how;
    running.delete(this.child);
  }
}

/**
 * The event loop of a process, its first thread, goes to the servers' core, all other threads it has by now to the load's. Where
 * the loop meets V8's collector, or a load that goes first, it waits for the scheduler, milliseconds at a time.
 */
export function spread(pid: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const core = Number(thread) === pid ? serverCore : loadCore;
    // Of a thread that has ended meanwhile, it says so and no more.
    spawnSync('taskset', ['-pc', String(core), thread]);
  }
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU time of all threads of a process, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold blanks; after it come the fields from the third on (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Memory the process holds now, in bytes. */
export const residentBytes = (pid: number): number => statusBytes(pid, 'VmRSS');

/** The most it ever held. */
export const peakBytes = (pid: number): number => statusBytes(pid, 'VmHWM');

function statusBytes(pid: number, field: string): number {
  const [, kibibytes] = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kibibytes) * 1024;
}

export function isInstalled(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
