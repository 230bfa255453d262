import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { sourceJson } from '../../src/admin/source-shape.js';
import { samples } from '../support/gateway.js';
import { becomes, boot, closesAfterEach, json, patience, pulledAgain, text, upstream } from './front-door.js';

closesAfterEach();

const wanted = (url: string, more: object = {}) => ({ name: 'app', metrics_id: 'db', type: 'exporter', url, ...more });
const canary = 'SECRET-CANARY/1';

it('a source gets its credentials, and nobody else sees them', async () => {
  const { gateway, bearer } = await boot();
  let expected = '';
  const asked = await upstream(({ path, headers, body }) => {
    if (path === '/token') {
      const [id, secret] = Buffer.from(headers.authorization!.split(' ')[1]!, 'base64').toString().split(':');
      const form = new URLSearchParams(body.toString());
      const isRight = id === 'weir' && decodeURIComponent(secret!) === canary && form.get('scope') === 'read';
      return isRight ? json({ access_token: 'token-1', expires_in: 300, token_type: 'Bearer' }) : json({}, 401);
    }
    return headers.authorization === expected ? text('jobs 1\n') : { status: 401, body: canary };
  });
  const { sources } = gateway.admin;
  const { id } = await sources.create('acme', wanted(asked.url));
  expect((await becomes(gateway, id, 'down')).reason).toBe('It answered 401.');
  const oauth2 = {
    type: 'oauth2',
    client_id: 'weir',
    client_secret: canary,
    token_url: `${asked.url}/token`,
    scope: 'read',
  };
  for (const [auth, header] of [
    [{ type: 'bearer', token: canary }, `Bearer ${canary}`],
    [
      { type: 'basic', username: 'weir', password: canary },
      `Basic ${Buffer.from(`weir:${canary}`).toString('base64')}`,
    ],
    [oauth2, 'Bearer token-1'],
  ] as const) {
    expected = header;
    const changed = await sources.update(id, { auth });
    expect(JSON.stringify(sourceJson(changed))).not.toContain(canary);
    expect(sourceJson(changed).auth).toMatchObject({ type: auth.type });
    await becomes(gateway, id, 'up');
  }
  // The secret stays as long as all goes to the same host, the address with another path included.
  await sources.update(id, { auth: { ...oauth2, client_secret: '***' }, url: `${asked.url}/other` });
  await becomes(gateway, id, 'up');
  for (const change of [
    { url: 'https://elsewhere.example/' },
    { auth: { ...oauth2, client_secret: '***', token_url: 'https://elsewhere.example/' } },
    { url: 'https://elsewhere.example/', auth: { ...oauth2, client_secret: '***' } },
  ]) {
    await expect(sources.update(id, change)).rejects.toThrow('would go to another host');
  }
  await expect(sources.update(id, { auth: { type: 'bearer', token: '***' } })).rejects.toThrow('There is no token');
  const told = [
    gateway.logs,
    await sources.get(id),
    await gateway.page('acme/db/metrics', bearer),
    await gateway.admin.audit.list({ limit: 100 }),
  ];
  expect(JSON.stringify(told)).not.toContain(canary);
  for (const ending of ['', '-wal']) {
    expect(readFileSync(`${gateway.config.storage.path}${ending}`).includes(canary)).toBe(false);
  }
  const values = (await gateway.admin.encryption.check()).map(({ value }) => value);
  expect(values).toContain('source.secrets');
  await gateway.admin.encryption.rotate(true);
  await gateway.restart();
  await becomes(gateway, id, 'up');
  await pulledAgain(gateway, asked, 15_000);
  await becomes(gateway, id, 'up');
});

it('an access token serves until shortly before its end, and a refused one is asked for anew', async () => {
  const { gateway } = await boot();
  let tokens = 0;
  let good = '';
  const asked = await upstream(({ path, headers }) => {
    if (path === '/token') {
      good = `token-${++tokens}`;
      return json({ access_token: good, expires_in: 60 });
    }
    return headers.authorization === `Bearer ${good}` ? text('jobs 1\n') : { status: 401 };
  });
  const auth = { type: 'oauth2', client_id: 'weir', client_secret: 's', token_url: `${asked.url}/token` };
  const { id } = await gateway.admin.sources.create('acme', wanted(asked.url, { auth }));
  await becomes(gateway, id, 'up');
  await pulledAgain(gateway, asked, 15_000);
  await pulledAgain(gateway, asked, 15_000);
  expect(tokens).toBe(1);
  await pulledAgain(gateway, asked, 15_000, 2);
  await expect.poll(() => tokens, patience).toBe(2);
  good = 'revoked';
  await pulledAgain(gateway, asked, 15_000, 3);
  await expect.poll(() => tokens, patience).toBe(3);
  await becomes(gateway, id, 'up');
  expect(await gateway.operatorValue('weir_source_pulls_total{type="exporter",result="failed"}')).toBe(0);
});

it('only what the operator allows is reached', async () => {
  const { gateway } = await boot({ allowedNetworks: [], allowHttp: false });
  const asked = await upstream(() => text('jobs 1\n'));
  const said = async (url: string) => (await gateway.admin.sources.testNew('acme', wanted(url))).error;
  expect(await said(asked.url)).toBe(
    'The URL must be an https one. The operator allows http with --sources.allow-http.',
  );
  const refusal = await said(`https://127.0.0.1:${asked.port}`);
  expect(refusal).toBe(
    'The host cannot be used: it must have a public address, and the port must be 443 or 4318. ' +
      'The operator allows other addresses and ports with --sources.allowed-networks.',
  );
  expect(await said('https://169.254.169.254/latest')).toBe(refusal);
  const { gateway: other } = await boot({ allowedNetworks: ['10.0.0.0/8'] });
  expect(await other.admin.sources.testNew('acme', wanted(asked.url))).toMatchObject({ pulled: false, error: refusal });
  expect(asked.requests).toEqual([]);
});

