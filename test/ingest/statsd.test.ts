import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { defaultStatsd, type StatsdSettings } from '../../src/domain/statsd.js';
import { samples, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;
afterEach(() => gateway.stop());

async function boot(settings: Partial<StatsdSettings> = {}, limits = {}): Promise<void> {
  const target = { projectId: 'acme', metricsId: 'db1' };
  const statsd = { ...defaultStatsd, listen: '127.0.0.1:0', target, flushMs: 25, ...settings };
  gateway = await TestGateway.boot({ limits, ingest: { statsd: [statsd] } });
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
}

/** One UDP packet. */
async function send(...lines: string[]): Promise<void> {
  const port = Number(gateway.statsd[0]!.split(':').at(-1));
  const socket = createSocket('udp4');
  await new Promise<void>((sent) => socket.send(lines.join('\n'), port, '127.0.0.1', () => sent()));
  socket.close();
}

const taken = (): Promise<number> => gateway.operatorValue('weir_statsd_values_total');
const refused = (reason: string): Promise<number> =>
  gateway.operatorValue(`weir_statsd_refused_total{reason="${reason}"}`);

/** Waits until as many values as were sent so far are stored. */
const stored = async (values: number): Promise<void> => expect.poll(taken).toBe(values);

async function page(path = 'acme/db1/metrics'): Promise<string> {
  gateway.clock.advance(30_001);
  return gateway.page(path, bearer);
}

it('counters, gauges, timers, histograms, distributions and sets become families of Prometheus', async () => {
  await boot({ timerBounds: [0.1, 1], histogramBounds: [5, 10] });
  await send(
    'page.views:1|c|#env:prod,beta',
    'page.views:2:3|c|@0.5|#beta,env:prod',
    'queue.size:7|g',
    'queue.size:-2|g',
    'load:50:500:5000|ms|@0.5',
    'size:3|h',
    'size:7:20|d',
    'users:ann|s',
    'users:bob|s',
    'users:ann|s',
  );
  await stored(14);
  const text = await page();
  expect(samples(text)).toEqual([
    'load_seconds_bucket{le="0.1",instance_id="db1"} 2',
    'load_seconds_bucket{le="1.0",instance_id="db1"} 4',
    'load_seconds_bucket{le="+Inf",instance_id="db1"} 6',
    'load_seconds_sum{instance_id="db1"} 11.1',
    'load_seconds_count{instance_id="db1"} 6',
    'page_views_total{beta="true",env="prod",instance_id="db1"} 11',
    'queue_size{instance_id="db1"} -2',
    'size_bucket{le="5.0",instance_id="db1"} 1',
    'size_bucket{le="10.0",instance_id="db1"} 2',
    'size_bucket{le="+Inf",instance_id="db1"} 3',
    'size_sum{instance_id="db1"} 30',
    'size_count{instance_id="db1"} 3',
    'users{instance_id="db1"} 2',
  ]);
  expect(text).toContain('# TYPE page_views_total counter\n');
  expect(text).toContain('# TYPE load_seconds histogram\n');
  expect(text).toContain('# TYPE users gauge\n');
});

it('go on where they were at every flush, and after a restart', async () => {
  await boot({ dialect: 'statsd', histogramBounds: [5] });
  await send('c:1|c', 'g:10|g', 'h:1|h');
  await stored(3);
  await send('c:1|c', 'g:-3|g', 'h:9|h');
  await stored(6);
  // What a clean stop finds is stored.
  await send('c:1|c', 'g:+1|g');
  await expect.poll(taken).toBe(8);
  await gateway.restart();
  await send('c:1|c', 'g:+1|g', 'g:+1|g', 'h:9|h');
  await stored(4);
  expect(samples(await page())).toEqual([
    'c_total{instance_id="db1"} 4',
    'g{instance_id="db1"} 10',
    'h_bucket{le="5.0",instance_id="db1"} 1',
    'h_bucket{le="+Inf",instance_id="db1"} 3',
    'h_sum{instance_id="db1"} 19',
    'h_count{instance_id="db1"} 3',
  ]);
});

it('what has come and is not flushed yet is stored by a stop', async () => {
  await boot({ flushMs: 60_000, target: undefined });
  await send('c:5|c|#weir_project:acme,weir_endpoint:db1', 'x:1|q');
  await expect.poll(() => refused('type')).toBe(1);
  await gateway.restart();
  expect(samples(await page())).toEqual(['c_total{instance_id="db1"} 5']);
});

it('lines that cannot be read are counted by reason, and those beside them are taken', async () => {
  await boot();
  await send('ok:1|c', '', 'nonsense', 'a:x|c', 'a:1|q', 'a:1|c|@2', ':1|c', '_e{1,1}:a|b', '_sc|a|0', 'a:1:x|c', '');
  await stored(2);
  const reasons = ['syntax', 'value', 'type', 'rate', 'name', 'event', 'encoding', 'too_long'];
  expect(await Promise.all(reasons.map(refused))).toEqual([1, 2, 1, 1, 1, 2, 0, 0]);
  expect(samples(await page())).toEqual(['a_total{instance_id="db1"} 1', 'ok_total{instance_id="db1"} 1']);
});

it('one name is of one type', async () => {
  await boot();
  await send('a:1|g', 'a:1|h', 'b_count:1|g', 'b:1|h', 'a:2|c');
  await stored(3);
  expect(await refused('conflict')).toBe(2);
  expect(samples(await page())).toEqual([
    'a{instance_id="db1"} 1',
    'a_total{instance_id="db1"} 2',
    'b_count{instance_id="db1"} 1',
  ]);
});

it('tags say where a line belongs, where the socket does not; who says nothing, or what is not there, is counted', async () => {
  await boot({ target: undefined });
  const of = (project: string, endpoint: string): string => `weir_project:${project},weir_endpoint:${endpoint}`;
  await send(
    `up:1|g|#${of('acme', 'db1')}`,
    `up:2|g|#a:b,${of('acme', 'db2')}`,
    `up:3|g|#${of('nobody', 'db1')}`,
    `up:4|g|#${of('acme', 'db1')},weir_project:nobody`,
    'up:5|g',
  );
  await stored(2);
  const unrouted = (reason: string): Promise<number> =>
    gateway.operatorValue(`weir_samples_unrouted_total{reason="${reason}"}`);
  await expect.poll(() => unrouted('unknown')).toBe(1);
  expect(await unrouted('missing')).toBe(2);
  expect(samples(await page('acme/metrics'))).toEqual(['up{instance_id="db1"} 1', 'up{a="b",instance_id="db2"} 2']);
});

it('where the socket names the endpoint, no tag chooses another', async () => {
  await boot();
  await send('up:1|g|#weir_project:nobody,weir_endpoint:db2,instance_id:forged');
  await stored(1);
  expect(samples(await page('acme/metrics'))).toEqual([
    'up{weir_endpoint="db2",weir_project="nobody",instance_id="db1"} 1',
  ]);
});

it('the limits of the project hold: known series go on, new ones are refused and counted', async () => {
  await boot({}, { series: 2 });
  await send('a:1|c', 'b:1|c');
  await stored(2);
  await send('a:1|c', 'n:1|c', 'm:1|g', 'weir_own:1|g');
  await expect.poll(() => refused('refused')).toBe(3);
  expect(samples(await page())).toEqual(['a_total{instance_id="db1"} 2', 'b_total{instance_id="db1"} 1']);
});

it('values of series that are refused are not among those that are stored', async () => {
  await boot({ histogramBounds: [5] }, { series: 6 });
  await send('h:1:2:3|h', 's1:1|c', 's2:1|c', 's3:1:2:3:4:5:6:7:8:9:10|c', 's4:1:2:3:4:5:6:7:8:9:10|c', 'i:1:2|h');
  await expect.poll(() => refused('refused')).toBe(3);
  expect(await taken()).toBe(5);
  await send('s3:1:2|c', 's1:1:1|c');
  await stored(7);
});

it("DogStatsD's unix stream socket takes packets after their length, in any pieces; a frame without end ends the connection", async () => {
  const path = join(tmpdir(), `weir-dsd-${process.pid}.sock`);
  await boot({ listen: `unixstream://${path}` });
  const frame = (text: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(text));
    return Buffer.concat([length, Buffer.from(text)]);
  };
  const bytes = Buffer.concat([frame('a:1|c\nb:2|c'), frame(''), frame('a:1|c\n')]);
  const client = connect(path);
  for (const byte of bytes) await new Promise((written) => client.write(Buffer.from([byte]), written));
  await stored(3);
  client.write(Buffer.from([0xff, 0xff, 0xff, 0x7f, 0x61]));
  await new Promise((closed) => client.once('close', closed));
  expect(await refused('too_long')).toBe(1);
  const other = connect(path);
  other.end(bytes);
  await stored(6);
  expect(samples(await page())).toEqual(['a_total{instance_id="db1"} 4', 'b_total{instance_id="db1"} 4']);
  const idle = connect(path);
  await new Promise((connected) => idle.once('connect', connected));
  const closed = new Promise((done) => idle.once('close', done).on('error', () => {}));
  await gateway.stopOnly();
  await closed;
  expect(existsSync(path)).toBe(false);
  await gateway.start();
});

it('a socket that another program has stops the start', async () => {
  await boot();
  await gateway.stopOnly();
  const other = createSocket('udp4');
  await new Promise<void>((bound) => other.bind(0, '127.0.0.1', bound));
  const { port } = other.address();
  const taken = { ...defaultStatsd, listen: `127.0.0.1:${port}`, target: undefined };
  await expect(TestGateway.boot({ ingest: { statsd: [taken] } })).rejects.toThrow(
    `Cannot take StatsD on 127.0.0.1:${port}`,
  );
  other.close();
  await gateway.start();
});
