import { expect, it } from 'vitest';
import { sourceJson } from '../../src/admin/source-shape.js';
import { samples } from '../support/gateway.js';
import { becomes, boot, closesAfterEach, text, upstream } from './front-door.js';

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
