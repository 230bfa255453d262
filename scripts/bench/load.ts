import { say } from './harness.js';
import type { LoadOrder, LoadReport } from './load-worker.js';
import { cpuSeconds, isInstalled, loadCore, Pinned } from './processes.js';
import { compiled } from './weir.js';

export interface Served {
  readonly requests: number;
  /** Of the server, all threads. */
  readonly cpuPerRequest: number;
}

const hasWrk = isInstalled('wrk');
const scrapeConnections = 16;

/** What makes the load of `scrapeFor`, for the record. */
export const scrapeLoad = hasWrk ? 'wrk' : 'our own closed loop';

/** A closed loop of `GET`s on keep-alive connections; CPU of the server per request. */
export async function scrapeFor(
  seconds: number,
  server: Pinned,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<Served> {
  if (!hasWrk) {
    return new LoadGenerator().run(server, {
      kind: 'get',
      urls: [url],
      headers,
      seconds,
      connections: scrapeConnections,
    });
  }
  const flags = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const before = cpuSeconds(server.pid);
  const args = ['-t1', `-c${scrapeConnections}`, `-d${Math.max(1, Math.round(seconds))}s`, ...flags, url];
  const output = await new Pinned(loadCore, 'wrk', args).finished(seconds + 20);
  const cpu = cpuSeconds(server.pid) - before;
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  if (requests === 0 || /Non-2xx|Socket errors/.test(output))
    throw new Error(`not every scrape was answered:\n${output}`);
  return { requests, cpuPerRequest: cpu / requests };
}

/** Our own load generator, warm from one run to the next. */
export class LoadGenerator {
  private readonly process = new Pinned(loadCore, process.execPath, [compiled('load-worker.js')], { ipc: true });

  async run(server: Pinned, order: LoadOrder): Promise<Served> {
    const before = cpuSeconds(server.pid);
    const { requests, error, busy } = await this.ask(order);
    const cpu = cpuSeconds(server.pid) - before;
    if (error !== undefined) throw new Error(`not every request was answered: ${error}`);
    if (order.requests === undefined && busy > 0.9)
      say(`  the load generator was busy for ${Math.round(busy * 100)} % of the time`);
    return { requests, cpuPerRequest: cpu / requests };
  }

  stop(): Promise<void> {
    return this.process.stop();
  }

  private ask(order: LoadOrder): Promise<LoadReport> {
    const { child } = this.process;
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error('the load generator does not answer')),
        order.seconds * 1000 + 20_000,
      );
      child.once('message', (report) => {
        clearTimeout(late);
        resolve(report as LoadReport);
      });
      child.send(order);
    });
  }
}
