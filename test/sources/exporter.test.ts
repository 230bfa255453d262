import { expect, it } from 'vitest';
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
