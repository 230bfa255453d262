import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { TestEndpoint } from './endpoint.js';

let gateway: TestGateway;
let projectId: string;
let endpoint: TestEndpoint;
let made = 0;

beforeAll(async () => {
  gateway = await TestGateway.boot();
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  projectId = `p${++made}`;
  await gateway.project(projectId);
  endpoint = await TestEndpoint.make(gateway, projectId);
});

const labels = (count: number, prefix = 'l'): string =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}="x"`).join(',');
const series = (count: number, name = 'a'): string =>
  Array.from({ length: count }, (_, i) => `${name}{i="${i}"} 1\n`).join('');

/** Sets limits of the project and waits until pushes meet them: a second is promised. */
async function limit(limits: Parameters<typeof gateway.admin.projects.setLimits>[1], probe: () => Promise<boolean>) {
  await gateway.admin.projects.setLimits(projectId, limits);
  await expect.poll(probe, { timeout: 1000, interval: 20 }).toBe(true);
}

describe('what a series may weigh', () => {
  it.each([
    ['labels', `a{${labels(30)}} 1\n`, `ok 1\na{${labels(31)}} 1\n`, 'labels_per_series', 30, 31],
    ['the metric name', `${'a'.repeat(1024)} 1\n`, `ok 1\n${'a'.repeat(1025)} 1\n`, 'name_length_bytes', 1024, 1025],
    [
      'a label name',
      `a{${'b'.repeat(1024)}="x"} 1\n`,
      `ok 1\na{${'b'.repeat(1025)}="x"} 1\n`,
      'name_length_bytes',
      1024,
      1025,
    ],
    [
      'the name in # TYPE',
      `# TYPE ${'a'.repeat(1024)} gauge\n`,
      `ok 1\n# TYPE ${'a'.repeat(1025)} gauge\n`,
      'name_length_bytes',
      1024,
      1025,
    ],
    [
      'a label value, in bytes',
      `a{b="${'é'.repeat(1024)}"} 1\n`,
      `ok 1\na{b="${'é'.repeat(1024)}x"} 1\n`,
      'value_length_bytes',
      2048,
      2049,
    ],
    [
      'a label value, without its escapes',
      `a{b="${'\\n'.repeat(2048)}"} 1\n`,
      `ok 1\na{b="${'\\n'.repeat(2049)}"} 1\n`,
      'value_length_bytes',
      2048,
      2049,
    ],
  ])('%s: at the limit it passes, over it 422 names limit, value and line', async (_, good, bad, name, max, actual) => {
    await endpoint.take('PUT', '/job/app', good);
    const refused = await endpoint.push('PUT', '/job/app', bad);
    expect(refused).toMatchObject({ status: 422, limit: name, max, actual, line: 2 });
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(refused.detail).toContain(`${actual} is over the limit ${name} = ${max}`);
  });

  it('holds for the grouping labels, too', async () => {
    const path = (count: number): string => `/job/x${Array.from({ length: count - 1 }, (_, i) => `/l${i}/x`).join('')}`;
    await endpoint.take('PUT', path(30), 'a 1\n');
    expect(await endpoint.push('PUT', path(31), 'a 1\n')).toMatchObject({ status: 422, limit: 'labels_per_series' });
    const long = { name: 'n'.repeat(1025), value: 'v'.repeat(2049) };
    expect(await endpoint.push('PUT', `/job/x/${long.name}/x`, 'a 1\n')).toMatchObject({
      status: 422,
      limit: 'name_length_bytes',
      actual: 1025,
    });
    expect(await endpoint.push('PUT', `/job/${long.value}`, 'a 1\n')).toMatchObject({
      status: 422,
      limit: 'value_length_bytes',
      actual: 2049,
    });
  });

  it('is what the project says where it says something: lower, higher, or nothing at all', async () => {
    const body = `a{${labels(40)}} 1\n`;
    expect(await endpoint.push('PUT', '', body)).toMatchObject({ status: 422, max: 30 });
    await limit({ labels_per_series: 40 }, async () => (await endpoint.push('PUT', '', body)).status === 200);
    await limit({ labels_per_series: 2 }, async () => (await endpoint.push('PUT', '', body)).status === 422);
    expect(await endpoint.push('PUT', '', body)).toMatchObject({ max: 2, actual: 40 });
    await limit({ labels_per_series: 0 }, async () => (await endpoint.push('PUT', '', body)).status === 200);
    await endpoint.take('PUT', '', `a{${labels(500)}} 1\n`);
  });
});

