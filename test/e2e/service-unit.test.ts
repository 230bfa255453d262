import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Programs } from '../support/programs.js';

const programs = new Programs();
afterAll(() => programs.end());

const unit = 'contrib/systemd/weir.service';

it('systemd has nothing against the unit', async () => {
  const here = join(programs.folder, 'weir.service');
  // systemd looks whether the program is there.
  writeFileSync(here, readFileSync(unit, 'utf8').replace('/usr/bin/node', process.execPath));
  const { status, stdout, stderr } = await programs.run('systemd-analyze', ['verify', '--man=no', here]);
  expect([status, stdout, stderr]).toEqual([0, '', '']);
});

it('the unit keeps the service from nearly everything', async () => {
  const args = ['security', '--offline=yes', '--threshold=15', join(process.cwd(), unit)];
  const { status, stdout } = await programs.run('systemd-analyze', args);
  expect(stdout).toMatch(/Overall exposure level for weir\.service: [01]\.\d OK/);
  expect(status).toBe(0);
});
