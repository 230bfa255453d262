import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { exportOf, sendOtlp } from '../support/otlp.js';
import { request1, request2, send } from '../support/remote-write.js';

let gateway: TestGateway;
let bearer: string;
beforeAll(async () => {
  gateway = await TestGateway.boot({ limits: { value_length_bytes: 20 } });
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterAll(() => gateway.stop());

/** The twentieth byte is the first of two. */
const help = 'nineteen bytes long\u00e9, and this is too much';

const pushText = async (type: string, body: string): Promise<Response> =>
  gateway.fetch('/api/v1/acme/db1/metrics/job/app', {
    method: 'POST',
    bearer,
    body,
    headers: { 'content-type': type },
  });

const ways: Record<string, () => Promise<Response>> = {
  text: () => pushText('text/plain', `# HELP m_text ${help}\nm_text 1\n`),
  openmetrics: () => pushText('application/openmetrics-text', `# HELP m_openmetrics ${help}\nm_openmetrics 1\n# EOF\n`),
  remote_write_1: () => {
    const series = { labels: { __name__: 'm_remote_write_1' }, samples: [[1, gateway.clock.now()]] as const };
    return send(gateway, 'acme/db1', bearer, request1([series], [{ metricFamilyName: 'm_remote_write_1', help }]));
  },
  remote_write_2: () => {
    const samples = [[1, gateway.clock.now()]] as const;
    const series = { labels: { __name__: 'm_remote_write_2' }, samples, metadata: { type: 'gauge', help } };
    return send(gateway, 'acme/db1', bearer, request2([series]), '2.0');
  },
  otlp: () => {
    const point = { timeUnixNano: `${gateway.clock.now()}000000`, asDouble: 1 };
    const metric = { name: 'm_otlp', description: help, gauge: { dataPoints: [point] } };
    return sendOtlp(gateway, 'acme/db1', bearer, exportOf([metric]));
  },
};

it.each(Object.keys(ways))('a help text by %s is cut to the length of a label value', async (way) => {
  const answer = await ways[way]!();
  expect([answer.status, await answer.text()]).toEqual([expect.toSatisfy((status) => status < 300), expect.anything()]);
  gateway.clock.advance(30_001);
  bearer = await gateway.bearer('acme');
  expect(await gateway.page('acme/db1/metrics', bearer)).toContain(`# HELP m_${way} nineteen bytes long\n`);
});
