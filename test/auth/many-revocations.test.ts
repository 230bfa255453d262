import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mostRevokedTokens } from '../../src/domain/client.js';
import { asCommand } from '../storage/second-store.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let client: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  client = await gateway.client('acme', ['read:metrics']);
});

/** As so many revocations leave it, without the time they take. */
function revokedBefore(count: number, { clientId }: Credentials, endsInMs: number): void {
  const db = new Database(gateway.config.storage.path);
  const insert = db.prepare('INSERT INTO revoked_token (jti, client_id, ends_at) VALUES (?, ?, ?)');
  db.transaction(() => {
    for (let i = 0; i < count; i++)
      insert.run(`${clientId} ${endsInMs} ${i}`, clientId, gateway.clock.now() + endsInMs);
  })();
  db.close();
}

const revoke = (bearer: string, of = client): Promise<Response> =>
  fetch(`${gateway.url}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: bearer.slice('Bearer '.length) }),
    headers: { authorization: basic(of.clientId, of.clientSecret) },
  });
const scrape = async (bearer: string): Promise<number> => {
  const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer });
  await response.text();
  return response.status;
};
const bearer = (): Promise<string> => gateway.bearerOf(client);

describe('a client that revokes its tokens one by one', () => {
  it('is told at the thousandth live one to revoke all, and when there is room again', async () => {
    const ended = 100;
    revokedBefore(ended, client, 0);
    revokedBefore(mostRevokedTokens - 2, client, 400_000);
    revokedBefore(1, client, 300_000);
    const [last, tooMany] = [await bearer(), await bearer()];
    expect((await revoke(last)).status).toBe(200);
    const refused = await revoke(tooMany);
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
      429,
      '300',
      {
        error: 'temporarily_unavailable',
        error_description:
          'The client has revoked 1000 tokens one by one that would not have ended yet. Have all of its tokens revoked ' +
          `('weir client revoke-tokens ${client.clientId}'), or try again in 300 s.`,
        error_uri: `${gateway.url}/docs/errors#rate_limited`,
      },
    ]);
    expect([await scrape(last), await scrape(tooMany)]).toEqual([401, 200]);
    // What is revoked is no revocation more.
    expect((await revoke(last)).status).toBe(200);
    gateway.clock.advance(300_000);
    expect([(await revoke(tooMany)).status, await scrape(tooMany)]).toEqual([200, 401]);
  });

  it('keeps no other from it', async () => {
    revokedBefore(mostRevokedTokens, client, 300_000);
    const other = await gateway.client('acme', ['read:metrics']);
    const theirs = await gateway.bearerOf(other);
    expect([(await revoke(await bearer())).status, (await revoke(theirs, other)).status]).toEqual([429, 200]);
    expect(await scrape(theirs)).toBe(401);
  });

  it('starts anew when all of its tokens were revoked, and none of them is good again', async () => {
    revokedBefore(mostRevokedTokens - 1, client, 300_000);
    const [single, other] = [await bearer(), await bearer()];
    expect([(await revoke(single)).status, (await revoke(other)).status]).toEqual([200, 429]);
    await asCommand(gateway, ({ clients }) => clients.revokeTokens(client.clientId));
    await expect.poll(() => scrape(other), { timeout: 1000, interval: 20 }).toBe(401);
    expect(await scrape(single)).toBe(401);
    const fresh = await bearer();
    expect([await scrape(fresh), (await revoke(fresh)).status, await scrape(fresh)]).toEqual([200, 200, 401]);
    await gateway.restart();
    expect([await scrape(single), await scrape(other), await scrape(fresh)]).toEqual([401, 401, 401]);
  });
});
