import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let file: string;

beforeEach(async () => {
  gateway = await TestGateway.boot({
    reread: (config) => {
      const sources = { flags: { 'config.file': file }, env: {}, readFile: () => content };
      const { log, tokens, limits, web } = loadConfig(sources).config;
      return { ...config, log, tokens, limits, web: { ...config.web, trustedProxies: web.trustedProxies } };
    },
  });
  file = join(gateway.folder, 'weir.yml');
  write('log: {level: debug, format: json}\n');
});
afterEach(() => gateway.stop());

let content = '';
const write = (text: string): void => {
  content = text;
  writeFileSync(file, text);
};
const reload = (method = 'POST'): Promise<Response> => fetch(`${gateway.operatorUrl}/-/reload`, { method });
const successful = () => gateway.operatorValue('weir_config_last_reload_successful');
const reloadedAt = () => gateway.operatorValue('weir_config_last_reload_success_timestamp_seconds');

describe('a reload', () => {
  it.each(['POST', 'PUT'])('by %s takes up limits, the lifetime of tokens and the level of the log', async (method) => {
    await gateway.project('acme', 'db1');
    const client = await gateway.client('acme', ['read:metrics', 'write:metrics']);
    const bearer = await gateway.bearerOf(client);
    await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
    gateway.clock.advance(5000);
    write('limits: {series: 1}\ntokens: {lifetime: 10m}\nlog: {level: warn}\n');
    const response = await reload(method);
    expect([response.status, await response.text()]).toEqual([200, 'The configuration was read again.\n']);
    const refused = await gateway.fetch('/api/v1/acme/db1/metrics', { method: 'PUT', bearer, body: 'a 1\nb 2\n' });
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('series = 1')]);
    const form = { grant_type: 'client_credentials', client_id: client.clientId, client_secret: client.clientSecret };
    expect(await (await gateway.token(form)).json()).toMatchObject({ expires_in: 600 });
    expect(await successful()).toBe(1);
    expect(await reloadedAt()).toBe(gateway.clock.now() / 1000);
    // That it was read again is said at the level "info".
    expect(gateway.logs.map(({ msg }) => msg)).not.toContain('the configuration was read again');
    write('log: {level: info}\n');
    await (await reload()).text();
    expect(gateway.logs.at(-1)).toMatchObject({ level: 'info', msg: 'the configuration was read again' });
    await gateway.push('acme/db1/metrics', 'a 1\nb 2\n', bearer);
  });

  it('keeps the old configuration when the new one is bad, and says what is wrong and that it failed', async () => {
    const started = await reloadedAt();
    gateway.clock.advance(5000);
    write('limits: {series: 1}\nlog: {level: loud}\n');
    const response = await reload();
    expect([response.status, await response.text()]).toEqual([
      500,
      `The configuration cannot be read again; the old one stays.\n${file}:2: log.level: Write one of debug, info, warn, error here.\n`,
    ]);
    expect(await successful()).toBe(0);
    expect(await reloadedAt()).toBe(started);
    expect(gateway.logs.at(-1)).toMatchObject({ level: 'error', msg: expect.stringContaining('the old one stays') });
    await gateway.project('acme', 'db1');
    await gateway.push('acme/db1/metrics', 'a 1\nb 2\n', await gateway.bearer('acme'));
    write('log: {level: debug}\n');
    expect((await reload()).status).toBe(200);
    expect(await successful()).toBe(1);
  });

  it('names the settings that need a restart', async () => {
    write('web: {trusted_proxies: "10.0.0.0/8"}\ntokens: {lifetime: 20m}\n');
    expect((await reload()).status).toBe(200);
    expect(gateway.logs).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        settings: ['web.trusted_proxies'],
        msg: expect.stringContaining('restart'),
      }),
    );
  });

  it('is not done by a GET', async () => {
    const response = await reload('GET');
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, PUT']);
  });
});
