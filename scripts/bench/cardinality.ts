import type { BombOrder, BombReport } from './bomb-worker.js';
import { digits, type Effort, median, quotients, type Result, resultOf, say } from './harness.js';
import { settled } from './memory.js';
import type { ProbeOrder, ProbeReport } from './probe-worker.js';
import { loadCore, Pinned } from './processes.js';
import { compiled, Weir } from './weir.js';

const others = 99;
const probeEveryMs = 5;
const seriesPerRequest = 1000;
/** A new series each 20 µs: 50,000 a second. */
const bombEveryMs = 20;

/** A process that is asked by messages, and answers each by one. The load yields to the probes it shares a core with. */
export class Worker<Order extends object, Report> {
  private readonly process: Pinned;

  constructor(file: string, nice: number) {
    const args = ['-n', String(nice), process.execPath, compiled(file)];
    this.process = new Pinned(loadCore, 'nice', args, { ipc: true });
  }

  ask(order: Order & { seconds: number }): Promise<Report> {
    const { child } = this.process;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('a load process does not answer')), order.seconds * 1000 + 30_000);
      child.once('message', (report) => {
        clearTimeout(late);
        resolve(report as Report);
      });
      child.send(order);
    });
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/**
 * One project sends label values that never come twice, by all three routes in turn, while others are scraped from the
 * cache. In each round others are scraped without the bomb, too.
 */
export const cardinalityBench =
  (values: number) =>
  async (effort: Effort): Promise<Result[]> => {
    say(`cardinality; ${values} distinct label values from one project, ${others} other projects scraped`);
    const weir = await Weir.start(['--expose-gc', '--import', compiled('collect-on-signal.js')]);
    const probe = new Worker<ProbeOrder, ProbeReport>('probe-worker.js', 0);
    const bomb = new Worker<BombOrder, BombReport>('bomb-worker.js', 10);
    try {
      const ids = Array.from({ length: others }, (_, i) => `other${i}`);
      const [authorization, ...headers] = await weir.projects('bomb', ...ids);
      const targets: ProbeOrder['targets'][number][] = [];
      for (const [i, id] of ids.entries()) {
        await weir.push(id, headers[i]!, lines(100));
        targets.push({ url: weir.routesOf(id).push, authorization: headers[i]! });
      }
      const rounds = Math.max(effort.rounds, 3);
      const perRound = Math.ceil(values / rounds);
      const seconds = Math.max(2, (perRound / seriesPerRequest) * (bombEveryMs / 1000));
      const order = {
        everyMs: bombEveryMs,
        seriesPerRequest,
        authorization: authorization!,
        urls: weir.routesOf('bomb'),
      };
      // What has to be compiled and cached is, and the project is at its limit, before the first round.
      await probe.ask({ targets, everyMs: probeEveryMs, seconds: 2 });
      await bomb.ask({ ...order, values: 200_000, seconds: 20 });
      const before = await settled(weir);
      const [idle, bombed]: number[][] = [[], []];
      const answers: Record<string, number> = {};
      let sent = 0;
      for (let round = 1; round <= rounds; round++) {
        const quiet = await probe.ask({ targets, everyMs: probeEveryMs, seconds: Math.min(seconds, 10) });
        const [loud, report] = await Promise.all([
          probe.ask({ targets, everyMs: probeEveryMs, seconds }),
          bomb.ask({ ...order, values: perRound, seconds: seconds * 1.5 }),
        ]);
        if (quiet.failed + loud.failed > 0) throw new Error(`${quiet.failed + loud.failed} scrapes failed`);
        idle!.push(percentile(quiet.latencies, 0.99));
        bombed!.push(percentile(loud.latencies, 0.99));
        sent += report.values;
        for (const [answer, count] of Object.entries(report.answers)) answers[answer] = (answers[answer] ?? 0) + count;
        say(
          `  round ${round} of ${rounds}: p99 ${digits(bombed!.at(-1)!)} ms against ${digits(idle!.at(-1)!)} ms idle`,
        );
      }
      const wrong = Object.keys(answers).filter((answer) => ![...refused, ...accepted].includes(answer));
      const taken = accepted.reduce((sum, answer) => sum + (answers[answer] ?? 0), 0);
      const all = Object.values(answers).reduce((sum, count) => sum + count, 0);
      // In a run of minutes some series end, and as many others take their room.
      if (wrong.length > 0 || taken > all / 100)
        throw new Error(`not every request was refused as it should be: ${JSON.stringify(answers)}`);
      const after = await settled(weir);
      const what = `p99 of cached scrapes of ${others} other projects while one sends ${sent} new label values, against idle`;
      const detail = `${digits(median(bombed!))} ms against ${digits(median(idle!))} ms; ${JSON.stringify(answers)}`;
      const memory = `memory of the gateway after ${sent} refused series, against before`;
      return [
        resultOf({ name: 'cardinality-p99', what, target: 1.2, better: 'lower', detail }, quotients(bombed!, idle!)),
        resultOf(
          {
            name: 'cardinality-memory',
            what: memory,
            target: 1.1,
            better: 'lower',
            detail: `from ${digits(before / 2 ** 20)} to ${digits(after / 2 ** 20)} MiB`,
          },
          [after / before],
        ),
      ];
    } finally {
      await Promise.all([probe.stop(), bomb.stop()]);
      await weir.stop();
    }
  };

const refused = ['write 400', 'otlp 200 partial', 'push 422'];
const accepted = ['write 204', 'otlp 200', 'push 200'];

const lines = (count: number): string =>
  Array.from({ length: count }, (_, i) => `some_metric{i="${i}"} ${i}\n`).join('');
