import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { encodeBench } from './encode.js';
import { type Bench, digits, type Effort, type Result, resultOf, say } from './harness.js';
import { settled } from './memory.js';
import { cpuSeconds, loadCore, Pinned, pause, peakBytes } from './processes.js';
import { type Producer, type StreamsCount, type StreamsOrder, seriesPerStream } from './streams-worker.js';
import { compiled, Weir } from './weir.js';

const streamCount = 200;
const intervalMs = 10_000;

/**
 * 200 projects push 1,000 series each every 10 s, and each has them streamed to Datadog, OTLP or remote write as often, over
 * TLS, to a process of its own. Then what encoding costs.
 */
export const streamsBench: Bench = async (effort) => [...(await running(effort)), ...(await encodeBench(effort))];

async function running({ extras }: Effort): Promise<Result[]> {
  const [windowsAlone, windows] = extras ? [2, 7] : [1, 3];
  say(`streams: ${streamCount} of ${seriesPerStream} series every ${intervalMs / 1000} s`);
  const folder = mkdtempSync(join(compiled('..'), 'streams-'));
  const { certFile, keyFile } = await writeDemoCertificate(folder, Date.now());
  const world = new World();
  const weir = await Weir.start(['--expose-gc', '--import', compiled('collect-on-signal.js')], configuration, {
    NODE_EXTRA_CA_CERTS: certFile,
  });
  try {
    const { port } = await world.ask<{ port: number }>({ kind: 'listen', certFile, keyFile });
    const operator = new Operator(weir);
    await operator.begin();
    const producers: Producer[] = await inBatches((i) => operator.project(`p${i}`));
    world.tell({ kind: 'push', gateway: weir.url, producers, everyMs: intervalMs });
    await pause(intervalMs + 2000);
    const alone = await shareOf(weir, windowsAlone, 'pushes alone');
    const before = await settled(weir);

    const streams: string[] = await inBatches((i) => operator.stream(`p${i}`, destinations[i % 3]!(port)));
    await pause(intervalMs);
    const [from, counted, stored] = [Date.now(), await world.count(), weir.storedBytes];
    const shares = await shareOf(weir, windows, 'pushes and streams');
    const [until, recount, storedAfter] = [Date.now(), await world.count(), weir.storedBytes];
    const stalls = await eventLoopDelay(weir);
    const after = await settled(weir);
    const deliveries = (await inBatches((i) => operator.deliveries(streams[i]!))).flat();
    const measured = deliveries.filter(({ to }) => to >= from && to < until - 2000);
    const expected = Math.floor(((until - from) / intervalMs - 1) * streamCount);
    const failed = deliveries.filter(({ status }) => status !== 'delivered' && status !== 'pending');
    if (recount.error !== undefined) throw new Error(recount.error);
    if (measured.length < expected || measured.some(({ points }) => points < seriesPerStream)) {
      throw new Error(`${measured.length} windows of ${expected} were made, or they are not whole`);
    }
    if (failed.length > 0) throw new Error(`${failed.length} windows were not delivered`);
    const waiting = measured.filter(({ finishedAt }) => finishedAt === undefined).length;
    if (waiting > 0) throw new Error(`${waiting} windows were still waiting`);
    const lags = measured.map(({ to, finishedAt }) => finishedAt! - to).sort((a, b) => a - b);
    const repeated = measured.filter(({ attempts }) => attempts > 1).length;
    const gaps = measured.map(({ from, to }) => to - from).sort((a, b) => a - b);
    const sent = recount.taken - counted.taken;
    const perStream = (bytes: number): string => digits(bytes / (windows * streamCount) / 1024);
    return [
      resultOf(
        {
          name: 'streams-cpu',
          what: `share of one core, ${streamCount} streams of ${seriesPerStream} series every 10 s over TLS, with the pushes that bring new values as often`,
          target: 0.5,
          better: 'lower',
          unit: 'of a core',
          detail: `pushes alone ${alone.map(digits).join(' and ')}; ${sent} requests of ${perStream(recount.bytes - counted.bytes)} KiB a window; event loop held up ${stalls}`,
        },
        shares,
      ),
      resultOf(
        {
          name: 'streams-lag',
          what: 'from the snapshot of a window until its delivery is recorded, 99th percentile',
          target: 1000,
          better: 'lower',
          unit: 'ms',
          detail: `median ${quantile(lags, 0.5)}, longest ${lags.at(-1)} ms, ${lags.length} windows, ${repeated} at the second attempt or later; they are ${quantile(gaps, 0.01)} to ${quantile(gaps, 0.99)} ms apart`,
        },
        [quantile(lags, 0.99)],
      ),
      resultOf(
        {
          name: 'streams-memory',
          what: `bytes of resident memory a streamed series, ${streamCount * seriesPerStream} of them, beside what it takes to hold it`,
          better: 'lower',
          unit: 'B',
          detail: `from ${mebi(before)} to ${mebi(after)} MiB, ${mebi(peakBytes(weir.process.pid))} at most; on disk ${perStream(storedAfter - stored)} KiB a window`,
        },
        [(after - before) / (streamCount * seriesPerStream)],
      ),
    ];
  } finally {
    await world.stop();
    await weir.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const configuration = `
limits: {api_requests_per_minute: 0}
streams: {allowed_networks: 127.0.0.1}
`;

/** One for each stream, ten at a time. */
async function inBatches<T>(make: (i: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < streamCount)
    made.push(...(await Promise.all(Array.from({ length: 10 }, (_, i) => make(made.length + i)))));
  return made;
}

const mebi = (bytes: number): string => String(Math.round(bytes / 2 ** 20));
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;

/** Share of a core, window by window. */
async function shareOf({ process: server }: Weir, windows: number, what: string): Promise<number[]> {
  const shares: number[] = [];
  for (let window = 1; window <= windows; window++) {
    const [cpu, started] = [cpuSeconds(server.pid), performance.now()];
    await pause(intervalMs);
    shares.push((cpuSeconds(server.pid) - cpu) / ((performance.now() - started) / 1000));
    say(`  ${what}, window ${window} of ${windows}: ${digits(shares.at(-1)!)} of a core`);
  }
  return shares;
}

async function eventLoopDelay(weir: Weir): Promise<string> {
  const page = await (await fetch(`${await weir.operatorUrl}/metrics`)).text();
  const of = (stat: string): string => {
    const [, seconds] = new RegExp(`^weir_event_loop_delay_seconds\\{stat="${stat}"\\} (\\S+)$`, 'm').exec(page) ?? [];
    return digits(Number(seconds) * 1000);
  };
  return `${of('p99')} ms (p99) and ${of('max')} ms (longest)`;
}

const destinations: readonly ((port: number) => object)[] = [
  (port) => ({ type: 'datadog', configuration: { api_key: 'bench', url: `https://127.0.0.1:${port}` } }),
  (port) => ({ type: 'otlp', configuration: { endpoint: `https://127.0.0.1:${port}/v1/metrics` } }),
  (port) => ({ type: 'prometheus_remote_write', configuration: { endpoint: `https://127.0.0.1:${port}/write` } }),
];

interface Delivered {
  readonly status: string;
  readonly points: number;
  readonly attempts: number;
  readonly from: number;
  readonly to: number;
  readonly finishedAt: number | undefined;
}

/** What the bench needs of the management API. */
class Operator {
  private readonly weir: Weir;
  private authorization = '';

  constructor(weir: Weir) {
    this.weir = weir;
  }

  async begin(): Promise<void> {
    const scope = 'create:projects create:endpoints create:clients create:metric_streams read:deliveries';
    const made = this.weir.command('client', 'create', 'bench', '--operator', `--scope=${scope}`);
    this.authorization = await this.token(made);
  }

  /** With an endpoint and who pushes to it. */
  async project(id: string): Promise<Producer> {
    await this.ask('POST', '/projects', { id, name: id });
    await this.ask('POST', `/projects/${id}/endpoints`, { name: 'One', metrics_id: 'one' });
    const wanted = { project_id: id, name: 'producer', scope: 'write:metrics' };
    const client = await this.ask<Record<string, string>>('POST', '/clients', wanted);
    return { path: `/api/v1/${id}/one/metrics/job/bench`, authorization: await this.token(client) };
  }

  async stream(projectId: string, destination: object): Promise<string> {
    const subscriptions = [{ metric_type: 'project.metrics', interval: '10s' }];
    const body = { project_id: projectId, name: 'bench', subscriptions, destination };
    return (await this.ask<{ id: string }>('POST', '/metric-streams', body)).id;
  }

  async deliveries(id: string): Promise<Delivered[]> {
    const found = await this.ask<{ deliveries: (Record<string, string> & { attempts: unknown[] })[] }>(
      'GET',
      `/metric-streams/${id}/deliveries?limit=200`,
    );
    return found.deliveries.map(({ status, points, from, to, finished_at, attempts }) => ({
      attempts: attempts.length,
      status: status!,
      points: Number(points),
      from: Date.parse(from!),
      to: Date.parse(to!),
      finishedAt: finished_at === undefined ? undefined : Date.parse(finished_at),
    }));
  }

  private async token({ client_id, client_secret }: Record<string, string>): Promise<string> {
    const answer = await fetch(`${this.weir.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
    return `Bearer ${((await answer.json()) as { access_token: string }).access_token}`;
  }

  private async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.weir.url}/api/v2${path}`, {
      method,
      headers: { authorization: this.authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
}

/** Producers and destinations, on the other core. */
class World {
  private readonly process = new Pinned(loadCore, process.execPath, [compiled('streams-worker.js')], { ipc: true });

  tell(order: StreamsOrder): void {
    this.process.child.send(order);
  }

  ask<T>(order: StreamsOrder): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the recorder does not answer')), 20_000);
      this.process.child.once('message', (answer) => {
        clearTimeout(late);
        resolve(answer as T);
      });
      this.tell(order);
    });
  }

  count(): Promise<StreamsCount> {
    return this.ask({ kind: 'count' });
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
