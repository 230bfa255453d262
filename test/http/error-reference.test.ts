import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorReference } from '../../scripts/error-reference.js';
import { errorEntries } from '../../src/http/error-reference/entries.js';
import { basic, TestGateway } from '../support/gateway.js';
import { request1, send } from '../support/remote-write.js';

let gateway: TestGateway;
let bearer: string;
let pageText: string;

beforeAll(async () => {
  gateway = await TestGateway.boot({ limits: { series: 2, body_inflated_bytes: 50_000 } });
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
  pageText = await (await gateway.fetch('/docs/errors')).text();
});
afterAll(() => gateway.stop());

const anchorsIn = (text: string): string[] => [...text.matchAll(/<(?:a|section) id="(\w+)"/g)].map(([, id]) => id!);
const topics = Object.keys(errorEntries).sort();

describe('the page of errors', () => {
  it('is for everybody, may be kept for a while, and neither runs nor loads anything nor sets a cookie', async () => {
    const response = await fetch(`${gateway.url}/docs/errors`);
    expect(response.status).toBe(200);
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; /);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await response.text()).not.toMatch(/<(script|link|img|iframe|form)|\bon\w+=|\bsrc=|style="|https?:/);
  });

  it('is answered to HEAD, and to no other method', async () => {
    const head = await gateway.fetch('/docs/errors', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const post = await gateway.fetch('/docs/errors', { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('has one entry for every code there is, and so has docs/errors.md', () => {
    expect(anchorsIn(pageText).sort()).toEqual(topics);
    expect(anchorsIn(readFileSync('docs/errors.md', 'utf8')).sort()).toEqual(topics);
    for (const [, anchor] of pageText.matchAll(/href="#(\w+)"/g)) expect(pageText).toContain(`id="${anchor}"`);
  });

  it('is what docs/errors.md says, which is written by its script', () => {
    expect(readFileSync('docs/errors.md', 'utf8')).toBe(errorReference());
  });

  it.each(topics)('says of %s what it means, why it comes and what to do, and what was seen of it', (topic) => {
    const { means, causes, seen = {} } = errorEntries[topic as keyof typeof errorEntries];
    const escaped = (text: string) =>
      text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;').replace(/'/g, '&#39;');
    expect(causes.length).toBeGreaterThan(0);
    const section = pageText.split(`<section id="${topic}">`)[1]!.split('</section>')[0]!;
    for (const text of [means, ...causes.flatMap(({ cause, cure }) => [cause, cure])]) {
      expect(text).toMatch(/\.$/);
      expect(section).toContain(escaped(text));
    }
    // Its tables are held against the programs themselves in test/e2e/troubleshooting.test.ts.
    const tried = readFileSync('docs/troubleshooting.md', 'utf8');
    for (const words of Object.values(seen)) {
      expect(tried).toContain(`| \`${words}\``);
      expect(section).toContain(escaped(words));
    }
  });
});

/** The links of an answer: of its body, and of its challenge. */
async function linksOf(response: Response): Promise<string[]> {
  const body = (await response.json()) as { type?: string; error_uri?: string; message?: string };
  const challenged = /error_uri="([^"]*)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1];
  const inMessage = / See (\S+)$/.exec(body.message ?? '')?.[1];
  return [body.type, body.error_uri, inMessage, challenged].filter((link) => link !== undefined);
}

const page = '/api/v1/acme/db1/metrics';
const token = (form: Record<string, string> | string, authorization?: string) => () =>
  gateway.token(form, authorization);
const get =
  (path: string, init: RequestInit & { bearer?: string } = {}) =>
  () =>
    gateway.fetch(path, { bearer, ...init });
const put = (body: string, type = 'text/plain') =>
  get(page, { method: 'PUT', body, headers: { 'content-type': type } });
const otlp = (body: string) => ({ method: 'POST', body, headers: { 'content-type': 'application/json' } });
const series = (name: string) => ({ labels: { __name__: name }, samples: [[1, gateway.clock.now()]] as const });
const grant = { grant_type: 'client_credentials' };