it('what cannot be a page is refused, and says why', async () => {
  const { gateway } = await boot({ limits: { series: 5, value_length_bytes: 50 } });
  let answer: ReturnType<typeof text> | { status: number; headers?: Record<string, string>; body?: Buffer } = text('');
  const asked = await upstream(() => answer);
  const { sources } = gateway.admin;
  const said = async (more: object = {}) => (await sources.testNew('acme', wanted(asked.url, more))).error;
  const html = { 'content-type': 'text/html' };
  for (const [next, sentence, more] of [
    [text('weir_source_up 1\n'), "the gateway's own", {}],
    [text('jobs one\n'), 'is not a number', {}],
    [text(`jobs{a="${'x'.repeat(60)}"} 1\n`), 'value_length_bytes', {}],
    [{ status: 200, headers: html, body: Buffer.from('<html>') }, 'no metrics page', {}],
    [{ status: 302, headers: { location: 'http://127.0.0.1/' } }, 'redirect', {}],
    [text('jobs 1\n'.repeat(100)), 'larger than 20 bytes', { body_size_limit: 20 }],
    [
      { ...text(''), headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(1e6)) },
      'larger than',
      { body_size_limit: 10_000 },
    ],
    [{ status: 200, headers: { 'content-encoding': 'gzip' }, body: Buffer.from('no gzip') }, 'broken gzip', {}],
  ] as const) {
    answer = next as typeof answer;
    expect(await said(more)).toContain(sentence);
  }
  answer = text('a 1\nb 1\nc 1\n');
  const { id } = await sources.create('acme', wanted(asked.url, { sample_limit: 2 }));
  const tooMany = 'The source has 3 series, more than its sample_limit = 2.';
  expect((await becomes(gateway, id, 'down')).reason).toBe(tooMany);
  expect(await sources.test(id)).toMatchObject({ pulled: false, error: tooMany, series: 0 });
  expect(await said({ sample_limit: 2 })).toBe(tooMany);
  expect(await said({ sample_limit: 3 })).toBeNull();
  await sources.update(id, { sample_limit: 0 });
  await becomes(gateway, id, 'up');
  answer = text('a 1\nb 1\nc 1\nd 1\ne 1\nf 1\n');
  await pulledAgain(gateway, asked, 15_000);
  expect((await becomes(gateway, id, 'down')).reason).toContain('series = 5');
  expect(await gateway.operatorValue('weir_source_pulls_total{type="exporter",result="refused"}')).toBe(2);
});

it('text and OpenMetrics are understood, with gzip, exemplars and times, which are dropped', async () => {
  const { gateway, bearer } = await boot();
  const open = '# TYPE a counter\na_total 5 1767268800.5 # {trace_id="x"} 1 1767268800\n# EOF\n';
  const asked = await upstream(({ path, headers }) => {
    expect(headers['accept-encoding']).toBe('gzip');
    if (path === '/text') return text('# TYPE b gauge\nb{c="d"} 2 1767268800000\nb 3 -5\n');
    const type = 'application/openmetrics-text; version=1.0.0';
    return { status: 200, headers: { 'content-type': type, 'content-encoding': 'gzip' }, body: gzipSync(open) };
  });
  const { sources } = gateway.admin;
  for (const [name, label] of [
    ['text', 'one'],
    ['open', 'two'],
  ] as const) {
    const { id } = await sources.create('acme', wanted(`${asked.url}/${name}`, { name, labels: { job: label } }));
    await becomes(gateway, id, 'up');
  }
  expect(samples(await gateway.page('acme/db/metrics', bearer))).toEqual([
    'a_total{instance_id="db",job="two"} 5',
    'b{c="d",instance_id="db",job="one"} 2',
    'b{instance_id="db",job="one"} 3',
  ]);
  const openPage = await gateway.page('acme/db/metrics', bearer, 'application/openmetrics-text');
  expect(openPage).toContain('a_total{instance_id="db",job="two"} 5 # {trace_id="x"} 1 1767268800');
});

it('two sources, or a source and a push, that have the same series: who comes second is refused', async () => {
  const { gateway, bearer } = await boot();
  const asked = await upstream(() => text('jobs{job="a"} 1\n'));
  const { sources } = gateway.admin;
  const first = await sources.create('acme', wanted(asked.url));
  await becomes(gateway, first.id, 'up');
  const second = await sources.create('acme', wanted(asked.url, { name: 'twin' }));
  expect((await becomes(gateway, second.id, 'down')).reason).toContain('is in another push group or source');
  const pushed = await gateway.fetch('/api/v1/acme/db/metrics/job/a', { method: 'PUT', bearer, body: 'jobs 2\n' });
  expect(pushed.status).toBe(400);
  await sources.update(second.id, { labels: { job: 'b' } });
  await becomes(gateway, second.id, 'up');
  const other = await gateway.fetch('/api/v1/acme/db/metrics/job/b', { method: 'PUT', bearer, body: 'jobs 2\n' });
  expect(other.status).toBe(400);
});
