import { Agent } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';
import { send } from './wire.js';

/** Headers that were good are remembered, so that the next request with the same one costs a look into memory. */

let gateway: TestGateway;
let client: Credentials;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics']);
  await gateway.admin.clients.setAllowBasic(client.clientId, true);
});
afterAll(async () => {
  agent.destroy();
  await gateway.stop();
});

const status = async (authorization: string): Promise<number> =>
  (await send(gateway.url, '/api/v1/acme/db1/metrics', { headers: ['Authorization', authorization], agent })).status;
const unscheme = (header: string): string => header.slice(header.indexOf(' ') + 1);

/** When each of the client's lasting credentials was found good last by looking at it, not by remembering it. */
async function lastChecks(): Promise<(number | undefined)[]> {
  // What is noted is written down at the end of a process, too.
  await gateway.restart();
  const { clients } = gateway.admin;
  const all = [...(await clients.scrapeTokens(client.clientId)), ...(await clients.secrets(client.clientId))];
  return all.map(({ lastUse }) => lastUse?.at);
}

describe('a good header', () => {
  it.each<[string, () => Promise<string>, (good: string) => string[]]>([
    [
      'a scrape token',
      () => gateway.scrapeToken(client),
      (good) => [
        good,
        `bearer ${unscheme(good)}`,
        `Bearer   ${unscheme(good)}`,
        `BEARER ${' '.repeat(900)}${unscheme(good)}`,
      ],
    ],
    [
      'HTTP Basic',
      async () => basic(client.clientId, client.clientSecret),
      (good) => [
        good,
        `basic ${unscheme(good)}`,
        `Basic ${' '.repeat(900)}${unscheme(good)}`,
        `bAsIc ${Buffer.from(unscheme(good), 'base64').toString('base64url')}`,
      ],
    ],
  ])('of %s is remembered once, in whatever spellings it comes', async (_, grant, spellings) => {
    const good = await grant();
    for (const first of spellings(good)) {
      gateway.clock.advance(60_000);
      const checked = gateway.clock.now();
      for (const spelling of [first, ...spellings(good)]) {
        expect(await status(spelling)).toBe(200);
        gateway.clock.advance(1);
      }
      expect(await lastChecks()).toContain(checked);
    }
  });

  it('of HTTP Basic that is written with escapes is good, too', async () => {
    const escaped = [...client.clientSecret].map((each) => `%${each.charCodeAt(0).toString(16)}`).join('');
    expect(await status(basic(client.clientId, escaped))).toBe(200);
    expect(await status(basic(client.clientId, `${escaped}x`))).toBe(401);
  });

  it('takes memory for its token, not for the blanks before it', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const token = unscheme(await gateway.bearerOf(client));
    const memory = (): number => {
      gateway.logs.length = 0;
      collect();
      return process.memoryUsage().heapUsed;
    };
    const headers = 400;
    const before = memory();
    for (let i = 0; i < headers; i++) expect(await status(`Bearer ${' '.repeat(13_000 + i)}${token}`)).toBe(200);
    expect((memory() - before) / headers).toBeLessThan(6000);
  });
});