describe('the series of a project', () => {
  let second: TestEndpoint;
  const full = { status: 422, limit: 'series', max: 10 };

  beforeEach(async () => {
    second = await TestEndpoint.make(gateway, projectId);
    await limit({ series: 10 }, async () => (await second.push('PUT', '/job/probe', series(11))).status === 422);
    await endpoint.take('PUT', '/job/app', series(6));
    await second.take('PUT', '/job/app', series(4));
  });

  it('count over all its endpoints; a push over the limit changes nothing', async () => {
    expect(await second.push('PUT', '/job/app', series(5))).toMatchObject({ ...full, actual: 11 });
    expect(await endpoint.push('PUT', '/job/other', 'b 1\n')).toMatchObject({ ...full, actual: 11 });
    expect(await endpoint.push('POST', '/job/app', 'b 1\nc 1\n')).toMatchObject({ ...full, actual: 12 });
    expect([(await endpoint.shown()).length, (await second.shown()).length]).toEqual([6, 4]);
    expect((await endpoint.push('PUT', '/job/other', 'b 1\n')).detail).toBe(
      'The project would hold too many series: 11 is over the limit series = 10.',
    );
  });

  it('let a push pass that adds none, even when the limit was lowered below what there is', async () => {
    await endpoint.take('PUT', '/job/app', series(6, 'b'));
    await endpoint.take('POST', '/job/app', series(6, 'b'));
    await limit({ series: 3 }, async () => (await endpoint.push('PUT', '/job/other', 'b 1\n')).max === 3);
    await endpoint.take('PUT', '/job/app', series(6));
    await endpoint.take('PUT', '/job/app', series(5));
    expect(await endpoint.push('PUT', '/job/app', series(6))).toMatchObject({ status: 422, max: 3, actual: 10 });
  });

  it('are freed by a DELETE, by an empty push, by a deleted endpoint and by the end of a lifetime', async () => {
    const five = async (): Promise<number> => (await second.push('PUT', '/job/app', series(5))).status;
    const fill = async (): Promise<void> => {
      await second.take('PUT', '/job/app', series(4));
      await endpoint.take('PUT', '/job/app', series(6));
      expect(await five()).toBe(422);
    };
    await endpoint.take('DELETE', '/job/app');
    expect(await five()).toBe(200);
    await fill();
    await endpoint.take('PUT', '/job/app');
    expect(await five()).toBe(200);
    await fill();
    gateway.clock.advance(200_000);
    await second.take('PUT', '/job/app', series(4));
    gateway.clock.advance(100_001);
    expect(await five()).toBe(200);
    await fill();
    await gateway.admin.endpoints.delete(projectId, endpoint.metricsId);
    await expect.poll(five, { timeout: 1000 }).toBe(200);
  });

  it('are not those of another project', async () => {
    await gateway.project(`${projectId}-rival`);
    const rival = await TestEndpoint.make(gateway, `${projectId}-rival`);
    await rival.take('PUT', '/job/app', series(20));
  });
});

