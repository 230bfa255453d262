import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { samples, TestGateway } from '../support/gateway.js';
import { TestEndpoint } from './endpoint.js';

let gateway: TestGateway;
let endpoint: TestEndpoint;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme');
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  endpoint = await TestEndpoint.make(gateway, 'acme');
});

const now = (): string => (gateway.clock.now() / 1000).toFixed(3);

describe('PUT', () => {
  it('replaces the whole group and no other', async () => {
    await endpoint.take('PUT', '/job/app', 'a 1\nb 2\n');
    await endpoint.take('PUT', '/job/other', 'a 3\n');
    await endpoint.take('PUT', '/job/app', 'c 4\n');
    expect(await endpoint.shown()).toEqual(['a{job="other"} 3', 'c{job="app"} 4']);
  });

  it('without a body empties the group, which still says when it was pushed', async () => {
    await endpoint.take('PUT', '/job/app', 'a 1\n');
    gateway.clock.advance(5000);
    const pushed = now();
    await endpoint.take('PUT', '/job/app');
    expect(await endpoint.shown()).toEqual([]);
    expect(await endpoint.pushTimes()).toEqual([
      `weir_group_last_push_timestamp_seconds{instance_id="${endpoint.metricsId}",job="app"} ${pushed}`,
    ]);
  });

  it('answers 200 without a body, as the Pushgateway does', async () => {
    const { status, headers, text } = await endpoint.push('PUT', '/job/app', 'a 1\n');
    expect([status, text, headers.get('content-length'), headers.get('content-type')]).toEqual([200, '', '0', null]);
  });
});

describe('POST', () => {
  it('replaces the families it brings, whole, and keeps the others', async () => {
    await endpoint.take('PUT', '/job/app', '# TYPE a gauge\na{x="1"} 1\na{x="2"} 2\n# TYPE b counter\nb_total 3\n');
    await endpoint.take('POST', '/job/app', '# TYPE a gauge\na{x="3"} 4\n# TYPE c gauge\nc 5\n');
    expect(await endpoint.shown()).toEqual(['a{x="3",job="app"} 4', 'b_total{job="app"} 3', 'c{job="app"} 5']);
  });

  it('without a body only renews the time of the push', async () => {
    await endpoint.take('PUT', '/job/app', 'a 1\n');
    gateway.clock.advance(5000);
    const pushed = now();
    await endpoint.take('POST', '/job/app');
    expect(await endpoint.shown()).toEqual(['a{job="app"} 1']);
    expect((await endpoint.pushTimes())[0]).toContain(` ${pushed}`);
  });

  it('makes the group when there is none', async () => {
    await endpoint.take('POST', '/job/app', 'a 1\n');
    expect(await endpoint.shown()).toEqual(['a{job="app"} 1']);
  });
});

describe('DELETE', () => {
  it('removes exactly the group, not those with more labels or fewer', async () => {
    for (const group of ['', '/job/app', '/job/app/zone/a', '/job/app/zone/b'])
      await endpoint.take('PUT', group, 'a 1\n');
    await endpoint.take('DELETE', '/job/app');
    expect(await endpoint.shown()).toEqual(['a{job="app",zone="a"} 1', 'a{job="app",zone="b"} 1', 'a 1']);
    expect(await endpoint.pushTimes()).toHaveLength(3);
  });

  it('is answered 202, whether there was a group or not, and however often', async () => {
    await endpoint.take('DELETE', '/job/none');
    await endpoint.take('PUT', '/job/app', 'a 1\n');
    await endpoint.take('DELETE', '/job/app');
    await endpoint.take('DELETE', '/job/app');
    expect(await endpoint.shown()).toEqual([]);
  });

  it('keeps its place among pushes that come at the same time', async () => {
    const answers = await Promise.all([
      endpoint.push('PUT', '/job/app', 'a 1\n'),
      endpoint.push('DELETE', '/job/app'),
      endpoint.push('POST', '/job/app', 'b 2\n'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 202, 200]);
    // Which came first is the network's choice; what a DELETE removed must not come back with a later push.
    expect([['a{job="app"} 1', 'b{job="app"} 2'], ['a{job="app"} 1'], ['b{job="app"} 2'], []]).toContainEqual(
      await endpoint.shown(),
    );
  });
});

describe('our labels and names', () => {
  it('instance_id is what the URL says, whatever the body says', async () => {
    await endpoint.take('PUT', '', 'a{instance_id="other",x="1"} 1\na{instance_id="third",x="2"} 2\n');
    expect(samples(await endpoint.page())).toEqual([
      `a{x="1",instance_id="${endpoint.metricsId}"} 1`,
      `a{x="2",instance_id="${endpoint.metricsId}"} 2`,
    ]);
  });

  it('two series that differ in nothing but a pushed instance_id are one series twice', async () => {
    expect(await endpoint.push('PUT', '', 'a{instance_id="1"} 1\na{instance_id="2"} 2\n')).toMatchObject({
      status: 400,
      line: 2,
    });
  });

  it('no instance="" is added, and a pushed instance is kept', async () => {
    await endpoint.take('PUT', '/job/app', 'a 1\na{instance="i"} 2\n');
    expect(await endpoint.shown()).toEqual(['a{job="app"} 1', 'a{instance="i",job="app"} 2']);
  });

  it.each([
    ['weir_x 1\n', 1],
    ['a 1\n# TYPE weir_x gauge\n', 2],
    ['a 1\n# HELP weir_x help\n', 2],
    ['a 1\nweir_snapshot_timestamp_seconds{x="1"} 1\n', 2],
  ])('the name in %j is refused: it is ours', async (body, line) => {
    const answer = await endpoint.push('PUT', '', body);
    expect(answer).toMatchObject({ status: 400, line });
    expect(answer.detail).toContain('weir_');
  });

  it('a name that only resembles ours is taken', async () => {
    await endpoint.take('PUT', '', 'weir 1\nmy_weir_x 2\nWEIR_X 3\n');
    expect(await endpoint.shown()).toHaveLength(3);
  });
});
