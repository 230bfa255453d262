import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { deliveryJson, streamJson } from '../../src/admin/stream-shape.js';
import { boot, closesAfterEach, datadog, otlp, recorder, remoteWrite, until } from './front-door.js';

closesAfterEach();

async function acme() {
  const gateway = await boot();
  await gateway.project('acme', 'db');
  return { gateway, streams: gateway.admin.streams };
}

/** The three bodies of Auth0's page; only hosts and keys are ours. */
const published = {
  datadog: {
    name: 'datadog-production',
    subscriptions: [{ metric_type: 'auth0.api_request.count' }],
    destination: { type: 'datadog', configuration: { api_key: 'YOUR_DATADOG_API_KEY', site: 'app.datadoghq.com' } },
  },
  newrelic: {
    name: 'newrelic-production',
    subscriptions: [{ metric_type: 'metrics_bridge.api_request' }],
    destination: {
      type: 'otlp',
      configuration: {
        endpoint: 'https://otlp.nr-data.net',
        protocol: 'http',
        auth_type: 'api_key',
        api_key: 'YOUR_INGEST_LICENSE_KEY',
        auth_header_name: 'api-key',
      },
    },
  },
  splunk: {
    name: 'splunk-production',
    subscriptions: [{ metric_type: 'metrics_bridge.api_request' }],
    destination: {
      type: 'otlp',
      configuration: {
        endpoint: 'https://ingest.us1.signalfx.com/v2/datapoint/otlp',
        protocol: 'http',
        auth_type: 'api_key',
        api_key: 'YOUR_SPLUNK_ACCESS_TOKEN',
        auth_header_name: 'X-SF-TOKEN',
      },
    },
  },
};

describe("Auth0's published bodies", () => {
  it.each(Object.values(published))('create a stream as they stand: $name', async (body) => {
    const { streams } = await acme();
    const shown = streamJson(await streams.create('acme', body));
    expect(shown).toMatchObject({
      id: expect.stringMatching(/^mst_[\w-]{16}$/),
      status: 'enabled',
      name: body.name,
      subscriptions: body.subscriptions,
      created_at: '2026-01-01T12:00:00.000Z',
      updated_at: '2026-01-01T12:00:00.000Z',
      destination: {
        type: body.destination.type,
        configuration: { ...body.destination.configuration, api_key: '***' },
      },
      health: { status: 'ok' },
    });
  });

  it('{"status":"disabled"} stops it and keeps the configuration, {"status":"enabled"} brings it back', async () => {
    const { gateway, streams } = await acme();
    const server = await recorder();
    const { id } = await streams.create('acme', datadog(server));
    await until(() => server.taken.length, 1);
    const disabled = await streams.update(id, { status: 'disabled' });
    expect(streamJson(disabled)).toMatchObject({
      status: 'disabled',
      destination: { configuration: { url: server.url } },
    });
    await expect.poll(() => gateway.operatorValue('weir_streams{type="datadog"}')).toBe(0);
    gateway.clock.advance(60_000);
    await streams.update(id, { status: 'enabled' });
    await until(() => server.taken.length, 2);
    expect(server.requests[1]!.headers['dd-api-key']).toBe('dd-canary-key');
  });
});

