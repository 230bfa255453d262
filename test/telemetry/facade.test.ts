import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pageName } from '../../src/telemetry/metrics/definition.js';
import { defineMetrics, type MetricsOptions, openMetrics } from '../../src/telemetry/metrics/index.js';
import { HeldClock } from '../support/gateway.js';

/** A facade with the page and a log of each measurement, and what it logged. */
function open(options: MetricsOptions = {}) {
  const lines: { facts: Record<string, unknown>; message: string }[] = [];
  const write = (facts: object, message: string) =>
    void lines.push({ facts: facts as Record<string, unknown>, message });
  const clock = new HeldClock();
  const metrics = openMetrics({
    prefix: 'shop.',
    backends: [{ type: 'prometheus' }, { type: 'logging' }],
    log: { debug: write, info: write, warn: write },
    clock,
    ...options,
  });
  const page = async (): Promise<string[]> =>
    (await metrics.page!()).body.split('\n').filter((line) => line.startsWith('shop_') && !line.includes('_dropped_'));
  const measured = () => lines.filter(({ message }) => message === 'measured').map(({ facts }) => facts);
  const complaints = () =>
    lines.filter(({ message }) => message.startsWith('telemetry: ')).map(({ message }) => message);
  return { metrics, page, measured, complaints, clock, lines };
}

describe('what is measured', () => {
  it('has one key, and the name each system expects', async () => {
    const { metrics, page, measured } = open();
    metrics.incr('login.failed', 2, { tags: { reason: 'password' } });
    metrics.incr('login.failed');
    metrics.gauge('queue.length', 7);
    metrics.gauge('queue.length', 5);
    metrics.distribution('upload', 4096, { unit: 'bytes' });
    metrics.timing('checkout', 250);
    expect(await page()).toEqual(
      expect.arrayContaining([
        'shop_login_failed_total{reason="password"} 2',
        'shop_login_failed_total 1',
        'shop_queue_length 5',
        'shop_upload_bytes_sum 4096',
        // A quarter of a second.
        'shop_checkout_seconds_bucket{le="0.1"} 0',
        'shop_checkout_seconds_bucket{le="0.25"} 1',
        'shop_checkout_seconds_bucket{le="+Inf"} 1',
        'shop_checkout_seconds_sum 0.25',
        'shop_checkout_seconds_count 1',
      ]),
    );
    expect(measured().map(({ metric, kind, value }) => [metric, kind, value])).toEqual([
      ['shop.login.failed', 'counter', 2],
      ['shop.login.failed', 'counter', 1],
      ['shop.queue.length', 'gauge', 7],
      ['shop.queue.length', 'gauge', 5],
      ['shop.upload', 'distribution', 4096],
      ['shop.checkout', 'timing', 250],
    ]);
  });

  it.each([
    ['weir.', 'request', 'counter', undefined, 'weir_request_total'],
    ['weir.', 'request_total', 'counter', undefined, 'weir_request_total'],
    ['weir.', 'request_duration', 'timing', undefined, 'weir_request_duration_seconds'],
    ['weir.', 'page.bytes', 'distribution', 'bytes', 'weir_page_bytes'],
    ['', '2nd-try', 'gauge', undefined, '_2nd_try'],
  ] as const)('%s and %s, a %s in %s, is %s on the page', (prefix, key, type, unit, name) => {
    expect(pageName(prefix, key, { type, ...(unit === undefined ? {} : { unit }) })).toBe(name);
  });

  it('of several alike, says which, without taking the label Prometheus gives the target', async () => {
    const { metrics, page, measured } = open();
    metrics.incr('retry', 1, { instance: 'mail' });
    expect(await page()).toContain('shop_retry_total{exported_instance="mail"} 1');
    expect(measured()[0]).toMatchObject({ metric: 'shop.retry', instance: 'mail' });
  });

  it('can be kept out of memory, by call or by the beginning of its key', async () => {
    const { metrics, page, measured } = open({ skipInternalPrefixes: ['noisy.'] });
    metrics.incr('quiet', 1, { skipInternal: true });
    metrics.incr('noisy.thing');
    expect((await page()).filter((line) => /quiet|noisy/.test(line))).toEqual([]);
    expect(measured()).toHaveLength(2);
  });

  it('reaches only the backends that want its key', async () => {
    const { metrics, page, measured } = open({
      backends: [
        { type: 'prometheus', prefixes: ['a.'] },
        { type: 'logging', prefixes: ['b.', 'a.x'] },
      ],
    });
    for (const key of ['a.x', 'a.y', 'b.z']) metrics.incr(key);
    expect(await page()).toEqual(['shop_a_x_total 1', 'shop_a_y_total 1']);
    expect(measured().map(({ metric }) => metric)).toEqual(['shop.a.x', 'shop.b.z']);
  });

  it('is sampled where each measurement is sent, never in memory', async () => {
    let next = 0;
    const { metrics, page, measured } = open({
      random: () => [0.1, 0.3, 0.7, 0.9][next++ % 4]!,
      backends: [{ type: 'prometheus' }, { type: 'logging', sampleRate: 0.8 }],
    });
    // Half of the calls, and of those four fifths: what is drawn must be below 0.4.
    for (let call = 0; call < 8; call++) metrics.incr('call', 1, { sampleRate: 0.5 });
    for (let call = 0; call < 8; call++) metrics.gauge('level', call, { sampleRate: 0 });
    expect(await page()).toContain('shop_call_total 8');
    const counted = measured().filter(({ kind }) => kind === 'counter');
    expect(counted.map(({ sampleRate }) => sampleRate)).toEqual([0.4, 0.4, 0.4, 0.4]);
    expect(measured().filter(({ kind }) => kind === 'gauge')).toHaveLength(8);
  });
});

