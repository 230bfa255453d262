import { fileURLToPath } from 'node:url';
import { Counter, Gauge, Histogram, Pushgateway, Registry, Summary } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Programs, pythonProgram } from '../support/programs.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let weir: WeirProcess;
let bearer: string;
/** What a user of the Pushgateway puts in its place: the endpoint's URL without `/metrics`. */
const gatewayUrls = new Map<string, string>();

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme');
  for (const metricsId of ['python', 'node']) {
    const page = await weir.createEndpoint('acme', metricsId);
    gatewayUrls.set(metricsId, page.replace(/\/metrics$/, ''));
  }
  bearer = await weir.bearer(await weir.createClient('acme', 'read:metrics', 'write:metrics'));
});

describe("Python prometheus_client's push_to_gateway, pushadd_to_gateway and delete_from_gateway", () => {
  it('work unchanged, with a handler that adds the bearer header', async () => {
    const script = fileURLToPath(new URL('push_client.py', import.meta.url));
    const args = [script, gatewayUrls.get('python')!, bearer];
    expect(await programs.run(pythonProgram('prometheus_client.openmetrics.parser'), args)).toMatchObject({
      status: 0,
      stderr: '',
    });
    const page = await weir.page('acme/python/metrics', bearer);
    const ours = 'instance_id="python",job="replaced"';
    const added = 'instance_id="python",instance="host:9100/a b",job="added"';
    expect(seriesOf(page, '_created')).toEqual(
      [
        `py_build_info{version="1.2",${ours}} 1.0`,
        `py_jobs_total{queue="a \\"b\\" \\\\ \\n é",${ours}} 3.0`,
        `py_size_count{${ours}} 1.0`,
        `py_size_sum{${ours}} 2.5`,
        `py_wait_bucket{le="+Inf",${ours}} 1.0`,
        `py_wait_bucket{le="0.5",${ours}} 0.0`,
        `py_wait_bucket{le="1.0",${ours}} 1.0`,
        `py_wait_count{${ours}} 1.0`,
        `py_wait_sum{${ours}} 0.7`,
        `py_kept{${added}} 1.0`,
        `py_added{${added}} 2.0`,
        'py_other{instance_id="python",instance="b",job="deleted"} 1.0',
      ].sort(),
    );
    expect(page).toMatch(/^py_jobs_created\{queue=.* 1\.\d+e\+09$/m);
  });
});

describe("prom-client's Pushgateway", () => {
  const gauge = (name: string, value: number): Registry => {
    const registry = new Registry();
    new Gauge({ name, help: 'A gauge.', registers: [registry] }).set(value);
    return registry;
  };
  const gateway = (registry: Registry) =>
    new Pushgateway(gatewayUrls.get('node')!, { headers: { authorization: bearer } }, registry);

  it('works unchanged, with the bearer header among its options', async () => {
    const all = new Registry();
    const registers = [all];
    new Counter({ name: 'js_jobs_total', help: 'Jobs.', labelNames: ['queue'], registers }).inc(
      { queue: 'a "b" \\ \n é' },
      3,
    );
    new Summary({ name: 'js_size', help: 'Sizes.', percentiles: [0.5], registers }).observe(2.5);
    new Histogram({ name: 'js_wait', help: 'Waits.', buckets: [0.5, 1], registers }).observe(0.7);
    await gateway(gauge('js_before', 1)).push({ jobName: 'replaced' });
    await gateway(all).push({ jobName: 'replaced' });

    const groupings = { instance: 'host:9100/a b' };
    await gateway(gauge('js_kept', 1)).push({ jobName: 'added', groupings });
    await gateway(gauge('js_added', 1)).pushAdd({ jobName: 'added', groupings });
    await gateway(gauge('js_added', 2)).pushAdd({ jobName: 'added', groupings });

    await gateway(gauge('js_deleted', 1)).push({ jobName: 'deleted' });
    await gateway(gauge('js_other', 1)).push({ jobName: 'deleted', groupings: { instance: 'b' } });
    await gateway(new Registry()).delete({ jobName: 'deleted' });

    const ours = 'instance_id="node",job="replaced"';
    const added = 'instance_id="node",instance="host:9100/a b",job="added"';
    expect(seriesOf(await weir.page('acme/node/metrics', bearer))).toEqual(
      [
        `js_jobs_total{queue="a \\"b\\" \\\\ \\n é",${ours}} 3`,
        `js_size{quantile="0.5",${ours}} 2.5`,
        `js_size_count{${ours}} 1`,
        `js_size_sum{${ours}} 2.5`,
        `js_wait_bucket{le="+Inf",${ours}} 1`,
        `js_wait_bucket{le="0.5",${ours}} 0`,
        `js_wait_bucket{le="1.0",${ours}} 1`,
        `js_wait_count{${ours}} 1`,
        `js_wait_sum{${ours}} 0.7`,
        `js_kept{${added}} 1`,
        `js_added{${added}} 2`,
        'js_other{instance_id="node",instance="b",job="deleted"} 1',
      ].sort(),
    );
  });

  it('is refused without the header, and says why', async () => {
    const anonymous = new Pushgateway(gatewayUrls.get('node')!, {}, gauge('js_anonymous', 1));
    await expect(anonymous.push({ jobName: 'anonymous' })).rejects.toThrow('push failed with status 401');
  });
});

/** The sample lines, sorted, without the gateway's own and without those of names that end so. */
function seriesOf(page: string, ending?: string): string[] {
  const lines = page.split('\n').filter((line) => line !== '' && !/^(#|weir_)/.test(line));
  return lines.filter((line) => ending === undefined || !/^[^{]*/.exec(line)![0].endsWith(ending)).sort();
}
