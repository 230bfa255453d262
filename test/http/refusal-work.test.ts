import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto';
import Sqlite from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { basic, TestGateway } from '../support/gateway.js';
import { form } from './token-endpoint.js';
import { type Answer, send, telling } from './wire.js';

/**
 * What a refusal takes must not tell whether the client exists. Times are measured by scripts/timing.ts; here the work is
 * counted that makes up most of them: looks for clients in the database, and signatures that are checked.
 */

let gateway: TestGateway;
let known: string;
const unknown = (): string => `weir_cid_${randomBytes(16).toString('base64url')}`;

const pairs = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};
const algorithms = ['ES256', 'RS256', 'EdDSA'] as const;
type Algorithm = (typeof algorithms)[number];
const strangers = new Map<Algorithm, KeyObject>();

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  const client = await gateway.client('acme', ['read:metrics']);
  known = client.clientId;
  await gateway.scrapeToken(client);
  await gateway.bearerOf(client);
  for (const alg of algorithms) strangers.set(alg, pairs[alg]().privateKey);
  const own = { ...pairs.ES256().publicKey.export({ format: 'jwk' }), kid: 'own' };
  await gateway.admin.clients.addKeys(known, Buffer.from(JSON.stringify(own)));
});
afterAll(() => gateway.stop());
afterEach(() => {
  vi.restoreAllMocks();
});

const page = (authorization: string): Promise<Answer> =>
  send(gateway.url, '/api/v1/acme/db1/metrics', { headers: ['Authorization', authorization] });

/** Signed with a key that is nobody's. */
function assertion(id: string, alg: Algorithm, kid?: string): string {
  const encoded = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(gateway.clock.now() / 1000);
  const claims = { iss: id, sub: id, aud: gateway.url, iat: now, exp: now + 60, jti: randomUUID() };
  const input = `${encoded({ alg, kid })}.${encoded(claims)}`;
  const hash = alg === 'EdDSA' ? null : 'sha256';
  const signature = sign(hash, Buffer.from(input), { key: strangers.get(alg)!, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

function login(parameters: Record<string, string>, ...headers: string[]): Promise<Answer> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...parameters }).toString();
  return send(gateway.url, '/oauth/token', { method: 'POST', headers: ['Content-Type', form, ...headers], body });
}
const byAssertion = (jwt: string): Promise<Answer> =>
  login({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: jwt,
  });

const secret = (): string => randomBytes(32).toString('base64url');
const doors: [string, (id: string) => Promise<Answer>][] = [
  ['a secret at the token endpoint', (id) => login({}, 'Authorization', basic(id, `weir_cs_${secret()}`))],
  ['a secret at a page', (id) => page(basic(id, `weir_cs_${secret()}`))],
  ['a scrape token', (id) => page(`Bearer weir_st_${id.slice('weir_cid_'.length)}${secret()}`)],
  ...algorithms.map((alg): [string, (id: string) => Promise<Answer>] => [
    `an assertion signed with ${alg}`,
    (id) => byAssertion(assertion(id, alg)),
  ]),
  ['an assertion that names a key', (id) => byAssertion(assertion(id, 'ES256', 'own'))],
  ['an assertion that names another key', (id) => byAssertion(assertion(id, 'ES256', 'other'))],
];

/** How often clients are looked for in the database and signatures are checked, until the answer. */
async function workOf(ask: () => Promise<Answer>) {
  const database = new Sqlite(':memory:');
  const statement = Object.getPrototypeOf(database.prepare('SELECT 1')) as Sqlite.Statement;
  database.close();
  const looks = vi.spyOn(statement, 'get');
  const checks = vi.spyOn(crypto.subtle, 'verify');
  const answer = await ask();
  const ofClients = looks.mock.contexts.filter((each) => / from "client" /.test((each as Sqlite.Statement).source));
  const work = { looks: ofClients.length, checks: checks.mock.calls.length };
  vi.restoreAllMocks();
  return { answer: [answer.status, telling(answer), answer.text], work };
}

describe.each(doors)('%s that is wrong', (_, ask) => {
  it.each<[string, () => Promise<unknown>]>([
    ['', async () => {}],
    [', also when something has just been changed', () => gateway.admin.projects.create({ name: 'another' })],
  ])('is the same answer and the same work for a client that is not there%s', async (_, change) => {
    await ask(known);
    await change();
    const ofKnown = await workOf(() => ask(known));
    await change();
    const ofUnknown = await workOf(() => ask(unknown()));
    expect(ofKnown).toEqual(ofUnknown);
    expect(ofUnknown.work.looks).toBe(1);
  });
});

it('an assertion of nobody has its signature checked', async () => {
  for (const alg of algorithms) {
    const { work } = await workOf(() => byAssertion(assertion(unknown(), alg)));
    expect([alg, work]).toEqual([alg, { looks: 1, checks: 1 }]);
  }
});