describe('a timer', () => {
  it('tells success from failure, for what returns, throws, resolves and rejects', async () => {
    const { metrics, measured, clock } = open();
    const tags = { kind: 'card' };
    expect(metrics.timer('pay', () => 1, { tags })).toBe(1);
    expect(() =>
      metrics.timer('pay', () => {
        throw new Error('no');
      }),
    ).toThrow('no');
    await expect(
      metrics.timer(
        'pay',
        async (own) => {
          clock.advance(1500);
          own.way = 'slow';
          return 2;
        },
        { tags },
      ),
    ).resolves.toBe(2);
    await expect(metrics.timer('pay', () => Promise.reject(new Error('later')))).rejects.toThrow('later');
    expect(measured().map(({ value, tags }) => [value, tags])).toEqual([
      [0, { kind: 'card', result: 'success' }],
      [0, { result: 'failure' }],
      [1500, { kind: 'card', way: 'slow', result: 'success' }],
      [0, { result: 'failure' }],
    ]);
    // The caller's own object stays as it was.
    expect(tags).toEqual({ kind: 'card' });
  });
});

describe('global tags', () => {
  it('hold for a request and what it waits for, and not for the one beside it', async () => {
    const { metrics, measured } = open();
    const request = (region: string, steps: number) =>
      metrics.globalTags({ region, plan: 'free' }, async () => {
        for (let step = 0; step < steps; step++) await Promise.resolve();
        metrics.addGlobalTags({ plan: region === 'eu' ? 'paid' : 'free' });
        await new Promise<void>((resolve) => setImmediate(resolve));
        metrics.incr('done', 1, { tags: { steps } });
      });
    await Promise.all([request('eu', 3), request('us', 1)]);
    metrics.incr('outside');
    expect(measured().map(({ tags }) => tags)).toEqual(
      expect.arrayContaining([
        { region: 'eu', plan: 'paid', steps: '3' },
        { region: 'us', plan: 'free', steps: '1' },
        {},
      ]),
    );
  });

  it('end with their scope, those added within it included; inner ones win, and the call wins over both', () => {
    const { metrics, measured } = open();
    metrics.globalTags({ a: 1, b: 1, c: 1 }, () => {
      metrics.globalTags({ b: 2 }, () => {
        metrics.addGlobalTags({ d: 2 });
        metrics.incr('inner', 1, { tags: { c: 3 } });
      });
      metrics.incr('outer');
    });
    expect(measured().map(({ tags }) => tags)).toEqual([
      { a: '1', b: '2', c: '3', d: '2' },
      { a: '1', b: '1', c: '1' },
    ]);
  });

  it('cannot be added to nothing: that is told, and no one else gets them', () => {
    const { metrics, measured, complaints } = open();
    metrics.addGlobalTags({ lost: 'yes' });
    metrics.incr('after');
    expect(measured()[0]!.tags).toEqual({});
    expect(complaints()).toHaveLength(1);
  });

  it('lose to those of the configuration, whose owner has the last word', () => {
    const { metrics, measured } = open({ backends: [{ type: 'logging', options: { tags: { env: 'production' } } }] });
    metrics.incr('a', 1, { tags: { env: 'test', x: 1 } });
    // Its own tags are not part of its options.
    expect(measured()[0]!.tags).toEqual({ env: 'production', x: '1' });
  });
});

describe('tags that tell people and customers apart', () => {
  it('are dropped, from every call and event', async () => {
    const { metrics, page, measured, lines } = open();
    const tags = { client_id: 'weir_cid_1', project: 'acme', token: 'x', email: 'a@b', path: '/api', region: 'eu' };
    metrics.incr('login', 1, { tags });
    metrics.globalTags(tags, () => metrics.event('deployed', 'all is new', { tags: { user: 'ann', step: 1 } }));
    expect(measured()[0]!.tags).toEqual({ region: 'eu' });
    expect(lines.find(({ facts }) => facts.event === 'deployed')?.facts.tags).toEqual({ region: 'eu', step: '1' });
    expect((await page()).join('\n')).not.toMatch(/acme|weir_cid|a@b/);
  });

  it('may be others', () => {
    const { metrics, measured } = open({ denyTags: ['*_name'] });
    metrics.incr('a', 1, { tags: { client_id: 1, host_name: 2, user: 3 } });
    expect(measured()[0]!.tags).toEqual({ client_id: '1', user: '3' });
  });
});

