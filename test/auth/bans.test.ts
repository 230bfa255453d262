import { Agent } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/storage/sqlite/database.js';
import type { AuditRecord } from '../../src/storage/store.js';
import { send } from '../http/wire.js';
import { basic, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  gateway = await TestGateway.boot({ trustedProxies: ['127.0.0.1'] });
  await gateway.project('acme', 'db1');
});
afterAll(async () => {
  agent.destroy();
  await gateway.stop();
});

/** The status of a guess from the address. */
async function guess(clientId: string, address: string): Promise<number> {
  const headers = ['Content-Type', 'application/x-www-form-urlencoded'];
  headers.push('Authorization', basic(clientId, 'a-guess'), 'X-Forwarded-For', address);
  const body = 'grant_type=client_credentials';
  return (await send(gateway.url, '/oauth/token', { method: 'POST', headers, body, agent })).status;
}

/** Guesses until the address is banned, and the ban is stored. */
async function ban(clientId: string, address: string): Promise<void> {
  const before = (await gateway.admin.bans.list()).length;
  for (let i = 0; i < 20; i++) expect(await guess(clientId, address)).toBe(401);
  expect(await guess(clientId, address)).toBe(429);
  await expect.poll(async () => (await gateway.admin.bans.list()).length).toBe(before + 1);
}

it('bans are not all read again for each that strangers cause, but when somebody lifts one', async () => {
  const lifted = () => gateway.operatorValue('weir_bans_total{event="lifted"}');
  await ban('nobody', '192.0.2.1');
  await ban('nobody', '192.0.2.2');
  // Behind the gateway's back: whenever it reads them again, it finds this one lifted.
  const db = openDatabase(gateway.config.storage.path);
  db.$client.prepare('DELETE FROM ban WHERE address = ?').run('192.0.2.1');
  db.$client.close();
  await ban('nobody', '192.0.2.3');
  await ban('nobody', '192.0.2.4');
  expect(await guess('nobody', '192.0.2.1')).toBe(429);
  expect(await lifted()).toBe(0);

  const [listed] = await gateway.admin.bans.list();
  await gateway.admin.bans.lift(listed!.clientId, '192.0.2.2');
  await expect.poll(lifted).toBe(2);
  expect(await guess('nobody', '192.0.2.1')).toBe(401);
});

it('bans enter the audit log for the clients there are, not for ids that strangers invent', async () => {
  const { clientId } = await gateway.client('acme', ['read:metrics']);
  const invented = `${clientId.slice(0, -4)}AAAA`;
  for (const id of [invented, 'nobody', clientId]) await ban(id, '192.0.2.10');
  const events = await gateway.admin.audit.list({ action: 'ban.add', limit: 100 });
  expect(events.map(({ object }) => object)).toEqual([`client:${clientId}`]);
  const here = ({ address }: { address?: unknown }) => address === '192.0.2.10';
  const listed = (await gateway.admin.bans.list()).filter(here).map((each) => each.clientId);
  expect(listed).toHaveLength(3);
  expect(listed).toEqual(expect.arrayContaining([clientId, invented, expect.stringMatching(/^foreign:/)]));
  const logged = gateway.logs.filter((line) => here(line) && line.msg === 'guessing of secrets: banned');
  expect(logged.map((line) => line.client_id)).toEqual([invented, expect.stringMatching(/^foreign:/), clientId]);
});

it('bans of a project’s client, and their end, are among the project’s audit events, with the banned address', async () => {
  const { clientId } = await gateway.client('acme', ['read:metrics']);
  const { clientId: operator } = await gateway.client(null, ['read:bans']);
  for (const address of ['198.51.100.7', '2001:db8:1::1', '198.51.100.8', '198.51.100.9']) await ban(clientId, address);
  await ban(operator, '198.51.100.7');
  expect(await gateway.admin.bans.lift(clientId, '2001:db8:1::2')).toBe(1);
  expect(await gateway.admin.bans.lift(clientId)).toBe(3);
  expect(await gateway.admin.bans.lift(clientId)).toBe(0);
  expect(await gateway.admin.bans.lift(operator)).toBe(1);

  const events = await gateway.admin.audit.list({ limit: 100 });
  const told = ({ action, object, ip }: AuditRecord) => `${action} ${object} ${ip}`;
  const about =
    (id: string) =>
    ({ action, object }: AuditRecord) =>
      action.startsWith('ban.') && object.includes(id);
  expect(events.filter(about(clientId)).map(told).reverse()).toEqual([
    `ban.add client:${clientId} 198.51.100.7`,
    `ban.add client:${clientId} 2001:db8:1::/64`,
    `ban.add client:${clientId} 198.51.100.8`,
    `ban.add client:${clientId} 198.51.100.9`,
    `ban.lift client:${clientId}/2001:db8:1::/64 null`,
    `ban.lift client:${clientId} null`,
  ]);
  const ofProject = await gateway.admin.audit.list({ projectId: 'acme', limit: 100 });
  expect(ofProject.filter(about(clientId))).toEqual(events.filter(about(clientId)));
  expect(events.filter(about(operator)).map(told)).toEqual([
    `ban.lift client:${operator}/198.51.100.7 null`,
    `ban.add client:${operator} 198.51.100.7`,
  ]);
  expect(ofProject.filter(about(operator))).toEqual([]);
});
