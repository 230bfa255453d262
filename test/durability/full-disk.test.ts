import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import type { Database } from 'better-sqlite3';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemRandom } from '../../src/domain/ids.js';
import { serve } from '../../src/main.js';
import { silentLog } from '../../src/telemetry/log.js';
import { samples, TestGateway } from '../support/gateway.js';
import { configFor } from './config-for.js';

const seams = { random: systemRandom, log: silentLog(), build: { version: '0.0.0-test', revision: 'test' } };

/** Every connection the code under test opens. */
const driver = vi.hoisted(() => ({ connections: [] as Database[] }));
vi.mock('better-sqlite3', async (original) => {
  const { default: Real } = await original<{ default: typeof Sqlite }>();
  class Watched extends Real {
    constructor(...args: ConstructorParameters<typeof Real>) {
      super(...args);
      driver.connections.push(this);
    }
  }
  return { default: Watched };
});

/** A way for a disk to be full, and to have space again. */
interface Disk {
  /** Where the database has to lie for it. */
  readonly folder: string;
  fill(path: string): void;
  free(path: string): void;
}

/** SQLite's own: it refuses to grow the file, in the midst of a transaction. */
const pageLimit: Disk = {
  folder: tmpdir(),
  fill: (path) => {
    const database = connectionTo(path)!;
    database.pragma(`max_page_count = ${database.pragma('page_count', { simple: true })}`);
  },
  free: (path) => {
    connectionTo(path)?.pragma('max_page_count = 1000000');
  },
};

/** A real one, small enough to be filled; only root may make one. */
const smallFolder = mountSmallDisk();
const smallDisk: Disk = {
  folder: smallFolder ?? '',
  fill: () => {
    const { bavail, bsize } = statfsSync(smallFolder!);
    writeFileSync(join(smallFolder!, 'ballast'), Buffer.alloc(bavail * bsize));
  },
  free: () => rmSync(join(smallFolder!, 'ballast'), { force: true }),
};

function mountSmallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'weir-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}

function connectionTo(path: string): Database | undefined {
  return driver.connections.find(({ open, name }) => open && name === path);
}

afterAll(() => {
  if (smallFolder === undefined) return;
  // Lazily, so that a test that failed with files open leaves nothing behind either.
  execFileSync('umount', ['--lazy', smallFolder]);
  rmSync(smallFolder, { recursive: true });
});

/** More than any page or log that is there has room for. */
const large = (value: number): string =>
  Array.from({ length: 5000 }, (_, part) => `large{part="${part}"} ${value + part}\n`).join('');

const disks: [string, Disk, boolean][] = [
  ['a file that may not grow', pageLimit, true],
  ['a small disk that is full', smallDisk, smallFolder !== undefined],
];
describe.each(disks.map(([name, disk, possible]) => ({ name, disk, possible })))('on $name', ({ disk, possible }) => {
  let gateway: TestGateway;
  let bearer: string;

  beforeEach(async () => {
    if (!possible) return;
    vi.stubEnv('TMPDIR', disk.folder);
    gateway = await TestGateway.boot();
    vi.unstubAllEnvs();
    await gateway.project('acme', 'db1', 'db2');
    bearer = await gateway.bearer('acme');
    await gateway.push('acme/db1/metrics', 'a 1\nb 1\n', bearer);
    await gateway.push('acme/db2/metrics', 'cached 1\n', bearer);
    await gateway.page('acme/db2/metrics', bearer);
  });
  afterEach(async () => {
    if (!possible) return;
    disk.free(path());
    await gateway.stop();
    driver.connections.length = 0;
  });

  const path = (): string => gateway.config.storage.path;
  const push = (group: string, body: string, method = 'PUT'): Promise<Response> =>
    gateway.fetch(`/api/v1/acme/db1/metrics${group}`, { method, body, bearer });
  const ready = async (): Promise<number> => (await fetch(`${gateway.operatorUrl}/-/ready`)).status;

  it.runIf(possible)('pushes are refused with 503 and when to try again, and nothing of them is kept', async () => {
    disk.fill(path());
    // Together, so that they share a commit; the one that would fit must not be told that it is stored if it is not.
    const answers = await Promise.all([push('', large(1)), push('/job/b', large(2)), push('/job/c', large(3))]);
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('5');
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      const { detail } = (await answer.json()) as { detail: string };
      expect(detail).toBe('The push could not be stored; nothing of it was kept. Try again.');
    }
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual([
      'a{instance_id="db1"} 1',
      'b{instance_id="db1"} 1',
    ]);
  });

  it.runIf(possible)('scrapes go on, cached and cold, and so do tokens', async () => {
    disk.fill(path());
    expect((await push('', large(1))).status).toBe(503);
    expect(samples(await gateway.page('acme/db2/metrics', bearer))).toEqual(['cached{instance_id="db2"} 1']);
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toHaveLength(2);
    gateway.clock.advance(30_001);
    expect(samples(await gateway.page('acme/metrics', bearer))).toHaveLength(3);
  });

  it.runIf(possible)('pushes work again when there is space, and nothing acknowledged is lost', async () => {
    disk.fill(path());
    expect((await push('', large(1))).status).toBe(503);
    expect((await push('/job/new', large(2))).status).toBe(503);
    disk.free(path());
    expect((await push('/job/new', 'a 3\n')).status).toBe(200);
    const expected = [
      'a{instance_id="db1",job="new"} 3',
      'a{instance_id="db1"} 1',
      'b{instance_id="db1"} 1',
      'cached{instance_id="db2"} 1',
    ];
    expect(samples(await gateway.page('acme/metrics', bearer))).toEqual(expected);
    await gateway.restart();
    expect(samples(await gateway.page('acme/metrics', bearer))).toEqual(expected);
    expect((await push('', large(4))).status).toBe(200);
  });

  it.runIf(possible)('a group that ended while the disk was full does not come back with the next push', async () => {
    gateway.clock.advance(5 * 60_000 + 1);
    disk.fill(path());
    expect((await push('/job/other', large(1))).status).toBe(503);
    disk.free(path());
    expect((await push('', 'c 1\n', 'POST')).status).toBe(200);
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toEqual(['c{instance_id="db1"} 1']);
  });

  it.runIf(possible)('the gateway says that it is not ready while pushes are refused, and is again later', async () => {
    expect(await ready()).toBe(200);
    disk.fill(path());
    expect((await push('', large(1))).status).toBe(503);
    expect(await ready()).toBe(503);
    disk.free(path());
    expect((await push('', large(1))).status).toBe(200);
    expect(await ready()).toBe(200);
  });

  it.runIf(possible)('a stop is as clean as ever, and the next start finds everything', async () => {
    const file = join(gateway.folder, 'another.db');
    const start = () => serve(configFor(file), { ...seams, clock: gateway.clock });
    const first = await start();
    await first.gateway.admin.projects.create({ name: 'Kept', id: 'kept' });
    disk.fill(file);
    await first.stop();
    disk.free(file);
    const second = await start();
    expect(await second.gateway.admin.projects.get('kept')).toMatchObject({ name: 'Kept' });
    await second.stop();
  });
});
