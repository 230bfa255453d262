import { expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import type { MetricsEndpoint } from '../../src/domain/endpoint.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { noRelabeling } from '../../src/domain/relabel.js';
import { Turns } from '../../src/domain/turns.js';
import { parseExposition } from '../../src/formats/parse.js';
import { Pages, pageLifetimeMs } from '../../src/scrape/pages.js';
import type { Group } from '../../src/storage/store.js';
import { HeldClock } from '../support/gateway.js';

const endpoint: MetricsEndpoint = {
  ...{ id: 1, projectId: 'acme', metricsId: 'db1', name: 'db1', lifetimeMs: 0, timestamps: false },
  ...{ metadata: {}, limits: {}, version: 1, createdAt: 0, ...noRelabeling },
};
const target = { key: 'acme', endpoints: [endpoint] };

/** Pages of snapshots that say 1, then 2 and so on, of which each is given when the test says so. */
function heldPages(clock: HeldClock) {
  const waiting: (() => void)[] = [];
  let snapshots = 0;
  const snapshot = async (): Promise<Group[]> => {
    const body = Buffer.from(`a ${++snapshots}\n`);
    const options = { syntax: 'text', labels: [], limits: defaultLimits, reservedPrefix: 'weir_' } as const;
    const exposition = parseExposition(body, options);
    await new Promise<void>((resolve) => waiting.push(resolve));
    const key = { text: '', labels: [] };
    return [{ endpointId: 1, key, exposition, pushedAt: clock.now(), expiresAt: null, version: 1 }];
  };
  const pages = new Pages({
    groups: { snapshot } as never,
    turns: new Turns(systemClock),
    sourcesOf: () => [],
    refusedOf: () => undefined,
    clock,
    memoryBytes: 1e6,
  });
  return { pages, give: (index: number) => waiting[index]!() };
}

it('a page is of the time its snapshot was asked for, and ends 30 s after that, however long it took to make', async () => {
  const clock = new HeldClock();
  const { pages, give } = heldPages(clock);
  const [asked, monotonic] = [clock.now(), clock.monotonic()];
  const making = pages.get(target, 'text');
  clock.advance(10_000);
  give(0);
  const page = await making;
  expect(page.madeAt).toBe(monotonic);
  expect(page.identity.toString()).toContain(
    `weir_snapshot_timestamp_seconds{instance_id="db1"} ${asked / 1000}.000\n`,
  );
  clock.advance(pageLifetimeMs - 10_001);
  expect(pages.peek(target, 'text')).toBe(page);
  clock.advance(2);
  expect(pages.peek(target, 'text')).toBeUndefined();
});

it('of two snapshots that are made at once, the later stays in the cache, whichever was ready first', async () => {
  const clock = new HeldClock();
  const { pages, give } = heldPages(clock);
  const earlier = pages.refresh(target, []);
  clock.advance(5);
  const later = pages.refresh(target, []);
  give(1);
  await later;
  give(0);
  expect((await earlier).text.toString()).toContain('a{} 1\n');
  expect(pages.peek(target, 'text')!.identity.toString()).toContain('a{} 2\n');
});
