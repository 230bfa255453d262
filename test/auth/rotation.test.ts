import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClientSecret } from '../../src/domain/client.js';
import { asCommand } from '../storage/second-store.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let client: Credentials;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  client = await gateway.client('acme', ['read:metrics']);
});
afterEach(() => gateway.stop());

const hour = 3_600_000;
const soon = { timeout: 1000, interval: 20 };

/** As `weir client rotate` does it, beside the running gateway. */
async function rotate(overlapMs: number) {
  const { secret, previousEndsAt } = await asCommand(gateway, ({ clients }) =>
    clients.rotate(client.clientId, overlapMs),
  );
  return { clientSecret: secret, previousEndsAt };
}

/** The status of a token request with each of the secrets. */
const asked = async (...secrets: string[]): Promise<number[]> => {
  const statuses = [];
  for (const secret of secrets) {
    const form = { grant_type: 'client_credentials' };
    const response = await gateway.token(form, basic(client.clientId, secret));
    await response.text();
    statuses.push(response.status);
  }
  return statuses;
};

const scrape = async (bearer: string): Promise<number> => {
  const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer });
  await response.text();
  return response.status;
};

const secrets = (): Promise<readonly ClientSecret[]> => gateway.admin.clients.secrets(client.clientId);

describe('a rotation with overlap', () => {
  it('gives a secret that works in the next request, beside the one before', async () => {
    const first = client.clientSecret;
    expect(await asked(first)).toEqual([200]);
    const { clientSecret: second, previousEndsAt } = await rotate(24 * hour);
    expect(second).not.toBe(first);
    expect(previousEndsAt).toBe(gateway.clock.now() + 24 * hour);
    expect(await asked(second, first)).toEqual([200, 200]);
  });

  it('ends the one before at its moment, not earlier and not later, and the new one not at all', async () => {
    const first = client.clientSecret;
    const { clientSecret: second } = await rotate(24 * hour);
    expect(await asked(first)).toEqual([200]);
    gateway.clock.advance(24 * hour - 1);
    expect(await asked(first, second)).toEqual([200, 200]);
    gateway.clock.advance(1);
    expect(await asked(first, second)).toEqual([401, 200]);
    gateway.clock.advance(366 * 24 * hour);
    expect(await asked(first, second)).toEqual([401, 200]);
  });

  it('is kept over a restart, with its end', async () => {
    const first = client.clientSecret;
    const { clientSecret: second } = await rotate(hour);
    await gateway.restart();
    expect(await asked(first, second)).toEqual([200, 200]);
    gateway.clock.advance(hour);
    expect(await asked(first, second)).toEqual([401, 200]);
    await gateway.restart();
    expect(await asked(first, second)).toEqual([401, 200]);
  });

  it.each([-1, 7 * 24 * hour + 1, Number.NaN])('of %d ms is refused, and changes nothing', async (overlapMs) => {
    await expect(rotate(overlapMs)).rejects.toThrow('The overlap must be 0 to 7d.');
    expect(await secrets()).toHaveLength(1);
    expect(await asked(client.clientSecret)).toEqual([200]);
  });

  it('may last 7 days', async () => {
    const first = client.clientSecret;
    await rotate(7 * 24 * hour);
    gateway.clock.advance(7 * 24 * hour - 1);
    expect(await asked(first)).toEqual([200]);
  });
});

describe('a rotation without overlap', () => {
  it('ends the one before within a second', async () => {
    const first = client.clientSecret;
    expect(await asked(first)).toEqual([200]);
    const { clientSecret: second, previousEndsAt } = await rotate(0);
    expect(previousEndsAt).toBe(gateway.clock.now());
    await expect.poll(() => asked(first), soon).toEqual([401]);
    expect(await asked(second)).toEqual([200]);
  });
});

describe('a third secret', () => {
  it('ends the oldest within a second, and gives the second its overlap', async () => {
    const first = client.clientSecret;
    const { clientSecret: second } = await rotate(24 * hour);
    gateway.clock.advance(hour);
    expect(await asked(first, second)).toEqual([200, 200]);
    const { clientSecret: third, previousEndsAt } = await rotate(24 * hour);
    expect(previousEndsAt).toBe(gateway.clock.now() + 24 * hour);
    await expect.poll(() => asked(first), soon).toEqual([401]);
    expect(await asked(second, third)).toEqual([200, 200]);
    gateway.clock.advance(24 * hour);
    expect(await asked(first, second, third)).toEqual([401, 401, 200]);
  });

  it('leaves two that live when many rotate at the same moment', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, () => rotate(24 * hour)));
    await gateway.restart();
    const statuses = await asked(client.clientSecret, ...made.map(({ clientSecret }) => clientSecret));
    expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  });
});

describe('live tokens', () => {
  it.each([0, 24 * hour])(
    'are not touched by a rotation with an overlap of %d ms, nor by the third',
    async (overlapMs) => {
      const before = await gateway.bearerOf(client);
      expect(await scrape(before)).toBe(200);
      for (let round = 0; round < 3; round++) {
        await rotate(overlapMs);
        // The next refusal shows that the gateway knows of the rotation.
        if (overlapMs === 0) await expect.poll(() => asked(client.clientSecret), soon).toEqual([401]);
        expect(await scrape(before)).toBe(200);
      }
      await gateway.restart();
      gateway.clock.advance(959_000);
      expect(await scrape(before)).toBe(200);
      gateway.clock.advance(1000);
      expect(await scrape(before)).toBe(401);
    },
  );
});

describe('the record of last use', () => {
  const use = async (secret: string, agent: string): Promise<void> => {
    const response = await fetch(`${gateway.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
      headers: { authorization: basic(client.clientId, secret), 'user-agent': agent },
    });
    expect(response.status).toBe(200);
  };

  it('shows within seconds when, from where and with what each secret was used, newest secret first', async () => {
    const { clientSecret: second } = await rotate(hour);
    expect((await secrets()).map(({ lastUse }) => lastUse)).toEqual([null, null]);
    const at = gateway.clock.now();
    await use(client.clientSecret, 'old-scraper/1');
    gateway.clock.advance(1000);
    await use(second, 'new-scraper/1');
    await use(second, 'new-scraper/2');
    await expect
      .poll(async () => (await secrets()).map(({ lastUse }) => lastUse), { timeout: 5000, interval: 50 })
      .toEqual([
        { at: at + 1000, ip: '127.0.0.1', agent: 'new-scraper/2' },
        { at, ip: '127.0.0.1', agent: 'old-scraper/1' },
      ]);
  });

  it('is written when the gateway stops, and a refused secret leaves none', async () => {
    await rotate(0);
    await expect.poll(() => asked(client.clientSecret), soon).toEqual([401]);
    const { clientSecret: third } = await rotate(0);
    await use(third, 'last-words/1');
    await gateway.restart();
    const agents = (await secrets()).map(({ lastUse }) => lastUse?.agent ?? null);
    expect(agents.slice(0, 2)).toEqual(['last-words/1', null]);
  });
});
