import { expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { datadogPoints } from '../support/recorder.js';
import { boot, closesAfterEach, datadog, recorder, until } from './front-door.js';

closesAfterEach();

const pushed = `# TYPE a gauge
a{of="1"} 1
a{of="2"} 1
# TYPE b_total counter
b_total{of="1"} 1
# TYPE c gauge
c{of="1"} 1
`;

async function ask(gateway: TestGateway, bearer: string, line: string, body?: object) {
  const [method, path] = line.split(' ') as [string, string];
  const response = await gateway.fetch(`/api/v2/metric-streams${path}`, {
    method,
    bearer,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, never> };
}

it('what match leaves is told before a stream is made and after, and is what is sent then', async () => {
  const gateway = await boot();
  await gateway.project('acme', 'db');
  await gateway.project('other', 'db');
  const pusher = await gateway.bearer('acme');
  await gateway.push('acme/db/metrics/job/a', pushed, pusher);
  const bearer = await gateway.bearer('acme', ['create:metric_streams', 'read:metric_streams']);
  const server = await recorder();
  const all = [...(await gateway.page('acme/metrics', pusher)).matchAll(/^[a-z].*\} /gm)].length;
  for (const [match, series] of [
    [undefined, all],
    [['{of="1"}'], 3],
    [['a', 'c'], 3],
    [['{of="1",__name__!~"a|weir_.*"}'], 2],
    [['nothing'], 0],
  ] as const) {
    const subscription = { metric_type: 'project.metrics', interval: '10s', ...(match && { match }) };
    const told = {
      estimates: [{ metric_type: 'project.metrics', series, series_available: all, points_per_hour: series * 360 }],
    };
    const before = await ask(gateway, bearer, 'POST /estimate', { subscriptions: [subscription] });
    expect(before).toEqual({ status: 200, json: told });
    const { json: made } = await ask(gateway, bearer, 'POST ', datadog(server, [subscription]));
    expect((await ask(gateway, bearer, `GET /${made.id}/estimate`)).json).toEqual(told);
  }
  // From the second window on counters are sent, too.
  await until(() => server.taken.length, 4);
  gateway.clock.advance(10_000);
  await until(() => server.taken.length, 8);
  const sent = server.taken.slice(4).map((each) => datadogPoints([each]).size);
  expect(sent.sort((a, b) => b - a)).toEqual([all, 3, 3, 2]);

  const wrong = { subscriptions: [{ metric_type: 'project.metrics', match: ['{'] }] };
  expect((await ask(gateway, bearer, 'POST /estimate', wrong)).status).toBe(400);
  const foreign = { project_id: 'other', subscriptions: [{ metric_type: 'project.metrics' }] };
  expect((await ask(gateway, bearer, 'POST /estimate', foreign)).status).toBe(404);
});

it('tags that are left out make fewer series of the requests that came, and as many are sent', async () => {
  const gateway = await boot();
  await gateway.project('acme', 'db');
  const scrapers = [await gateway.bearer('acme'), await gateway.bearer('acme'), await gateway.bearer('acme')];
  const server = await recorder();
  const estimated = async (tags: object) => {
    const subscriptions = [{ metric_type: 'api_request.count', ...tags }];
    return (await gateway.admin.streams.estimate('acme', subscriptions))[0]!;
  };
  const choices = [
    {},
    { exclude_tags: ['client_id'] },
    { include_tags: ['operation_result'] },
    { include_tags: ['client_id', 'api'], exclude_tags: ['client_id'] },
    { include_tags: [] },
  ];
  for (const tags of choices) {
    await gateway.admin.streams.create('acme', datadog(server, [{ metric_type: 'api_request.count', ...tags }]));
  }
  await expect.poll(() => gateway.operatorValue('weir_streams{type="datadog"}')).toBe(choices.length);
  for (const bearer of scrapers) {
    await gateway.page('acme/db/metrics', bearer);
    await gateway.page('acme/metrics', bearer);
    await gateway.fetch('/api/v1/acme/none/metrics', { bearer });
  }
  const series: (number | null)[] = [];
  for (const tags of choices) {
    const { series: after, available, pointsPerHour } = await estimated(tags);
    // Three scrapers with three kinds of requests each; three tokens before them.
    expect([available, pointsPerHour]).toEqual([12, null]);
    series.push(after);
  }
  expect(series).toEqual([12, 4, 2, 2, 1]);
  gateway.clock.advance(10_000);
  await until(() => server.taken.length, choices.length);
  const sent = server.taken.map((each) => datadogPoints([each]).size);
  // Tokens were asked for before anybody wanted to know.
  expect(sent.sort((a, b) => b - a)).toEqual([9, 3, 2, 1, 1]);
});
