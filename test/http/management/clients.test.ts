import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { managementScopes, type Scope } from '../../../src/domain/scopes.js';
import { basic, TestGateway } from '../../support/gateway.js';
import { type ApiAnswer, type ApiRequest, api } from './api.js';
import { publicKey } from './world.js';

let gateway: TestGateway;
let operator: string;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  operator = await gateway.bearer(null, [...managementScopes]);
  await gateway.project('acme', 'db1', 'db2');
  await gateway.project('rival');
});
afterAll(() => gateway.stop());

const ask = (line: string, request?: ApiRequest, bearer = operator): Promise<ApiAnswer> =>
  api(gateway, bearer, line, request);
const create = (body: object, bearer = operator) => ask('POST /clients', { body: { name: 'c', ...body } }, bearer);

describe('from nothing to a scrape', () => {
  it('takes a project, an endpoint and a client, each by one request', async () => {
    await ask('POST /projects', { body: { name: 'New', id: 'new' } });
    const endpoint = await ask('POST /projects/new/endpoints', { body: { name: 'Production' } });
    expect(endpoint.headers.get('location')).toBe(`/api/v2/projects/new/endpoints/${endpoint.body.metrics_id}`);
    const { body: client } = await create({ project_id: 'new', scope: 'read:metrics write:metrics' });
    const bearer = await gateway.bearerOf({ clientId: client.client_id, clientSecret: client.client_secret });
    await gateway.push(`new/${endpoint.body.metrics_id}/metrics`, 'up 1\n', bearer);
    const page = await fetch(endpoint.body.url, { headers: { authorization: bearer } });
    expect(await page.text()).toContain('up{');
  });

  it('what is taken away is refused in the next request', async () => {
    const { body: client } = await create({ project_id: 'acme', scope: 'read:metrics' });
    const bearer = await gateway.bearerOf({ clientId: client.client_id, clientSecret: client.client_secret });
    const scrape = async () => (await gateway.fetch('/api/v1/acme/db1/metrics', { bearer })).status;
    const path = `/clients/${client.client_id}`;
    expect(await scrape()).toBe(200);
    await ask(`PATCH ${path}`, { body: { status: 'disabled' } });
    expect(await scrape()).toBe(401);
    await ask(`PATCH ${path}`, { body: { status: 'enabled' } });
    expect(await scrape()).toBe(200);
    await ask(`POST ${path}/revoke-tokens`);
    expect(await scrape()).toBe(401);
    expect((await ask(`DELETE ${path}`)).status).toBe(204);
    expect((await ask(`GET ${path}`)).status).toBe(404);
  });
});

describe('a secret', () => {
  it('is shown once, in the answer and nowhere else', async () => {
    const { body: client, headers } = await create({ project_id: 'acme', scope: 'read:metrics' });
    const { body: rotated } = await ask(`POST /clients/${client.client_id}/rotate`, {
      body: { overlap: '1h' },
      headers: { 'idempotency-key': 'once' },
    });
    expect(headers.get('location')).toBe(`/api/v2/clients/${client.client_id}`);
    for (const secret of [client.client_secret, rotated.client_secret]) {
      expect(secret).toMatch(/^weir_cs_/);
      const token = await gateway.token({ grant_type: 'client_credentials' }, basic(client.client_id, secret));
      expect(token.status).toBe(200);
      await token.arrayBuffer();
      for (const path of ['', '/secrets']) {
        expect(JSON.stringify((await ask(`GET /clients/${client.client_id}${path}`)).body)).not.toContain(secret);
      }
      const stored = readdirSync(gateway.folder).map((file) => readFileSync(join(gateway.folder, file), 'latin1'));
      expect(stored.some((bytes) => bytes.includes(client.client_id))).toBe(true);
      expect(stored.filter((bytes) => bytes.includes(secret.slice('weir_cs_'.length)))).toEqual([]);
      expect(JSON.stringify(gateway.logs)).not.toContain(secret);
    }
    const { body } = await ask(`GET /clients/${client.client_id}/secrets`);
    expect(body.secrets.map(({ status }: { status: string }) => status)).toEqual(['live', 'live']);
    const revoked = await ask(`DELETE /clients/${client.client_id}/secrets/${body.secrets[1].secret_id}`);
    expect(revoked.status).toBe(204);
  });
});

