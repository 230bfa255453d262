import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StatsD } from 'hot-shots';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, Programs } from '../support/programs.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
let weir: WeirProcess;
let bearer: string;

beforeAll(async () => {
  const config = join(programs.folder, 'weir.yml');
  writeFileSync(
    config,
    `ingest:
  statsd:
    - { listen: '127.0.0.1:0', project: acme, endpoint: fixed, flush_interval: 1s, histogram_buckets: [10, 100] }
    - { listen: '127.0.0.1:0', flush_interval: 1s }
`,
  );
  weir = await WeirProcess.start(programs, [`--config.file=${config}`]);
  await weir.createProject('acme', 'fixed', 'tagged');
  bearer = await weir.bearer(await weir.createClient('acme', 'read:metrics'));
});
afterAll(() => programs.end());

const listening = (): string[] =>
  weir.logs
    .filter(({ listener, msg }) => listener === 'statsd' && msg === 'listening')
    .map(({ address }) => String(address));

/** hot-shots as its users make it, for one of the sockets. */
function client(socket: number, globalTags: Record<string, string>): StatsD {
  const port = Number(listening()[socket]!.split(':').at(-1));
  return new StatsD({
    host: '127.0.0.1',
    port,
    prefix: 'shop.',
    globalTags,
    maxBufferSize: 1000,
    bufferFlushInterval: 50,
  });
}

/** The page once so many values are stored. Not before: it would stay in the cache. */
async function valuesOf(metricsId: string, stored: number): Promise<Map<string, number>> {
  await eventually(`${stored} values to be stored`, async () => {
    const metrics = await (await fetch(`${weir.operatorUrl}/metrics`)).text();
    return metrics.includes(`\nweir_statsd_values_total ${stored}\n`) ? true : undefined;
  });
  const url = `${weir.url}/api/v1/acme/${metricsId}/metrics`;
  const text = await (await fetch(url, { headers: { authorization: bearer } })).text();
  const lines = text.split('\n').filter((line) => line.startsWith('shop_'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

const closed = (statsd: StatsD): Promise<void> =>
  new Promise((resolve, reject) =>
    statsd.close((error) => (error === undefined || error === null ? resolve() : reject(error))),
  );

it("hot-shots' own figures are on the page of the endpoint its socket is for", async () => {
  const statsd = client(0, { env: 'prod' });
  for (let i = 0; i < 500; i++) {
    statsd.increment('orders', 1, { kind: i % 2 === 0 ? 'new' : 'again' });
    statsd.timing('checkout', i);
    statsd.histogram('basket', i % 200);
  }
  statsd.decrement('orders', 10, { kind: 'new' });
  statsd.gauge('queue', 12.5);
  statsd.gauge('depth', -4);
  for (const user of ['ann', 'bob', 'ann']) statsd.unique('users', user);
  statsd.event('deployed', 'nothing of ours');
  await closed(statsd);
  const ours = 'instance_id="fixed"';
  const values = await valuesOf('fixed', 1506);
  const value = (series: string): number | undefined => values.get(series);
  expect(value(`shop_orders_total{env="prod",kind="new",${ours}}`)).toBe(240);
  expect(value(`shop_orders_total{env="prod",kind="again",${ours}}`)).toBe(250);
  expect(value(`shop_users{env="prod",${ours}}`)).toBe(2);
  expect(value(`shop_queue{env="prod",${ours}}`)).toBe(12.5);
  expect(value(`shop_depth{env="prod",${ours}}`)).toBe(-4);
  expect(value(`shop_checkout_seconds_count{env="prod",${ours}}`)).toBe(500);
  expect(value(`shop_checkout_seconds_sum{env="prod",${ours}}`)).toBeCloseTo(124.75, 6);
  expect(value(`shop_checkout_seconds_bucket{env="prod",le="0.1",${ours}}`)).toBe(101);
  expect(value(`shop_basket_bucket{env="prod",le="10.0",${ours}}`)).toBe(33);
  expect(value(`shop_basket_bucket{env="prod",le="+Inf",${ours}}`)).toBe(500);
});

it('its global tags choose the endpoint where the socket does not, and are gone from the page', async () => {
  const statsd = client(1, { weir_project: 'acme', weir_endpoint: 'tagged' });
  statsd.increment('orders', 3);
  statsd.gauge('queue', 1);
  await closed(statsd);
  const values = await valuesOf('tagged', 1508);
  expect([...values.keys()].sort()).toEqual([
    'shop_orders_total{instance_id="tagged"}',
    'shop_queue{instance_id="tagged"}',
  ]);
});
