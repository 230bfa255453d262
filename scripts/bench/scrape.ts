import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
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
import type { Answer } from './http-reference.js';
import { scrapeFor, scrapeLoad } from './load.js';
import { Pinned, serverCore } from './processes.js';
import { Body, mixedFamilies } from './series.js';
import { compiled, Weir } from './weir.js';

/** What Prometheus sends. */
export const scraperHeaders = {
  'User-Agent': 'Prometheus/2.42.0',
  Accept:
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  'Accept-Encoding': 'gzip',
  'X-Prometheus-Scrape-Timeout-Seconds': '10',
};

/** CPU of a cached, compressed, authenticated scrape, against bare node:http sending the same bytes. */
export const scrapeBench: Bench = async (effort) => {
  const results: Result[] = [];
  for (const series of [1_000, 10_000]) {
    say(`scrape of ${series} series (load: ${scrapeLoad}); µs of CPU a scrape`);
    results.push(await measure(series, effort));
  }
  return results;
};

async function measure(series: number, effort: Effort): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const weir = await Weir.start();
  let bare: Pinned | undefined;
  try {
    const bearer = await weir.prepare();
    const headers = { Authorization: bearer, ...scraperHeaders };
    for (let group = 0; group < series / 1000; group++) {
      const { bytes } = new Body(mixedFamilies(1000), group);
      const url = `${weir.endpoint}/job/bench/instance/${group}`;
      const pushed = await fetch(url, {
        method: 'PUT',
        headers: { authorization: bearer },
        body: new Uint8Array(bytes),
      });
      if (pushed.status !== 200) throw new Error(`push refused: ${pushed.status} ${await pushed.text()}`);
    }
    const page = await fetchRaw(weir.endpoint, headers);
    const file = join(folder, 'answer.json');
    writeFileSync(file, JSON.stringify(answerOf(page)));
    bare = new Pinned(serverCore, process.execPath, [compiled('http-reference.js'), file]);
    const bareUrl = `${await bare.wait((output) => /listening on (\S+)/.exec(output)?.[1])}/metrics`;
    assertSame(page, await fetchRaw(bareUrl, headers));

    const reference = bare;
    const measured = await alternate(
      effort,
      async (seconds) => (await scrapeFor(seconds, weir.process, weir.endpoint, headers)).cpuPerRequest * 1e6,
      async (seconds) => (await scrapeFor(seconds, reference, bareUrl, headers)).cpuPerRequest * 1e6,
    );
    return resultOf(
      {
        name: `scrape-cpu-${series}`,
        what: `CPU of a cached gzip scrape with a token, ${series} series, against bare node:http sending the same`,
        target: 1.6,
        better: 'lower',
        detail: `${digits(median(measured.subject))} against ${digits(median(measured.reference))} µs, ${page.body.length} bytes, load by ${scrapeLoad}`,
      },
      quotients(measured.subject, measured.reference),
    );
  } finally {
    await bare?.stop();
    await weir.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** As it came, compressed. */
  readonly body: Buffer;
}

function fetchRaw(url: string, headers: Readonly<Record<string, string>>): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        const { statusCode, headers: received, rawHeaders } = response;
        if (statusCode === 200) resolve({ headers: received, rawHeaders, body });
        else reject(new Error(`${url} answered ${statusCode}: ${body}`));
      });
    }).on('error', reject);
  });
}

/** Set by Node itself, on both sides. */
const nodesOwn = ['date', 'connection', 'keep-alive'];

function answerOf({ headers, rawHeaders, body }: RawAnswer): Answer {
  if (headers['content-encoding'] !== 'gzip') throw new Error('the page is not compressed');
  const kept: Record<string, string> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!nodesOwn.includes(rawHeaders[i]!.toLowerCase())) kept[rawHeaders[i]!] = rawHeaders[i + 1]!;
  }
  return { headers: kept, body: body.toString('base64') };
}

function assertSame(ours: RawAnswer, theirs: RawAnswer): void {
  const shown = ({ headers }: RawAnswer) => JSON.stringify({ ...headers, date: '', age: '' });
  if (!ours.body.equals(theirs.body) || shown(ours) !== shown(theirs)) {
    throw new Error(`the reference does not send the same:\n${shown(ours)}\n${shown(theirs)}`);
  }
}
