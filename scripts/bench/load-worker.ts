import { connect, type Socket } from 'node:net';
import { answer } from './answer.js';
import { Body, mixedFamilies } from './series.js';
import { WriteRequestBody } from './write-request.js';

/** One run of a closed loop: every connection asks again as soon as it was answered. */
export interface LoadOrder {
  /**
   * `repeat` and `fresh` push 1,000 series: those of the push before with new values, or ones never seen. `post` sends
   * `body` as it is. `write` and `write-fresh` are the same two by remote write, each connection with series of its own.
   */
  readonly kind: 'get' | 'post' | 'repeat' | 'fresh' | 'write' | 'write-fresh';
  readonly body?: string;
  /** Taken in turn by the connections. */
  readonly urls: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  /** Ends earlier, after this many answers. */
  readonly requests?: number;
}

export interface LoadReport {
  readonly requests: number;
  /** Share of the time in which this process had answers to read and requests to write. */
  readonly busy: number;
  readonly error?: string;
}

export const seriesPerPush = 1000;

/** Counts pushes over all runs, so that no label value ever comes twice. */
let pushes = 0;

class Connection {
  answered = 0;
  private readonly socket: Socket;
  private readonly head: Buffer;
  private readonly kind: LoadOrder['kind'];
  private readonly body: Body | undefined;
  private readonly written: WriteRequestBody | undefined;
  private received = '';
  private finish: (error?: Error) => void = () => {};
  private mayGoOn: () => boolean = () => false;

  constructor({ kind, headers, body = '' }: LoadOrder, url: URL, number: number) {
    this.kind = kind;
    this.body = kind === 'repeat' || kind === 'fresh' ? new Body(mixedFamilies(seriesPerPush), number) : undefined;
    const writes = kind === 'write' || kind === 'write-fresh';
    this.written = writes ? new WriteRequestBody(mixedFamilies(seriesPerPush), number, markOf(0)) : undefined;
    const method = this.body ? 'PUT' : writes ? 'POST' : kind.toUpperCase();
    const lines = [`${method} ${url.pathname} HTTP/1.1`, `Host: ${url.host}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    if (this.body) lines.push('Content-Type: text/plain; version=0.0.4', `Content-Length: ${this.body.bytes.length}`);
    if (kind === 'post') lines.push(`Content-Length: ${body.length}`);
    const end = writes ? '\r\nContent-Length: ' : `\r\n\r\n${body}`;
    this.head = Buffer.from(`${lines.join('\r\n')}${end}`);
    this.socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => this.read(text));
    this.socket.on('error', (error) => this.finish(error));
    this.socket.on('close', () => this.finish(new Error('the server closed the connection')));
  }

  /** Asks for as long as it may, and one answer more. */
  run(mayGoOn: () => boolean): Promise<void> {
    this.mayGoOn = mayGoOn;
    return new Promise((resolve, reject) => {
      this.finish = (error) => {
        this.finish = () => {};
        this.socket.destroy();
        if (error === undefined) resolve();
        else reject(error);
      };
      this.ask();
    });
  }

  private ask(): void {
    const { body, socket } = this;
    pushes++;
    if (this.kind === 'repeat') body!.move();
    if (this.kind === 'fresh') body!.renew(pushes);
    if (this.written !== undefined) {
      if (this.kind === 'write-fresh') this.written.renew(markOf(pushes));
      const request = this.written.next();
      socket.write(Buffer.concat([this.head, Buffer.from(`${request.length}\r\n\r\n`), request]));
      return;
    }
    if (body === undefined) {
      socket.write(this.head);
      return;
    }
    // One system call; the bytes may change again once they were answered.
    socket.cork();
    socket.write(this.head);
    socket.write(body.bytes);
    socket.uncork();
  }

  private read(text: string): void {
    this.received += text;
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.received.slice(0, end);
    const empty = head.startsWith('HTTP/1.1 204');
    const length = empty ? '0' : /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined || !(empty || head.startsWith('HTTP/1.1 200'))) {
      this.finish(new Error(this.received.slice(0, 500)));
      return;
    }
    if (this.received.length < end + 4 + Number(length)) return;
    this.received = '';
    this.answered++;
    if (this.mayGoOn()) this.ask();
    else this.finish();
  }
}

/**
 * Keeps the process from going to sleep between answers. Whoever sends to a process that sleeps on the same machine pays for
 * waking it, in a virtual machine with an exit from it; a server whose clients are elsewhere does not.
 */
class Vigil {
  private readonly began = performance.now();
  private readonly done: () => number;
  private idleMs = 0;
  private isOver = false;

  /** `done` counts what there was to do. */
  constructor(done: () => number) {
    this.done = done;
    this.turn(done(), this.began);
  }

  /** Ends it; gives the share of its time in which there was something to do. */
  end(): number {
    this.isOver = true;
    return 1 - this.idleMs / (performance.now() - this.began);
  }

  private turn(doneBefore: number, at: number): void {
    setImmediate(() => {
      if (this.isOver) return;
      const [done, now] = [this.done(), performance.now()];
      if (done === doneBefore) this.idleMs += now - at;
      this.turn(done, now);
    });
  }
}

/** A label value that is as long each time. */
const markOf = (number: number): string => `request-${String(number).padStart(8, '0')}`;

async function load(order: LoadOrder): Promise<LoadReport> {
  const started = performance.now();
  const connections = Array.from({ length: order.connections }, (_, i) => {
    return new Connection(order, new URL(order.urls[i % order.urls.length]!), i);
  });
  const answered = (): number => connections.reduce((sum, connection) => sum + connection.answered, 0);
  const most = (order.requests ?? Number.POSITIVE_INFINITY) - connections.length;
  const mayGoOn = (): boolean => performance.now() - started < order.seconds * 1000 && answered() <= most;
  const vigil = new Vigil(answered);
  const outcomes = await Promise.allSettled(connections.map((connection) => connection.run(mayGoOn)));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  const busy = vigil.end();
  return { requests: answered(), busy, ...(failed === undefined ? {} : { error: String(failed.reason) }) };
}

answer(load);
