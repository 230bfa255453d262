import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dbCommand } from '../../src/cli/db.js';
import { systemClock } from '../../src/domain/clock.js';
import { systemRandom } from '../../src/domain/ids.js';
import { type RunningGateway, serve } from '../../src/main.js';
import { silentLog } from '../../src/telemetry/log.js';
import { configFor } from '../durability/config-for.js';
import { samples, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let bearer: string;

beforeEach(async () => {
  gateway = await TestGateway.boot({ clock: systemClock });
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
});
afterEach(() => gateway.stop());

const at = (name: string): string => join(gateway.folder, name);
const push = (job: string, value = 1): Promise<void> =>
  gateway.push(`acme/db1/metrics/job/${job}`, `a ${value}\n`, bearer);

async function db(...args: string[]): Promise<string> {
  let printed = '';
  const take = (text: unknown): boolean => {
    printed += String(text);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(take));
  try {
    await dbCommand().parseAsync(args, { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return printed;
}
const backup = (...args: string[]) => db('backup', ...args, `--storage.path=${gateway.config.storage.path}`);
const restoreTo = (path: string, ...args: string[]) => db('restore', ...args, `--storage.path=${path}`);
const check = (path: string) => db('check', `--storage.path=${path}`);

async function servedFrom(path: string, look: (running: RunningGateway) => Promise<unknown>): Promise<void> {
  const build = { version: '0.0.0-test', revision: 'test' };
  const running = await serve(configFor(path), { clock: systemClock, random: systemRandom, log: silentLog(), build });
  try {
    await look(running);
  } finally {
    await running.stop();
  }
}

describe('a backup that is made while 16 producers push', () => {
  it('restores to a store that is whole and has every push acknowledged before it began', async () => {
    let acknowledged = 0;
    let going = true;
    const producers = Array.from({ length: 16 }, async (_, producer) => {
      for (let round = 0; going; round++) {
        await push(`${producer}-${round}`);
        acknowledged++;
      }
    });
    while (acknowledged < 100) await new Promise(setImmediate);
    const page = await gateway.page('acme/db1/metrics', await gateway.bearer('acme'));
    const before = samples(page);
    expect(before.length).toBeGreaterThanOrEqual(80);
    await backup(at('copy.db'));
    going = false;
    await Promise.all(producers);

    await restoreTo(at('restored/weir.db'), at('copy.db'));
    expect(await check(at('restored/weir.db'))).toBe(`${at('restored/weir.db')} is fine.\n`);
    await servedFrom(at('restored/weir.db'), async ({ publicUrl }) => {
      const url = `${publicUrl}/api/v1/acme/db1/metrics`;
      // The token from before works: its key, its client and the pepper came along. It was issued under the old URL.
      const response = await fetch(url, { headers: { authorization: bearer } });
      expect(response.status).toBe(200);
      const restored = new Set(samples(await response.text()));
      expect(before.filter((line) => !restored.has(line))).toEqual([]);
    });
  });
});

describe('a backup', () => {
  it('is readable by the owner alone, with pepper and keys beside it, and says which files it wrote', async () => {
    const files = ['', '.pepper', '.keys'].map((ending) => `${at('copy.db')}${ending}`);
    expect(await backup(at('copy.db'))).toBe(files.map((file) => `${file}\n`).join(''));
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600, 0o600]);
  });

  it('without keys leaves them out, and is refused on restoring where they are not', async () => {
    await backup(at('copy.db'), '--without-keys');
    expect([existsSync(at('copy.db.pepper')), existsSync(at('copy.db.keys'))]).toEqual([false, false]);
    await expect(restoreTo(at('new/weir.db'), at('copy.db'))).rejects.toThrow(/pepper file .* is missing/);
    expect(existsSync(at('new/weir.db'))).toBe(false);
  });

  it('overwrites nothing', async () => {
    for (const name of ['copy.db', 'copy2.db.keys']) writeFileSync(at(name), 'mine');
    await expect(backup(at('copy.db'))).rejects.toThrow(/is there already/);
    await expect(backup(at('copy2.db'))).rejects.toThrow(/copy2\.db\.keys is there already/);
    expect([readFileSync(at('copy.db'), 'utf8'), existsSync(at('copy2.db'))]).toEqual(['mine', false]);
  });

  it('of nothing is refused', async () => {
    await expect(db('backup', at('copy.db'), `--storage.path=${at('none.db')}`)).rejects.toThrow(/cannot be opened/);
    expect(existsSync(at('none.db'))).toBe(false);
  });
});

describe('restoring', () => {
  it('over a running server is refused, and changes nothing', async () => {
    await push('before');
    await backup(at('copy.db'));
    await push('after');
    const { path } = gateway.config.storage;
    await expect(restoreTo(path, at('copy.db'), '--replace')).rejects.toThrow(/is running on .* Stop it/);
    expect(existsSync(`${path}.replaced`)).toBe(false);
    expect(samples(await gateway.page('acme/db1/metrics', bearer))).toHaveLength(2);
  });

  it('over a database needs --replace, which keeps the old one under another name', async () => {
    await push('before');
    await backup(at('copy.db'));
    await push('after');
    const path = at('other/weir.db');
    await servedFrom(path, ({ gateway: { admin } }) => admin.projects.create({ name: 'other', id: 'other' }));
    await expect(restoreTo(path, at('copy.db'))).rejects.toThrow(/differs from the backup's|is there already/);
    await restoreTo(path, at('copy.db'), '--replace');
    const old = new Sqlite(`${path}.replaced`, { readonly: true });
    expect(old.prepare('SELECT id FROM project').all()).toEqual([{ id: 'other' }]);
    old.close();
    expect([existsSync(`${path}.pepper.replaced`), existsSync(`${path}.keys.replaced`)]).toEqual([true, true]);
    await servedFrom(path, async ({ publicUrl }) => {
      const response = await fetch(`${publicUrl}/api/v1/acme/db1/metrics`, { headers: { authorization: bearer } });
      expect(samples(await response.text())).toEqual(['a{instance_id="db1",job="before"} 1']);
    });
  });

  it.each([
    ['that is damaged', (bytes: Buffer) => bytes.fill(0x5a, 3 * 16384, 6 * 16384)],
    ['that is cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 3 * 16384)],
    ['that is no database', () => Buffer.from('hello')],
    ['that is empty', () => Buffer.alloc(0)],
  ])('a backup %s is refused, and changes nothing', async (_, spoil) => {
    await backup(at('copy.db'));
    writeFileSync(at('copy.db'), spoil(readFileSync(at('copy.db'))));
    await expect(restoreTo(at('new/weir.db'), at('copy.db'))).rejects.toThrow(/copy\.db/);
    expect(existsSync(at('new/weir.db'))).toBe(false);
  });
});

describe('db check', () => {
  it('is content with a database in use', async () => {
    expect(await check(gateway.config.storage.path)).toBe(`${gateway.config.storage.path} is fine.\n`);
  });

  it('finds a row without its parent, and exits with 1', async () => {
    const other = new Sqlite(gateway.config.storage.path);
    other.pragma('foreign_keys = OFF');
    other.prepare("DELETE FROM project WHERE id = 'acme'").run();
    other.close();
    expect(await check(gateway.config.storage.path)).toMatch(/a row of endpoint belongs to no project\./);
    expect(process.exitCode).toBe(1);
    process.exitCode = undefined;
  });

  it('finds encryption keys that are not its own', async () => {
    const { path } = gateway.config.storage;
    writeFileSync(`${path}.keys`, `${Buffer.alloc(32, 1).toString('base64url')}\n`);
    await expect(check(path)).rejects.toThrow();
  });
});
