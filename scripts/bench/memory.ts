import { type Bench, digits, type Result, resultOf, say } from './harness.js';
import { LoadGenerator } from './load.js';
import { seriesPerPush } from './load-worker.js';
import { residentBytes } from './processes.js';
import { compiled, Weir } from './weir.js';

/** Resident memory a stored series adds to a gateway that is warm. */
export const memoryBench: Bench = async ({ processes, groups }) => {
  say(`memory of ${groups * seriesPerPush} series in groups of ${seriesPerPush}; bytes a series`);
  const runs: number[] = [];
  let detail = '';
  for (let run = 0; run < processes; run++) {
    const { before, after } = await measure(groups);
    runs.push((after - before) / (groups * seriesPerPush));
    detail = `from ${digits(before / 2 ** 20)} to ${digits(after / 2 ** 20)} MiB`;
    say(`  process ${run + 1} of ${processes}: ${digits(runs.at(-1)!)} (${detail})`);
  }
  const what = `bytes of resident memory a stored series, ${groups * seriesPerPush} series in groups of ${seriesPerPush}`;
  const result: Result = resultOf(
    { name: 'memory-per-series', what, target: 300, better: 'lower', unit: 'B', detail },
    runs,
  );
  return [result];
};

async function measure(groups: number): Promise<{ before: number; after: number }> {
  const weir = await Weir.start(['--expose-gc', '--import', compiled('collect-on-signal.js')]);
  const load = new LoadGenerator();
  try {
    const headers = { Authorization: await weir.prepare() };
    const push = async (urls: string[], requests: number): Promise<void> => {
      // One connection: it takes the groups in turn.
      for (const url of urls) {
        await load.run(weir.process, { kind: 'fresh', urls: [url], headers, connections: 1, seconds: 20, requests });
      }
    };
    // Compiled code, buffers and database caches are there before the first group that counts.
    await push([`${weir.endpoint}/job/bench/instance/warm`], 200);
    const before = await settled(weir);
    await push(
      Array.from({ length: groups }, (_, group) => `${weir.endpoint}/job/bench/instance/${group}`),
      1,
    );
    return { before, after: await settled(weir) };
  } finally {
    await load.stop();
    await weir.stop();
  }
}

/** Resident bytes when the garbage is collected. */
export async function settled({ process: server }: Weir): Promise<number> {
  const from = server.said;
  server.child.kill('SIGUSR2');
  await server.wait((output) => (output.includes('garbage collected') ? true : undefined), 20, from);
  return residentBytes(server.pid);
}
