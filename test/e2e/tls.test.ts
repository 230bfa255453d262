import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoCertificate, writeDemoCertificate } from '../../src/demo/certificate.js';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess, scrapeConfig } from '../support/prometheus-process.js';
import { securely } from '../support/securely.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let certificate: DemoCertificate;
let caFile: string;
let weir: WeirProcess;
let prometheus: PrometheusProcess;

beforeAll(async () => {
  certificate = await writeDemoCertificate(programs.folder, Date.now());
  // Prometheus' own copy: what a client trusts is not replaced in the same moment as what a server serves.
  caFile = join(programs.folder, 'prometheus-ca.crt');
  copyFileSync(certificate.certFile, caFile);
  weir = await WeirProcess.start(programs, [`--web.config.file=${certificate.webConfigFile}`]);
  await weir.createProject('acme', 'db1');
  const client = await weir.createClient('acme', 'read:metrics', 'write:metrics');
  const bearer = await weir.bearer(client, '--ca-file', caFile);
  const url = `${weir.url}/api/v1/acme/db1/metrics/job/app`;
  expect(await securely({ method: 'PUT', url, body: 'secured 1\n', authorization: bearer, caFile })).toBe(200);
  const jobs = [{ name: 'weir', path: 'acme/db1/metrics', interval: '1s' }];
  prometheus = await PrometheusProcess.start(programs, scrapeConfig({ weir, client, jobs, caFile }));
});

describe('a gateway with --web.config.file', () => {
  it('gives Prometheus token and page over https, by the ca_file it trusts', async () => {
    expect(weir.url).toMatch(/^https:/);
    await prometheus.allUp();
    const [stored] = await prometheus.query('secured');
    expect(stored?.samples[0]?.value).toBe(1);
  });

  it('serves a replaced certificate to new connections without a restart', async () => {
    const before = readFileSync(caFile, 'utf8');
    expect(await served(before)).toBe('trusted');
    await writeDemoCertificate(programs.folder, Date.now());
    const after = readFileSync(certificate.certFile, 'utf8');
    await eventually('the new certificate', async () => ((await served(after)) === 'trusted' ? true : undefined));
    expect(await served(before)).not.toBe('trusted');

    copyFileSync(certificate.certFile, caFile);
    const replacedAt = Date.now() / 1000;
    await eventually('a scrape that trusts the new certificate', async () => {
      const scrapes = await prometheus.query(`timestamp(up == 1) > ${replacedAt}`);
      return scrapes.length === 1 ? true : undefined;
    });
  });
});

/** `trusted`, or what a client that trusts this certificate alone has against the one that is served. */
function served(ca: string): Promise<string> {
  const { hostname: host, port } = new URL(weir.url);
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), ca, servername: 'localhost' }, () => {
      resolve('trusted');
      socket.destroy();
    });
    socket.once('error', (error) => resolve(error.message));
  });
}
