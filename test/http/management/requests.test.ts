import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { managementScopes } from '../../../src/domain/scopes.js';
import { TestGateway } from '../../support/gateway.js';
import { type ApiRequest, api } from './api.js';

let gateway: TestGateway;
let operator: string;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  operator = await gateway.bearer(null, [...managementScopes]);
});
afterAll(() => gateway.stop());

const ask = (line: string, request?: ApiRequest) => api(gateway, operator, line, request);
const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const clientKeys = '/clients/weir_cid_none/keys';

describe('a malformed request is refused with the field that is wrong:', () => {
  it.each<[line: string, body: unknown, field: string | undefined, sentence: string]>([
    ['POST /projects', {}, 'name', 'The field name is missing.'],
    ['POST /projects', { name: 5 }, 'name', 'The field name does not fit: expected string, received number.'],
    ['POST /projects', { name: ' ' }, 'name', 'The project name must be 1 to 200 characters'],
    ['POST /projects', { name: 'a', id: 'a/b' }, 'id', 'The project id "a/b" must be 1 to 64'],
    ['POST /projects', { name: 'a', colour: 1 }, 'colour', 'There is no field "colour" here.'],
    ['POST /projects', { name: 'a', limits: { serie: 1 } }, 'limits.serie', 'There is no field "limits.serie" here.'],
    ['POST /projects', { name: 'a', limits: { series: -1 } }, 'limits.series', 'The field limits.series does not fit'],
    ['POST /projects', { name: 'a', limits: { series: 1.5 } }, 'limits.series', 'The field limits.series does not fit'],
    [
      'POST /projects',
      { name: 'a', limits: { series: null } },
      'limits.series',
      'The field limits.series does not fit',
    ],
    ['POST /projects', '{"name":"a","__proto__":{"id":"x"}}', '__proto__', 'There is no field "__proto__" here.'],
    ['POST /projects', '{"name":"a","constructor":1}', 'constructor', 'There is no field "constructor" here.'],
    ['POST /projects', '[]', undefined, 'The body must be a JSON object.'],
    ['POST /projects', 'null', undefined, 'The body must be a JSON object.'],
    ['POST /projects', '{"name":', undefined, 'The body is not well-formed JSON'],
    ['POST /projects', nested(17), undefined, 'The body is nested more than 16 levels deep.'],
    ['POST /projects', nested(20_000), undefined, 'The body is nested more than 16 levels deep.'],
    ['POST /projects', nested(16), 'name', 'The field name is missing.'],
    ['PATCH /projects/acme', {}, undefined, 'Nothing to set'],
    ['PATCH /projects/acme/endpoints/db1', {}, undefined, 'Nothing to set'],
    ['PATCH /projects/acme/endpoints/db1', { lifetime: '5' }, 'lifetime', '"5" is not a duration'],
    ['PATCH /projects/acme/endpoints/db1', { lifetime: '1ms' }, 'lifetime', 'The lifetime must be 1s to 366d'],
    [
      'PATCH /projects/acme/endpoints/db1',
      { metadata: { 'a-b': 'x' } },
      'metadata',
      'The name of metadata "a-b" must be',
    ],
    [
      'PATCH /projects/acme/endpoints/db1',
      { limits: { streams: 1 } },
      'limits.streams',
      'There is no field "limits.streams" here.',
    ],
    ['PATCH /projects/acme/endpoints/db1', { limits: { series: -1 } }, 'limits.series', 'limits.series does not fit'],
    ['PATCH /projects/acme/endpoints/db1', { limits: 5 }, 'limits', 'The field limits does not fit'],
    ['PATCH /projects/acme/endpoints/db1', { timestamps: 'on' }, 'timestamps', 'The field timestamps does not fit'],
    ['PATCH /projects/acme/endpoints/db1', { metrics_id: 'x' }, 'metrics_id', 'There is no field "metrics_id" here.'],
    [
      'POST /projects/acme/endpoints',
      { name: 'a', metrics_id: 'metrics' },
      'metrics_id',
      'is taken by the project page',
    ],
    ['POST /clients', { name: 'a', scope: 'read:metrics' }, 'project_id', 'Give either project_id'],
    ['POST /clients', { name: 'a', scope: 'admin', project_id: 'acme' }, 'scope', 'The scope "admin" is unknown'],
    ['POST /clients', { name: 'a', scope: '', project_id: 'acme' }, 'scope', 'A client needs a scope'],
    ['POST /clients', { name: 'a', scope: 'read:metrics', operator: true }, 'scope', 'An operator client cannot have'],
    [
      'POST /clients',
      { name: 'a', scope: 'read:bans', operator: true, project_id: 'acme' },
      'project_id',
      'Give either',
    ],
    [
      'POST /clients',
      { name: 'a', scope: 'read:bans', operator: false },
      'operator',
      'The field operator does not fit',
    ],
    [
      'POST /clients',
      { name: 'a', scope: 'read:metrics', project_id: 'acme', endpoints: [] },
      'endpoints',
      'endpoints',
    ],
    [`POST ${clientKeys}`, { pem: 'x', jwks: 1 }, 'jwks', 'There is no field "jwks" here.'],
    ['POST /clients/weir_cid_none/rotate', { overlap: 'soon' }, 'overlap', '"soon" is not a duration'],
    ['PATCH /clients/weir_cid_none', { jwks_url: 'http://a.example' }, 'jwks_url', 'must be an https URL'],
    ['PATCH /clients/weir_cid_none', { project_id: 'acme' }, 'project_id', 'There is no field "project_id" here.'],
    ['PATCH /clients/weir_cid_none', { endpoints: [] }, 'endpoints', 'endpoints'],
    ['POST /signing-keys/rotate', { alg: 'none' }, 'alg', 'The field alg does not fit'],
    ['GET /projects?limit=0', undefined, 'limit', 'The field limit does not fit: a whole number from 1 to 200.'],
    ['GET /projects?limit=201', undefined, 'limit', 'from 1 to 200'],
    ['GET /projects?limit=1&limit=2', undefined, 'limit', 'The parameter limit appears twice.'],
    ['GET /projects?cursor=garbage', undefined, 'cursor', 'The cursor is not one of this list'],
    ['GET /projects?cursor=WzEsMl0', undefined, 'cursor', 'The cursor is not one of this list'],
    ['GET /projects?access_token=a', undefined, 'access_token', 'Tokens are not taken from the URL'],
    ['GET /audit-events?since=yesterday', undefined, 'since', 'a time such as 2026-01-01T12:00:00Z'],
    ['GET /projects/acme?colour=red', undefined, 'colour', 'There is no field "colour" here.'],
    ['DELETE /bans/a?addresses=1', undefined, 'addresses', 'There is no field "addresses" here.'],
  ])('%s with %j', async (line, body, field, sentence) => {
    const answer = await ask(line, { body });
    expect(answer.status).toBe(400);
    expect(answer.body.field).toBe(field);
    expect(answer.body.detail).toContain(sentence);
  });

  it('a body that is no UTF-8', async () => {
    const response = await gateway.fetch('/api/v2/projects', {
      method: 'POST',
      bearer: operator,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from([0x22, 0xff, 0x22]),
    });
    expect(response.status).toBe(400);
  });

  it.each(['', 'a b', 'x'.repeat(256), '""', 'ä'])('an Idempotency-Key of %j', async (key) => {
    const answer = await ask('POST /projects', { body: { name: 'a' }, headers: { 'idempotency-key': key } });
    expect([answer.status, answer.body.field]).toEqual([400, 'Idempotency-Key']);
  });
});

