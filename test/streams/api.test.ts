import { expect, it } from 'vitest';
import { asCommand } from '../storage/second-store.js';
import type { TestGateway } from '../support/gateway.js';
import { boot, closesAfterEach, datadog, recorder, until } from './front-door.js';

closesAfterEach();

const scope = ['create', 'read', 'update', 'delete'].map((verb) => `${verb}:event_streams`);

function api(gateway: TestGateway, bearer: string) {
  return async (
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; json: Record<string, unknown> }> => {
    const response = await gateway.fetch(`/api/v2/metric-streams${path}`, {
      method,
      bearer,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    return { status: response.status, json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
}

it("a project's client with Auth0's scopes makes, shows, stops and deletes a stream as Auth0's page says", async () => {
  const gateway = await boot();
  await gateway.project('acme', 'db');
  const server = await recorder();
  const client = await gateway.client('acme', [...scope, 'read:event_deliveries', 'update:event_deliveries']);
  const ask = api(gateway, await gateway.bearerOf(client));
  const made = await ask('POST', '', datadog(server, [{ metric_type: 'auth0.api_request.count' }]));
  expect(made.status).toBe(201);
  const { id } = made.json as { id: string };
  expect(made.json).toMatchObject({
    id: expect.stringMatching(/^mst_/),
    status: 'enabled',
    destination: { type: 'datadog', configuration: { api_key: '***', url: server.url } },
  });
  expect((await ask('GET', '')).json).toMatchObject({ metric_streams: [{ id }], next: null });
  // The API's own requests are among those that are counted.
  gateway.clock.advance(10_000);
  await until(() => server.taken.length, 1);
  expect(server.taken[0]!.body.toString()).toContain('"operation_name:GET /api/v2/metric-streams"');
  expect(server.taken[0]!.body.toString()).toContain('"api:MANAGEMENT"');
  await expect
    .poll(async () => (await ask('GET', `/${id}/deliveries`)).json)
    .toMatchObject({
      deliveries: [{ stream_id: id, status: 'delivered', attempts: [{ status: 202 }] }],
      next: null,
    });
  const { deliveries } = (await ask('GET', `/${id}/deliveries`)).json as { deliveries: { id: string }[] };
  const again = await ask('POST', `/${id}/redeliver`, { delivery_id: deliveries[0]!.id });
  expect(again).toMatchObject({ status: 200, json: { redelivered: 1 } });
  await until(() => server.taken.length, 2);
  expect(server.taken[1]!.body.equals(server.taken[0]!.body)).toBe(true);
  expect(await ask('PATCH', `/${id}`, { status: 'disabled' })).toMatchObject({
    status: 200,
    json: { status: 'disabled' },
  });
  expect((await ask('POST', `/${id}/redeliver`, { from: '2026-01-01T00:00:00Z' })).status).toBe(409);
  expect(await ask('POST', `/${id}/test`)).toMatchObject({ status: 200, json: { delivered: true, status: 202 } });
  expect((await ask('DELETE', `/${id}`)).status).toBe(204);
  expect((await ask('GET', `/${id}`)).status).toBe(404);
});

it('an operator names the project, another project sees nothing, and an unknown field is refused by its name', async () => {
  const gateway = await boot();
  for (const id of ['acme', 'other']) await gateway.project(id, 'db');
  const server = await recorder();
  const operator = api(gateway, await gateway.bearer(null, ['create:metric_streams', 'read:metric_streams']));
  expect(await operator('POST', '', datadog(server))).toMatchObject({ status: 400, json: { field: 'project_id' } });
  const made = await operator('POST', '', { ...datadog(server), project_id: 'acme' });
  expect(made).toMatchObject({ status: 201, json: { project_id: 'acme' } });
  const stranger = api(
    gateway,
    await gateway.bearer(
      'other',
      scope.map((each) => each.replace('event', 'metric')),
    ),
  );
  expect((await stranger('GET', `/${String(made.json.id)}`)).status).toBe(404);
  expect((await stranger('GET', '')).json).toEqual({ metric_streams: [], next: null });
  expect((await stranger('POST', '', { ...datadog(server), project_id: 'acme' })).status).toBe(404);
  expect(await operator('POST', '', { ...datadog(server), project_id: 'acme', colour: 'red' })).toMatchObject({
    status: 400,
    json: { field: 'colour' },
  });
});

it('secrets are among what a rotation of encryption keys encrypts anew', async () => {
  const gateway = await boot();
  await gateway.project('acme', 'db');
  const server = await recorder();
  const { id } = await gateway.admin.streams.create('acme', datadog(server));
  await until(() => server.taken.length, 1);
  const { key, values } = await asCommand(gateway, ({ encryption }) => encryption.rotate(true));
  expect(values).toBe(3);
  const checked = await asCommand(gateway, ({ encryption }) => encryption.check());
  expect(checked.find(({ row }) => row === id)).toMatchObject({ value: 'metric_stream.secrets', key, line: 1 });
  await gateway.restart();
  gateway.clock.advance(30_000);
  await until(() => server.taken.length, 2);
  expect(server.taken[1]!.headers['dd-api-key']).toBe('dd-canary-key');
});

it('whoever changes a stream need not have seen how its deliveries go', async () => {
  const gateway = await boot();
  await gateway.project('acme', 'db');
  const server = await recorder();
  server.answer = () => ({ status: 401 });
  const bearer = await gateway.bearer('acme', scope);
  const { id } = (await api(gateway, bearer)('POST', '', datadog(server))).json as { id: string };
  const read = () => gateway.fetch(`/api/v2/metric-streams/${id}`, { bearer });
  const etag = (await read()).headers.get('etag')!;
  await expect
    .poll(async () => (await (await read()).json()) as object)
    .toMatchObject({ health: { status: 'credential_error' } });
  expect((await read()).headers.get('etag')).toBe(etag);
  const rename = async (name: string, tag: string) => {
    const headers = { 'content-type': 'application/json', 'if-match': tag };
    const body = JSON.stringify({ name });
    return gateway.fetch(`/api/v2/metric-streams/${id}`, { method: 'PATCH', bearer, headers, body });
  };
  const renamed = await rename('renamed', etag);
  expect(renamed.status).toBe(200);
  expect(renamed.headers.get('etag')).not.toBe(etag);
  expect((await rename('again', etag)).status).toBe(412);
});
