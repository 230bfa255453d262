import { spawnSync } from 'node:child_process';
import { anyCore, loadCore, Pinned } from './processes.js';
import { compiled, Weir } from './weir.js';

// What one project costs the others: processes that load, others that look, and what they saw.

/** A probe that waits for a core would count it as the gateway's time. To go first takes a right that not everybody has. */
const probePolicy = spawnSync('chrt', ['--rr', '1', 'true']).status === 0 ? ['--rr', '1'] : ['--other', '0'];

/** A gateway beside which others are looked at. Its threads may run on both cores until they are told where (`spread`). */
export const unpinned = (): Promise<Weir> =>
  Weir.start(['--expose-gc', '--import', compiled('collect-on-signal.js')], '', asInstalled, anyCore);

/** What contrib/systemd/weir.service sets beside the paths. */
const asInstalled = { MALLOC_MMAP_THRESHOLD_: '262144' };

/**
 * A process that is asked by messages, and answers each by one. What yields runs only while the probes it shares a core
 * with do not: being nice is not enough, for a nice process is let finish its slice of some milliseconds.
 */
export class Worker<Order extends object, Report> {
  private readonly process: Pinned;

  constructor(file: string, { yields }: { yields: boolean }) {
    const policy = yields ? ['--idle', '0'] : probePolicy;
    this.process = new Pinned(loadCore, 'chrt', [...policy, process.execPath, compiled(file)], { ipc: true });
  }

  ask(order: Order & { seconds: number }): Promise<Report> {
    const { child } = this.process;
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        clearTimeout(late);
        child.off('exit', ended).off('message', answered);
        settled();
      };
      const answered = (report: unknown): void => settle(() => resolve(report as Report));
      const ended = (): void => settle(() => reject(new Error('a load process ended')));
      const late = setTimeout(
        () => settle(() => reject(new Error('a load process does not answer'))),
        order.seconds * 1000 + 30_000,
      );
      child.once('exit', ended).once('message', answered);
      child.send(order);
    });
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

const p99 = (latencies: readonly number[]): number =>
  Float64Array.from(latencies).sort()[Math.floor(latencies.length * 0.99)] ?? Number.NaN;

/** Of so many thirds of the time one figure each. */
const spans = 3;

/**
 * The 99th percentiles of scrapes, loud against idle, from rounds of both in turn. One round is too few scrapes: on a shared machine
 * one in some hundred waits for the machine itself, whatever anybody does.
 */
export function p99s(loud: readonly (readonly number[])[], idle: readonly (readonly number[])[]) {
  const span = (rounds: readonly (readonly number[])[], i: number): number[] =>
    rounds.slice((i * rounds.length) / spans, ((i + 1) * rounds.length) / spans).flat();
  return {
    of: { loud: p99(loud.flat()), idle: p99(idle.flat()) },
    quotients: Array.from({ length: spans }, (_, i) => p99(span(loud, i)) / p99(span(idle, i))),
  };
}
