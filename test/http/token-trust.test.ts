import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Credentials, TestGateway } from '../support/gateway.js';
import { asking, byBasic, form, grant, granted, inBody, refusal } from './token-endpoint.js';
import { send } from './wire.js';

let gateway: TestGateway;
let client: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics']);
});
afterAll(() => gateway.stop());

const ask = asking(() => gateway);

describe('every secret that is made', () => {
  it('comes in raw, encoded as Go does it, and in the body, without a difference', async () => {
    const percent = (text: string): string => encodeURIComponent(text).replaceAll('%20', '+');
    for (let i = 0; i < 5; i++) {
      const made = await gateway.client('acme', ['read:metrics']);
      const encoded = { clientId: percent(made.clientId), clientSecret: percent(made.clientSecret) };
      granted(await ask(grant, { authorization: byBasic(made) }));
      granted(await ask(grant, { authorization: byBasic(encoded) }));
      granted(await ask(`${grant}&${inBody(made)}`));
    }
  });
});

describe('nothing but a secret or a signature proves who asks', () => {
  const headers = [
    'X-SSL-Client-Cert',
    'X-SSL-Client-Verify',
    'X-Client-Cert',
    'Client-Cert',
    'X-Forwarded-Client-Cert',
    'X-Forwarded-User',
    'X-Remote-User',
    'Remote-User',
    'X-Client-Id',
    'Cookie',
  ];
  it.each(headers)('not the header %s', async (name) => {
    for (const value of ['SUCCESS', client.clientId, client.clientSecret]) {
      const asked = { method: 'POST', headers: ['Content-Type', form, name, value] };
      const answer = await send(gateway.url, '/oauth/token', {
        ...asked,
        body: `${grant}&client_id=${client.clientId}`,
      });
      expect(refusal(answer)).toBe('401 invalid_client');
    }
  });

  it('and the address of a use is the one of the connection, whatever a peer that is no proxy says', async () => {
    const forged = ['X-Forwarded-For', '198.51.100.7', 'Forwarded', 'for=198.51.100.8', 'X-Real-IP', '198.51.100.9'];
    const asking = ['Content-Type', form, 'Authorization', byBasic(client), ...forged];
    const answer = await send(gateway.url, '/oauth/token', { method: 'POST', headers: asking, body: grant });
    expect(answer.status).toBe(200);
    await gateway.restart();
    const [secret] = await gateway.admin.clients.secrets(client.clientId);
    expect(secret!.lastUse?.ip).toBe('127.0.0.1');
  });
});

describe('the token endpoint leads nowhere', () => {
  const targets = [
    '/oauth/token',
    '/oauth/token/',
    '//oauth/token',
    '/oauth//token',
    '/OAUTH/TOKEN',
    '/oauth/token/..',
  ];
  it.each(targets)('%s answers no method with a redirect', async (target) => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS']) {
      for (const authorization of [[], ['Authorization', byBasic(client)]]) {
        const forwarded = ['X-Forwarded-Proto', 'http', 'X-Forwarded-Host', 'evil.example'];
        const headers = ['Content-Type', form, ...authorization, ...forwarded];
        const answer = await send(gateway.url, target, { method, headers, body: method === 'HEAD' ? '' : grant });
        expect([200, 400, 401, 404, 405], `${method} ${answer.status}`).toContain(answer.status);
        expect(answer.headers.location).toBeUndefined();
      }
    }
  });

  it.each(['/oauth/register', '/oauth/authorize', '/connect/register', '/register'])(
    'there is no %s: who is a client, and under which id, the operator and the gateway decide',
    async (path) => {
      const body = JSON.stringify({ client_id: client.clientId, redirect_uris: ['https://evil.example'] });
      const headers = ['Content-Type', 'application/json', 'Authorization', byBasic(client)];
      expect((await send(gateway.url, path, { method: 'POST', headers, body })).status).toBe(404);
    },
  );

  it('no client has an id that was chosen: a name, a project or another client cannot be taken for it', async () => {
    const chosen = { name: client.clientId, projectId: 'acme', scopes: ['read:metrics'], id: client.clientId };
    const made = await gateway.admin.clients.create(chosen as Parameters<typeof gateway.admin.clients.create>[0]);
    expect(made.client.id).toMatch(/^weir_cid_[\w-]{22}$/);
    expect(made.client.id).not.toBe(client.clientId);
  });
});