describe('destinations', () => {
  const create = async (destination: unknown, subscriptions: unknown = [{ metric_type: 'project.metrics' }]) => {
    const { streams } = await acme();
    return streams.create('acme', { name: 'x', subscriptions, destination });
  };

  it.each([
    ['US1', 'datadoghq.com'],
    ['us3', 'us3.datadoghq.com'],
    ['EU', 'datadoghq.eu'],
    ['GOV', 'ddog-gov.com'],
    ['app.datadoghq.eu', 'datadoghq.eu'],
    ['us5.datadoghq.com', 'us5.datadoghq.com'],
  ])("Datadog's site %s is https://api.%s", async (site, host) => {
    const asked: string[] = [];
    const gateway = await boot({
      seams: {
        egress: {
          lookup: async (name) => {
            asked.push(name);
            return [];
          },
        },
      },
    });
    await gateway.project('acme', 'db');
    await gateway.admin.streams.testDestination('acme', { type: 'datadog', configuration: { api_key: 'k', site } });
    expect(asked).toEqual([`api.${host}`]);
  });

  it.each([
    ['', '/v1/metrics'],
    ['/', '/v1/metrics'],
    ['/otlp', '/otlp/v1/metrics'],
    ['/otlp/v1/metrics', '/otlp/v1/metrics'],
    ['/v2/datapoint/otlp', '/v2/datapoint/otlp'],
  ])('an OTLP endpoint with path "%s" is asked at %s', async (path, asked) => {
    const { streams } = await acme();
    const server = await recorder();
    const result = await streams.testDestination('acme', {
      type: 'otlp',
      configuration: { endpoint: `${server.url}${path}`, auth_type: 'bearer', token: 'bearer-canary' },
    });
    expect(result).toMatchObject({ delivered: true, status: 202, error: null });
    expect(server.requests[0]).toMatchObject({ path: asked, headers: { authorization: 'Bearer bearer-canary' } });
  });

  const key = { auth_type: 'api_key', api_key: 'k', auth_header_name: 'x-key' };
  it.each<[string, unknown, string]>([
    ['an unknown type', { type: 'graphite', configuration: {} }, 'destination.type'],
    ['no key for Datadog', { type: 'datadog', configuration: { site: 'US1' } }, 'destination.configuration.api_key'],
    [
      'site and url',
      { type: 'datadog', configuration: { api_key: 'k', site: 'US1', url: 'https://a.example' } },
      'destination.configuration.site',
    ],
    [
      'a site that is none',
      { type: 'datadog', configuration: { api_key: 'k', site: 'MARS1' } },
      'destination.configuration.site',
    ],
    [
      'an unknown field',
      { type: 'datadog', configuration: { api_key: 'k', site: 'US1', proxy: 'x' } },
      'destination.configuration.proxy',
    ],
    [
      'another scheme',
      { type: 'otlp', configuration: { endpoint: 'gopher://a.example/' } },
      'destination.configuration.endpoint',
    ],
    [
      'a password in the URL',
      { type: 'otlp', configuration: { endpoint: 'https://u:p@a.example/' } },
      'destination.configuration.endpoint',
    ],
    [
      'no header for the key',
      { type: 'otlp', configuration: { endpoint: 'https://a.example', auth_type: 'api_key', api_key: 'k' } },
      'destination.configuration.auth_header_name',
    ],
    [
      'a header that is not free',
      { type: 'otlp', configuration: { endpoint: 'https://a.example', ...key, auth_header_name: 'Host' } },
      'destination.configuration.auth_header_name',
    ],
    [
      'a key that breaks the line',
      { type: 'otlp', configuration: { endpoint: 'https://a.example', ...key, api_key: 'a\r\nx: y' } },
      'destination.configuration.api_key',
    ],
    [
      'a token for basic',
      {
        type: 'otlp',
        configuration: { endpoint: 'https://a.example', auth_type: 'basic', username: 'u', password: 'p', token: 't' },
      },
      'destination.configuration.token',
    ],
    [
      'JSON for Splunk',
      {
        type: 'otlp',
        configuration: { endpoint: 'https://a.example/v2/datapoint/otlp', protocol: 'http/json', ...key },
      },
      'destination.configuration.protocol',
    ],
    [
      "cumulative for Datadog's OTLP",
      { type: 'otlp', configuration: { endpoint: 'https://otlp.datadoghq.com', ...key } },
      'destination.configuration.temporality',
    ],
    [
      'a masked key where there is none',
      { type: 'datadog', configuration: { api_key: '***', site: 'US1' } },
      'destination.configuration.api_key',
    ],
    [
      'an address without a port',
      { type: 'dogstatsd', configuration: { address: '10.0.0.1' } },
      'destination.configuration.address',
    ],
  ])('%s is refused, naming the field', async (_, destination, field) => {
    await expect(create(destination)).rejects.toMatchObject({ code: 'invalid', facts: { field } });
  });

  it.each<[string, unknown, string]>([
    ['an unknown metric', [{ metric_type: 'auth0.other' }], 'subscriptions.metric_type'],
    [
      'the same metric in two spellings',
      [{ metric_type: 'auth0.api_request.count' }, { metric_type: 'metrics_bridge.api_request' }],
      'subscriptions',
    ],
    ['no subscription', [], 'subscriptions'],
    ['an interval that is too short', [{ metric_type: 'project.metrics', interval: '5s' }], 'subscriptions.interval'],
    [
      'an unknown tag',
      [{ metric_type: 'api_request.count', exclude_tags: ['batch_seq'] }],
      'subscriptions.0.exclude_tags.0',
    ],
    ['tags of series', [{ metric_type: 'project.metrics', exclude_tags: ['client_id'] }], 'subscriptions.include_tags'],
    ['a selector that is none', [{ metric_type: 'project.metrics', match: ['{a=~"(x+)+"}'] }], 'match'],
  ])('%s is refused, naming the field', async (_, subscriptions, field) => {
    const destination = { type: 'datadog', configuration: { api_key: 'k', site: 'US1' } };
    await expect(create(destination, subscriptions)).rejects.toMatchObject({ code: 'invalid', facts: { field } });
  });
});

