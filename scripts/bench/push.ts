import { createServer } from 'node:net';
import {
  alternate,
  type Bench,
  digits,
  type Effort,
  median,
  quotients,
  type Result,
  type Rounds,
  resultOf,
  say,
} from './harness.js';
import { LoadGenerator } from './load.js';
import type { LoadOrder } from './load-worker.js';
import { isInstalled, Pinned, serverCore } from './processes.js';
import { Weir } from './weir.js';

const program = 'prometheus-pushgateway';
const connections = 8;

interface Variant {
  readonly name: string;
  readonly kind: 'repeat' | 'fresh';
  readonly groups: number;
  readonly target?: number;
  readonly what: string;
}

/**
 * Eight producers with a group each is the shape the targets were measured in. The Pushgateway checks a push against
 * everything it holds, so that with one group it is two to three times as fast; that is shown, not promised.
 */
const variants: readonly Variant[] = [
  {
    name: 'push-repeat',
    kind: 'repeat',
    groups: 8,
    target: 10,
    what: 'durable pushes of 1,000 series a CPU second against the Pushgateway in memory; the same series, new values',
  },
  {
    name: 'push-new-series',
    kind: 'fresh',
    groups: 8,
    target: 7,
    what: 'the same; each push brings 1,000 series never seen before',
  },
  { name: 'push-repeat-one-group', kind: 'repeat', groups: 1, what: 'the same series, new values; one group' },
  { name: 'push-new-series-one-group', kind: 'fresh', groups: 1, what: 'series never seen before; one group' },
];

/** Pushes per second of server CPU, ours on disk before the answer, against Debian's Pushgateway. */
export const pushBench: Bench = async (effort) => {
  if (!isInstalled(program)) {
    throw new Error(`${program} is not installed, and there is nothing to compare with: apt-get install ${program}`);
  }
  const results: Result[] = [];
  for (const variant of variants) {
    if (variant.target === undefined && !effort.extras) continue;
    say(`${variant.name}; pushes of 1,000 series a CPU second`);
    results.push(await measure(variant, variant.target === undefined ? hasty(effort) : effort));
  }
  return results;
};

const hasty = (effort: Effort): Effort => ({ ...effort, rounds: Math.min(effort.rounds, 3), processes: 1 });

async function measure(variant: Variant, effort: Effort): Promise<Result> {
  const subject: number[] = [];
  const reference: number[] = [];
  const rounds = Math.ceil(effort.rounds / effort.processes);
  for (let pair = 0; pair < effort.processes; pair++) {
    const measured = await measureOnce(variant, { ...effort, rounds });
    subject.push(...measured.subject);
    reference.push(...measured.reference);
  }
  const detail = `${digits(median(subject))} against ${digits(median(reference))} pushes a CPU second`;
  const { name, what, target } = variant;
  return resultOf(
    { name, what, better: 'higher', detail, ...(target === undefined ? {} : { target }) },
    quotients(subject, reference),
  );
}

async function measureOnce({ kind, groups }: Variant, effort: Effort): Promise<Rounds> {
  const weir = await Weir.start();
  const port = await freePort();
  // An empty persistence file is its upstream default: everything in memory only, the cheapest it can be.
  const args = [`--web.listen-address=127.0.0.1:${port}`, '--persistence.file='];
  const pushgateway = new Pinned(serverCore, program, args);
  const load = new LoadGenerator();
  const rate = async (server: Pinned, metrics: string, headers: LoadOrder['headers'], seconds: number) => {
    const urls = Array.from({ length: groups }, (_, group) => `${metrics}/job/bench/instance/${group}`);
    return 1 / (await load.run(server, { kind, urls, headers, connections, seconds })).cpuPerRequest;
  };
  try {
    const bearer = await weir.prepare();
    await pushgateway.wait((output) => (/listen/i.test(output) ? true : undefined));
    return await alternate(
      effort,
      (seconds) => rate(weir.process, weir.endpoint, { Authorization: bearer }, seconds),
      (seconds) => rate(pushgateway, `http://127.0.0.1:${port}/metrics`, {}, seconds),
    );
  } finally {
    await load.stop();
    await pushgateway.stop();
    await weir.stop();
  }
}

/** The Pushgateway does not tell which port it was given, so it is given one that was free just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
