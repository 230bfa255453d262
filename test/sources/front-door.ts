import { afterEach, expect } from 'vitest';
import type { Source } from '../../src/domain/source.js';
import { type GatewayOptions, TestGateway } from '../support/gateway.js';
import { Recorder } from '../support/recorder.js';

/** What is waited for comes at once on an idle machine. */
export const patience = { timeout: 10_000, interval: 10 };

const opened: { stop?(): Promise<void>; close?(): void }[] = [];

/** Closes what the test has opened, whatever became of it. */
export function closesAfterEach(): void {
  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) {
      await each.stop?.();
      each.close?.();
    }
  });
}

/** A gateway with the project `acme`, its endpoint `db` and a client that reads and writes. */
export async function boot(options: GatewayOptions = {}): Promise<{ gateway: TestGateway; bearer: string }> {
  const gateway = await TestGateway.boot({ ...options, seams: { sourceTickMs: 5, ...options.seams } });
  opened.push(gateway);
  await gateway.project('acme', 'db');
  return { gateway, bearer: await gateway.bearer('acme') };
}

/** What is asked, on loopback. */
export async function upstream(answer: Recorder['answer']): Promise<Recorder> {
  const recorder = await new Recorder().listen();
  opened.push(recorder);
  recorder.answer = answer;
  return recorder;
}

export const text = (body: string) => ({ status: 200, headers: { 'content-type': 'text/plain; version=0.0.4' }, body });

export const json = (body: unknown, status = 200) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/** An instant vector of these label sets. */
export const vector = (...series: [labels: Record<string, string>, value: string][]) => ({
  status: 'success',
  data: { resultType: 'vector', result: series.map(([metric, value]) => ({ metric, value: [1, value] })) },
});

/** Resolves when the source has this health. */
export async function becomes(gateway: TestGateway, id: string, health: Source['health']): Promise<Source> {
  let source: Source | undefined;
  await expect
    .poll(async () => {
      source = await gateway.admin.sources.get(id);
      return source.health;
    }, patience)
    .toBe(health);
  return source!;
}

/** Moves the clock by an interval and waits until the source was asked so many times more. */
export async function pulledAgain(gateway: TestGateway, asked: Recorder, ms: number, times = 1): Promise<void> {
  const before = asked.requests.length;
  gateway.clock.advance(ms);
  await expect.poll(() => asked.requests.length, patience).toBeGreaterThanOrEqual(before + times);
}
