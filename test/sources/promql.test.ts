import { expect, it } from 'vitest';
import { samples } from '../support/gateway.js';
import { becomes, boot, closesAfterEach, json, patience, pulledAgain, vector } from './front-door.js';
import { tsdb } from './tsdb.js';

closesAfterEach();

const wanted = (url: string, project = 'acme') => ({
  name: 'mimir',
  metrics_id: 'db',
  type: 'promql',
  url,
  matchers: [`project="${project}"`],
});

it("each customer's page holds exactly theirs, with the types the TSDB knows", async () => {
  const { gateway, bearer } = await boot();
  const asked = await tsdb(
    [{ __name__: 'jobs_total', project: 'acme', instance_id: 'faked' }, '7'],
    [{ __name__: 'jobs_total', project: 'rival' }, '8'],
    [{ __name__: 'latency_seconds_bucket', project: 'acme', le: '1' }, '2'],
    [{ __name__: 'latency_seconds_bucket', project: 'acme', le: '+Inf' }, '3'],
  );
  asked.metadata = {
    jobs_total: [{ type: 'counter', help: 'Jobs.', unit: '' }],
    latency_seconds: [{ type: 'histogram', help: 'Took.' }],
  };
  await gateway.project('rival', 'db');
  for (const project of ['acme', 'rival']) {
    const { id } = await gateway.admin.sources.create(project, wanted(asked.url, project));
    await becomes(gateway, id, 'up');
  }
  const page = await gateway.page('acme/db/metrics', bearer);
  expect(samples(page)).toEqual([
    'jobs_total{project="acme",instance_id="db"} 7',
    'latency_seconds_bucket{project="acme",le="1.0",instance_id="db"} 2',
    'latency_seconds_bucket{project="acme",le="+Inf",instance_id="db"} 3',
  ]);
  expect(page).toContain('# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n');
  expect(page).toContain('# TYPE latency_seconds histogram\n');
  const rival = await gateway.page('rival/db/metrics', await gateway.bearer('rival'));
  expect(samples(rival)).toEqual(['jobs_total{project="rival",instance_id="db"} 8']);
});

it('it is asked by POST with the selector of the matchers, and the tenant in its header', async () => {
  const { gateway } = await boot();
  const asked = await tsdb();
  const matchers = ['project="a\\"} or {x=\\"b"', 'job=~"api|db.*"', '__name__!="up"'];
  for (const [name, more, header] of [
    ['one', { tenant: 'vendor' }, 'x-scope-orgid'],
    ['two', { tenant: 'vendor', tenant_header: 'THANOS-TENANT' }, 'thanos-tenant'],
  ] as const) {
    const { id } = await gateway.admin.sources.create('acme', { ...wanted(asked.url), ...more, name, matchers });
    await becomes(gateway, id, 'up');
    const { method, body, headers } = asked.recorder.requests.findLast(({ path }) => path.endsWith('/query'))!;
    expect(method).toBe('POST');
    expect([...new URLSearchParams(body.toString())]).toEqual([
      ['query', '{project="a\\"} or {x=\\"b",job=~"api|db.*",__name__!="up"}'],
      ['timeout', '10s'],
    ]);
    expect(headers[header]).toBe('vendor');
  }
});

it.each([
  ["another's", { __name__: 'jobs_of_rival', project: 'rival', canary: 'RIVAL-OWN' }],
  ['one without the label', { __name__: 'jobs_of_nobody', canary: 'RIVAL-OWN' }],
])('a series that the matchers exclude, %s, trips the guard: nothing is served', async (_, leaked) => {
  const { gateway, bearer } = await boot();
  const asked = await tsdb([{ __name__: 'jobs', project: 'acme' }, '1'], [leaked, '2']);
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url));
  await becomes(gateway, id, 'up');
  const trips = (): Promise<number> => gateway.operatorValue('weir_source_guard_trips_total{type="promql"}');
  expect(await trips()).toBe(0);
  asked.leaks = true;
  await pulledAgain(gateway, asked.recorder, 15_000);
  const { reason } = await becomes(gateway, id, 'guard');
  expect(reason).toBe('It gave a series that does not satisfy project="acme".');
  expect(await trips()).toBe(1);
  expect(await gateway.operatorValue('weir_sources{type="promql",state="dead"}')).toBe(1);
  const response = await gateway.fetch('/api/v1/acme/db/metrics', { bearer });
  expect(response.status).toBe(503);
  expect(await response.text()).not.toMatch(/jobs|rival/i);
  expect((await gateway.admin.sources.test(id)).error).toBe(reason);
  asked.leaks = false;
  await pulledAgain(gateway, asked.recorder, 15_000);
  await becomes(gateway, id, 'up');
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toEqual(['jobs{project="acme",instance_id="db"} 1']);
  expect(JSON.stringify(gateway.logs)).not.toMatch(/RIVAL-OWN|jobs_of/);
  const actions = (await gateway.admin.audit.list({ limit: 20 })).map(({ action }) => action);
  expect(actions.filter((action) => action === 'source.guard')).toHaveLength(1);
});

