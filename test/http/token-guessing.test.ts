import { Agent } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Credentials, TestGateway } from '../support/gateway.js';
import { byBasic, form, grant, refusal } from './token-endpoint.js';
import { type Answer, send, telling } from './wire.js';

let gateway: TestGateway;
let guessed: Credentials;
let other: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  guessed = await gateway.client('acme', ['read:metrics']);
  other = await gateway.client('acme', ['read:metrics']);
});

/** Asks from another address of this machine, too: all of 127.0.0.0/8 are its own. */
async function ask(client: Credentials, from = '127.0.0.1', more: string[] = []): Promise<Answer> {
  const agent = new Agent({ localAddress: from });
  const headers = ['Content-Type', form, 'Authorization', byBasic(client), ...more];
  return send(gateway.url, '/oauth/token', { method: 'POST', headers, body: grant, agent });
}

const wrong = (client: Credentials): Credentials => ({ ...client, clientSecret: 'a-guess' });

async function guess(client: Credentials, times: number, from?: string): Promise<string[]> {
  const refusals: string[] = [];
  for (let i = 0; i < times; i++) refusals.push(refusal(await ask(wrong(client), from)));
  return refusals;
}

it('guessing is answered 429 after twenty wrong secrets, in JSON, with the time to wait', async () => {
  expect(await guess(guessed, 20)).toEqual(new Array(20).fill('401 invalid_client'));
  const answer = await ask(wrong(guessed));
  expect(refusal(answer)).toBe('429 temporarily_unavailable');
  expect(answer.headers['retry-after']).toBe('300');
});

it('guessing takes the right secret from nobody: not elsewhere, not at the same address, not from another client', async () => {
  await guess(guessed, 25);
  expect((await ask(guessed, '127.0.0.2')).status).toBe(200);
  expect((await ask(other)).status).toBe(200);
  expect((await ask(guessed)).status).toBe(200);
  expect(refusal(await ask(wrong(guessed)))).toBe('429 temporarily_unavailable');
  expect(refusal(await ask(wrong(guessed), '127.0.0.2'))).toBe('401 invalid_client');
});

it('guessing at a client that is not there is throttled alike, byte for byte', async () => {
  const nobody = { clientId: 'weir_cid_AAAAAAAAAAAAAAAAAAAAAA', clientSecret: 'x' };
  expect(await guess(nobody, 21, '127.0.0.3')).toEqual(await guess(guessed, 21, '127.0.0.3'));
  const [one, two] = [await ask(nobody, '127.0.0.3'), await ask(wrong(guessed), '127.0.0.3')];
  expect([one.text, ...telling(one)]).toEqual([two.text, ...telling(two)]);
});

it('guessing gains nothing by headers that name another address, from a peer that is no trusted proxy', async () => {
  await guess(guessed, 20);
  for (const name of ['X-Forwarded-For', 'X-Real-IP', 'True-Client-IP', 'CF-Connecting-IP']) {
    expect(refusal(await ask(wrong(guessed), '127.0.0.1', [name, '198.51.100.7'])), name).toMatch(/^429 /);
  }
  expect(refusal(await ask(wrong(guessed), '127.0.0.1', ['Forwarded', 'for=198.51.100.7']))).toMatch(/^429 /);
});
