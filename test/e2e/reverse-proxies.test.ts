import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoCertificate, writeDemoCertificate } from '../../src/demo/certificate.js';
import { eventually, freePort, Programs } from '../support/programs.js';
import { PrometheusProcess, scrapeConfig } from '../support/prometheus-process.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

/** The examples of `contrib/`, with the names and addresses of this machine put in. */
const programs = new Programs();
afterAll(() => programs.end());

let certificate: DemoCertificate;
let weir: WeirProcess;
let client: CreatedClient;
let port: number;

beforeAll(async () => {
  certificate = await writeDemoCertificate(programs.folder, Date.now());
  port = await freePort();
  weir = await WeirProcess.start(programs, [
    `--web.external-url=https://localhost:${port}`,
    '--web.trusted-proxies=127.0.0.1,::1',
    '--log.level=debug',
  ]);
  await weir.createProject('acme', 'db1');
  client = await weir.createClient('acme', 'read:metrics', 'write:metrics');
}, 60_000);

describe('the nginx example', () => {
  beforeAll(async () => {
    const example = readFileSync('contrib/nginx/weir.conf', 'utf8')
      .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
      .replace('server_name metrics.example.com', 'server_name localhost')
      .replace('/etc/ssl/weir/fullchain.pem', certificate.certFile)
      .replace('/etc/ssl/weir/privkey.pem', certificate.keyFile)
      .replace('127.0.0.1:8460', new URL(weir.url).host);
    const [prefix, file] = [join(programs.folder, 'nginx'), join(programs.folder, 'nginx/nginx.conf')];
    mkdirSync(prefix, { recursive: true });
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
    writeFileSync(
      file,
      `pid nginx.pid; error_log stderr; events {} http { access_log off; ${temporary.join(' ')}\n${example}}\n`,
    );
    const at = ['-p', prefix, '-c', file];
    const checked = await programs.run('nginx', ['-t', ...at]);
    expect(checked.stderr).toContain('test is successful');
    expect(checked.stderr).not.toContain('[warn]');
    const nginx = programs.start('nginx', [...at, '-g', 'daemon off;']);
    await eventually('nginx', () => get('/nothing').then(({ status }) => status === 404 || undefined), {
      during: nginx,
    });
  }, 60_000);

  it('passes pushes and scrapes on over TLS, with connections kept', async () => {
    const bearer = await token();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const put = await get('/api/v1/acme/db1/metrics/job/app', {
      method: 'PUT',
      bearer,
      agent,
      body: 'behind_proxy 1\n',
    });
    expect(put.status).toBe(200);
    const sockets = new Set<number>([put.localPort]);
    for (let scrape = 0; scrape < 5; scrape++) {
      const page = await get('/api/v1/acme/db1/metrics', { bearer, agent });
      expect(page.text).toContain('behind_proxy{instance_id="db1",job="app"} 1\n');
      expect(page.headers['x-weir-completeness']).toBe('complete');
      sockets.add(page.localPort);
    }
    agent.destroy();
    expect(sockets.size).toBe(1);
  });

  it("tells Weir the client's address and a request id, whatever the client says of itself", async () => {
    const headers = { 'X-Forwarded-For': '192.0.2.66', Forwarded: 'for=192.0.2.67', 'X-Request-Id': 'forged' };
    await get('/by-its-own-account', { headers });
    const line = await eventually('the log line', () => weir.logs.find(({ path }) => path === '/by-its-own-account'));
    expect(line).toMatchObject({ address: '127.0.0.1', request_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
  });

  it('lets a real Prometheus in, token and page', async () => {
    const jobs = [{ name: 'weir', path: 'acme/db1/metrics', interval: '1s' }];
    const behind = Object.assign(Object.create(weir) as WeirProcess, { url: `https://localhost:${port}` });
    const config = scrapeConfig({ weir: behind, client, jobs, caFile: certificate.certFile });
    const prometheus = await PrometheusProcess.start(programs, config);
    await prometheus.allUp();
    const [stored] = await prometheus.query('behind_proxy');
    expect(stored?.samples[0]?.value).toBe(1);
  }, 60_000);
});

describe('the Caddy example', () => {
  it('is taken by Caddy as it is', async () => {
    const args = [
      'adapt',
      '--adapter=caddyfile',
      '--validate',
      `--config=${join(process.cwd(), 'contrib/caddy/Caddyfile')}`,
    ];
    const { status, stderr } = await programs.run('caddy', args, { env: { HOME: programs.folder } });
    expect([status, stderr]).toEqual([0, expect.not.stringMatching(/"level":"(warn|error)"/)]);
  });
});

async function token(): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: client.client_id,
    client_secret: client.client_secret,
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const { text } = await get('/oauth/token', { method: 'POST', body: form.toString(), headers });
  return `Bearer ${(JSON.parse(text) as { access_token: string }).access_token}`;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly localPort: number;
}

interface Asked {
  readonly method?: string;
  readonly bearer?: string;
  readonly agent?: Agent;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** Through the proxy, trusting its certificate. */
function get(path: string, { method = 'GET', bearer, agent, body, headers = {} }: Asked = {}): Promise<Answer> {
  return new Promise<Answer>((resolve, reject) => {
    const url = `https://localhost:${port}${path}`;
    const all = bearer === undefined ? headers : { ...headers, authorization: bearer };
    const options = { method, headers: all, ca: readFileSync(certificate.certFile), family: 4 };
    const sent = request(url, agent === undefined ? options : { ...options, agent }, (response) => {
      const { localPort } = response.socket;
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode!, text, headers: response.headers, localPort: localPort! }),
      );
    });
    sent.once('error', reject);
    sent.end(body);
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') return { status: 0, text: '', headers: {}, localPort: 0 };
    throw error;
  });
}
