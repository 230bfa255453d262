import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { promtoolProgram } from '../support/programs.js';

it('promtool has no complaint about the operator page, with every label there is', async () => {
  const gateway = await TestGateway.boot({ metrics: { projectLabel: true } });
  await gateway.project('acme', 'db1');
  const bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
  await gateway.page('acme/db1/metrics', bearer);
  await (await gateway.fetch('/nothing', { method: 'LOCK' })).text();
  const input = await (await fetch(`${gateway.operatorUrl}/metrics`)).text();
  await gateway.stop();
  const { status, stdout, stderr } = spawnSync(promtoolProgram(), ['check', 'metrics'], { input, encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(input).toContain('weir_project_series{project="acme"} 1\n');
});