describe('nobody can make a client that may do more than he may:', () => {
  const manager = ['read:clients', 'create:clients', 'update:clients'] as const satisfies readonly Scope[];
  let own: string;
  let mightier: string;

  beforeAll(async () => {
    own = await gateway.bearer('acme', [...manager]);
    mightier = (await gateway.client('acme', [...manager, 'delete:endpoints'])).clientId;
  });

  it('a new one has no scope of the management API that the token lacks', async () => {
    const refused = await create({ scope: 'read:clients delete:clients delete:endpoints' }, own);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toContain('scope="delete:endpoints delete:clients"');
    expect((await create({ scope: 'read:metrics write:metrics update:clients' }, own)).status).toBe(201);
  });

  it('a mightier one cannot be taken over', async () => {
    const path = `/clients/${mightier}`;
    for (const [line, body] of [
      [`POST ${path}/rotate`, {}],
      [`POST ${path}/keys`, { pem: publicKey().toString() }],
      [`PATCH ${path}`, { jwks_url: 'https://keys.example/jwks.json' }],
    ] as const) {
      const { status, headers } = await ask(line, { body }, own);
      expect([line, status, headers.get('www-authenticate')?.includes('scope="delete:endpoints"')]).toEqual([
        line,
        403,
        true,
      ]);
    }
    expect((await ask(`GET ${path}/keys`, {}, own)).body.keys).toEqual([]);
    // What takes away is allowed.
    expect((await ask(`PATCH ${path}`, { body: { status: 'disabled', jwks_url: null } }, own)).status).toBe(200);
  });

  it('an operator client is made by operators only, and with scopes that these have', async () => {
    expect((await create({ operator: true, scope: 'read:clients' }, own)).status).toBe(404);
    const lesser = await gateway.bearer(null, [...manager]);
    expect((await create({ operator: true, scope: 'read:clients' }, lesser)).status).toBe(201);
    expect((await create({ operator: true, scope: 'read:bans' }, lesser)).status).toBe(403);
  });

  it("an operator client is out of a project's reach", async () => {
    const { clientId } = await gateway.client(null, ['read:bans']);
    for (const line of [
      `GET /clients/${clientId}`,
      `POST /clients/${clientId}/rotate`,
      `GET /clients/${clientId}/secrets`,
    ]) {
      expect((await ask(line, {}, own)).status).toBe(404);
    }
  });

  it('a client is made in the own project only, which needs no name', async () => {
    const made = await create({ scope: 'read:metrics' }, own);
    expect(made.body.project_id).toBe('acme');
    const [foreign, absent] = [
      await create({ scope: 'read:metrics', project_id: 'rival' }, own),
      await create({ scope: 'read:metrics', project_id: 'nothing' }, own),
    ];
    expect(foreign.status).toBe(404);
    expect(foreign.body).toEqual(absent.body);
  });

  it('a client narrowed to endpoints manages nothing', async () => {
    expect((await create({ scope: 'read:metrics', endpoints: ['db1'] }, own)).body.endpoints).toEqual(['db1']);
    const refused = await create({ scope: 'read:clients', endpoints: ['db1'] }, own);
    expect([refused.status, refused.body.field]).toEqual([400, 'scope']);
    const nowhere = await create({ scope: 'read:metrics', endpoints: ['db3'] }, own);
    expect([nowhere.status, nowhere.body.field]).toEqual([404, 'endpoints']);
  });
});

