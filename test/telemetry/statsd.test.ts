import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { dogstatsdEvent, dogstatsdParts } from '../../src/formats/statsd.js';
import { type BackendConfig, type Metrics, openMetrics } from '../../src/telemetry/metrics/index.js';
import { readPacket } from '../support/dogstatsd-reader.js';
import { listenUdp, listenUnix } from '../support/packet-receivers.js';

const atEnd: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of atEnd.splice(0).reverse()) await run();
});

const quiet = { debug: () => {}, info: () => {}, warn: () => {} };

function open(backend: BackendConfig, more: Partial<Parameters<typeof openMetrics>[0]> = {}): Metrics {
  const metrics = openMetrics({ prefix: 'weir.', backends: [backend, { type: 'prometheus' }], log: quiet, ...more });
  atEnd.push(() => metrics.close());
  return metrics as Metrics;
}

async function udp() {
  const receiver = await listenUdp();
  atEnd.push(() => receiver.close());
  return receiver;
}

function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-dsd-'));
  atEnd.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'dsd.socket');
}

const dropped = async (metrics: Metrics, backend: string): Promise<number> =>
  Number(new RegExp(`dropped_total\\{backend="${backend}"\\} (\\d+)`).exec((await metrics.page!()).body)![1]);

describe('a DogStatsD receiver by UDP', () => {
  it('reads every type, with tags, rate and container', async () => {
    const receiver = await udp();
    const { port } = receiver;
    const metrics = open(
      { type: 'dogstatsd', options: { port, container_id: 'abc123', tags: { env: 'production' } } },
      { random: () => 0.2 },
    );
    metrics.incr('request', 2, { tags: { code: 200 }, sampleRate: 0.5 });
    metrics.incr('request', 1, { tags: { code: 200 }, sampleRate: 0.5 });
    metrics.gauge('depth', -7.5, { instance: 'mail' });
    metrics.timing('took', 12.5, { tags: { env: 'test' } });
    metrics.timing('took', 3, { tags: { env: 'test' } });
    metrics.distribution('size', 4096);
    metrics.event('Title | with ünicode', 'two\nlines | and a bar', {
      alertType: 'warning',
      aggregationKey: 'k',
      sourceTypeName: 's',
      priority: 'low',
      tags: { region: 'eu' },
    });
    await metrics.flush();
    await receiver.until(({ packets }) => packets.length > 0);
    const { metrics: read, events } = readPacket(receiver.packets[0]!);
    const common = { container: 'abc123', rate: 1 };
    expect(read).toEqual([
      { ...common, name: 'weir.request', values: [3], type: 'c', rate: 0.5, tags: ['code:200', 'env:production'] },
      { ...common, name: 'weir.depth', values: [-7.5], type: 'g', tags: ['instance:mail', 'env:production'] },
      { ...common, name: 'weir.took', values: [12.5, 3], type: 'ms', tags: ['env:production'] },
      { ...common, name: 'weir.size', values: [4096], type: 'd', tags: ['env:production'] },
    ]);
    expect(events).toEqual([
      {
        title: 'Title | with ünicode',
        text: 'two\nlines | and a bar',
        fields: { k: 'k', p: 'low', s: 's', t: 'warning' },
        tags: ['region:eu', 'env:production'],
      },
    ]);
  });

  it('gets packets that fit a datagram, and every value in them', async () => {
    const receiver = await udp();
    const metrics = open({ type: 'dogstatsd', options: { port: receiver.port } });
    const sent = Array.from({ length: 2000 }, (_, at) => at + 0.25);
    for (const value of sent) metrics.timing('took', value);
    for (let series = 0; series < 50; series++) metrics.incr('many', 1, { tags: { series } });
    await metrics.flush();
    const count = () => receiver.metrics.reduce((sum, { values }) => sum + values.length, 0);
    await receiver.until(() => count() === 2050);
    expect(Math.max(...receiver.packets.map(({ length }) => length))).toBeLessThanOrEqual(1432);
    expect(receiver.packets.length).toBeLessThan(25);
    expect(receiver.metrics.filter(({ name }) => name === 'weir.took').flatMap(({ values }) => values)).toEqual(sent);
  });

  it('is sent everything within a second, without being asked to', async () => {
    const receiver = await udp();
    const metrics = open({ type: 'dogstatsd', options: { port: receiver.port } });
    metrics.incr('request');
    await receiver.until(() => receiver.metrics.length === 1);
  });

  it('gets what is left when the process stops', async () => {
    const receiver = await udp();
    const metrics = open({ type: 'dogstatsd', options: { port: receiver.port } });
    metrics.incr('last');
    await metrics.close();
    await receiver.until(() => receiver.metrics.some(({ name }) => name === 'weir.last'));
  });

  it('may be gone: what it does not get is counted, and it gets the rest when it is back', async () => {
    const gone = await listenUdp();
    const { port } = gone;
    const metrics = open({ type: 'dogstatsd', options: { port } });
    metrics.incr('a');
    await metrics.flush();
    gone.close();
    for (let round = 0; round < 4; round++) {
      metrics.incr('a');
      await metrics.flush();
    }
    expect(await dropped(metrics, 'dogstatsd')).toBeGreaterThan(0);
  });
});

