import { Agent, request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { answer } from './answer.js';

/** Scrapes each page once, one each so many milliseconds, and only then looks at what came. */
export interface ColdOrder {
  readonly targets: readonly { readonly url: string; readonly authorization: string }[];
  readonly everyMs: number;
  readonly seconds: number;
}

export interface ColdReport {
  /** Of each scrape, milliseconds, and how many series the page had. */
  readonly tookMs: readonly number[];
  readonly series: readonly number[];
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function scrape({ url, authorization }: ColdOrder['targets'][number]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, headers: { authorization, 'accept-encoding': 'gzip' } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`a cold page is answered with ${answer.statusCode}`));
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Not the gateway's own. */
const seriesOf = (page: Buffer): number =>
  gunzipSync(page)
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !/^(#|weir_)/.test(line)).length;

async function scrapes({ targets, everyMs }: ColdOrder): Promise<ColdReport> {
  const tookMs: number[] = [];
  const pages: Buffer[] = [];
  const began = performance.now();
  for (const [i, target] of targets.entries()) {
    const wait = began + i * everyMs - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const from = performance.now();
    pages.push(await scrape(target));
    tookMs.push(performance.now() - from);
  }
  return { tookMs, series: pages.map(seriesOf) };
}

answer(scrapes);