describe('a table of metrics', () => {
  const definitions = defineMetrics({
    request: {
      type: 'counter',
      help: 'Requests.',
      labels: ['code', 'project'],
      known: [{ code: '200', project: 'none' }],
    },
    took: { type: 'timing', help: 'Time.', labels: [], buckets: [0.1, 1] },
    depth: { type: 'gauge', help: 'Depth.' },
  });
  const open2 = () => {
    const page = { backends: [{ type: 'prometheus' }] } as const;
    return openMetrics({ prefix: 'shop.', definitions, ...page, log: open().metrics as never });
  };
  const body = async (metrics: ReturnType<typeof open2>) => (await metrics.page!()).body;

  it('is on the page at zero from the start, with help and buckets', async () => {
    const text = await body(open2());
    expect(text).toContain(
      '# HELP shop_request_total Requests.\n# TYPE shop_request_total counter\nshop_request_total{code="200",project="none"} 0\n',
    );
    expect(text).toContain('shop_depth 0\n');
    expect(text).toContain('shop_telemetry_dropped_total{backend="registry"} 0\n');
  });

  it('has no label that is not in it, and may have one that is otherwise denied', async () => {
    const metrics = open2();
    metrics.incr('request', 3, { tags: { code: 200, project: 'acme', region: 'eu' } });
    expect(await body(metrics)).toContain('shop_request_total{code="200",project="acme"} 3\n');
  });

  it('gives handles that count the same series as calls do', async () => {
    const metrics = open2();
    const ok = metrics.counter('request').with({ code: '200', project: 'none' });
    ok();
    ok(4);
    metrics.counter('request').with({ code: '200', project: 'none' })();
    metrics.incr('request', 1, { tags: { code: '200', project: 'none' } });
    metrics.histogram('took').with({})(500);
    metrics.level('depth').with({})(3);
    const text = await body(metrics);
    expect(text).toContain('shop_request_total{code="200",project="none"} 7\n');
    expect(text).toContain('shop_took_seconds_bucket{le="0.1"} 0\nshop_took_seconds_bucket{le="1"} 1\n');
    expect(text).toContain('shop_depth 3\n');
  });
});

describe('telemetry never breaks a caller', () => {
  it('whatever is measured wrongly', async () => {
    const { metrics, page, complaints } = open();
    metrics.incr('counts', -1);
    metrics.incr('counts', Number.NaN);
    metrics.timing('took', Number.POSITIVE_INFINITY);
    metrics.gauge('same', 1);
    // Both would be shop_same on the page.
    metrics.distribution('same', 1);
    metrics.incr('odd', 1, { tags: { toString: undefined } as never });
    metrics.incr('odder', 1, { tags: null as never });
    metrics.incr(undefined as never);
    expect(complaints()).toEqual([
      'telemetry: counts could not be measured',
      'telemetry: took could not be measured',
      'telemetry: same could not be measured',
    ]);
    expect(await page()).toContain('shop_same 1');
  });

  it('and a failure that repeats is told once a minute', () => {
    const { metrics, complaints, clock } = open();
    for (let call = 0; call < 1000; call++) metrics.incr('counts', -1);
    expect(complaints()).toHaveLength(1);
    clock.advance(60_000);
    metrics.incr('counts', -1);
    expect(complaints()).toHaveLength(2);
  });

  it('nor does a logger that throws', () => {
    const broken = () => {
      throw new Error('disk full');
    };
    const { metrics } = open({ log: { debug: broken, info: broken, warn: broken } });
    metrics.incr('a');
    metrics.event('title', 'text');
    metrics.addGlobalTags({ a: 1 });
  });

  it('and memory is bounded, whatever callers invent', async () => {
    const { metrics, page } = open({ backends: [{ type: 'prometheus' }] });
    for (let call = 0; call < 5000; call++) {
      metrics.incr('by.tag', 1, { tags: { n: call } });
      metrics.incr(`by.key.${call}`);
    }
    const lines = await page();
    expect(lines.filter((line) => line.startsWith('shop_by_tag_total'))).toHaveLength(2000);
    expect(lines.length).toBeLessThan(4001);
    expect((await metrics.page!()).body).toMatch(/shop_telemetry_dropped_total\{backend="registry"\} 60\d\d\n/);
  });
});

describe('without a backend', () => {
  it('nothing is kept, and there is no page', async () => {
    const { metrics } = open({ backends: [{ type: 'dummy' }] });
    metrics.incr('a');
    expect(metrics.page).toBeUndefined();
    await metrics.flush();
    await metrics.close();
  });
});

it('is what the package exports as weir-gateway/metrics', async () => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    exports: Record<string, { default: string }>;
  };
  const source = exports['./metrics']!.default.replace('./dist/', '').replace(/\.js$/, '.ts');
  expect(source).toBe('src/telemetry/metrics/index.ts');
  expect(Object.keys(await import('../../src/telemetry/metrics/index.js')).sort()).toEqual([
    'defaultDenyTags',
    'defineMetrics',
    'openMetrics',
  ]);
});
