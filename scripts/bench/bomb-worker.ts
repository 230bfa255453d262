import { Agent, request } from 'node:http';
import { compressSync } from 'snappy';
import { answer } from './answer.js';

export const routes = ['write', 'otlp', 'push'] as const;
export type Route = (typeof routes)[number];

/** New series of one metric, a label value each that never comes twice, by each route in turn. */
export interface BombOrder {
  readonly urls: Readonly<Record<Route, string>>;
  readonly authorization: string;
  readonly seriesPerRequest: number;
  /** How often a request is sent; 0 as soon as the one before was answered. */
  readonly everyMs: number;
  readonly values: number;
  readonly seconds: number;
}

export interface BombReport {
  readonly values: number;
  /** How many requests had which answer: `write 400`. */
  readonly answers: Readonly<Record<string, number>>;
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let next = 0;

const digits = (value: number): string => String(value).padStart(10, '0');

/** Bodies with a place for each value; its length never changes. */
class Template {
  readonly places: number[] = [];
  private readonly bytes: Buffer;

  constructor(parts: readonly (Buffer | 'value')[]) {
    let length = 0;
    const chunks = parts.map((part) => {
      if (part === 'value') this.places.push(length);
      const chunk = part === 'value' ? Buffer.from(digits(0)) : part;
      length += chunk.length;
      return chunk;
    });
    this.bytes = Buffer.concat(chunks);
  }

  fill(from: number): Buffer {
    const bytes = Buffer.from(this.bytes);
    for (const [i, place] of this.places.entries()) bytes.write(digits(from + i), place, 'latin1');
    return bytes;
  }
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const field = (number: number, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([number * 8 + 2, ...varint(body.length)]), body]);
};
const text = (number: number, value: string): Buffer => field(number, Buffer.from(value));
const mark = '##########';
const double = Buffer.from([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);

/** A message with `mark` in it, as parts. */
function parts(message: Buffer, count: number): (Buffer | 'value')[] {
  const at = message.indexOf(mark);
  const [before, after] = [message.subarray(0, at), message.subarray(at + mark.length)];
  return Array.from({ length: count }, () => [before, 'value' as const, after]).flat();
}

function templates(count: number): Record<Route, Template> {
  const now = Date.now();
  const label = (name: string, value: string): Buffer => field(1, text(1, name), text(2, value));
  const sample = field(2, Buffer.from([0x09]), double, Buffer.from([0x10, ...varint(now)]));
  const series = field(1, label('__name__', 'bomb'), label('job', 'bench'), label('user', mark), sample);
  const attribute = (key: string, value: string): Buffer => field(7, text(1, key), field(2, text(1, value)));
  const point = field(1, attribute('user', mark), Buffer.from([0x21]), double);
  const points = parts(point, count);
  const gauge = Buffer.concat(points.map((part) => (part === 'value' ? Buffer.from(mark) : part)));
  const metrics = field(1, field(2, field(2, text(1, 'bomb'), field(5, gauge))));
  const pieces: (Buffer | 'value')[] = [];
  let from = 0;
  for (let at = metrics.indexOf(mark); at !== -1; at = metrics.indexOf(mark, from)) {
    pieces.push(metrics.subarray(from, at), 'value');
    from = at + mark.length;
  }
  pieces.push(metrics.subarray(from));
  return {
    write: new Template(parts(series, count)),
    otlp: new Template(pieces),
    push: new Template(parts(Buffer.from(`bomb{job="bench",user="${mark}"} 1\n`), count)),
  };
}

const heads: Record<Route, Record<string, string>> = {
  write: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
  otlp: { 'content-type': 'application/x-protobuf' },
  push: { 'content-type': 'text/plain' },
};

function send(route: Route, url: string, authorization: string, body: Buffer): Promise<string> {
  const headers = { ...heads[route], authorization, 'content-length': body.length };
  return new Promise((resolve) => {
    const asked = request(url, { method: 'POST', agent, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const partial = route === 'otlp' && answer.statusCode === 200 && Buffer.concat(chunks).length > 0;
        resolve(`${route} ${answer.statusCode}${partial ? ' partial' : ''}`);
      });
    });
    asked.on('error', (error) => resolve(`${route} ${error.message}`));
    asked.end(body);
  });
}

async function bomb({
  urls,
  authorization,
  seriesPerRequest,
  everyMs,
  values,
  seconds,
}: BombOrder): Promise<BombReport> {
  const made = templates(seriesPerRequest);
  const answers: Record<string, number> = {};
  const began = performance.now();
  const first = next;
  for (let turn = 0; next - first < values && performance.now() - began < seconds * 1000; turn++) {
    const wait = began + turn * everyMs - performance.now();
    if (everyMs > 0 && wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const route = routes[turn % routes.length]!;
    const plain = made[route].fill(next);
    next += seriesPerRequest;
    // Each text push is a group of its own: else it would only replace the one before.
    const url = route === 'push' ? `${urls.push}/job/bomb/turn/${next}` : urls[route];
    const answer = await send(route, url, authorization, route === 'write' ? compressSync(plain) : plain);
    answers[answer] = (answers[answer] ?? 0) + 1;
  }
  return { values: next - first, answers };
}

answer(bomb);