describe('whatever a name, tag or event holds', () => {
  it('the line is read as one metric with as many tags', () => {
    const unit = fc.constantFrom(...'|,#:@{}\\\n\r\0 a1ü', '😀', '\ud800');
    const text = fc.string({ unit, maxLength: 10 });
    const tag = fc.tuple(fc.string({ unit, minLength: 1, maxLength: 10 }), text);
    fc.assert(
      fc.property(text, fc.array(tag, { maxLength: 5 }), (name, given) => {
        const tags = Object.fromEntries(given);
        const [head, tail] = dogstatsdParts({ name: `x${name}`, type: 'c', sampleRate: 0.25, tags });
        const { metrics, events } = readPacket(Buffer.from(`${head}1${tail}`));
        const read = metrics.map((metric) => [metric.values[0], metric.rate, metric.tags.length, metric.container]);
        expect([events.length, read]).toEqual([0, [[1, 0.25, Object.keys(tags).length, undefined]]]);
      }),
    );
  });

  it('the event is read with its title and text', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[\n\r]|\\n/.test(value));
    fc.assert(
      fc.property(text, text, text, (title, body, key) => {
        const line = dogstatsdEvent({ title, text: body, aggregationKey: key, tags: { a: key } });
        const { metrics, events } = readPacket(Buffer.from(line));
        expect(metrics).toEqual([]);
        expect(events).toMatchObject([{ title, text: body }]);
        expect(events[0]!.tags).toHaveLength(1);
      }),
    );
  });
});

describe("the Agent's unix stream socket", () => {
  it('gets frames led by their length, none larger than its buffer, and every value', async () => {
    const path = socketPath();
    const receiver = await listenUnix(path);
    atEnd.push(() => receiver.close());
    const metrics = open({ type: 'dogstatsd', options: { socket: path } });
    for (let value = 0; value < 30_000; value++) metrics.timing('took', value, { tags: { n: value % 7 } });
    await metrics.flush();
    const values = () => receiver.metrics.flatMap((metric) => metric.values);
    await receiver.until(() => receiver.packets.length > 0 && values().length === 30_000);
    expect(values().reduce((sum, value) => sum + value, 0)).toBe((30_000 * 29_999) / 2);
    expect(await dropped(metrics, 'dogstatsd')).toBe(0);
  });

  it('may be restarted: what comes after arrives', async () => {
    const path = socketPath();
    const first = await listenUnix(path);
    const metrics = open({ type: 'dogstatsd', options: { socket: path } });
    metrics.incr('before');
    await metrics.flush();
    await first.until(({ metrics: read }) => read.length === 1);
    await first.close();
    const second = await listenUnix(path);
    atEnd.push(() => second.close());
    metrics.incr('after');
    await metrics.flush();
    await second.until(({ metrics: read }) => read.some(({ name }) => name === 'weir.after'));
    expect(await dropped(metrics, 'dogstatsd')).toBe(0);
  });
});

describe('a plain StatsD receiver', () => {
  it('reads counters, gauges and timings without tags; a negative gauge is set, not subtracted', async () => {
    const receiver = await udp();
    const metrics = open({ type: 'statsd', options: { port: receiver.port } });
    metrics.incr('request', 2, { tags: { code: 200 } });
    metrics.incr('request', 1, { tags: { code: 404 } });
    metrics.gauge('depth', 9);
    metrics.gauge('delay', 1, { tags: { stat: 'p50' } });
    metrics.gauge('delay', 2, { tags: { stat: 'p99.9' } });
    metrics.timing('took', 12);
    metrics.timing('took', 13);
    metrics.distribution('size', 5, { instance: 'up.load' });
    metrics.event('nobody', 'knows events there');
    await metrics.flush();
    metrics.gauge('depth', -3);
    await metrics.flush();
    await receiver.until(({ metrics: read }) => read.length === 9);
    expect(receiver.metrics.every(({ tags, container }) => tags.length === 0 && container === undefined)).toBe(true);
    const lines = receiver.metrics.map(({ name, values, type }) => `${name}:${values.join(':')}|${type}`);
    expect(lines).toEqual([
      'weir.request:3|c',
      'weir.depth:9|g',
      'weir.delay.p50:1|g',
      'weir.delay.p99_9:2|g',
      'weir.took:12|ms',
      'weir.took:13|ms',
      'weir.size.up_load:5|ms',
      // A value with a sign would be a change by it.
      'weir.depth:0|g',
      'weir.depth:-3|g',
    ]);
  });
});
