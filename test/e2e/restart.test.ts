import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess, type StoredSample, scrapeConfig } from '../support/prometheus-process.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

const intervalSeconds = 3;
let weir: WeirProcess;
let bearer: string;
let prometheus: PrometheusProcess;

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'db1');
  bearer = await weir.bearer(await weir.createClient('acme', 'read:metrics', 'write:metrics'));
  const client = await weir.createClient('acme', 'read:metrics');
  const jobs = [{ name: 'weir', path: 'acme/db1/metrics', interval: `${intervalSeconds}s` }];
  prometheus = await PrometheusProcess.start(programs, scrapeConfig({ weir, client, jobs }));
  await prometheus.allUp();
});

describe('a gateway killed with SIGKILL between two scrapes and started again', () => {
  it('loses no scrape but those in the gap, no push it answered, and no token', async () => {
    const gaps: { from: number; to: number }[] = [];
    for (const round of [1, 2, 3]) {
      await scrapesSince(Date.now() / 1000, 2);
      await weir.push('acme/db1/metrics/job/app', `round ${round}\n`, bearer);
      const from = Date.now() / 1000;
      await weir.kill();
      await weir.start();
      gaps.push({ from, to: Date.now() / 1000 });
      expect(await weir.page('acme/db1/metrics', bearer)).toContain(`round{instance_id="db1",job="app"} ${round}\n`);
    }
    const scrapes = await scrapesSince(gaps.at(-1)!.to, 3);
    const failed = scrapes.filter(({ value }) => value !== 1).map(({ time }) => time);
    expect(failed.filter((time) => !gaps.some(({ from, to }) => time >= from && time <= to))).toEqual([]);
    expect(scrapes.length - failed.length).toBeGreaterThan(8);

    expect(await weir.operatorValue('weir_tokens_issued_total'), 'Prometheus goes on with its token').toBe(0);
    const [stored] = await prometheus.query('round');
    expect(stored?.samples[0]?.value).toBe(3);
  });
});

/** All scrapes so far, once there are that many after the time given (seconds since the epoch). */
function scrapesSince(time: number, count: number): Promise<readonly StoredSample[]> {
  return eventually(`${count} scrapes`, async () => {
    const [up] = await prometheus.query('up{job="weir"}[5m]');
    const samples = up?.samples ?? [];
    return samples.filter((sample) => sample.time > time).length >= count ? samples : undefined;
  });
}
