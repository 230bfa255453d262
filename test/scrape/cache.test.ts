import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asCommand } from '../storage/second-store.js';
import { samples, TestGateway } from '../support/gateway.js';

const minute = 60_000;
const withinASecond = { timeout: 1000, interval: 10 };

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
});
afterEach(() => gateway.stop());

const db1 = (): Promise<string> => gateway.page('acme/db1/metrics', bearer);
const project = (as = bearer): Promise<string> => gateway.page('acme/metrics', as);
const renders = (): Promise<number> => gateway.operatorValue('weir_page_render_seconds_count');

/** How many pages had to be rendered for this. */
async function rendersOf(work: () => Promise<unknown>): Promise<number> {
  const before = await renders();
  await work();
  return (await renders()) - before;
}

describe('a page', () => {
  it('is rendered once in 30 seconds, whoever asks and however often', async () => {
    const other = await gateway.bearer('acme', ['read:metrics'], ['db1']);
    const asked = await rendersOf(async () => {
      const pages = [await db1(), await gateway.page('acme/db1/metrics', other)];
      gateway.clock.advance(29_999);
      pages.push(await db1());
      expect(new Set(pages).size).toBe(1);
    });
    expect(asked).toBe(1);
    gateway.clock.advance(2);
    expect(await rendersOf(db1)).toBe(1);
  });

  it('is one page for each format', async () => {
    await db1();
    const openMetrics = () => gateway.page('acme/db1/metrics', bearer, 'application/openmetrics-text; version=1.0.0');
    expect(await rendersOf(openMetrics)).toBe(1);
    expect(await rendersOf(openMetrics)).toBe(0);
    expect(await openMetrics()).toContain('# EOF');
    expect(await db1()).not.toContain('# EOF');
  });

  it('outlives pushes and the DELETE of a group', async () => {
    const first = await db1();
    const ofProject = await project();
    const again = await rendersOf(async () => {
      await gateway.push('acme/db1/metrics', 'a 2\n', bearer);
      await gateway.push('acme/db1/metrics/job/new', 'b 1\n', bearer, 'POST');
      expect((await gateway.fetch('/api/v1/acme/db1/metrics', { method: 'DELETE', bearer })).status).toBe(202);
      expect(await db1()).toBe(first);
      expect(await project()).toBe(ofProject);
    });
    expect(again).toBe(0);
    gateway.clock.advance(30_001);
    expect(samples(await db1())).toEqual(['b{instance_id="db1",job="new"} 1']);
  });

  it.each(['acme/db1/metrics', 'acme/metrics'])('ends when the first group in it does: %s', async (path) => {
    gateway.clock.advance(20_000);
    await gateway.push('acme/db1/metrics/job/later', 'a 1\n', bearer);
    // 15 s before the first group's end, so that 30 s have not passed when it comes.
    gateway.clock.advance(5 * minute - 35_000);
    expect(samples(await gateway.page(path, bearer))).toHaveLength(2);
    gateway.clock.advance(14_999);
    expect(await rendersOf(() => gateway.page(path, bearer))).toBe(0);
    gateway.clock.advance(2);
    expect(samples(await gateway.page(path, bearer))).toEqual(['a{instance_id="db1",job="later"} 1']);
  });

  it('ends when the settings of its endpoint change, and only then', async () => {
    await gateway.push('acme/db2/metrics', 'a 1\n', bearer);
    await db1();
    const ofDb2 = await gateway.page('acme/db2/metrics', bearer);
    await project();
    await asCommand(gateway, (admin) => admin.endpoints.set('acme', 'db1', { timestamps: true }));
    const changed = `a{instance_id="db1"} 1 ${gateway.clock.now()}`;
    await vi.waitFor(async () => expect(samples(await db1())).toEqual([changed]), withinASecond);
    expect(samples(await project())).toEqual([changed, 'a{instance_id="db2"} 1']);
    expect(await rendersOf(async () => expect(await gateway.page('acme/db2/metrics', bearer)).toBe(ofDb2))).toBe(0);
  });

  it('ends when its endpoint is deleted, for those that asked before and those that did not', async () => {
    const later = await gateway.bearer('acme');
    await db1();
    expect(samples(await project())).toHaveLength(1);
    await asCommand(gateway, (admin) => admin.endpoints.delete('acme', 'db1'));
    const status = async (as: string) => (await gateway.fetch('/api/v1/acme/db1/metrics', { bearer: as })).status;
    await vi.waitFor(async () => expect(await status(bearer)).toBe(404), withinASecond);
    expect(await status(later)).toBe(404);
    expect(await project()).not.toContain('db1');
  });
});

describe('the project page', () => {
  let narrow: string;

  beforeEach(async () => {
    await gateway.push('acme/db2/metrics', 'secret 1\n', bearer);
    narrow = await gateway.bearer('acme', ['read:metrics'], ['db1']);
  });

  it('never shows a narrowed client what one that sees more has in the cache', async () => {
    expect(samples(await project())).toEqual(['a{instance_id="db1"} 1', 'secret{instance_id="db2"} 1']);
    const theirs = await project(narrow);
    expect(samples(theirs)).toEqual(['a{instance_id="db1"} 1']);
    expect(theirs).not.toContain('db2');
  });

  it('never shows a client that sees more only what a narrowed one has in the cache', async () => {
    await project(narrow);
    expect(samples(await project())).toHaveLength(2);
  });

  it('is one page for all clients that see the same endpoints', async () => {
    const alike = await gateway.bearer('acme', ['read:metrics'], ['db1']);
    expect(await rendersOf(() => project(narrow))).toBe(1);
    expect(await rendersOf(() => project(alike))).toBe(0);
    const both = await gateway.bearer('acme', ['read:metrics'], ['db2', 'db1']);
    expect(await rendersOf(() => project(both))).toBe(1);
    expect(await rendersOf(() => project())).toBe(0);
  });

  it('takes up a new endpoint within a second', async () => {
    await project();
    await asCommand(gateway, (admin) => admin.endpoints.create({ name: 'db3', projectId: 'acme', metricsId: 'db3' }));
    await vi.waitFor(
      async () => expect(await project()).toContain('weir_snapshot_timestamp_seconds{instance_id="db3"}'),
      withinASecond,
    );
    expect(await project(narrow)).not.toContain('db3');
  });
});

it('a narrowed client gets the same answer for a cached page of another endpoint as for one that is not there', async () => {
  const narrow = await gateway.bearer('acme', ['read:metrics'], ['db2']);
  await db1();
  const answer = async (metricsId: string) => {
    const response = await gateway.fetch(`/api/v1/acme/${metricsId}/metrics`, { bearer: narrow });
    const headers = [...response.headers].filter(([name]) => name !== 'date');
    return { status: response.status, headers, body: await response.text() };
  };
  const hidden = await answer('db1');
  expect(hidden.status).toBe(404);
  expect(hidden).toEqual(await answer('nothing'));
});