it.each([
  ['of a name that is left out', { metric: { __name__: 'jobs.of.rival', project: 'rival' }, value: [1, '2'] }],
  ['that is a native histogram', { metric: { __name__: 'jobs', project: 'rival' }, histogram: [1, { count: '1' }] }],
  ['with a value that is none', { metric: { __name__: 'jobs', project: 'rival' }, value: [1, 'none'] }],
  ['with a label that is left out', { metric: { __name__: 'jobs', 'a.b': 'c' }, value: [1, '2'] }],
])('a series that the matchers exclude trips the guard, also one %s', async (_, leaked) => {
  const { gateway, bearer } = await boot();
  const asked = await tsdb([{ __name__: 'jobs', project: 'acme' }, '1']);
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url));
  await becomes(gateway, id, 'up');
  const answer = vector([{ __name__: 'jobs', project: 'acme' }, '1']) as { data: { result: object[] } };
  answer.data.result.push(leaked);
  asked.fails = json(answer);
  await pulledAgain(gateway, asked.recorder, 15_000);
  const { reason } = await becomes(gateway, id, 'guard');
  expect(reason).toBe('It gave a series that does not satisfy project="acme".');
  expect((await gateway.fetch('/api/v1/acme/db/metrics', { bearer })).status).toBe(503);
});

it('a native histogram of its own, and a name that pages cannot carry, are left out and leave the page incomplete', async () => {
  const { gateway, bearer } = await boot();
  const asked = await tsdb();
  const answer = vector([{ __name__: 'jobs', project: 'acme' }, '1'], [{ __name__: 'a.b', project: 'acme' }, '2']);
  asked.fails = json(answer);
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url));
  await becomes(gateway, id, 'up');
  const page = await gateway.page('acme/db/metrics', bearer);
  expect(samples(page)).toEqual(['jobs{project="acme",instance_id="db"} 1']);
  expect(page).toContain('weir_source_complete{instance_id="db",source="mimir"} 0');
});

it('a warning of the TSDB makes the page incomplete, and the access log says so', async () => {
  const { gateway, bearer } = await boot({ seams: { writeRecordsEveryMs: 5 } });
  const asked = await tsdb([{ __name__: 'jobs', project: 'acme' }, '1']);
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url));
  const isComplete = async (): Promise<[string | null, string | undefined]> => {
    const response = await gateway.fetch('/api/v1/acme/db/metrics', { bearer });
    const line = /weir_source_complete\{instance_id="db",source="mimir"\} (\d)/.exec(await response.text());
    return [response.headers.get('x-weir-completeness'), line?.[1]];
  };
  await becomes(gateway, id, 'up');
  expect(await isComplete()).toEqual(['complete', '1']);
  asked.warnings = ['a store did not answer'];
  gateway.clock.advance(15_000);
  await expect
    .poll(async () => (await gateway.admin.sources.get(id)).reason, patience)
    .toContain('a store did not answer');
  gateway.clock.advance(16_000);
  expect(await isComplete()).toEqual(['partial', '0']);
  asked.warnings = undefined;
  gateway.clock.advance(31_000);
  await expect.poll(async () => (await gateway.admin.sources.get(id)).reason, patience).toBeNull();
  expect(await isComplete()).toEqual(['complete', '1']);
  const reasons = async () =>
    (await gateway.admin.accessLog.list({ projectId: 'acme', endpointId: 'db', limit: 3 })).map(({ reason }) => reason);
  await expect.poll(reasons).toEqual([null, 'incomplete_page', null]);
});

it('its sample_limit counts the series that its relabel rules leave', async () => {
  const { gateway, bearer } = await boot();
  const asked = await tsdb(
    [{ __name__: 'jobs', project: 'acme' }, '1'],
    [{ __name__: 'debug_a', project: 'acme' }, '2'],
    [{ __name__: 'debug_b', project: 'acme' }, '3'],
  );
  const rules = [{ source_labels: ['__name__'], regex: 'debug_.*', action: 'drop' }];
  const more = { sample_limit: 1, metric_relabel_configs: rules };
  const { id } = await gateway.admin.sources.create('acme', { ...wanted(asked.url), ...more });
  await becomes(gateway, id, 'up');
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toEqual(['jobs{project="acme",instance_id="db"} 1']);
  asked.series.push([{ __name__: 'more', project: 'acme' }, '4']);
  await pulledAgain(gateway, asked.recorder, 15_000);
  expect((await becomes(gateway, id, 'down')).reason).toBe('The source has 2 series, more than its sample_limit = 1.');
});

it('a promql source needs an equality on a label, and matchers that can be checked', async () => {
  const { gateway } = await boot();
  const create = (matchers: string[]) =>
    gateway.admin.sources.create('acme', { ...wanted('https://tsdb.example'), matchers });
  for (const matchers of [[], ['project!="rival"'], ['project=~"acme"'], ['project=""'], ['__name__="up"']]) {
    await expect(create(matchers)).rejects.toMatchObject({ code: 'invalid', facts: { field: 'matchers' } });
  }
  await expect(create(['project="acme"', 'job=~"(a|b"'])).rejects.toMatchObject({ code: 'invalid' });
  for (const url of [
    'https://tsdb.example/api/v1',
    'https://tsdb.example/?a=b',
    'ftp://tsdb.example',
    'https://u:p@tsdb.example',
  ]) {
    await expect(gateway.admin.sources.create('acme', wanted(url))).rejects.toMatchObject({ facts: { field: 'url' } });
  }
  const exporter = { name: 'x', metrics_id: 'db', type: 'exporter', url: 'https://x.example/', matchers: ['a="b"'] };
  await expect(gateway.admin.sources.create('acme', exporter)).rejects.toMatchObject({ facts: { field: 'matchers' } });
});
