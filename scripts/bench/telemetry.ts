import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
import { scrapeFor, scrapeLoad } from './load.js';
import { scraperHeaders } from './scrape.js';
import { Body, mixedFamilies } from './series.js';
import { Weir } from './weir.js';

const without = 'telemetry: {metrics: {backends: [{type: dummy}]}}\n';

/** What measuring itself costs the gateway, and that a receiver that hangs costs its scrapes nothing. */
export const telemetryBench: Bench = async (effort) => [await ownCost(effort), await besideHanging(effort)];

/** CPU of a cached scrape with the default backend against one without telemetry. */
async function ownCost(effort: Effort): Promise<Result> {
  say(`cached scrape of 1000 series with and without telemetry (load: ${scrapeLoad}); µs of CPU a scrape`);
  const [subject, reference] = [await Scraped.start(''), await Scraped.start(without)];
  try {
    const measured = await alternate(
      effort,
      (seconds) => subject.cpu(seconds),
      (seconds) => reference.cpu(seconds),
    );
    return resultOf(
      {
        name: 'telemetry-cpu',
        what: 'CPU of a cached gzip scrape of 1,000 series with the default metrics backend, against no telemetry at all',
        target: 1.08,
        better: 'lower',
        detail: `${digits(median(measured.subject))} against ${digits(median(measured.reference))} µs, load by ${scrapeLoad}`,
      },
      quotients(measured.subject, measured.reference),
    );
  } finally {
    await subject.stop();
    await reference.stop();
  }
}

/** Median time of a cached scrape beside backends that take connections and never answer. */
async function besideHanging(effort: Effort): Promise<Result> {
  say('cached scrape of 1000 series with and without backends that hang; median milliseconds');
  const hanging = await Hanging.start();
  const backends = [
    '{type: prometheus}',
    `{type: otlp, options: {endpoint: "${hanging.url}/v1/metrics"}}`,
    `{type: dogstatsd, options: {socket: "${hanging.path}"}}`,
  ];
  const [subject, reference] = [
    await Scraped.start(`telemetry: {metrics: {backends: [${backends.join(', ')}]}}\n`),
    await Scraped.start(''),
  ];
  try {
    const measured = await alternate(
      effort,
      (seconds) => subject.milliseconds(seconds),
      (seconds) => reference.milliseconds(seconds),
    );
    return resultOf(
      {
        name: 'telemetry-hanging',
        what: 'Median time of a cached scrape with an OTLP and a DogStatsD receiver that hang, against the default',
        target: 1.1,
        better: 'lower',
        detail: `${digits(median(measured.subject))} against ${digits(median(measured.reference))} ms, one connection`,
      },
      quotients(measured.subject, measured.reference),
    );
  } finally {
    await subject.stop();
    await reference.stop();
    await hanging.stop();
  }
}

/** A gateway with an endpoint of 1,000 series, and who scrapes it. */
class Scraped {
  private readonly weir: Weir;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });

  private constructor(weir: Weir, bearer: string) {
    this.weir = weir;
    this.headers = { Authorization: bearer, ...scraperHeaders };
  }

  static async start(configuration: string): Promise<Scraped> {
    const weir = await Weir.start([], configuration);
    const bearer = await weir.prepare();
    const answer = await fetch(`${weir.endpoint}/job/bench`, {
      method: 'PUT',
      headers: { authorization: bearer },
      body: new Uint8Array(new Body(mixedFamilies(1000), 0).bytes),
    });
    if (answer.status !== 200) throw new Error(`push refused: ${answer.status} ${await answer.text()}`);
    return new Scraped(weir, bearer);
  }

  /** Microseconds a scrape, under load. */
  async cpu(seconds: number): Promise<number> {
    const { process, endpoint } = this.weir;
    return (await scrapeFor(seconds, process, endpoint, this.headers)).cpuPerRequest * 1e6;
  }

  /** Median of scrapes one after another. */
  async milliseconds(seconds: number): Promise<number> {
    const times: number[] = [];
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      const began = performance.now();
      await this.scrape();
      times.push(performance.now() - began);
    }
    return median(times);
  }

  stop(): Promise<void> {
    this.agent.destroy();
    return this.weir.stop();
  }

  private scrape(): Promise<void> {
    return new Promise((resolve, reject) => {
      get(this.weir.endpoint, { headers: this.headers, agent: this.agent }, (response) => {
        response.on('error', reject).on('end', resolve).resume();
        if (response.statusCode !== 200) reject(new Error(`a scrape was answered ${response.statusCode}`));
      }).on('error', reject);
    });
  }
}

/** Takes connections and says nothing, on a port and on a unix socket. */
class Hanging {
  readonly path: string;
  readonly url: string;
  private readonly servers: readonly Server[];
  private readonly sockets: ReadonlySet<Socket>;

  private constructor(servers: readonly Server[], path: string, sockets: ReadonlySet<Socket>) {
    this.servers = servers;
    this.sockets = sockets;
    this.path = path;
    this.url = `http://127.0.0.1:${(servers[0]!.address() as { port: number }).port}`;
  }

  static async start(): Promise<Hanging> {
    const path = join(mkdtempSync(join(tmpdir(), 'weir-bench-')), 'dsd.socket');
    const sockets = new Set<Socket>();
    const listen = (where: object): Promise<Server> =>
      new Promise((resolve) => {
        const server = createServer((socket) => {
          sockets.add(socket.on('error', () => {}).pause());
        });
        server.listen(where, () => resolve(server));
      });
    return new Hanging([await listen({ port: 0, host: '127.0.0.1' }), await listen({ path })], path, sockets);
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    for (const server of this.servers) server.close();
    rmSync(dirname(this.path), { recursive: true, force: true });
  }
}
