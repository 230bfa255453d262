import type { ColdOrder, ColdReport } from './cold-worker.js';
import { digits, type Effort, median, type Result, resultOf, say } from './harness.js';
import { LoadGenerator } from './load.js';
import { seriesPerPush } from './load-worker.js';
import { settled } from './memory.js';
import { p99s, unpinned, Worker } from './neighbours.js';
import type { ProbeOrder, ProbeReport } from './probe-worker.js';
import { spread } from './processes.js';

const others = 99;
const seriesPerProject = 10_000;
const scrapeTimeoutMs = 10_000;
const headers = { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' };

/**
 * A million live series on one node, ten thousand in each of a hundred projects: what each weighs, how long the first
 * page of such a project takes, and what those pages cost 99 small projects that are scraped from the cache meanwhile.
 */
export const millionBench = async (effort: Effort): Promise<Result[]> => {
  const projects = effort.extras ? 100 : 20;
  const series = projects * seriesPerProject;
  say(`million; ${series} live series in ${projects} projects`);
  const weir = await unpinned();
  const load = new LoadGenerator();
  const probe = new Worker<ProbeOrder, ProbeReport>('probe-worker.js', { yields: false });
  const scraper = new Worker<ColdOrder, ColdReport>('cold-worker.js', { yields: true });
  try {
    const large = Array.from({ length: projects }, (_, i) => `large${i}`);
    const small = Array.from({ length: others }, (_, i) => `small${i}`);
    const bearers = await weir.projects(...large, ...small);
    const targets: ProbeOrder['targets'][number][] = [];
    for (const [i, id] of small.entries()) {
      const authorization = bearers[projects + i]!;
      await weir.push(id, authorization, 'ready 1\n');
      targets.push({ url: weir.routesOf(id).push, authorization });
    }
    const fill = async (project: number, requests: number): Promise<void> => {
      const urls = [weir.routesOf(large[project]!).write];
      const order = { kind: 'write-fresh', urls, connections: 1, seconds: 60, requests } as const;
      await load.run(weir.process, { ...order, headers: { ...headers, Authorization: bearers[project]! } });
    };
    const perProject = seriesPerProject / seriesPerPush;
    // Compiled code and buffers are there before the first series that counts.
    await fill(0, perProject);
    const before = await settled(weir);
    for (let project = 1; project < projects; project++) await fill(project, perProject);
    const after = await settled(weir);
    const weight = (after - before) / (series - seriesPerProject);
    say(`  ${digits(weight)} bytes a series, from ${digits(before / 2 ** 20)} to ${digits(after / 2 ** 20)} MiB`);

    const cold: number[] = [];
    const idle: (readonly number[])[] = [];
    const loud: (readonly number[])[] = [];
    const rounds = Math.max(3, Math.min(effort.rounds, 10));
    const perRound = Math.floor(projects / rounds);
    // A cold page each second: Prometheus spreads its scrapes, too.
    const order = { targets, everyMs: 5, seconds: perRound };
    await probe.ask({ ...order, seconds: 2 });
    for (let round = 0; round < rounds; round++) {
      spread(weir.process.pid);
      const quiet = await probe.ask(order);
      const first = round * perRound;
      const now = large.slice(first, first + perRound).map((id, i) => ({
        url: weir.routesOf(id).push,
        authorization: bearers[first + i]!,
      }));
      const [busy, { tookMs, series: found }] = await Promise.all([
        probe.ask(order),
        scraper.ask({ targets: now, everyMs: 1000, seconds: perRound }),
      ]);
      cold.push(...tookMs);
      for (const count of found) if (count !== seriesPerProject) throw new Error(`${count} series on a page`);
      if (quiet.failed + busy.failed > 0) throw new Error(`${quiet.failed + busy.failed} scrapes failed`);
      idle.push(quiet.latencies);
      loud.push(busy.latencies);
      say(`  round ${round + 1} of ${rounds}`);
    }
    cold.sort((a, b) => a - b);
    const slowest = cold.at(-1)!;
    const { of, quotients } = p99s(loud, idle);
    const page = `the first page of ${seriesPerProject} live series, of ${series} on the node`;
    return [
      resultOf(
        {
          name: 'million-memory',
          what: `bytes of resident memory a live series, ${series} series in ${projects} projects`,
          target: 150,
          better: 'lower',
          unit: 'B',
          detail: `from ${digits(before / 2 ** 20)} to ${digits(after / 2 ** 20)} MiB`,
        },
        [weight],
      ),
      resultOf(
        {
          name: 'million-cold-page',
          what: `${page}: the slowest, as a share of a scrape timeout of 10 s`,
          target: 1,
          better: 'lower',
          detail: `median ${digits(median(cold))} ms, slowest ${digits(slowest)} ms`,
        },
        [slowest / scrapeTimeoutMs],
      ),
      resultOf(
        {
          name: 'million-p99',
          what: `p99 of cached scrapes of ${others} other projects while such pages are rendered, one a second, against idle`,
          target: 1.2,
          better: 'lower',
          detail: `${digits(of.loud)} ms against ${digits(of.idle)} ms`,
        },
        quotients,
      ),
    ];
  } finally {
    await Promise.all([probe.stop(), scraper.stop(), load.stop()]);
    await weir.stop();
  }
};
