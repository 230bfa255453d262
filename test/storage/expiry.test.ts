import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Credentials, samples, TestGateway } from '../support/gateway.js';
import { asCommand } from './second-store.js';

const minutes = 60_000;
const defaultLifetime = 5 * minutes;

let gateway: TestGateway;
let credentials: Credentials;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  credentials = await gateway.client('acme', ['read:metrics', 'write:metrics']);
});
afterEach(() => gateway.stop());

/** A token of its own each time: the clock is moved further than tokens live. */
const page = async (): Promise<string[]> =>
  samples(await gateway.page('acme/db1/metrics', await gateway.bearerOf(credentials)));

const push = async (group: string, body: string, method: 'PUT' | 'POST' = 'PUT'): Promise<void> =>
  gateway.push(`acme/db1/metrics${group}`, body, await gateway.bearerOf(credentials), method);

const setLifetime = (lifetimeMs: number) =>
  asCommand(gateway, (admin) => admin.endpoints.set('acme', 'db1', { lifetimeMs }));

/** No page from before is in memory afterwards. */
const pageEnds = (): void => gateway.clock.advance(30_001);

describe('a group', () => {
  it('ends with its lifetime, without another push', async () => {
    await push('', 'a 1\n');
    gateway.clock.advance(defaultLifetime - 1);
    expect(await page()).toEqual(['a{instance_id="db1"} 1']);
    gateway.clock.advance(2);
    expect(await page()).toEqual([]);
  });

  it('lives on when it is pushed again, and only that one', async () => {
    await push('/job/one', 'a 1\n');
    await push('/job/two', 'a 1\n');
    gateway.clock.advance(defaultLifetime - 1000);
    await push('/job/one', 'a 2\n');
    gateway.clock.advance(2000);
    expect(await page()).toEqual(['a{instance_id="db1",job="one"} 2']);
  });

  it('with a lifetime of 0 lives until it is deleted, through restarts', async () => {
    await setLifetime(0);
    await push('/job/once', 'a 1\n');
    gateway.clock.advance(400 * 24 * 60 * minutes);
    await gateway.restart();
    expect(await page()).toEqual(['a{instance_id="db1",job="once"} 1']);
  });

  it('lives longer, or shorter, from its push on when the lifetime is changed', async () => {
    await push('', 'a 1\n');
    await setLifetime(20 * minutes);
    gateway.clock.advance(19 * minutes);
    expect(await page()).toEqual(['a{instance_id="db1"} 1']);
    await setLifetime(10 * minutes);
    await gateway.restart();
    expect(await page()).toEqual([]);
  });
});

describe('an expired group never comes back:', () => {
  beforeEach(async () => {
    await push('', 'dead 1\n');
    gateway.clock.advance(defaultLifetime + 1);
  });

  it('not after a restart', async () => {
    await gateway.restart();
    expect(await page()).toEqual([]);
  });

  it.each([0, 60 * minutes])('not when the lifetime is raised to %i ms', async (lifetimeMs) => {
    await setLifetime(lifetimeMs);
    await gateway.restart();
    expect(await page()).toEqual([]);
    pageEnds();
    expect(await page()).toEqual([]);
  });

  it('not when its page was never asked for while it was dead', async () => {
    await setLifetime(60 * minutes);
    await push('', 'alive 1\n', 'POST');
    expect(await page()).toEqual(['alive{instance_id="db1"} 1']);
  });

  it('not through a push of another family to the same group, nor of the same after a restart', async () => {
    await gateway.restart();
    await push('', 'alive 1\n', 'POST');
    await gateway.restart();
    expect(await page()).toEqual(['alive{instance_id="db1"} 1']);
  });

  it('not as a type that others must keep to', async () => {
    await push('/job/other', '# TYPE dead counter\ndead 1\n');
    expect(await page()).toEqual(['dead{instance_id="db1",job="other"} 1']);
  });

  it('not as series that count towards the limit', async () => {
    await asCommand(gateway, (admin) => admin.projects.setLimits('acme', { series: 1 }));
    await gateway.restart();
    await push('/job/other', 'a 1\n');
    expect(await page()).toEqual(['a{instance_id="db1",job="other"} 1']);
  });
});

describe('what was replaced or deleted never comes back:', () => {
  const settled = async (expected: string[]): Promise<void> => {
    pageEnds();
    expect(await page()).toEqual(expected);
    await gateway.restart();
    expect(await page()).toEqual(expected);
    await setLifetime(60 * minutes);
    await gateway.restart();
    expect(await page()).toEqual(expected);
  };

  it('a group replaced by PUT', async () => {
    await push('', 'old 1\nkept 1\n');
    await page();
    await push('', 'kept 2\n');
    await settled(['kept{instance_id="db1"} 2']);
  });

  it('families replaced by POST', async () => {
    await push('', 'a{part="1"} 1\na{part="2"} 1\nb 1\n');
    await page();
    await push('', 'a{part="3"} 2\n', 'POST');
    await settled(['a{part="3",instance_id="db1"} 2', 'b{instance_id="db1"} 1']);
  });

  it('a deleted group', async () => {
    await push('/job/gone', 'a 1\n');
    await push('/job/stays', 'a 1\n');
    await page();
    const bearer = await gateway.bearerOf(credentials);
    const path = '/api/v1/acme/db1/metrics/job/gone';
    expect((await gateway.fetch(path, { method: 'DELETE', bearer })).status).toBe(202);
    await settled(['a{instance_id="db1",job="stays"} 1']);
  });
});