describe('scopes and endpoints', () => {
  const made = async (more: object = {}): Promise<string> =>
    `/clients/${(await create({ project_id: 'acme', scope: 'read:metrics', ...more })).body.client_id}`;

  it('are changed together, must fit together as they then are, and leave an entry each', async () => {
    const path = await made();
    const changed = await ask(`PATCH ${path}`, { body: { scope: 'write:metrics read:metrics', endpoints: ['db1'] } });
    expect(changed.body).toMatchObject({ scope: 'read:metrics write:metrics', endpoints: ['db1'] });
    expect((await ask(`GET ${path}`)).body).toEqual(changed.body);
    for (const [body, status, field] of [
      [{ scope: 'read:clients' }, 400, 'scope'],
      [{ scope: 'read:bans', endpoints: null }, 400, 'scope'],
      [{ scope: 'nonsense' }, 400, 'scope'],
      [{ scope: '' }, 400, 'scope'],
      [{ endpoints: [] }, 400, 'endpoints'],
      [{ endpoints: ['db3'] }, 404, 'endpoints'],
    ] as const) {
      const refused = await ask(`PATCH ${path}`, { body });
      expect([body, refused.status, refused.body.field]).toEqual([body, status, field]);
    }
    expect((await ask(`GET ${path}`)).body).toEqual(changed.body);
    const managing = { scope: 'read:event_streams', endpoints: null };
    expect((await ask(`PATCH ${path}`, { body: managing })).body).toMatchObject({ scope: 'read:metric_streams' });
    expect((await ask(`PATCH ${path}`, { body: { endpoints: ['db1'] } })).body.field).toBe('scope');
    const { body } = await ask('GET /audit-events?project_id=acme&limit=4');
    expect(body.audit_events.map(({ action }: { action: string }) => action)).toEqual([
      'client.endpoints.set',
      'client.scopes.set',
      'client.endpoints.set',
      'client.scopes.set',
    ]);
  });

  it('of the operator are of the management API, and of no endpoint', async () => {
    const { body } = await create({ operator: true, scope: 'read:bans' });
    const path = `/clients/${body.client_id}`;
    expect((await ask(`PATCH ${path}`, { body: { scope: 'read:metrics' } })).body.field).toBe('scope');
    expect((await ask(`PATCH ${path}`, { body: { endpoints: ['db1'] } })).body.field).toBe('endpoints');
    expect((await ask(`PATCH ${path}`, { body: { scope: 'read:audit' } })).body.scope).toBe('read:audit');
  });

  it('can be given by those who have them only; taking away needs none of them', async () => {
    const own = await gateway.bearer('acme', ['update:clients', 'read:audit']);
    const path = await made({ scope: 'read:metrics delete:endpoints' });
    const refused = await ask(`PATCH ${path}`, { body: { scope: 'read:audit delete:clients delete:endpoints' } }, own);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toContain('scope="delete:clients"');
    const given = await ask(`PATCH ${path}`, { body: { scope: 'read:audit delete:endpoints' } }, own);
    expect(given.body.scope).toBe('delete:endpoints read:audit');
    expect((await ask(`PATCH ${path}`, { body: { scope: 'write:metrics' } }, own)).body.scope).toBe('write:metrics');
    expect((await ask(`PATCH ${path}`, { body: { scope: 'delete:endpoints' } }, own)).status).toBe(403);
  });

  it('taken from a client of this API bite in its next request', async () => {
    const manager = await gateway.client('acme', ['read:clients', 'read:audit']);
    const bearer = await gateway.bearerOf(manager);
    expect((await ask('GET /clients', {}, bearer)).status).toBe(200);
    await ask(`PATCH /clients/${manager.clientId}`, { body: { scope: 'read:audit' } });
    expect((await ask('GET /clients', {}, bearer)).status).toBe(403);
    expect((await ask('GET /audit-events', {}, bearer)).status).toBe(200);
  });
});

describe('public keys', () => {
  it('come as PEM or as in a JWKS, never as private ones', async () => {
    const { body: client } = await create({ project_id: 'acme', scope: 'read:metrics' });
    const path = `/clients/${client.client_id}/keys`;
    const pem = await ask(`POST ${path}`, { body: { pem: publicKey().toString() } });
    expect(pem.body.keys).toEqual([{ kid: expect.any(String), kty: 'EC', created_at: expect.any(String) }]);
    const both = await ask(`POST ${path}`, { body: { pem: 'x', keys: [{}] } });
    expect([both.status, both.body.field]).toEqual([400, 'keys']);
    const bad = await ask(`POST ${path}`, { body: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } });
    expect(bad.status).toBe(400);
    const { kid } = pem.body.keys[0];
    expect((await ask(`DELETE ${path}/${encodeURIComponent(kid)}`)).status).toBe(204);
    expect((await ask(`GET ${path}`)).body.keys).toEqual([]);
  });

  it('may have any id that fits into a path', async () => {
    const { body: client } = await create({ project_id: 'acme', scope: 'read:metrics' });
    const kid = 'https://keys.example/a b?c#d%2F';
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      kid,
    };
    const path = `/clients/${client.client_id}/keys`;
    expect((await ask(`POST ${path}`, { body: { keys: [jwk] } })).status).toBe(201);
    expect((await ask(`DELETE ${path}/${encodeURIComponent(kid)}`)).status).toBe(204);
  });
});
