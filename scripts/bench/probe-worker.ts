import { Agent, request } from 'node:http';
import { answer } from './answer.js';

/**
 * Scrapes pages in turn, one each few milliseconds whatever the answers take, until it is told to stop. Each at a random moment
 * of its time: in step with a load, a probe would see the same part of each request of it, and no other.
 */
export interface ProbeOrder {
  readonly targets: readonly { readonly url: string; readonly authorization: string }[];
  readonly everyMs: number;
  readonly seconds: number;
}

export interface ProbeReport {
  /** Of each scrape from the moment it was asked for, sorted; milliseconds. */
  readonly latencies: readonly number[];
  readonly failed: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function scrape({ url, authorization }: ProbeOrder['targets'][number]): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(url, { agent, headers: { authorization, 'accept-encoding': 'gzip' } }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode === 200));
    });
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

async function probe({ targets, everyMs, seconds }: ProbeOrder): Promise<ProbeReport> {
  const latencies: number[] = [];
  let failed = 0;
  const open: Promise<void>[] = [];
  const began = performance.now();
  for (let i = 0; ; i++) {
    // Those that were due while this process did not run are late, and count as such.
    const due = began + (i + Math.random()) * everyMs;
    if (due - began > seconds * 1000) break;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const from = performance.now();
    open.push(
      scrape(targets[i % targets.length]!).then((ok) => {
        if (ok) latencies.push(performance.now() - from);
        else failed++;
      }),
    );
  }
  await Promise.all(open);
  return { latencies: latencies.sort((a, b) => a - b), failed };
}

answer(probe);
