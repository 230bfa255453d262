import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { Programs, promtoolProgram } from '../support/programs.js';
import { PrometheusProcess } from '../support/prometheus-process.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

const example = readFileSync(new URL('../../prometheus-example.yml', import.meta.url), 'utf8');
let certFile: string;
let filledIn: string;

beforeAll(async () => {
  // Beside the example, as in the source tree.
  cpSync('contrib/prometheus', join(programs.folder, 'contrib/prometheus'), { recursive: true });
  const certificate = await writeDemoCertificate(mkdtempSync(join(programs.folder, 'tls-')), Date.now());
  certFile = certificate.certFile;
  const weir = await WeirProcess.start(programs, [`--web.config.file=${certificate.webConfigFile}`]);
  await weir.createProject('acme', 'db1', 'db2');
  const client = await weir.createClient('acme', 'read:metrics');
  filledIn = example
    .replaceAll('metrics.example.com', new URL(weir.url).host)
    .replaceAll('PROJECT_ID', 'acme')
    .replaceAll('CLIENT_ID', client.client_id)
    .replaceAll('/etc/weir/client-secret', weir.secretFile(client))
    .replaceAll('127.0.0.1:9460', new URL(weir.operatorUrl).host);
});

describe('prometheus-example.yml', () => {
  it('is a valid configuration, before and after it is filled in', async () => {
    for (const config of [example, filledIn]) {
      const file = join(programs.folder, 'checked.yml');
      writeFileSync(file, config);
      const { status, stdout } = await programs.run(promtoolProgram(), ['check', 'config', file]);
      expect(status, stdout).toBe(0);
      expect(stdout).toContain('is valid prometheus config file syntax');
    }
  });

  it('is valid where it stands, with the alerts it loads', async () => {
    const { status, stdout } = await programs.run(promtoolProgram(), [
      'check',
      'config',
      join(process.cwd(), 'prometheus-example.yml'),
    ]);
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/SUCCESS: \d\d rules found/);
  });

  it("brings the project's metrics and the gateway's own into Prometheus once it is filled in", async () => {
    // The certificate is self-made; a customer's is of an authority that the system knows, so the example names none.
    const prometheus = await PrometheusProcess.start(programs, filledIn, { SSL_CERT_FILE: certFile });
    // The first scrape comes somewhen within the interval of 30 s.
    const targets = await prometheus.allUp(60_000);
    expect(targets.map(({ labels }) => labels.job).sort()).toEqual(['weir', 'weir-operator']);
    const instances = await prometheus.query('weir_snapshot_timestamp_seconds{job="weir"}');
    expect(instances.map(({ labels }) => labels.instance_id).sort()).toEqual(['db1', 'db2']);
    expect(await prometheus.query('weir_build_info{job="weir-operator"}')).toHaveLength(1);
    expect((await prometheus.rules()).map(({ name }) => name)).toContain('WeirDown');
  });
});
