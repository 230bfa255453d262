import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { managementScopes, projectScopes } from '../../../src/domain/scopes.js';
import { basic, TestGateway } from '../../support/gateway.js';
import { api } from './api.js';

let gateway: TestGateway;
let operator: string;
let own: string;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  operator = await gateway.bearer(null, [...managementScopes]);
  await gateway.project('acme', 'e1', 'e2', 'e3', 'e4', 'e5');
  await gateway.project('rival', 'r1');
  await gateway.client('rival', ['read:metrics']);
  own = await gateway.bearer('acme', [...projectScopes]);
});
afterAll(() => gateway.stop());

/** Every page of a list, with what happens between two of them. */
async function pages(bearer: string, path: string, noun: string, between = async (): Promise<void> => {}) {
  const found: unknown[][] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = `${path.includes('?') ? '&' : '?'}limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const { status, body } = await api(gateway, bearer, `GET ${path}${query}`);
    expect(status).toBe(200);
    found.push(body[noun]);
    cursor = body.next;
    await between();
  }
  return found;
}

describe('a list in pages', () => {
  it('has everything once, in the order of creation, also when all was made in one moment', async () => {
    const found = await pages(operator, '/projects/acme/endpoints', 'endpoints');
    expect(found.map((page) => page.length)).toEqual([2, 2, 1]);
    const ids = found.flat().map((endpoint) => (endpoint as { metrics_id: string }).metrics_id);
    expect(ids).toEqual(['e1', 'e2', 'e3', 'e4', 'e5']);
  });

  it('shows nothing twice and leaves nothing out when others come and go meanwhile', async () => {
    await gateway.project('busy');
    const made = async () => (await gateway.client('busy', ['read:metrics'])).clientId;
    const before = new Set([await made(), await made(), await made(), await made()]);
    const seen: string[] = [];
    const found = await pages(operator, '/clients?project_id=busy', 'clients', async () => {
      const all = await gateway.admin.clients.list('busy');
      // The one that was shown first goes, and another comes at the end.
      await gateway.admin.clients.delete(all[0]!.id);
      before.delete(all[0]!.id);
      gateway.clock.advance(1);
      if (seen.push('') < 2) await made();
    });
    const ids = found.flat().map((client) => (client as { client_id: string }).client_id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of before) expect(ids).toContain(id);
  });

  it('has pages of 50 when not told otherwise', async () => {
    await gateway.project('large', ...Array.from({ length: 51 }, (_, i) => `l${i}`));
    const { body } = await api(gateway, operator, 'GET /projects/large/endpoints');
    expect(body.endpoints).toHaveLength(50);
    expect(body.next).not.toBeNull();
  });

  it.each([
    ['/projects', 'projects'],
    ['/clients', 'clients'],
    ['/audit-events', 'audit_events'],
  ])('of %s ends', async (path, noun) => {
    const found = await pages(operator, path, noun);
    const whole = await api(gateway, operator, `GET ${path}?limit=200`);
    expect(found.flat()).toEqual(whole.body[noun]);
    expect(whole.body.next).toBeNull();
  });
});

describe('to a client of a project', () => {
  it('a list is of its project, whether it names it or not', async () => {
    for (const query of ['', '?project_id=acme']) {
      const { body } = await api(gateway, own, `GET /clients${query}`);
      expect(body.clients.length).toBeGreaterThan(0);
      for (const client of body.clients) expect(client.project_id).toBe('acme');
      const audit = await api(gateway, own, `GET /audit-events${query}`);
      expect(audit.body.audit_events.length).toBeGreaterThan(5);
      for (const event of audit.body.audit_events) expect(event.project_id).toBe('acme');
    }
    const { body } = await api(gateway, own, 'GET /projects');
    expect(body.projects.map(({ id }: { id: string }) => id)).toEqual(['acme']);
  });

  it.each(['/clients', '/audit-events'])("%s of another's project is as if that were not there", async (path) => {
    const [foreign, absent] = await Promise.all(
      ['rival', 'nothing'].map((id) => api(gateway, own, `GET ${path}?project_id=${id}`)),
    );
    expect(foreign!.status).toBe(404);
    expect(foreign!.body).toEqual(absent!.body);
    expect(foreign!.body.field).toBe('project_id');
  });

  it('nothing tells that another project is there', async () => {
    const answers = await Promise.all(
      ['/projects', '/clients', '/audit-events?limit=200', '/projects/acme/endpoints'].map((path) =>
        api(gateway, own, `GET ${path}`),
      ),
    );
    for (const { body } of answers) expect(JSON.stringify(body)).not.toMatch(/rival|busy|large/);
  });
});

describe('the audit log', () => {
  it('names the client and its address, and can be searched', async () => {
    const { clientId, clientSecret } = await gateway.client(null, [...managementScopes]);
    const bearer = await gateway.bearerOf({ clientId, clientSecret });
    const since = new Date(gateway.clock.now()).toISOString();
    await api(gateway, bearer, 'POST /projects', { body: { name: 'Audited', id: 'audited' } });
    await api(gateway, bearer, 'POST /projects/audited/endpoints', { body: { name: 'e', metrics_id: 'a1' } });
    gateway.clock.advance(1000);
    await api(gateway, bearer, 'PATCH /projects/audited', { body: { name: 'Renamed' } });
    const ask = async (query: string) =>
      (await api(gateway, operator, `GET /audit-events?actor=client:${clientId}${query}`)).body.audit_events;
    expect(await ask('')).toEqual(
      [
        ['project.set', 'project:audited'],
        ['endpoint.create', 'endpoint:audited/a1'],
        ['project.create', 'project:audited'],
      ].map(([action, object]) => ({
        id: expect.any(Number),
        at: expect.any(String),
        actor: `client:${clientId}`,
        action,
        object,
        project_id: 'audited',
        ip: '127.0.0.1',
      })),
    );
    const later = new Date(gateway.clock.now()).toISOString();
    expect(await ask(`&since=${later}`)).toHaveLength(1);
    expect(await ask(`&since=${since}&until=${later}`)).toHaveLength(2);
    expect(await ask('&action=endpoint.create&project_id=audited')).toHaveLength(1);
    expect(await ask('&object=project:audited')).toHaveLength(2);
    expect(await ask('&project_id=acme')).toHaveLength(0);
  });
});

describe('bans', () => {
  it('are listed and lifted', async () => {
    const guess = (id: string) => gateway.token({ grant_type: 'client_credentials' }, basic(id, 'wrong'));
    const id = (await gateway.client('acme', ['read:metrics'])).clientId;
    for (let i = 0; i < 21; i++) await (await guess(id)).arrayBuffer();
    await expect.poll(async () => (await api(gateway, operator, 'GET /bans')).body.bans.length).toBe(1);
    const { body } = await api(gateway, operator, 'GET /bans');
    expect(body.bans[0]).toMatchObject({ client_id: id, address: '127.0.0.1' });
    expect((await api(gateway, operator, `DELETE /bans/${id}?address=192.0.2.1`)).body.lifted).toBe(0);
    expect((await api(gateway, operator, `DELETE /bans/${id}?address=127.0.0.1`)).body.lifted).toBe(1);
    await expect.poll(async () => (await guess(id)).status).toBe(401);
  });
});
