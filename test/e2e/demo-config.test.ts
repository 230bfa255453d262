import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { prometheusConfig } from '../../src/demo/prometheus-config.js';
import { InstanceSimulator } from '../../src/demo/simulator.js';
import { systemClock } from '../../src/domain/clock.js';
import { seededRandom } from '../demo/seeded-random.js';

const dir = mkdtempSync(join(tmpdir(), 'weir-demo-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs Prometheus' own checker; fails when it is not installed (Debian: package prometheus). */
function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  const run = spawnSync('promtool', args, { input, encoding: 'utf8' });
  if (run.error !== undefined) throw run.error;
  return { status: run.status, output: run.stdout + run.stderr };
}

function checkConfig(text: string) {
  const file = join(dir, 'prometheus.yml');
  writeFileSync(file, text);
  return promtool(['check', 'config', file]);
}

const options = {
  gatewayUrl: 'http://127.0.0.1:8460',
  operatorUrl: 'http://127.0.0.1:9460',
  projectId: 'demo',
  metricsIds: ['6b0c65e8', '78e7c3e0', '0a1b2c3d'],
  clientId: 'weir_cid_abc',
  secretFile: join(dir, 'client-secret'),
};

describe("the demo's prometheus.yml", () => {
  test('is a valid configuration', () => {
    expect(checkConfig(prometheusConfig(options))).toMatchObject({
      status: 0,
      output: expect.stringContaining('is valid prometheus config file syntax'),
    });
  });

  test('is one over https too, with the CA file that was written', async () => {
    const { certFile } = await writeDemoCertificate(dir, Date.now());
    const https = { ...options, gatewayUrl: 'https://127.0.0.1:8460' };
    expect(checkConfig(prometheusConfig({ ...https, caFile: certFile }))).toMatchObject({ status: 0 });
  });
});

describe('promtool', () => {
  test('refuses a key it does not know, so that its yes above means something', () => {
    const misspelt = prometheusConfig(options).replace('honor_labels', 'honour_labels');
    expect(checkConfig(misspelt)).toMatchObject({ status: 1, output: expect.stringContaining('honour_labels') });
  });
});

describe("a simulated instance's page", () => {
  test.each(['healthy', 'busy', 'faulty'] as const)('passes promtool check metrics: %s', (profile) => {
    const simulator = new InstanceSimulator({ profile, clock: systemClock, random: seededRandom(1) });
    expect(promtool(['check', 'metrics'], simulator.exposition())).toEqual({ status: 0, output: '' });
  });
});
