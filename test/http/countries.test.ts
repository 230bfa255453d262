import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CountryFile } from '../../src/gateway/country-file.js';
import { countryCode } from '../../src/http/countries.js';
import { openLog } from '../../src/telemetry/log.js';
import { boot, closesAfterEach, datadog, recorder, until } from '../streams/front-door.js';
import { countryFile } from '../support/country-file.js';
import { basic, type GatewayOptions, type TestGateway } from '../support/gateway.js';
import type { Recorder } from '../support/recorder.js';

closesAfterEach();

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  file = join(folder, 'countries.mmdb');
  writeFileSync(
    file,
    countryFile({ '198.51.100.0/24': 'DE', '203.0.113.128/25': 'FR', '2001:db8:1::/48': 'JP', '127.0.0.0/8': 'SE' }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A gateway whose API requests go to a recorder. */
async function streaming(options: GatewayOptions): Promise<{ gateway: TestGateway; server: Recorder; bearer: string }> {
  const server = await recorder();
  const gateway = await boot(options);
  await gateway.project('acme', 'db1');
  const bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
  await gateway.admin.streams.create('acme', datadog(server, [{ metric_type: 'api_request.count' }]));
  await expect.poll(() => gateway.operatorValue('weir_streams{type="datadog"}')).toBe(1);
  return { gateway, server, bearer };
}

/** By country, how often each operation was counted; `-` without the tag. */
async function counts(gateway: TestGateway, server: Recorder): Promise<Record<string, number>> {
  gateway.clock.advance(10_000);
  await until(() => server.taken.length, 1);
  const { series } = JSON.parse(server.taken[0]!.body.toString()) as {
    series: { tags: string[]; points: { value: number }[] }[];
  };
  const found: Record<string, number> = {};
  for (const { tags, points } of series) {
    const tagOf = (name: string): string | undefined =>
      tags.find((tag) => tag.startsWith(`${name}:`))?.slice(name.length + 1);
    const key = `${tagOf('country_code') ?? '-'} ${tagOf('operation_name')!.split(' ')[1]}`;
    found[key] = (found[key] ?? 0) + points.reduce((sum, { value }) => sum + value, 0);
  }
  return found;
}

const page = '/api/v1/{project}/{metricsId}/metrics';
const scrapeFrom = async (gateway: TestGateway, bearer: string, headers: Record<string, string>): Promise<void> => {
  const response = await gateway.fetch('/api/v1/acme/db1/metrics', { bearer, headers });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
};

it('is what a trusted proxy says, for cached pages, tokens and refusals', async () => {
  const { gateway, server, bearer } = await streaming({ trustedProxies: ['127.0.0.1'], countryHeader: 'cf-ipcountry' });
  for (const country of ['DE', 'DE', 'fr', 'DE', 'XX', 'T1', 'Germany', 'D\u00e4', '']) {
    await scrapeFrom(gateway, bearer, { 'CF-IPCountry': country });
  }
  await scrapeFrom(gateway, bearer, {});
  const { clientId, clientSecret } = await gateway.client('acme', ['read:metrics']);
  await fetch(`${gateway.url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: { authorization: basic(clientId, clientSecret), 'cf-ipcountry': 'IT' },
  });
  await gateway.fetch('/api/v1/other/db1/metrics', { bearer, headers: { 'cf-ipcountry': 'ES' } });
  expect(await counts(gateway, server)).toEqual({
    [`DE ${page}`]: 3,
    [`FR ${page}`]: 1,
    [`- ${page}`]: 6,
    'IT /oauth/token': 1,
    [`ES ${page}`]: 1,
  });
});

it('is not what anybody else says', async () => {
  const options = { trustedProxies: ['192.0.2.0/24'], countryHeader: 'cf-ipcountry' };
  const { gateway, server, bearer } = await streaming(options);
  for (const country of ['DE', 'FR']) await scrapeFrom(gateway, bearer, { 'CF-IPCountry': country });
  expect(await counts(gateway, server)).toEqual({ [`- ${page}`]: 2 });
});

it('is absent where the operator has not said how to tell', async () => {
  const { gateway, server, bearer } = await streaming({ trustedProxies: ['127.0.0.1'] });
  await scrapeFrom(gateway, bearer, { 'CF-IPCountry': 'DE', 'X-Forwarded-For': '198.51.100.7' });
  expect(await counts(gateway, server)).toEqual({ [`- ${page}`]: 1 });
});

it('is that of the address in the country file, unless a proxy says another', async () => {
  const { gateway, server, bearer } = await streaming({
    trustedProxies: ['127.0.0.1'],
    countryHeader: 'cf-ipcountry',
    countryFile: file,
  });
  for (const from of ['198.51.100.7', '203.0.113.200', '203.0.113.1', '2001:db8:1::9', '[2001:db8:2::9]:80']) {
    await scrapeFrom(gateway, bearer, { 'X-Forwarded-For': from });
  }
  await scrapeFrom(gateway, bearer, { 'X-Forwarded-For': '198.51.100.7', 'CF-IPCountry': 'IT' });
  await scrapeFrom(gateway, bearer, { 'X-Forwarded-For': '198.51.100.7', 'CF-IPCountry': 'XX' });
  expect(await counts(gateway, server)).toEqual({
    [`DE ${page}`]: 2,
    [`FR ${page}`]: 1,
    [`- ${page}`]: 2,
    [`JP ${page}`]: 1,
    [`IT ${page}`]: 1,
  });
});

it('a country file that is none stops the start', async () => {
  const broken = join(folder, 'broken.mmdb');
  writeFileSync(broken, 'not a database');
  await expect(boot({ countryFile: broken })).rejects.toThrow(/country file .*broken\.mmdb cannot be used/);
  await expect(boot({ countryFile: join(folder, 'absent.mmdb') })).rejects.toThrow('cannot be used');
});

it('a country file that is damaged within costs the tag, not the request', () => {
  const damaged = join(folder, 'damaged.mmdb');
  const whole = countryFile({ '198.51.100.0/24': 'DE' });
  // Everything below the first nodes points into nothing.
  whole.fill(0xee, 600, 700);
  writeFileSync(damaged, whole);
  expect(new CountryFile(damaged).lookup('198.51.100.7')).toBeUndefined();
});

describe('a changed country file', () => {
  it('is taken up, and a broken one is not', async () => {
    const logged: string[] = [];
    const log = openLog({ level: 'info', format: 'json' }, (line) => logged.push(line));
    const changing = join(folder, 'changing.mmdb');
    writeFileSync(changing, countryFile({ '198.51.100.0/24': 'DE' }));
    const countries = new CountryFile(changing);
    expect(countries.lookup('198.51.100.7')).toBe('DE');
    writeFileSync(changing, countryFile({ '198.51.100.0/24': 'FR', '192.0.2.0/24': 'ES' }));
    await countries.refresh(log);
    expect([countries.lookup('198.51.100.7'), countries.lookup('192.0.2.1')]).toEqual(['FR', 'ES']);
    writeFileSync(changing, 'broken');
    await countries.refresh(log);
    await countries.refresh(log);
    expect(countries.lookup('198.51.100.7')).toBe('FR');
    expect(logged.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['info', 'error']);
  });
});

it.each([
  ['de', 'DE'],
  [' GB ', 'GB'],
  ['XX', undefined],
  ['ZZ', undefined],
  ['DEU', undefined],
  ['T1', undefined],
  ['', undefined],
])('the code %j is read as %j', (text, code) => expect(countryCode(text)).toBe(code));
