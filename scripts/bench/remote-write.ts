import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  alternate,
  type Bench,
  digits,
  type Effort,
  median,
  quotients,
  type Result,
  resultOf,
  say,
} from './harness.js';
import { LoadGenerator } from './load.js';
import { seriesPerPush } from './load-worker.js';
import { settled } from './memory.js';
import { isInstalled, Pinned, serverCore } from './processes.js';
import { freePort } from './push.js';
import { compiled, Weir } from './weir.js';

type Times = { readonly seconds: number; readonly requests?: number };

const program = 'prometheus';
const connections = 4;
const headers = {
  'Content-Type': 'application/x-protobuf',
  'Content-Encoding': 'snappy',
  'X-Prometheus-Remote-Write-Version': '0.1.0',
};

/** Remote write of 1,000-series requests, ours on disk before the answer, against Prometheus' own receiver. */
export const remoteWriteBench: Bench = async (effort) => {
  if (!isInstalled(program)) {
    throw new Error(`${program} is not installed, and there is nothing to compare with: apt-get install ${program}`);
  }
  say('remote-write; requests of 1,000 series a CPU second');
  const results = [await againstPrometheus(effort), await againstTextPush(effort)];
  results.push(await memory(effort));
  return results;
};

/**
 * Before the first round, on both sides alike: what runs once a request is compiled after a few thousand of them, and on
 * a busy machine seconds of warm-up are only a few hundred.
 */
const warmUp = { requests: 3000, seconds: 25 };

const rate = async (load: LoadGenerator, server: Pinned, url: string, authorization: string, times: Times) => {
  const all = authorization === '' ? headers : { ...headers, Authorization: authorization };
  return (
    1 / (await load.run(server, { kind: 'write', urls: [url], headers: all, connections, ...times })).cpuPerRequest
  );
};

async function againstPrometheus(effort: Effort): Promise<Result> {
  const weir = await Weir.start();
  const port = await freePort();
  const folder = mkdtempSync(join(compiled('..'), 'prometheus-'));
  const config = join(folder, 'prometheus.yml');
  writeFileSync(config, '');
  const prometheus = new Pinned(serverCore, program, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
  ]);
  const load = new LoadGenerator();
  try {
    const bearer = await weir.prepare();
    await waitFor(`http://127.0.0.1:${port}/-/ready`);
    const ours = (times: Times) => rate(load, weir.process, weir.writeUrl, bearer, times);
    const theirs = (times: Times) => rate(load, prometheus, `http://127.0.0.1:${port}/api/v1/write`, '', times);
    await ours(warmUp);
    await theirs(warmUp);
    const { subject, reference } = await alternate(
      effort,
      (seconds) => ours({ seconds }),
      (seconds) => theirs({ seconds }),
    );
    const samples = (rates: readonly number[]): string => digits(median(rates) * seriesPerPush);
    return resultOf(
      {
        name: 'remote-write',
        what: 'durable remote write, samples a CPU second against the receiver of Prometheus (no fsync there); 1,000 series a request',
        better: 'higher',
        target: 4,
        detail: `${samples(subject)} against ${samples(reference)} samples a CPU second`,
      },
      quotients(subject, reference),
    );
  } finally {
    await load.stop();
    await prometheus.stop();
    await weir.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function againstTextPush(effort: Effort): Promise<Result> {
  const weir = await Weir.start();
  const load = new LoadGenerator();
  try {
    const Authorization = await weir.prepare();
    const urls = Array.from({ length: connections }, (_, i) => `${weir.endpoint}/job/bench/instance/${i}`);
    const text = async (seconds: number): Promise<number> =>
      1 /
      (await load.run(weir.process, { kind: 'repeat', urls, headers: { Authorization }, connections, seconds }))
        .cpuPerRequest;
    const { subject, reference } = await alternate(
      { ...effort, rounds: Math.min(effort.rounds, 5) },
      (seconds) => rate(load, weir.process, weir.writeUrl, Authorization, { seconds }),
      text,
    );
    const detail = `${digits(median(subject))} against ${digits(median(reference))} requests a CPU second`;
    const what = 'durable remote write against our own text push of as many series, the same ones again and again';
    return resultOf({ name: 'remote-write-text', what, better: 'higher', detail }, quotients(subject, reference));
  } finally {
    await load.stop();
    await weir.stop();
  }
}

async function memory({ groups }: Effort): Promise<Result> {
  const weir = await Weir.start(['--expose-gc', '--import', compiled('collect-on-signal.js')]);
  const load = new LoadGenerator();
  try {
    const Authorization = await weir.prepare();
    const write = (kind: 'write' | 'write-fresh', requests: number) =>
      load.run(weir.process, {
        kind,
        urls: [weir.writeUrl],
        headers: { ...headers, Authorization },
        connections: 1,
        seconds: 60,
        requests,
      });
    await write('write', 200);
    const before = await settled(weir);
    await write('write-fresh', groups);
    const after = await settled(weir);
    const detail = `from ${digits(before / 2 ** 20)} to ${digits(after / 2 ** 20)} MiB`;
    const what = `bytes of resident memory a live series, ${groups * seriesPerPush} series with six labels, a sixth of them new labels`;
    const runs = [(after - before) / (groups * seriesPerPush)];
    return resultOf({ name: 'memory-per-live-series', what, target: 150, better: 'lower', unit: 'B', detail }, runs);
  } finally {
    await load.stop();
    await weir.stop();
  }
}

async function waitFor(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const ready = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} does not answer`);
}
