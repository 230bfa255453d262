import { randomBytes } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import { connect } from 'node:net';
import { constants, deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';
import { type Answer, headerBytes, send } from './wire.js';

let gateway: TestGateway;
let bearer: string;

/** Small, so that bodies need not be large. */
const small = { body_compressed_bytes: 2000, body_inflated_bytes: 10_000 };

beforeAll(async () => {
  gateway = await TestGateway.boot({ limits: small });
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterAll(() => gateway.stop());

const path = '/api/v1/acme/db1/metrics/job/app';

interface Upload {
  readonly headers?: string[];
  readonly body?: Buffer;
  readonly write?: (request: ClientRequest) => void;
  readonly target?: string;
}

const put = ({ headers = [], target = path, ...rest }: Upload): Promise<Answer> =>
  send(gateway.url, target, { method: 'PUT', headers: ['Authorization', bearer, ...headers], ...rest });

const gzip = ['Content-Encoding', 'gzip'];

async function shown(): Promise<string[]> {
  gateway.clock.advance(30_001);
  bearer = await gateway.bearer('acme');
  return samples(await gateway.page('acme/db1/metrics', bearer));
}

/** A body of exactly this many bytes. */
function sized(bytes: number): Buffer {
  const head = 'a 1\n# ';
  return Buffer.from(`${head}${'x'.repeat(bytes - head.length - 1)}\n`);
}

function tooLarge(answer: Answer, limit: keyof typeof small, actual: number): void {
  expect(answer.status).toBe(413);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(answer.text)).toMatchObject({ status: 413, limit, max: small[limit], actual });
  expect(answer.text).toContain(`${limit} = ${small[limit]}`);
  // What was not read of the body must not be taken for the next request.
  expect(answer.headers.connection).toBe('close');
  expect(headerBytes(answer)).toBeLessThan(4096);
}

describe('a body as it is', () => {
  it('is taken up to its limit and not a byte over it, by the length it declares', async () => {
    expect((await put({ body: sized(10_000) })).status).toBe(200);
    tooLarge(await put({ body: sized(10_001) }), 'body_inflated_bytes', 10_001);
  });

  it('is refused by its declared length before any of it is sent', async () => {
    const answer = await put({
      headers: ['Content-Length', '10000000000'],
      write: (request) => request.flushHeaders(),
    });
    tooLarge(answer, 'body_inflated_bytes', 10_000_000_000);
  });

  it('is refused by what has come when it declares no length, without its end', async () => {
    const answer = await put({ write: (request) => request.write(sized(10_001)) });
    tooLarge(answer, 'body_inflated_bytes', 10_001);
  });

  it('may come in pieces', async () => {
    const answer = await put({
      write: (request) => {
        const bytes = Buffer.from('pieces{x="é"} 1\n');
        // The second cut is in the middle of a character.
        const pieces = [bytes.subarray(0, 3), bytes.subarray(3, 11), bytes.subarray(11)];
        const next = (): void => {
          const piece = pieces.shift()!;
          if (pieces.length === 0) request.end(piece);
          else request.write(piece, () => setImmediate(next));
        };
        next();
      },
    });
    expect(answer.status).toBe(200);
    expect(await shown()).toEqual(['pieces{x="é",instance_id="db1",job="app"} 1']);
  });

  it('is refused with both a length and chunks', async () => {
    const { hostname, port } = new URL(gateway.url);
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer}\r\nContent-Length: 4\r\n` +
            'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        );
      });
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('a gzip body', () => {
  it.each(['gzip', 'x-gzip', 'GZIP', ' gzip '])('is inflated when it is called %o', async (name) => {
    const body = gzipSync(`a{encoding="${name}"} 1\n`);
    expect((await put({ headers: ['Content-Encoding', name], body })).status).toBe(200);
    expect(await shown()).toEqual([`a{encoding="${name}",instance_id="db1",job="app"} 1`]);
  });

  it('may be several members, one after the other', async () => {
    expect((await put({ headers: gzip, body: Buffer.concat([gzipSync('a 1\n'), gzipSync('b 2\n')]) })).status).toBe(
      200,
    );
    expect(await shown()).toHaveLength(2);
  });

  it('is held to its size as sent, declared or not', async () => {
    const noise = gzipSync(`# ${randomBytes(2000).toString('hex')}\n`, { level: constants.Z_NO_COMPRESSION });
    tooLarge(await put({ headers: gzip, body: noise }), 'body_compressed_bytes', noise.length);
    const chunked = await put({ headers: gzip, write: (request) => request.write(noise) });
    tooLarge(chunked, 'body_compressed_bytes', noise.length);
  });

  it('is held to its inflated size: at the limit it passes', async () => {
    expect((await put({ headers: gzip, body: gzipSync(sized(10_000)) })).status).toBe(200);
    const answer = await put({ headers: gzip, body: gzipSync(sized(10_001)) });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toMatchObject({ limit: 'body_inflated_bytes', max: 10_000 });
  });

  const whole = gzipSync(`a 1\n# ${randomBytes(200).toString('hex')}\n`);
  const flipped = Buffer.from(whole);
  flipped[whole.length - 6]! ^= 1;
  it.each([
    ['is none', Buffer.from('a 1\n')],
    ['is zlib, not gzip', deflateSync('a 1\n')],
    ['is empty', Buffer.alloc(0)],
    ['is cut in its data', whole.subarray(0, whole.length - 15)],
    ['is cut in its trailer', whole.subarray(0, whole.length - 3)],
    ['is cut in its header', whole.subarray(0, 5)],
    ['has a wrong checksum', flipped],
    ['has garbage behind it', Buffer.concat([whole, Buffer.from('garbage')])],
    ['has half a second member behind it', Buffer.concat([whole, whole.subarray(0, 20)])],
  ])('is answered 400 when it %s, and nothing is stored', async (_, body) => {
    await put({ body: Buffer.from('before 1\n') });
    const answer = await put({ headers: gzip, body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toMatchObject({ detail: expect.stringMatching(/gzip/) });
    expect(await shown()).toEqual(['before{instance_id="db1",job="app"} 1']);
  });
});

describe('a gzip bomb', () => {
  it('of a gigabyte is refused at once, and costs no memory to speak of', async () => {
    const defaults = await TestGateway.boot();
    await defaults.project('acme', 'db1');
    const authorization = await defaults.bearer('acme');
    const member = gzipSync(Buffer.alloc(32 * 1024 * 1024));
    const bomb = Buffer.concat(Array.from({ length: 32 }, () => member));
    expect(bomb.length).toBeLessThan(8 * 1024 * 1024);
    const headers = ['Authorization', authorization, ...gzip];
    const explode = () => send(defaults.url, path, { method: 'PUT', headers, body: bomb });
    await explode();
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 5);
    let started = performance.now();
    const answers = await Promise.all([explode(), explode(), explode()]);
    const took = performance.now() - started;
    clearInterval(watch);
    started = performance.now();
    for (let i = 0; i < 3; i++) gunzipSync(member);
    const upToTheLimit = performance.now() - started;
    for (const answer of answers) {
      expect(JSON.parse(answer.text)).toMatchObject({ status: 413, limit: 'body_inflated_bytes', max: 33_554_432 });
    }
    // The bombs inflated would take 32 times as long as to the limit.
    expect(took / upToTheLimit).toBeLessThan(16);
    expect((peak - before) / 1024 / 1024).toBeLessThan(256);
    await defaults.stop();
  });
});

describe('limits of size', () => {
  it('can be switched off for a project', async () => {
    await gateway.project('large', 'db1');
    const authorization = await gateway.bearer('large');
    const headers = ['Authorization', authorization];
    const target = '/api/v1/large/db1/metrics';
    expect((await send(gateway.url, target, { method: 'PUT', headers, body: sized(50_000) })).status).toBe(413);
    await gateway.admin.projects.setLimits('large', { body_inflated_bytes: 0, body_compressed_bytes: 0 });
    await expect
      .poll(async () => (await send(gateway.url, target, { method: 'PUT', headers, body: sized(50_000) })).status, {
        timeout: 1000,
      })
      .toBe(200);
    const body = gzipSync(`# ${randomBytes(20_000).toString('hex')}\na 1\n`);
    expect((await send(gateway.url, target, { method: 'PUT', headers: [...headers, ...gzip], body })).status).toBe(200);
  });
});

describe('an upload that breaks off', () => {
  const refusals = (): Promise<number> => gateway.operatorValue('weir_pushes_total{result="refused"}');

  it.each([
    ['with a declared length', ['Content-Length', '5000']],
    ['in chunks', ['Transfer-Encoding', 'chunked']],
  ])('%s stores nothing, and is no fault of ours', async (_, framing) => {
    await put({ body: Buffer.from('before 1\n') });
    const refused = await refusals();
    const broken = put({
      headers: framing,
      // Whole lines: what has come so far would make a good push.
      write: (request) => request.write('after 1\n', () => request.destroy()),
    });
    await expect(broken).rejects.toThrow();
    await expect.poll(refusals, { timeout: 2000 }).toBe(refused + 1);
    expect(await shown()).toEqual(['before{instance_id="db1",job="app"} 1']);
    expect(gateway.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('bodies that come in many pieces', () => {
  it('are not mixed up, neither among those that come at the same time nor with those before', async () => {
    const roomy = await TestGateway.boot();
    try {
      await roomy.project('acme', 'db1');
      const token = await roomy.bearer('acme');
      const bodyOf = (producer: number, round: number): string =>
        Array.from({ length: 2000 }, (_, i) => `m{p="${producer}",i="${i}",pad="${'x'.repeat(60)}"} ${round}\n`).join(
          '',
        );
      const push = (producer: number, round: number): Promise<void> => {
        return roomy.push(`acme/db1/metrics/job/${producer}`, bodyOf(producer, round), token);
      };
      const producers = [1, 2, 3, 4, 5, 6, 7, 8];
      await Promise.all(producers.map((producer) => push(producer, 1)));
      // The first four do not push again: their bodies' rooms are others' now.
      await Promise.all(producers.slice(4).map((producer) => push(producer, 2)));
      const page = await roomy.page('acme/db1/metrics', token);
      const values = producers.map((producer) => {
        const own = page.split('\n').filter((line) => line.startsWith(`m{p="${producer}",`));
        return [own.length, [...new Set(own.map((line) => line.slice(line.lastIndexOf(' ') + 1)))]];
      });
      expect(values).toEqual(producers.map((producer) => [2000, [producer > 4 ? '2' : '1']]));
    } finally {
      await roomy.stop();
    }
  });
});
