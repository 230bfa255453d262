import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { allDefinitions, withTable } from '../../scripts/metrics-table.js';
import { pageName } from '../../src/telemetry/metrics/definition.js';
import { TestGateway } from '../support/gateway.js';

it('the table of docs/telemetry.md is current; if not: npx tsx scripts/metrics-table.ts', () => {
  const page = readFileSync('docs/telemetry.md', 'utf8');
  expect(page).toBe(withTable(page));
  expect(page).toContain('| `weir_request_total` | `request` | counter | `code`, `method` |');
});

it('the running page has exactly the families of the table, with their types, and those of the process', async () => {
  const gateway = await TestGateway.boot({ metrics: { projectLabel: true }, seams: { writeRecordsEveryMs: 5 } });
  await gateway.project('acme', 'db1');
  await gateway.bearer('acme');
  const ask = async () => (await fetch(`${gateway.operatorUrl}/metrics`)).text();
  // Usage is told of when it is written.
  await expect.poll(ask).toContain('weir_usage_');
  const page = await ask();
  await gateway.stop();
  const families = [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const types = { counter: 'counter', gauge: 'gauge', timing: 'histogram', distribution: 'histogram' } as const;
  const expected = Object.entries(allDefinitions).map(
    ([key, definition]) => `${pageName('weir.', key, definition)} ${types[definition.type]}`,
  );
  const ofTheProcess = /^(process|nodejs)_/;
  expect(families.filter((family) => !ofTheProcess.test(family)).sort()).toEqual(expected.sort());
  expect(families.some((family) => ofTheProcess.test(family))).toBe(true);
});

it('each metric says what it means in a sentence, and has no label that grows with callers or customers', () => {
  for (const [key, { help, labels = [] }] of Object.entries(allDefinitions)) {
    expect(help, key).toMatch(/^[A-Z0-9].*\.$/);
    const named = /^(project\.series|project\.series_limit|usage\.\w+)$/.test(key) ? ['project'] : [];
    const bounded = [
      'code',
      'method',
      'endpoint',
      'success',
      'banned',
      'error',
      'event',
      'result',
      'reason',
      'stat',
      'state',
      'type',
    ];
    const known = [...bounded, 'check', 'version', 'revision', 'nodeversion', 'backend', ...named];
    expect(
      labels.filter((label) => !known.includes(label)),
      key,
    ).toEqual([]);
  }
});
