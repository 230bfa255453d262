import type { BombOrder, BombReport } from './bomb-worker.js';
import { digits, type Effort, type Result, resultOf, say } from './harness.js';
import { settled } from './memory.js';
import { p99s, unpinned, Worker } from './neighbours.js';
import type { ProbeOrder, ProbeReport } from './probe-worker.js';
import { spread } from './processes.js';

const others = 99;
const probeEveryMs = 5;
const seriesPerRequest = 1000;
/** A new series each 20 µs: 50,000 a second. */
const bombEveryMs = 20;
/** With and without the bomb in turn so often that what the machine does meanwhile meets both. */
const roundSeconds = 3;

/**
 * One project sends label values that never come twice, by all three routes in turn, while others are scraped from the
 * cache. In each round others are scraped without the bomb, too.
 */
export const cardinalityBench =
  (values: number) =>
  async (effort: Effort): Promise<Result[]> => {
    say(`cardinality; ${values} distinct label values from one project, ${others} other projects scraped`);
    const weir = await unpinned();
    const probe = new Worker<ProbeOrder, ProbeReport>('probe-worker.js', { yields: false });
    const bomb = new Worker<BombOrder, BombReport>('bomb-worker.js', { yields: true });
    try {
      const ids = Array.from({ length: others }, (_, i) => `other${i}`);
      const [authorization, ...headers] = await weir.projects('bomb', ...ids);
      const targets: ProbeOrder['targets'][number][] = [];
      for (const [i, id] of ids.entries()) targets.push({ url: weir.routesOf(id).push, authorization: headers[i]! });
      /** Before each round, as what is pushed ends after minutes. */
      const pushAll = async (): Promise<void> => {
        for (const [i, id] of ids.entries()) await weir.push(id, headers[i]!, lines(100));
      };
      const allSeconds = (values / seriesPerRequest) * (bombEveryMs / 1000);
      const rounds = Math.max(effort.rounds, 3, Math.ceil(allSeconds / roundSeconds));
      const perRound = Math.ceil(values / rounds);
      const seconds = Math.max(2, allSeconds / rounds);
      const order = {
        everyMs: bombEveryMs,
        seriesPerRequest,
        authorization: authorization!,
        urls: weir.routesOf('bomb'),
      };
      // What has to be compiled and cached is, and the project is at its limit, before the first round.
      await pushAll();
      await probe.ask({ targets, everyMs: probeEveryMs, seconds: 2 });
      await bomb.ask({ ...order, values: 200_000, seconds: 20 });
      const before = await settled(weir);
      const idle: (readonly number[])[] = [];
      const bombed: (readonly number[])[] = [];
      const answers: Record<string, number> = {};
      let sent = 0;
      for (let round = 1; round <= rounds; round++) {
        await pushAll();
        spread(weir.process.pid);
        const quiet = await probe.ask({ targets, everyMs: probeEveryMs, seconds });
        const [loud, report] = await Promise.all([
          probe.ask({ targets, everyMs: probeEveryMs, seconds }),
          bomb.ask({ ...order, values: perRound, seconds: seconds * 1.5 }),
        ]);
        if (quiet.failed + loud.failed > 0) throw new Error(`${quiet.failed + loud.failed} scrapes failed`);
        idle.push(quiet.latencies);
        bombed.push(loud.latencies);
        sent += report.values;
        for (const [answer, count] of Object.entries(report.answers)) answers[answer] = (answers[answer] ?? 0) + count;
        say(`  round ${round} of ${rounds}`);
      }
      const wrong = Object.keys(answers).filter((answer) => ![...refused, ...accepted].includes(answer));
      const taken = accepted.reduce((sum, answer) => sum + (answers[answer] ?? 0), 0);
      const all = Object.values(answers).reduce((sum, count) => sum + count, 0);
      // In a run of minutes some series end, and as many others take their room.
      if (wrong.length > 0 || taken > all / 100)
        throw new Error(`not every request was refused as it should be: ${JSON.stringify(answers)}`);
      const after = await settled(weir);
      const what = `p99 of cached scrapes of ${others} other projects while one sends ${sent} new label values, against idle`;
      const { of, quotients } = p99s(bombed, idle);
      const byThirds = quotients.map(digits).join(', ');
      const detail = `${digits(of.loud)} ms against ${digits(of.idle)} ms, by thirds ${byThirds}; ${JSON.stringify(answers)}`;
      const memory = `memory of the gateway after ${sent} refused series, against before`;
      return [
        resultOf({ name: 'cardinality-p99', what, target: 1.2, better: 'lower', detail }, quotients),
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
