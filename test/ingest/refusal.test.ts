import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
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

describe('a body', () => {
  const openMetrics = '# TYPE a counter\na_total 1\n# EOF\n';

  it.each([
    ['no type', undefined, 'a_total 1\n'],
    ['an empty type', '', 'a_total 1\n'],
    ['text', 'text/plain', 'a_total 1\n'],
    ['text 0.0.4', 'text/plain; version=0.0.4; charset=utf-8', 'a_total 1\n'],
    ["curl's default type", 'application/x-www-form-urlencoded', 'a_total 1\n'],
    ['OpenMetrics', 'application/openmetrics-text', openMetrics],
    ['OpenMetrics 1.0', 'application/openmetrics-text; version=1.0.0; charset=utf-8', openMetrics],
    ['OpenMetrics 0.0.1', 'Application/OpenMetrics-Text;version="0.0.1"', openMetrics],
  ])('with %s is read as what it is', async (_, type, body) => {
    await endpoint.take('PUT', '', body, type === undefined ? {} : { 'content-type': type });
    expect(await endpoint.shown()).toEqual(['a_total 1']);
  });

  it('of OpenMetrics sent as text is refused, and the reverse', async () => {
    const exemplar = '# TYPE a counter\na_total 1 # {t="x"} 1\n# EOF\n';
    expect(await endpoint.push('PUT', '', exemplar, { 'content-type': 'text/plain' })).toMatchObject({
      status: 400,
      line: 2,
    });
    const type = { 'content-type': 'application/openmetrics-text; version=1.0.0' };
    expect(await endpoint.push('PUT', '', 'a_total 1\n', type)).toMatchObject({ status: 400 });
  });

  it.each([
    'application/json',
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
    'text/html',
    'text/plain; version=1.0.0; escaping=allow-utf-8',
    'application/openmetrics-text; version=2.0.0',
    'multipart/form-data; boundary=x',
  ])('of type %s is answered 415', async (type) => {
    expect(await endpoint.push('PUT', '', 'a 1\n', { 'content-type': type })).toMatchObject({
      status: 415,
      field: 'Content-Type',
    });
  });

  it.each(['deflate', 'br', 'snappy', 'zstd', 'gzip, gzip', 'gzip, identity'])(
    'in the encoding %s is answered 415',
    async (encoding) => {
      expect(await endpoint.push('PUT', '', 'a 1\n', { 'content-encoding': encoding })).toMatchObject({
        status: 415,
        field: 'Content-Encoding',
      });
    },
  );

  it.each([
    ['a timestamp', 'a 1\nb 2 1711462853000\n', 2],
    ['a negative timestamp', 'a 1\nb 2 -5\n', 2],
    ['a type declared twice', '# TYPE a gauge\n# TYPE a gauge\na 1\n', 2],
    ['a series twice', 'a{x="1",y="2"} 1\nb 1\na{y="2",x="1"} 1\n', 3],
    ['no value', 'a 1\n\nb\n', 3],
    ['no metric name', '{x="1"} 1\n', 1],
    ['a label without quotes', 'a{x=1} 1\n', 1],
    ['CR LF', 'a 1\r\nb 2\r\n', 1],
    ['bytes that are not UTF-8', 'a 1\nb{x="\ufffd"} 2\n', 2],
  ])('with %s is refused with the line', async (_, text, line) => {
    const bytes = Buffer.from(text);
    const at = bytes.indexOf('\ufffd');
    if (at >= 0) bytes.fill(0xff, at, at + 3);
    const answer = await endpoint.push('PUT', '', bytes);
    expect(answer).toMatchObject({ status: 400, line, detail: expect.stringContaining(`ine ${line}`) });
  });
});

describe('a refused push', () => {
  const before = '# TYPE a gauge\na{x="1"} 1\n# TYPE b counter\nb_total 2\n';

  it.each([
    ['a fault in its last line', 'PUT', '/job/app', 'a{x="2"} 1\nc 3\nd 4 5\n'],
    ['a type another group contradicts', 'PUT', '/job/other', '# TYPE c gauge\nc 1\n# TYPE a counter\na 1\n'],
    ['a series another group has', 'PUT', '', '# TYPE c gauge\nc 1\n# TYPE a gauge\na{x="1",job="app"} 1\n'],
    [
      'too many labels',
      'POST',
      '/job/app',
      `c 1\na{${Array.from({ length: 31 }, (_, i) => `l${i}="x"`).join(',')}} 1\n`,
    ],
    ['a name of ours', 'POST', '/job/app', 'c 1\nweir_c 1\n'],
  ] as const)('with %s changes nothing', async (_, method, group, body) => {
    await endpoint.take('PUT', '/job/app', before);
    const times = await endpoint.pushTimes();
    const { status } = await endpoint.push(method, group, body);
    expect([400, 422]).toContain(status);
    expect(await endpoint.shown()).toEqual(['a{x="1",job="app"} 1', 'b_total{job="app"} 2']);
    expect(await endpoint.pushTimes()).toEqual(times);
  });

  it('says what contradicts what', async () => {
    await endpoint.take('PUT', '/job/app', before);
    const type = await endpoint.push('PUT', '/job/other', '# TYPE a counter\na 1\n');
    expect(type.detail).toMatch(/"a".*counter.*gauge/);
    const twice = await endpoint.push('PUT', '', '# TYPE a gauge\na{x="1",job="app"} 1\n');
    expect(twice.detail).toMatch(/a\{.*job="app".*another push group or source/);
  });

  it('cannot take a name that belongs to a family the group keeps', async () => {
    const histogram = '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n';
    await endpoint.take('PUT', '/job/app', histogram);
    const answer = await endpoint.push('POST', '/job/app', '# TYPE h_count gauge\nh_count 5\n');
    expect(answer).toMatchObject({ status: 400, detail: expect.stringContaining('"h" (histogram)') });
    expect(await endpoint.shown()).toHaveLength(3);
    await endpoint.take('PUT', '/job/app', '# TYPE h_count gauge\nh_count 5\n');
  });

  it('passes once what it contradicts is gone', async () => {
    await endpoint.take('PUT', '/job/app', before);
    expect(await endpoint.push('PUT', '/job/other', '# TYPE a counter\na 1\n')).toMatchObject({ status: 400 });
    await endpoint.take('DELETE', '/job/app');
    await endpoint.take('PUT', '/job/other', '# TYPE a counter\na 1\n');
  });

  it('may repeat itself in its own group: a group can change the type of its own family', async () => {
    await endpoint.take('PUT', '/job/app', '# TYPE a gauge\na 1\n');
    await endpoint.take('PUT', '/job/app', '# TYPE a counter\na 1\n');
    await endpoint.take('POST', '/job/app', '# TYPE a gauge\na 1\n');
    expect(await endpoint.page()).toContain('# TYPE a gauge\n');
  });

  it('is not a different help text: the first one is shown', async () => {
    await endpoint.take('PUT', '/job/app', '# HELP a first\na 1\n');
    await endpoint.take('PUT', '/job/other', '# HELP a second\na 1\n');
    expect((await endpoint.page()).match(/# HELP a .*/g)).toEqual(['# HELP a first']);
  });

  it('is none that contradicts another project with the same names only', async () => {
    await gateway.project('rival', endpoint.metricsId);
    const rival = await gateway.bearer('rival');
    const path = `rival/${endpoint.metricsId}/metrics`;
    await endpoint.take('PUT', '/job/app', before);
    await gateway.push(`${path}/job/other`, '# TYPE a counter\na 1\n', rival);
    await gateway.push(path, '# TYPE a counter\na{x="1",job="app"} 1\n', rival);
  });
});
