import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Producer, type ProducerOptions } from '../../src/demo/producer.js';
import { InstanceSimulator } from '../../src/demo/simulator.js';
import type { Clock } from '../../src/domain/clock.js';
import { samples, TestGateway } from '../support/gateway.js';
import { eventually } from '../support/programs.js';
import { seededRandom } from './seeded-random.js';

/** The system's time, which a test may put forward. */
class RunningClock implements Clock {
  private ahead = 0;

  now = (): number => Date.now() + this.ahead;
  monotonic = (): number => performance.now() + this.ahead;

  skip(ms: number): void {
    this.ahead += ms;
  }
}

const metricsIds = ['db1', 'db2', 'db3'];
const everyMs = 20;
let gateway: TestGateway;
let gatewayClock: RunningClock;
let producerClock: RunningClock;
let client: { clientId: string; clientSecret: string };
let said: string[];
let ended: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  gatewayClock = new RunningClock();
  producerClock = new RunningClock();
  gateway = await TestGateway.boot({ clock: gatewayClock });
  await gateway.project('demo', ...metricsIds);
  client = await gateway.client('demo', ['write:metrics']);
  said = [];
  ended = new AbortController();
});
afterEach(async () => {
  ended.abort();
  await running;
  await gateway.stop();
});

/** Begins to push numbers that say how often they were asked for. */
function push(changes: Partial<ProducerOptions> = {}): Producer {
  let asked = 0;
  const producer = new Producer({
    url: gateway.url,
    projectId: 'demo',
    ...client,
    instances: metricsIds.map((metricsId) => ({
      name: `name of ${metricsId}`,
      metricsId,
      exposition: () => `# TYPE asked_total counter\nasked_total ${++asked}\n`,
    })),
    everyMs,
    clock: producerClock,
    say: (sentence) => said.push(sentence),
    ...changes,
  });
  running = producer.run(ended.signal);
  return producer;
}

const pushes = () => gateway.operatorValue('weir_pushes_total{result="accepted"}');
const tokens = () => gateway.operatorValue('weir_tokens_issued_total');
const rounds = async (count: number): Promise<void> => {
  const wanted = (await pushes()) + count * metricsIds.length;
  await eventually(`${count} more rounds`, async () => ((await pushes()) >= wanted ? true : undefined));
};
const saying = (pattern: RegExp) =>
  eventually(`the sentence ${pattern}`, () => said.find((sentence) => pattern.test(sentence)));

describe('a producer', () => {
  test('has had a page of every instance acknowledged when it says so', async () => {
    const simulated = metricsIds.map((metricsId, seed) => {
      const simulator = new InstanceSimulator({ profile: 'busy', clock: producerClock, random: seededRandom(seed) });
      return { name: metricsId, metricsId, exposition: () => simulator.exposition() };
    });
    await push({ instances: simulated, everyMs: 60_000 }).acknowledged;
    expect(await pushes()).toBe(3);
    expect(samples(await gateway.page('demo/metrics', await gateway.bearer('demo')))).toHaveLength(3 * 33);
    expect(said).toEqual([]);
  });

  test('pushes again and again with one token', async () => {
    push();
    await rounds(5);
    expect(await tokens()).toBe(1);
    expect(said).toEqual([]);
  });

  test('asks for no more than it needs', async () => {
    const both = await gateway.client('demo', ['read:metrics', 'write:metrics']);
    const asked: string[] = [];
    const listener = createServer((socket) => socket.on('data', (data) => asked.push(data.toString())));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    push({ ...both, url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}` });
    await eventually('the token request', () => asked.join('').match(/scope=write%3Ametrics/) ?? undefined);
    listener.close();
  });

  test('renews its token before the end', async () => {
    push();
    await rounds(1);
    producerClock.skip(800_000);
    await rounds(2);
    expect(await tokens()).toBe(1);
    producerClock.skip(50_000);
    await rounds(2);
    expect(await tokens()).toBe(2);
    expect(said).toEqual([]);
  });

  test('gets a new token when the gateway refuses the old one, and loses no push over it', async () => {
    push();
    await rounds(1);
    gatewayClock.skip(1_000_000);
    await rounds(2);
    expect(await tokens()).toBe(2);
    expect(said).toEqual([]);
  });
});

describe('when pushes fail, the producer', () => {
  test('says so once, with the reason, and again when they are acknowledged', async () => {
    await push().acknowledged;
    await gateway.admin.projects.setLimits('demo', { name_length_bytes: 1 });
    // The round under way may have lost its last pushes only.
    await saying(/^The push failed for name of db1, name of db2, name of db3: the push .* 422 \(.+\)\. It is /);
    const before = said.length;
    const refused = () => gateway.operatorValue('weir_pushes_total{result="refused"}');
    const wanted = (await refused()) + 9;
    await eventually('several rounds to fail', async () => ((await refused()) >= wanted ? true : undefined));
    expect(said).toHaveLength(before);
    await gateway.admin.projects.setLimits('demo', { name_length_bytes: 0 });
    await saying(/^Pushes are acknowledged again\.$/);
    await rounds(1);
    expect(said.at(-1)).toBe('Pushes are acknowledged again.');
  });

  test('passes on why it gets no token', async () => {
    await push().acknowledged;
    await gateway.admin.clients.disable(client.clientId);
    await saying(/^The push failed for .*name of db3: the token request .* 401 \(.+\)\. It is tried again\.$/);
  });

  test('goes on with the instances that can be pushed', async () => {
    await gateway.admin.endpoints.delete('demo', 'db2');
    push();
    expect(await saying(/./)).toMatch(/^The push failed for name of db2: the push was answered with 404 \(/);
    await eventually('pushes of the others', async () => ((await pushes()) >= 4 ? true : undefined));
  });

  test('passes on what a limit has to say', async () => {
    await gateway.admin.projects.setLimits('demo', { series: 1 });
    push();
    await saying(/name of db2, name of db3: the push was answered with 422 \(.*series = 1.*\)/);
  });

  test('names the reason when nobody listens, and does not call it acknowledged', async () => {
    const vacant = createServer().listen(0, '127.0.0.1');
    await once(vacant, 'listening');
    const { port } = vacant.address() as AddressInfo;
    await new Promise((resolve) => vacant.close(resolve));
    let acknowledged = false;
    push({ url: `http://localhost:${port}` }).acknowledged.then(() => {
      acknowledged = true;
    });
    expect(await saying(/./)).toContain('ECONNREFUSED');
    expect(acknowledged).toBe(false);
  });

  test('ends at once when it is told to, even if the gateway never answers', async () => {
    const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const connected = once(silent, 'connection');
    push({ url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    await connected;
    ended.abort();
    await running;
    expect(said).toEqual([]);
    silent.close();
  });
});
