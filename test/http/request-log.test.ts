import Sqlite from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { basic, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.boot({
    reread: (config) => {
      const { log } = loadConfig({ flags: {}, env: {}, readFile: () => '' }).config;
      return { ...config, log: { ...log, level } };
    },
  });
  await gateway.project('acme', 'db1');
});
afterAll(() => gateway.stop());
afterEach(() => setLevel('debug'));

let level: 'debug' | 'info' = 'debug';
async function setLevel(to: typeof level): Promise<void> {
  level = to;
  await (await fetch(`${gateway.operatorUrl}/-/reload`, { method: 'POST' })).text();
}

/** The lines about requests that were written meanwhile. */
async function linesOf(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const before = gateway.logs.length;
  await work();
  return gateway.logs.slice(before).filter((line) => 'request_id' in line);
}
const read = async (response: Promise<Response>): Promise<[number, string]> => {
  const { status } = await response;
  return [status, await (await response).text()];
};

describe('at the level debug', () => {
  it('a request has one line, with who called when that is proved, whatever path it took', async () => {
    const client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
    const authorization = basic(client.clientId, client.clientSecret);
    const bearer = await gateway.bearerOf(client);
    const caller = { client_id: client.clientId, project_id: 'acme' };
    const page = '/api/v1/acme/db1/metrics';
    const lines = await linesOf(async () => {
      await read(gateway.token({ grant_type: 'client_credentials' }, authorization));
      await read(gateway.token({ grant_type: 'client_credentials', scope: 'more' }, authorization));
      await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
      await gateway.page('acme/db1/metrics', bearer);
      await gateway.page('acme/db1/metrics', bearer);
      await read(gateway.fetch('/api/v1/other/db1/metrics', { bearer }));
      await read(gateway.fetch(page));
      await read(gateway.fetch('/nothing'));
    });
    const common = { level: 'debug', msg: 'request', address: '127.0.0.1' };
    expect(lines).toEqual(
      [
        { method: 'POST', path: '/oauth/token', status: 200, ...caller },
        { method: 'POST', path: '/oauth/token', status: 400, ...caller },
        { method: 'PUT', path: page, status: 200, ...caller },
        { method: 'GET', path: page, status: 200, ...caller },
        { method: 'GET', path: page, status: 200, ...caller },
        { method: 'GET', path: '/api/v1/other/db1/metrics', status: 404, ...caller },
        { method: 'GET', path: page, status: 401 },
        { method: 'GET', path: '/nothing', status: 404 },
      ].map((line) => ({
        ...common,
        ...line,
        time: expect.any(String),
        request_id: expect.stringMatching(/^[\w-]{8}-\d+$/),
        duration_ms: expect.any(Number),
      })),
    );
    expect(new Set(lines.map(({ request_id }) => request_id)).size).toBe(lines.length);
  });

  it('nothing that may be secret is in it, and no path makes a line of its own', async () => {
    const secret = 'eyJhbGciOiJFUzI1NiJ9.c2VjcmV0.c2VjcmV0';
    const lines = await linesOf(async () => {
      await read(gateway.fetch(`/api/v1/acme/db1/metrics?access_token=${secret}`, { bearer: `Bearer ${secret}` }));
      await read(gateway.fetch(`/a%0A{"level":"info"}%1b[31m${'x'.repeat(1000)}`));
    });
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(String(lines[1]!.path).length).toBeLessThanOrEqual(201);
    expect([...String(lines[1]!.path)].filter((letter) => letter < ' ')).toEqual([]);
  });
});

it('at the level info no request has a line', async () => {
  await setLevel('info');
  expect(await linesOf(() => read(gateway.fetch('/nothing')))).toEqual([]);
});

describe('a request that fails for our own reasons', () => {
  it('is found in the log by what its answer says', async () => {
    const bearer = await gateway.bearer('acme');
    // Also makes it read the project again.
    await setLevel('info');
    const other = new Sqlite(gateway.config.storage.path);
    other.exec('ALTER TABLE project RENAME TO elsewhere');
    const lines: Record<string, unknown>[] = [];
    let answer: [number, string] | undefined;
    try {
      lines.push(
        ...(await linesOf(async () => {
          answer = await read(
            gateway.fetch('/api/v1/acme/db9/metrics?x=1', { bearer, headers: { 'x-request-id': 'mine' } }),
          );
        })),
      );
    } finally {
      other.exec('ALTER TABLE elsewhere RENAME TO project');
      other.close();
    }
    expect(answer![0]).toBe(500);
    expect(lines).toHaveLength(1);
    const [line] = lines;
    expect(line).toMatchObject({ level: 'error', method: 'GET', path: '/api/v1/acme/db9/metrics', project_id: 'acme' });
    // This caller is no trusted proxy.
    expect(line!.request_id).not.toBe('mine');
    expect(answer![1]).toContain(`under the request id ${line!.request_id}.`);
  });
});

it("a request id is a trusted proxy's, if it is one of the usual form", async () => {
  const behind = await TestGateway.boot({ trustedProxies: ['127.0.0.1'] });
  const idOf = async (given: string): Promise<unknown> => {
    const headers = { 'x-request-id': given, 'x-forwarded-for': '192.0.2.7' };
    await read(behind.fetch('/nothing', { headers }));
    expect(behind.logs.at(-1)).toMatchObject({ msg: 'request', address: '192.0.2.7' });
    return behind.logs.at(-1)!.request_id;
  };
  expect(await idOf('6f1a-22.b')).toBe('6f1a-22.b');
  for (const bad of ['', 'a b', 'x'.repeat(129), 'a"b', 'a, b']) expect(await idOf(bad)).not.toBe(bad);
  await behind.stop();
});