describe('secrets', () => {
  it('are kept by ***, as long as they go to the same host', async () => {
    const { streams } = await acme();
    const server = await recorder();
    const { id } = await streams.create('acme', otlp(server));
    const { destination } = streamJson(await streams.get(id));
    expect(destination.configuration).toMatchObject({ api_key: '***' });
    const changed = { ...destination, configuration: { ...destination.configuration, auth_header_name: 'x-license' } };
    await streams.update(id, { destination: changed });
    expect((await streams.test(id)).delivered).toBe(true);
    expect(server.requests.at(-1)!.headers['x-license']).toBe('nr-canary-key');
    const elsewhere = {
      ...destination,
      configuration: { ...destination.configuration, endpoint: 'https://thief.example' },
    };
    await expect(streams.update(id, { destination: elsewhere })).rejects.toThrow('would go to another host');
  });

  it('are in no reply, log line, audit entry, operator page, and in no byte of the database', async () => {
    const { gateway, streams } = await acme();
    const server = await recorder();
    server.answer = ({ headers }) => ({ status: 400, body: `you sent ${JSON.stringify(headers)}` });
    const bearer = await gateway.bearer('acme');
    await gateway.push('acme/db/metrics/job/a', 'x 1\n', bearer);
    const seen: unknown[] = [];
    for (const body of [datadog(server), otlp(server), remoteWrite(server)]) {
      const made = await streams.create('acme', body);
      seen.push(streamJson(made), made, await streams.test(made.id));
      await expect.poll(async () => (await streams.deliveries(made.id, { limit: 5 }))[0]?.status).toBe('failed');
      const deliveries = await streams.deliveries(made.id, { limit: 5 });
      expect(JSON.stringify(deliveries)).toContain('***');
      seen.push(deliveries.map(deliveryJson), await streams.update(made.id, { name: 'renamed' }));
    }
    const page = await (await fetch(`${gateway.operatorUrl}/metrics`)).text();
    const { path } = gateway.config.storage;
    const bytes = [path, `${path}-wal`].map((file) => readFileSync(file).toString('latin1'));
    const basic = Buffer.from('user:rw-canary').toString('base64');
    for (const canary of ['dd-canary-key', 'nr-canary-key', 'rw-canary', basic]) {
      for (const text of [JSON.stringify(seen), JSON.stringify(gateway.logs), page, ...bytes])
        expect(text).not.toContain(canary);
    }
    expect(server.requests.some(({ headers }) => headers['dd-api-key'] === 'dd-canary-key')).toBe(true);
  });
});

describe('a project', () => {
  it("sees and touches only its own streams; another's look as if they were not there", async () => {
    const { gateway, streams } = await acme();
    await gateway.project('other', 'db');
    const { id } = await streams.create('acme', published.datadog);
    const missing = await streams.get('mst_none', 'other').catch((error: unknown) => error);
    const attempts = [
      streams.get(id, 'other'),
      streams.update(id, { name: 'mine' }, { projectId: 'other' }),
      streams.delete(id, 'other'),
      streams.test(id, 'other'),
      streams.deliveries(id, { limit: 1 }, 'other'),
      streams.redeliver(id, { from: 0 }, 'other'),
    ];
    for (const attempt of attempts) await expect(attempt).rejects.toEqual(missing);
    expect(await streams.list('other')).toEqual([]);
    expect((await streams.get(id, 'acme')).name).toBe('datadog-production');
  });

  it('has at most as many streams as its limit says, and takes them with it when it goes', async () => {
    const { gateway, streams } = await acme();
    const server = await recorder();
    for (let count = 0; count < 5; count++) await streams.create('acme', datadog(server));
    await expect(streams.create('acme', datadog(server))).rejects.toMatchObject({
      code: 'limit_exceeded',
      facts: { limit: 'streams' },
    });
    await until(() => server.taken.length, 5);
    await gateway.admin.projects.delete('acme');
    expect(await streams.list()).toEqual([]);
    await expect.poll(() => gateway.operatorValue('weir_streams{type="datadog"}')).toBe(0);
    gateway.clock.advance(120_000);
    await expect
      .poll(() => gateway.operatorValue('weir_stream_attempts_total{type="datadog",result="delivered"}'))
      .toBe(5);
  });
});