describe('too many requests', () => {
  it('of an operator client are refused by the limit in the configuration, and of no other', async () => {
    const limited = await TestGateway.boot({ limits: { api_requests_per_minute: 2 } });
    const [one, other] = [await limited.bearer(null, ['read:bans']), await limited.bearer(null, ['read:bans'])];
    const statuses = [];
    for (const bearer of [one, one, one, other]) statuses.push((await api(limited, bearer, 'GET /bans')).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
    limited.clock.advance(30_000);
    expect((await api(limited, one, 'GET /bans')).status).toBe(200);
    await limited.stop();
  });
});

describe('a path', () => {
  it('that is not there is 404, with a token and without', async () => {
    for (const path of ['/nothing', '/projects/', '/projects/a/b', '/openapi.yaml', '/..%2Fv1', '']) {
      const response = await gateway.fetch(`/api/v2${path}`, { bearer: operator });
      expect([path, response.status]).toEqual([path, 404]);
      expect((await gateway.fetch(`/api/v2${path}`)).status).toBe(404);
    }
  });

  it('says which methods it takes', async () => {
    const answer = await ask('PUT /projects/acme');
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, PATCH, DELETE']);
    const document = await ask('POST /openapi.json');
    expect([document.status, document.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('answers HEAD as GET, without the body', async () => {
    const get = await ask('GET /projects/acme');
    const head = await gateway.fetch('/api/v2/projects/acme', { method: 'HEAD', bearer: operator });
    expect([head.status, head.headers.get('etag')]).toEqual([200, get.headers.get('etag')]);
    expect(await head.text()).toBe('');
  });

  it('takes ids with escapes in them, and finds nothing under them', async () => {
    for (const id of ['a%2Fb', '%00', '%ff', '..', '__proto__', 'acme%20']) {
      const answer = await gateway.fetch(`/api/v2/projects/${id}/endpoints`, { bearer: operator });
      expect([id, answer.status < 500]).toEqual([id, true]);
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
  });
});
