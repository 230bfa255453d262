import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess } from '../support/prometheus-process.js';
import { datadogPoints, Recorder } from '../support/recorder.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let weir: WeirProcess;
let bearer: string;

const push = (hits: number): Promise<void> =>
  weir.push(
    'acme/db/metrics/job/app',
    `# HELP hits_total What came in.
# TYPE hits_total counter
hits_total{path="/a \\"b\\""} ${hits}
# TYPE temperature gauge
temperature{room="ä"} -3.25
temperature{room="nan"} NaN
temperature{room="inf"} +Inf
# TYPE latency histogram
latency_bucket{le="0.5"} ${hits}
latency_bucket{le="+Inf"} ${hits * 2}
latency_sum ${hits / 4}
latency_count ${hits * 2}
`,
    bearer,
  );

async function createStream(destination: object): Promise<string> {
  const file = join(programs.folder, `stream-${Math.random()}.json`);
  const subscriptions = [{ metric_type: 'project.metrics', interval: '10s' }];
  writeFileSync(file, JSON.stringify({ name: 'e2e', subscriptions, destination }));
  return (await weir.command('stream', 'create', file, '--project', 'acme')).id!;
}

beforeAll(async () => {
  weir = await WeirProcess.start(programs, ['--streams.allowed-networks=127.0.0.0/8', '--streams.allow-http=true']);
  await weir.createProject('acme', 'db');
  bearer = await weir.bearer(await weir.createClient('acme', 'read:metrics', 'write:metrics'));
  await push(100);
});

describe('a Prometheus that takes remote write', () => {
  it('gets by 1.0 what it does not understand by 2.0, holds our values, and ends the series that have gone', async () => {
    const prometheus = await PrometheusProcess.start(programs, '{}', {}, ['--web.enable-remote-write-receiver']);
    const id = await createStream({
      type: 'prometheus_remote_write',
      configuration: { endpoint: `${prometheus.url}/api/v1/write` },
    });
    const stored = async (expression: string) => (await prometheus.query(expression))[0]?.samples[0]?.value;
    await eventually('the first window', async () => ((await stored('hits_total')) === 100 ? true : undefined), {
      withinMs: 20_000,
    });
    const page = await (await fetch(`${weir.url}/api/v1/acme/metrics`, { headers: { authorization: bearer } })).text();
    const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('weir_'));
    expect(lines).toHaveLength(8);
    for (const line of lines) {
      const at = line.lastIndexOf(' ');
      expect([line, await stored(line.slice(0, at))]).toEqual([
        line,
        Number(line.slice(at + 1).replace('Inf', 'Infinity')),
      ]);
    }
    type Deliveries = { status: string; attempts: { status: number }[] }[];
    const deliveries = await weir.command<Deliveries>('stream', 'deliveries', id);
    expect(deliveries.every(({ status }) => status === 'delivered')).toBe(true);
    await push(150);
    await eventually('the second window', async () => ((await stored('hits_total')) === 150 ? true : undefined), {
      withinMs: 20_000,
    });
    await weir.push('acme/db/metrics/job/app', '', bearer, { method: 'DELETE' });
    await eventually('the stale markers', async () => ((await stored('hits_total')) === undefined ? true : undefined), {
      withinMs: 20_000,
    });
    await weir.command('stream', 'delete', id);
    await push(100);
  }, 90_000);
});

describe('a SIGKILL between sending and noting it down', () => {
  it('sends the same window again with the same bytes, so that nothing counts twice, and loses none', async () => {
    const server = await new Recorder().listen();
    programs.atEnd(() => server.close());
    await createStream({ type: 'datadog', configuration: { api_key: 'k', url: server.url } });
    await eventually('the first window', () => (server.taken.length > 0 ? true : undefined), { withinMs: 20_000 });
    let hits = 100;
    for (let kill = 0; kill < 2; kill++) {
      const before = server.taken.length;
      server.answer = () => 'hang';
      const asked = server.requests.length;
      hits += 7;
      await push(hits);
      await eventually('a request', () => (server.requests.length > asked ? true : undefined), { withinMs: 20_000 });
      const sent = server.requests.at(-1)!;
      // It has arrived and is counted there, but nobody here will ever know.
      server.taken.push(sent);
      await weir.kill();
      server.answer = () => ({ status: 202 });
      await weir.start();
      await eventually('the repetition', () => (server.taken.length > before + 1 ? true : undefined), {
        withinMs: 20_000,
      });
      expect(server.taken[before + 1]!.body.equals(sent.body)).toBe(true);
    }
    hits += 5;
    await push(hits);
    const gained = (): number => {
      const points = datadogPoints(server.taken).get('hits_total{instance_id:db,job:app,path:/a "b"} 1');
      return [...(points?.values() ?? [])].reduce((sum, value) => sum + value, 0);
    };
    await eventually('all of it', () => (gained() === hits - 100 ? true : undefined), { withinMs: 20_000 });
  }, 120_000);
});
