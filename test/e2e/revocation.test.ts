import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Programs } from '../support/programs.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

const runs = 20;
const tokensHeld = 50;
const withinMs = 1000;

let weir: WeirProcess;
let client: CreatedClient;
/** As `Authorization` headers. */
let tokens: string[];
let others: string[];

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'db1');
  await weir.createProject('globex', 'db1');
  client = await weir.createClient('acme', 'read:metrics');
  tokens = await Promise.all(Array.from({ length: tokensHeld }, () => token(client)));
  others = [
    await token(await weir.createClient('acme', 'read:metrics')),
    await token(await weir.createClient('globex', 'read:metrics')),
  ];
});

async function token({ client_id, client_secret, token_url }: CreatedClient): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret });
  const response = await fetch(token_url, { method: 'POST', body });
  if (response.status !== 200) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return `Bearer ${((await response.json()) as { access_token: string }).access_token}`;
}

async function scrape(authorization: string, project: string): Promise<number> {
  const response = await fetch(`${weir.url}/api/v1/${project}/db1/metrics`, { headers: { authorization } });
  await response.arrayBuffer();
  return response.status;
}

const scrapeAll = (): Promise<number[]> => Promise.all(tokens.map((held) => scrape(held, 'acme')));
const scrapeOthers = (): Promise<number[]> =>
  Promise.all(others.map((held, at) => scrape(held, ['acme', 'globex'][at]!)));

const all = (status: number): number[] => Array.from({ length: tokensHeld }, () => status);

/** Scrapes with every token until none is served any more; gives when that began, in milliseconds from now. */
async function refusedAfter(): Promise<number> {
  const from = performance.now();
  for (;;) {
    const askedAt = performance.now() - from;
    const [statuses, untouched] = await Promise.all([scrapeAll(), scrapeOthers()]);
    expect(untouched, 'other clients').toEqual([200, 200]);
    if (statuses.every((status) => status === 401)) return askedAt;
    expect(new Set(statuses)).toEqual(new Set(statuses.includes(401) ? [200, 401] : [200]));
    if (askedAt > 10 * withinMs) return Number.POSITIVE_INFINITY;
  }
}

describe('weir client disable, beside a running server', () => {
  it(`refuses ${tokensHeld} live tokens within ${withinMs} ms and no other client's, in ${runs} of ${runs} runs`, async () => {
    const took: number[] = [];
    for (let run = 0; run < runs; run++) {
      expect(await scrapeAll(), `run ${run}: the tokens live`).toEqual(all(200));
      await weir.command('client', 'disable', client.client_id);
      took.push(await refusedAfter());
      await expect(token(client)).rejects.toThrow('no token: 401');
      expect(await scrapeAll(), `run ${run}: refused for good`).toEqual(all(401));
      await weir.command('client', 'enable', client.client_id);
    }
    expect(took, `${took.map(Math.round)} ms`).toHaveLength(runs);
    expect(Math.max(...took), `${took.map(Math.round)} ms`).toBeLessThan(withinMs);
  });
});
