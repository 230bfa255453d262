import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess, type Target } from '../support/prometheus-process.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

/** One Prometheus with a job for each fault: what it shows is what docs/troubleshooting.md says it shows. */
const programs = new Programs();
/** Where the second gateway has its database. */
const elsewhere = new Programs();
const login = createServer((_, response) => response.end('<html>Please sign in</html>'));
afterAll(async () => {
  login.close();
  await Promise.all([programs.end(), elsewhere.end()]);
});

let targets: readonly Target[];

beforeAll(async () => {
  const folder = join(programs.folder, 'certificate');
  const certificate = await writeDemoCertificate(folder, Date.now());
  const weir = await WeirProcess.start(programs);
  const tls = await WeirProcess.start(elsewhere, [`--web.config.file=${certificate.webConfigFile}`]);
  await new Promise<void>((resolve) => login.listen(0, '127.0.0.1', resolve));
  const loginUrl = `http://127.0.0.1:${(login.address() as AddressInfo).port}`;
  await weir.createProject('acme', 'db1');
  await tls.createProject('acme', 'db1');
  const good = await weir.createClient('acme', 'read:metrics');
  const overTls = await tls.createClient('acme', 'read:metrics');
  const disabled = await weir.createClient('acme', 'read:metrics');
  await weir.command('client', 'disable', disabled.client_id);
  const pusher = await weir.createClient('acme', 'write:metrics');
  const guessing = await weir.createClient('acme', 'read:metrics');
  const host = (url: string) => new URL(url).host;

  interface Job {
    readonly client?: CreatedClient;
    readonly secret?: string;
    readonly token_url?: string;
    readonly target?: string;
    readonly scheme?: string;
    readonly path?: string;
    readonly scopes?: string[];
    readonly basic?: boolean;
    readonly ca?: boolean;
  }
  const job = (name: string, { client = good, ...is }: Job): object => {
    const { secret = client.client_secret, token_url = client.token_url, target = host(weir.url) } = is;
    const tls_config = is.ca ? { tls_config: { ca_file: certificate.certFile } } : {};
    const oauth2 = {
      client_id: client.client_id,
      client_secret: secret,
      token_url,
      ...(is.scopes ? { scopes: is.scopes } : {}),
      ...tls_config,
    };
    return {
      job_name: name,
      scrape_interval: '1s',
      scheme: is.scheme ?? 'http',
      metrics_path: is.path ?? '/api/v1/acme/db1/metrics',
      ...(is.basic ? { basic_auth: { username: client.client_id, password: secret } } : { oauth2 }),
      ...tls_config,
      static_configs: [{ targets: [target] }],
    };
  };
  for (let i = 0; i < 40; i++) {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: guessing.client_id });
    body.set('client_secret', `weir_cs_guess${i}`);
    await fetch(guessing.token_url, { method: 'POST', body });
  }
  const config = {
    scrape_configs: [
      job('good', {}),
      job('wrong-secret', { secret: 'weir_cs_wrong' }),
      job('disabled-client', { client: disabled }),
      job('guessing', { client: guessing, secret: 'weir_cs_wrong' }),
      job('push-client', { client: pusher }),
      job('scope-too-many', { scopes: ['read:metrics', 'write:metrics'] }),
      job('wrong-endpoint', { path: '/api/v1/acme/db9/metrics' }),
      job('other-project', { path: '/api/v1/rival/db1/metrics' }),
      job('name-with-slash', { path: '/api/v1/acme/my/db1/metrics' }),
      job('basic-on-page', { basic: true }),
      job('wrong-token-path', { token_url: `${weir.url}/token` }),
      job('login-page', { token_url: `${loginUrl}/oauth/token` }),
      job('login-page-as-page', { target: host(loginUrl) }),
      job('gateway-down', { token_url: 'http://127.0.0.1:1/oauth/token' }),
      job('no-such-name', { token_url: 'http://no-such-host.invalid/oauth/token' }),
      job('https-for-http', { scheme: 'https' }),
      job('http-for-https', { client: overTls, target: host(tls.url), ca: true }),
      job('unknown-issuer', { client: overTls, target: host(tls.url), scheme: 'https' }),
    ],
  };
  writeFileSync(join(programs.folder, 'faults.yml'), stringify(config));
  const prometheus = await PrometheusProcess.start(programs, stringify(config));
  targets = await eventually('every target to be scraped', async () => {
    const found = await prometheus.targets();
    return found.length === config.scrape_configs.length &&
      found.every(({ lastScrape }) => !lastScrape.startsWith('0001'))
      ? found
      : undefined;
  });
});

const faults = [
  'wrong-secret',
  'disabled-client',
  'guessing',
  'push-client',
  'scope-too-many',
  'wrong-endpoint',
  'other-project',
  'name-with-slash',
  'basic-on-page',
  'wrong-token-path',
  'login-page',
  'login-page-as-page',
  'gateway-down',
  'no-such-name',
  'https-for-http',
  'http-for-https',
  'unknown-issuer',
] as const;

const targetOf = (job: string): Target => targets.find(({ labels }) => labels.job === job)!;

it('without a fault the target is up', () => {
  expect(targetOf('good')).toMatchObject({ health: 'up', lastError: '' });
});

it.each(faults)('%s shows in Prometheus as docs/troubleshooting.md says', (fault) => {
  const { health, lastError } = targetOf(fault);
  expect(health).toBe('down');
  // The table has a row with the name of the fault, and the beginning of what Prometheus shows in its last cell.
  const row = readFileSync('docs/troubleshooting.md', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`| <a id="${fault}"></a>`));
  const shown = /`([^`]+)` \|$/.exec(row ?? '')?.[1];
  expect(shown, lastError).toBeDefined();
  for (const part of shown!.split(' … ')) expect(lastError).toContain(part);
});