describe('push groups without series', () => {
  const full = { status: 422, limit: 'series', max: 3 };
  const groupsShown = async (endpoint: TestEndpoint): Promise<number> => {
    gateway.clock.advance(30_001);
    const page = await gateway.page(`${projectId}/${endpoint.metricsId}/metrics`, await gateway.bearer(projectId));
    return page.split('\n').filter((line) => line.startsWith('weir_group_last_push_timestamp_seconds{')).length;
  };

  it('count as one series each, which their first one takes over', async () => {
    await limit({ series: 3 }, async () => (await endpoint.push('PUT', '/job/probe', series(4))).status === 422);
    for (const job of ['a', 'b', 'c']) await endpoint.take('PUT', `/job/${job}`);
    expect(await endpoint.push('PUT', '/job/d')).toMatchObject({ ...full, actual: 4 });
    expect(await endpoint.push('PUT', '/job/d', '# TYPE a gauge\n')).toMatchObject({ ...full, actual: 4 });
    expect(await groupsShown(endpoint)).toBe(3);
    expect(await gateway.admin.projects.cardinality(projectId)).toMatchObject({ series: 3 });

    await endpoint.take('PUT', '/job/a');
    await endpoint.take('PUT', '/job/a', series(1));
    expect(await endpoint.push('PUT', '/job/b', series(2))).toMatchObject({ ...full, actual: 4 });
    await endpoint.take('DELETE', '/job/c');
    await endpoint.take('PUT', '/job/b', series(2));
    expect(await endpoint.push('PUT', '/job/c')).toMatchObject({ ...full, actual: 4 });
  });

  it('count so after a restart, too, and those above the limit are kept', async () => {
    for (const job of ['a', 'b', 'c', 'd', 'e']) await endpoint.take('PUT', `/job/${job}`);
    await limit({ series: 3 }, async () => (await endpoint.push('PUT', '/job/probe')).status === 422);
    await gateway.restart();
    expect(await endpoint.push('PUT', '/job/f')).toMatchObject({ ...full, actual: 6 });
    for (const job of ['a', 'b', 'c', 'd', 'e']) await endpoint.take('PUT', `/job/${job}`);
    expect(await groupsShown(endpoint)).toBe(5);
  });
});

describe('the samples per second of a project', () => {
  it('are not limited unless the operator says so', async () => {
    for (let i = 0; i < 5; i++) await endpoint.take('PUT', '', series(2000));
  });

  it('are an average: a push on credit is paid off, until then 429 says how long to wait', async () => {
    await limit({ samples_per_second: 10 }, async () => (await endpoint.push('PUT', '', series(15))).status === 429);
    const refused = await endpoint.push('PUT', '', 'b 1\n');
    expect(refused).toMatchObject({ status: 429, limit: 'samples_per_second', max: 10 });
    expect(refused.detail).toContain('samples_per_second = 10');
    const wait = Number(refused.headers.get('retry-after'));
    expect(Number.isInteger(wait)).toBe(true);
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(await endpoint.shown()).toHaveLength(15);
  });

  it('may be pushed again after the time the answer named', async () => {
    const other = await TestEndpoint.make(gateway, projectId);
    await limit({ samples_per_second: 10 }, async () => (await other.push('PUT', '', series(40))).status === 429);
    const wait = Number((await endpoint.push('PUT', '', 'b 1\n')).headers.get('retry-after'));
    gateway.clock.advance((wait - 1) * 1000 - 1);
    expect((await endpoint.push('PUT', '', 'b 1\n')).status).toBe(429);
    gateway.clock.advance(1001);
    await endpoint.take('PUT', '', 'b 1\n');
  });

  it('are not those of another project, and go unlimited again with 0', async () => {
    await limit({ samples_per_second: 1 }, async () => (await endpoint.push('PUT', '', series(50))).status === 429);
    await gateway.project(`${projectId}-rival`);
    const rival = await TestEndpoint.make(gateway, `${projectId}-rival`);
    await rival.take('PUT', '', series(50));
    await limit({ samples_per_second: 0 }, async () => (await endpoint.push('PUT', '', 'a 1\n')).status === 200);
  });
});
