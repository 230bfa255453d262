import { expect, it } from 'vitest';
import { sourceJson } from '../../src/admin/source-shape.js';
import { samples } from '../support/gateway.js';
import { becomes, boot, closesAfterEach, patience, pulledAgain, text, upstream } from './front-door.js';

closesAfterEach();

it('what an exporter says is on the page, with the labels of the gateway and the age', async () => {
  const { gateway, bearer } = await boot();
  const exporter = await upstream(() => text('# TYPE jobs_total counter\njobs_total{instance_id="faked",q="a"} 3\n'));
  const source = await gateway.admin.sources.create('acme', {
    name: 'app',
    metrics_id: 'db',
    type: 'exporter',
    url: `${exporter.url}/metrics`,
  });
  await becomes(gateway, source.id, 'up');
  const page = await gateway.page('acme/db/metrics', bearer);
  expect(samples(page)).toEqual(['jobs_total{q="a",instance_id="db"} 3']);
  expect(page).toContain('# TYPE jobs_total counter');
  expect(page).toContain('weir_source_up{instance_id="db",source="app"} 1\n');
});

it("its series pass through the source's relabel rules before they are stored, which cannot fake what is the gateway's", async () => {
  const { gateway, bearer } = await boot();
  const exporter = await upstream(() =>
    text(
      '# TYPE jobs_total counter\njobs_total{pod="a",q="x"} 3\njobs_total{pod="a",q="y"} 4\ndebug_bytes 5\nshort 6\n',
    ),
  );
  const rules = [
    { source_labels: ['__name__'], regex: 'debug_.*', action: 'drop' },
    { regex: 'pod', action: 'labeldrop' },
    { source_labels: ['q'], target_label: 'queue' },
    { source_labels: ['q'], regex: '.+', target_label: 'instance_id', replacement: 'faked' },
    { source_labels: ['__name__'], regex: 'short', target_label: '__name__', replacement: 'weir_faked' },
    { regex: 'q', action: 'labeldrop' },
  ];
  const wanted = { name: 'app', metrics_id: 'db', type: 'exporter', url: exporter.url, metric_relabel_configs: rules };
  const { sources } = gateway.admin;
  expect(await sources.testNew('acme', wanted)).toMatchObject({ pulled: true, series: 2 });
  const { id } = await sources.create('acme', { ...wanted, sample_limit: 2 });
  await becomes(gateway, id, 'up');
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toEqual([
    'jobs_total{queue="x",instance_id="db"} 3',
    'jobs_total{queue="y",instance_id="db"} 4',
  ]);
  expect(sourceJson(await sources.get(id)).metric_relabel_configs).toEqual(rules);
  await expect(sources.update(id, { metric_relabel_configs: [{ action: 'nothing' }] })).rejects.toMatchObject({
    code: 'invalid',
  });
});

it("what it gives meets the limits of its endpoint, and a test of it the size of the endpoint's bodies", async () => {
  const { gateway, bearer } = await boot();
  const asked = await upstream(() => text('jobs{x="1"} 1\njobs{x="2"} 1\n'));
  const { sources, endpoints } = gateway.admin;
  await endpoints.set('acme', 'db', { limits: { series: 1 } });
  const wanted = { name: 'app', metrics_id: 'db', type: 'exporter', url: asked.url, interval: '15s' };
  const { id } = await sources.create('acme', wanted);
  expect((await becomes(gateway, id, 'down')).reason).toBe(
    'The endpoint would hold too many series: 2 is over the limit series = 1 of the endpoint.',
  );
  await endpoints.set('acme', 'db', { limits: { series: 2, body_inflated_bytes: 10 } });
  expect(await sources.test(id)).toMatchObject({
    pulled: false,
    error: expect.stringContaining('larger than 10 bytes'),
  });
  await pulledAgain(gateway, asked, 15_000);
  await expect.poll(async () => (await sources.get(id)).reason, patience).toContain('larger than 10 bytes');
  await endpoints.set('acme', 'db', { limits: { body_inflated_bytes: null } });
  await pulledAgain(gateway, asked, 15_000);
  await becomes(gateway, id, 'up');
  gateway.clock.advance(30_001);
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toHaveLength(2);
});