const refusals: [topic: string, places: number, ask: () => Promise<Response>][] = [
  ['invalid_client', 1, token(grant, basic('weir_cid_nobody', 'wrong'))],
  ['invalid_request', 1, token('grant_type=a&grant_type=b')],
  ['invalid_request', 1, () => gateway.fetch('/oauth/token')],
  ['unauthenticated', 1, () => gateway.fetch(page)],
  ['wrong_credentials', 1, get(page, { bearer: basic('weir_cid_nobody', 'wrong') })],
  ['invalid_token', 2, get(page, { bearer: 'Bearer no' })],
  ['invalid_token', 2, get('/api/v2/projects', { bearer: 'Bearer no' })],
  ['invalid', 2, get(`${page}?access_token=x`)],
  ['insufficient_scope', 2, get('/api/v2/projects')],
  ['not_found', 1, get('/api/v1/acme/db9/metrics')],
  ['not_found', 1, get('/api/v1/rival/db1/metrics')],
  ['no_such_path', 1, get('/api/v1/acme')],
  ['no_such_path', 1, get('/api/v2/nothing')],
  ['no_such_path', 1, get('/oauth/tokens')],
  ['method_not_allowed', 1, get(page, { method: 'PATCH' })],
  ['method_not_allowed', 1, get('/api/v2/projects', { method: 'PUT' })],
  ['invalid', 1, put('a b c\n')],
  ['unsupported_media_type', 1, put('a 1\n', 'text/html')],
  ['too_large', 1, put(`a ${'1'.repeat(100_000)}\n`)],
  ['limit_exceeded', 1, put('a 1\nb 1\nc 1\n')],
  ['partly_refused', 1, () => send(gateway, 'acme/db1', bearer, request1(['a', 'b', 'c'].map(series)))],
  ['invalid', 1, get(`${page.replace('metrics', 'otlp')}/v1/metrics`, otlp('{'))],
  ['invalid_token', 2, get(`${page.replace('metrics', 'otlp')}/v1/metrics`, { ...otlp('{}'), bearer: 'Bearer no' })],
];

describe('an error', () => {
  it.each(refusals)('%s links to its entry, in %i places', async (topic, places, ask) => {
    const links = await linksOf(await ask());
    expect(links).toEqual(Array(places).fill(`${gateway.url}/docs/errors#${topic}`));
    expect(anchorsIn(pageText)).toContain(topic);
  });

  it("links to the operator's own page, where there is one", async () => {
    const docsUrl = 'https://docs.example.com/metrics/errors';
    const other = await TestGateway.boot({ docsUrl });
    const invalidToken = await other.fetch(page, { bearer: 'Bearer no' });
    expect(await linksOf(invalidToken)).toEqual(Array(2).fill(`${docsUrl}#invalid_token`));
    expect(await linksOf(await other.token(grant))).toEqual([`${docsUrl}#invalid_client`]);
    expect(await linksOf(await other.fetch('/api/v2/nothing'))).toEqual([`${docsUrl}#no_such_path`]);
    await other.stop();
  });

  it('links to the external URL, behind a proxy', async () => {
    const externalUrl = 'https://metrics.example.com';
    const other = await TestGateway.boot({ externalUrl });
    expect(await linksOf(await other.fetch(page))).toEqual([`${externalUrl}/docs/errors#unauthenticated`]);
    await other.stop();
  });

  it('links to one place for a known and an unknown client, also when guesses are throttled', async () => {
    const { clientId } = await gateway.client('acme', ['read:metrics']);
    const bodies = async (id: string): Promise<string[]> => {
      const all: string[] = [];
      for (let i = 0; i < 22; i++) all.push(await (await gateway.token(grant, basic(id, `guess${i}`))).text());
      return [...new Set(all)];
    };
    const known = await bodies(clientId);
    expect(known).toEqual(await bodies('weir_cid_nobody2'));
    expect(known.map((body) => (JSON.parse(body) as { error_uri: string }).error_uri.split('#')[1])).toEqual([
      'invalid_client',
      'rate_limited',
    ]);
  });
});
