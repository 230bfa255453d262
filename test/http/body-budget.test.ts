import type { ClientRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { compressSync } from 'snappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WeirError } from '../../src/domain/errors.js';
import { BodyBudget, type BodyLoan } from '../../src/http/body-budget.js';
import { TestGateway } from '../support/gateway.js';
import { otlpTypes } from '../support/otlp.js';
import { contentTypes } from '../support/remote-write.js';
import { type Answer, send } from './wire.js';

describe('the memory for bodies', () => {
  it('is never held by one owner so that less is left for the others, unless nothing else is there', () => {
    const owner = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({ does: fc.constant('open' as const), owner }),
      fc.record({ does: fc.constant('take' as const), which: fc.nat(), bytes: fc.nat(700) }),
      fc.record({ does: fc.constant('give' as const), which: fc.nat(), bytes: fc.nat(700) }),
      fc.record({ does: fc.constant('end' as const), which: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new BodyBudget(1000);
        const loans: { owner: string; loan: BodyLoan; bytes: number }[] = [];
        const held = (of?: string): number =>
          loans.reduce((sum, { owner, bytes }) => sum + (of === undefined || owner === of ? bytes : 0), 0);
        for (const step of steps) {
          if (step.does === 'open') loans.push({ owner: step.owner, loan: budget.open(step.owner), bytes: 0 });
          const chosen = 'which' in step ? loans[step.which % Math.max(1, loans.length)] : undefined;
          if (chosen === undefined) continue;
          if (step.does === 'take') {
            const [own, all] = [held(chosen.owner) + step.bytes, held() + step.bytes];
            const fits = own <= 1000 - all || held() === chosen.bytes;
            if (fits) {
              chosen.loan.take(step.bytes);
              chosen.bytes += step.bytes;
            } else expect(() => chosen.loan.take(step.bytes)).toThrow(WeirError);
          } else if (step.does === 'give') {
            chosen.loan.giveBack(step.bytes);
            chosen.bytes -= Math.min(chosen.bytes, step.bytes);
          } else if (step.does === 'end') {
            chosen.loan.end();
            chosen.loan.end();
            loans.splice(loans.indexOf(chosen), 1);
          }
          expect(budget.bytes).toBe(held());
        }
      }),
    );
  });
});

const MiB = 1024 * 1024;
const comment = (bytes: number): Buffer => Buffer.alloc(bytes, `# ${'x'.repeat(61)}\n`);

/** One large body by each way in. Its bytes mean little: some are refused once they are read. */
const ways: readonly (readonly [name: string, path: string, headers: string[], body: (bytes: number) => Buffer])[] = [
  ['a text push', 'metrics/job/app', [], comment],
  ['a text push in gzip', 'metrics/job/app', ['Content-Encoding', 'gzip'], (bytes) => gzipSync(comment(bytes))],
  [
    'a push of many gzip members',
    'metrics/job/app',
    ['Content-Encoding', 'gzip'],
    (bytes) => Buffer.concat(Array.from({ length: 16 }, () => gzipSync(comment(bytes / 16)))),
  ],
  [
    'remote write',
    'write',
    ['Content-Type', contentTypes['1.0'], 'Content-Encoding', 'snappy'],
    (bytes) => compressSync(Buffer.alloc(bytes)) as Buffer,
  ],
  [
    'OTLP',
    'otlp/v1/metrics',
    ['Content-Type', otlpTypes.protobuf, 'Content-Encoding', 'gzip'],
    (bytes) => gzipSync(Buffer.alloc(bytes)),
  ],
];

describe('bodies that are on their way', () => {
  let gateway: TestGateway;
  const bearers = new Map<string, string>();
  beforeAll(async () => {
    gateway = await TestGateway.boot({ bodyMemory: 4 * MiB });
    for (const project of ['acme', 'rival']) {
      await gateway.project(project, 'db1');
      bearers.set(project, await gateway.bearer(project));
    }
  });
  afterAll(() => gateway.stop());

  const post = (project: string, path: string, headers: string[], body: Buffer): Promise<Answer> =>
    send(gateway.url, `/api/v1/${project}/db1/${path}`, {
      method: 'POST',
      headers: ['Authorization', bearers.get(project)!, ...headers],
      body,
    });
  const pushed = (project: string, body: Buffer): Promise<Answer> => post(project, 'metrics/job/app', [], body);

  const held = (): Promise<number> => gateway.operatorValue('weir_bodies_held_bytes');

  /** A push of acme that holds a megabyte and a half until it is let go. */
  async function slowPush(): Promise<{ end: () => Promise<Answer>; breakOff: () => void }> {
    let request: ClientRequest | undefined;
    const answer = send(gateway.url, '/api/v1/acme/db1/metrics/job/slow', {
      method: 'PUT',
      headers: ['Authorization', bearers.get('acme')!],
      write: (sending) => {
        request = sending;
        sending.write(comment(1.5 * MiB));
      },
    });
    await expect.poll(held, { timeout: 4000 }).toBe(1.5 * MiB);
    const end = (): Promise<Answer> => {
      request!.end();
      return answer;
    };
    const breakOff = (): void => {
      answer.catch(() => undefined);
      request!.destroy();
    };
    return { end, breakOff };
  }

  it.each(ways)('keep %s of their project out for a moment, and none of another', async (_, path, headers, body) => {
    const slow = await slowPush();
    const refused = await post('acme', path, headers, body(MiB));
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('5');
    expect(refused.text).toContain('memory');
    expect((await post('rival', path, headers, body(MiB))).status).toBeLessThan(500);
    expect((await slow.end()).status).toBe(200);
    expect((await post('acme', path, headers, body(MiB))).status).toBeLessThan(500);
  });

  it.each(ways)('do not keep %s out that nothing else is there with, however large it is', async (...way) => {
    const [, path, headers, body] = way;
    expect((await post('acme', path, headers, body(8 * MiB))).status).toBeLessThan(500);
  });

  it('hold nothing any more, however they ended', async () => {
    const gzip = ['Content-Encoding', 'gzip'];
    const broken = gzipSync(comment(MiB)).subarray(0, -9);
    const faults: [status: number, path: string, headers: string[], body: Buffer][] = [
      [400, 'metrics/job/app', [], Buffer.from('no metric\n')],
      [400, 'metrics/job/app', gzip, broken],
      [413, 'metrics/job/app', gzip, gzipSync(Buffer.alloc(33 * MiB))],
      [413, 'metrics/job/app', [], Buffer.alloc(33 * MiB)],
      [415, 'metrics/job/app', ['Content-Encoding', 'br'], Buffer.from('a 1\n')],
      [400, 'metrics/jo', [], Buffer.from('a 1\n')],
      [400, 'write', ['Content-Type', contentTypes['1.0']], Buffer.from('no snappy')],
      [400, 'otlp/v1/metrics', ['Content-Type', otlpTypes.json], Buffer.from('{')],
    ];
    for (const [status, ...fault] of faults) {
      expect((await post('acme', ...fault)).status).toBe(status);
      expect(await held()).toBe(0);
    }
    (await slowPush()).breakOff();
    await expect.poll(held, { timeout: 4000 }).toBe(0);
    const slow = await slowPush();
    expect((await pushed('rival', comment(8 * MiB))).status).toBe(503);
    expect((await slow.end()).status).toBe(200);
    expect(await held()).toBe(0);
  });
});
