import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let operator: Credentials;
let bearer: string;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  operator = await gateway.client(null, ['read:projects', 'create:clients']);
  bearer = await gateway.bearerOf(operator);
});
afterAll(() => gateway.stop());

const introspect = async (token: string, { clientId, clientSecret }: Credentials): Promise<Record<string, unknown>> => {
  const response = await gateway.fetch('/oauth/introspect', {
    method: 'POST',
    headers: { authorization: basic(clientId, clientSecret) },
    body: new URLSearchParams({ token }),
  });
  return (await response.json()) as Record<string, unknown>;
};

describe('the token of an operator client', () => {
  it('names no project', () => {
    const claims = decodeJwt(bearer.slice('Bearer '.length));
    expect(claims).not.toHaveProperty('project');
    expect(claims.scope).toBe('read:projects create:clients');
  });

  it.each([
    ['GET', 'acme/db1/metrics'],
    ['GET', 'acme/metrics'],
    ['PUT', 'acme/db1/metrics/job/a'],
    ['POST', 'acme/db1/metrics/job/a'],
    ['DELETE', 'acme/db1/metrics/job/a'],
    ['GET', 'null/metrics'],
    ['GET', 'undefined/metrics'],
  ])('opens no metrics: %s %s is as if it were not there', async (method, path) => {
    const init = { method, bearer, ...(method === 'PUT' || method === 'POST' ? { body: 'a 1\n' } : {}) };
    const [there, nowhere] = await Promise.all([
      gateway.fetch(`/api/v1/${path}`, init),
      gateway.fetch(`/api/v1/${path.replace(/^[^/]+/, 'nowhere')}`, init),
    ]);
    expect([there.status, await there.text()]).toEqual([404, await nowhere.text()]);
  });

  it('opens none either when the page is in the cache', async () => {
    await gateway.page('acme/metrics', await gateway.bearer('acme'));
    expect((await gateway.fetch('/api/v1/acme/metrics', { bearer })).status).toBe(404);
  });

  it('is known to operator clients, and to no client of a project', async () => {
    const token = bearer.slice('Bearer '.length);
    const answer = await introspect(token, operator);
    expect(answer).toMatchObject({ active: true, client_id: operator.clientId, scope: 'read:projects create:clients' });
    expect(answer).not.toHaveProperty('project');
    expect(await introspect(token, await gateway.client('acme', ['read:metrics']))).toEqual({ active: false });
    const ofProject = (await gateway.bearer('acme')).slice('Bearer '.length);
    expect(await introspect(ofProject, operator)).toEqual({ active: false });
  });

  it("may be asked for in Auth0's spelling of the scopes", async () => {
    const { clientId, clientSecret } = await gateway.client(null, ['read:event_streams', 'update:event_deliveries']);
    const form = { grant_type: 'client_credentials', scope: 'read:event_streams' };
    const answer = await gateway.token(form, basic(clientId, clientSecret));
    expect(await answer.json()).toMatchObject({ scope: 'read:metric_streams' });
  });
});

it('outlives every project, and goes on after a restart', async () => {
  const kept = await TestGateway.boot();
  const own = await kept.client(null, ['read:projects']);
  await kept.project('gone');
  await kept.admin.projects.delete('gone');
  await kept.restart();
  expect(await kept.bearerOf(own)).toMatch(/^Bearer /);
  await kept.stop();
});
