import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { mixedFamilies } from './series.js';

/** A producer's project: where it pushes, and who it is. */
export interface Producer {
  readonly path: string;
  readonly authorization: string;
}

export type StreamsOrder =
  | { readonly kind: 'listen'; readonly certFile: string; readonly keyFile: string }
  | {
      readonly kind: 'push';
      readonly gateway: string;
      readonly producers: readonly Producer[];
      readonly everyMs: number;
    }
  | { readonly kind: 'count' };

export interface StreamsCount {
  readonly pushed: number;
  /** Requests taken, and their bytes as they were sent. */
  readonly taken: number;
  readonly bytes: number;
  readonly error?: string | undefined;
}

export const seriesPerStream = 1000;

let taken = 0;
let bytes = 0;
let pushed = 0;
let failure: string | undefined;

/** Takes every delivery as Datadog, an OTLP backend and a remote write receiver would. */
function listen(certFile: string, keyFile: string): void {
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (incoming, outgoing) => {
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    incoming.on('end', () => {
      taken++;
      const isWrite = incoming.url === '/write';
      const samples = String(seriesPerStream);
      outgoing.writeHead(isWrite ? 204 : 202, isWrite ? { 'x-prometheus-remote-write-samples-written': samples } : {});
      outgoing.end();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
}

interface Line {
  readonly text: string;
  readonly rises: boolean;
}

/** The page of a project without its numbers; a histogram's buckets rise together. */
const lines: readonly Line[] = mixedFamilies(seriesPerStream).flatMap(({ name, type, help, series }) => [
  { text: `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, rises: false },
  ...series.map(({ name: sample, labels }) => ({
    text: `${sample}{${labels.map(([label, value]) => `${label}="${value}"`).join(',')}} `,
    rises: type !== 'gauge',
  })),
]);

/** Every value differs from the push before; counters only rise. */
function body(producer: number, version: number): string {
  let text = '';
  for (const [index, { text: start, rises }] of lines.entries()) {
    if (start.startsWith('#')) {
      text += start;
      continue;
    }
    const value = rises
      ? (version + 1) * 1009 + (producer % 17) * 31 + (index % 10) * version
      : Math.round(1e4 * (1 + Math.sin(version * 3 + producer * 5 + index))) / 100;
    text += `${start}${value}\n`;
  }
  return text;
}

/** Each producer pushes once in `everyMs`, one after the other, whether or not the gateway keeps up. */
function push(gateway: string, producers: readonly Producer[], everyMs: number): void {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(gateway);
  const started = performance.now();
  let next = 0;
  const fail = (reason: string): void => {
    failure ??= reason;
  };
  const one = (number: number): void => {
    const index = number % producers.length;
    const { path, authorization } = producers[index]!;
    const content = body(index, Math.floor(number / producers.length));
    const headers = { authorization, 'content-type': 'text/plain; version=0.0.4', 'content-length': content.length };
    const asked = request({ agent, hostname, port, path, method: 'PUT', headers }, (answer) => {
      if (answer.statusCode === 200) pushed++;
      else fail(`a push was answered with ${answer.statusCode}`);
      answer.resume();
    });
    asked.on('error', (error) => fail(String(error)));
    asked.end(content);
  };
  setInterval(() => {
    const due = ((performance.now() - started) / everyMs) * producers.length;
    for (; next < due; next++) one(next);
  }, 5);
}

process.on('message', (order: StreamsOrder) => {
  if (order.kind === 'listen') listen(order.certFile, order.keyFile);
  else if (order.kind === 'push') push(order.gateway, order.producers, order.everyMs);
  else process.send!({ pushed, taken, bytes, error: failure } satisfies StreamsCount);
});
process.on('disconnect', () => process.exit(0));
