import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestGateway } from '../../support/gateway.js';
import { type ApiRequest, api } from './api.js';

let gateway: TestGateway;
let own: string;

beforeAll(async () => {
  gateway = await TestGateway.boot({ limits: { series: 10 } });
  await gateway.project('acme', 'db1', 'db2');
  await gateway.project('rival', 'db1');
  own = await gateway.bearer('acme', ['read:endpoints', 'create:endpoints', 'update:endpoints', 'read:usage']);
});
afterAll(() => gateway.stop());

const at = '/projects/acme/endpoints/db1';
const ask = (line: string, body?: unknown, headers?: Record<string, string>, bearer = own) =>
  api(gateway, bearer, line, { body, ...(headers === undefined ? {} : { headers }) } as ApiRequest);
const limits = async (): Promise<unknown> => (await ask(`GET ${at}`)).body.limits;

describe('limits of an endpoint', () => {
  it('are set one by one, taken away by null and 0, and shown', async () => {
    expect(await limits()).toEqual({});
    const set = await ask(`PATCH ${at}`, { limits: { series: 5, samples_per_second: 9, body_inflated_bytes: 100 } });
    expect([set.status, set.body.limits]).toEqual([
      200,
      { body_inflated_bytes: 100, series: 5, samples_per_second: 9 },
    ]);
    await ask(`PATCH ${at}`, { limits: { series: 6, samples_per_second: null, body_inflated_bytes: 0 } });
    expect(await limits()).toEqual({ series: 6 });
    await ask(`PATCH ${at}`, { name: 'other' });
    expect(await limits()).toEqual({ series: 6 });
    const made = await ask('POST /projects/acme/endpoints', {
      name: 'new',
      limits: { series: 3, series_per_metric: 0 },
    });
    expect([made.status, made.body.limits]).toEqual([201, { series: 3 }]);
  });

  it('change the ETag, and are changed only where If-Match still holds', async () => {
    const before = (await ask(`GET ${at}`)).headers.get('etag')!;
    const changed = await ask(`PATCH ${at}`, { limits: { series: 7 } }, { 'if-match': before });
    expect([changed.status, changed.headers.get('etag') === before]).toEqual([200, false]);
    expect((await ask(`PATCH ${at}`, { limits: { series: 8 } }, { 'if-match': before })).status).toBe(412);
    expect(await limits()).toEqual({ series: 7 });
  });

  it('hold for the next push, and set by the customer widen nothing that the operator allows', async () => {
    const producer = await gateway.bearer('acme');
    const push = async (count: number) => {
      const body = Array.from({ length: count }, (_, i) => `a{i="${i}"} 1\n`).join('');
      const path = '/api/v1/acme/db1/metrics/job/app';
      return gateway.fetch(path, { method: 'PUT', body, bearer: producer, headers: { 'content-type': 'text/plain' } });
    };
    await ask(`PATCH ${at}`, { limits: { series: 4 } });
    const refused = await push(5);
    expect([refused.status, await refused.json()]).toMatchObject([
      422,
      { type: `${gateway.url}/docs/errors#limit_exceeded`, limit: 'series', limit_of: 'endpoint', max: 4, actual: 5 },
    ]);
    await ask(`PATCH ${at}`, { limits: { series: 1_000_000 } });
    const ofProject = await push(11);
    expect([ofProject.status, await ofProject.json()]).toMatchObject([422, { limit: 'series', max: 10, actual: 11 }]);
    expect((await push(10)).status).toBe(200);
    const { body } = await ask('GET /projects/acme/cardinality');
    expect(body.endpoints).toEqual([{ metrics_id: 'db1', series: 10, limits: { series: 1_000_000 } }]);
  });

  it('are changed by nobody without a token, the scope, or the project', async () => {
    const before = await limits();
    const change = { limits: { series: 1 } };
    expect((await ask(`PATCH ${at}`, change, undefined, '')).status).toBe(401);
    const reader = await gateway.bearer('acme', ['read:endpoints']);
    expect((await ask(`PATCH ${at}`, change, undefined, reader)).status).toBe(403);
    const rival = await gateway.bearer('rival', ['update:endpoints']);
    expect((await ask(`PATCH ${at}`, change, undefined, rival)).status).toBe(404);
    expect(await limits()).toEqual(before);
  });
});
