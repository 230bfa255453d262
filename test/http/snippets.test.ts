import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { snippets } from '../../src/snippets/index.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let reader: Credentials;
let bearer: string;

beforeAll(async () => {
  gateway = await TestGateway.boot({ externalUrl: 'https://metrics.example.com/weir' });
  await gateway.project('acme', 'db1', 'db2');
  reader = await gateway.client('acme', ['read:metrics']);
  bearer = await gateway.bearerOf(reader);
});
afterAll(() => gateway.stop());

const get = (path: string, authorization = bearer): Promise<Response> =>
  gateway.fetch(`/api/v1/acme/snippets${path}`, { bearer: authorization });

/** The one job of a snippet in Prometheus' form. */
const jobAt = async (path: string, authorization = bearer) => {
  const response = await get(path, authorization);
  expect(response.status).toBe(200);
  return parse(await response.text()).scrape_configs[0];
};

/** The field and the sentence of a refusal. */
const refused = async (path: string, status: number) => {
  const response = await get(path);
  const { field, detail } = (await response.json()) as { field?: string; detail: string };
  expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/problem+json']);
  return [field, detail];
};

describe('GET /api/v1/{project}/snippets', () => {
  it('lists every tool with the URL of its snippet', async () => {
    const response = await get('');
    expect(response.headers.get('cache-control')).toBe('private, no-store');
    const { snippets: rows } = (await response.json()) as { snippets: { tool: string; url: string }[] };
    expect(rows.map(({ tool }) => tool)).toEqual(snippets.map(({ tool }) => tool));
    expect(rows[0]).toEqual({
      tool: 'prometheus',
      title: expect.any(String),
      file: 'prometheus.yml',
      media_type: 'application/yaml',
      https_only: false,
      needs: null,
      url: 'https://metrics.example.com/weir/api/v1/acme/snippets/prometheus',
    });
  });
});

describe('GET /api/v1/{project}/snippets/{tool}', () => {
  it.each(snippets)('is $tool for the client that asks, as a file of its kind', async ({ tool, mediaType }) => {
    const response = await get(`/${tool}`);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, `${mediaType}; charset=utf-8`]);
    const text = await response.text();
    expect(text).toContain(reader.clientId);
    expect(text).toContain('https://metrics.example.com/weir');
    expect(text).not.toContain(reader.clientSecret);
  });

  it('is of the project, of the external URL, with the usual places unless it is told others', async () => {
    expect(await jobAt('/prometheus')).toMatchObject({
      metrics_path: '/weir/api/v1/acme/metrics',
      scrape_interval: '60s',
      static_configs: [{ targets: ['metrics.example.com'], labels: { project: 'acme' } }],
      oauth2: { client_id: reader.clientId, client_secret_file: '/etc/weir/client-secret' },
    });
    const query = new URLSearchParams({ secret_file: '/run/s e:c', ca_file: "/it's", interval: '120s' });
    const job = await jobAt(`/prometheus?${query}`);
    expect(job).toMatchObject({
      scrape_interval: '120s',
      oauth2: { client_secret_file: '/run/s e:c', tls_config: { ca_file: "/it's" } },
    });
  });

  it('is of the endpoints that are named, once each', async () => {
    const paths = async (query: string) => {
      const { static_configs, metrics_path } = await jobAt(`/prometheus?${query}`);
      return static_configs.map(
        ({ labels }: { labels?: Record<string, string> }) => labels?.__metrics_path__ ?? metrics_path,
      );
    };
    expect(await paths('endpoint=db2')).toEqual(['/weir/api/v1/acme/db2/metrics']);
    expect(await paths('endpoint=db2&endpoint=db1&endpoint=db2')).toEqual([
      '/weir/api/v1/acme/db2/metrics',
      '/weir/api/v1/acme/db1/metrics',
    ]);
  });

  it('names no endpoint that the client does not see, be it there or not', async () => {
    const narrowed = await gateway.bearer('acme', ['read:metrics'], ['db2']);
    const answers = await Promise.all(
      ['db1', 'nothing'].map(async (id) => {
        const response = await get(`/prometheus?endpoint=${id}`, narrowed);
        return [response.status, await response.text()];
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]![0]).toBe(404);
    expect((await get('/prometheus?endpoint=db2', narrowed)).status).toBe(200);
  });

  it('is of another client when it is told so, of which it tells nothing', async () => {
    const id = `weir_cid_${'x'.repeat(22)}`;
    expect((await jobAt(`/prometheus?client_id=${id}`)).oauth2.client_id).toBe(id);
  });

  it('is for who comes with a scrape token or Basic, too', async () => {
    await gateway.admin.clients.setAllowBasic(reader.clientId, true);
    for (const header of [await gateway.scrapeToken(reader), basic(reader.clientId, reader.clientSecret)]) {
      expect((await jobAt('/prometheus', header)).oauth2.client_id).toBe(reader.clientId);
    }
  });

  it('refuses a tool that is not there, and what it does not know or cannot use', async () => {
    expect(await refused('/nagios', 404)).toEqual([undefined, expect.stringContaining('there are prometheus, ')]);
    expect(await refused('/curl?interval=5s', 400)).toEqual(['interval', expect.stringContaining('30s, 60s, 120s')]);
    expect(await refused('/curl?interval=30s&interval=60s', 400)).toEqual(['interval', expect.any(String)]);
    expect(await refused('/curl?secret_file=a%0Ab', 400)).toEqual(['secret_file', expect.any(String)]);
    expect(await refused('/curl?ca_file=%00', 400)).toEqual(['ca_file', expect.any(String)]);
    expect(await refused('/curl?client_id=admin', 400)).toEqual(['client_id', expect.any(String)]);
    expect(await refused('/curl?secret=x', 400)).toEqual(['secret', expect.stringContaining('there are endpoint, ')]);
    expect((await refused('/curl?access_token=x', 400))[0]).toBe('access_token');
  });

  it('counts as a scrape', async () => {
    await gateway.project('slow');
    await gateway.admin.projects.setLimits('slow', { scrapes_per_minute: 2 });
    const other = await gateway.bearer('slow', ['read:metrics']);
    const ask = async () => (await gateway.fetch('/api/v1/slow/snippets/curl', { bearer: other })).status;
    expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429]);
  });

  it('is read only', async () => {
    const response = await gateway.fetch('/api/v1/acme/snippets/curl', { method: 'PUT', bearer });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});
