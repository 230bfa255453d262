import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { OperatorError } from '../../src/domain/errors.js';
import { systemRandom } from '../../src/domain/ids.js';
import { openStore } from '../../src/gateway/open-store.js';
import { type RunningGateway, serve } from '../../src/main.js';
import { silentLog } from '../../src/telemetry/log.js';
import { samples, TestGateway } from '../support/gateway.js';
import { configFor } from './config-for.js';

/** Every connection the code under test opens, and the pragmas that its driver is made not to obey. */
const driver = vi.hoisted(() => ({ connections: [] as Database[], deaf: '' }));
vi.mock('better-sqlite3', async (original) => {
  const { default: Real } = await original<{ default: typeof Sqlite }>();
  class Watched extends Real {
    constructor(...args: ConstructorParameters<typeof Real>) {
      super(...args);
      driver.connections.push(this);
      // Of its own, over what the code under test does to the class.
      this.pragma = (text: string, options?: Sqlite.PragmaOptions): unknown =>
        driver.deaf !== '' && text.startsWith(`${driver.deaf} =`)
          ? undefined
          : Watched.prototype.pragma.call(this, text, options);
    }
  }
  return { default: Watched };
});

const seams = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog(),
  build: { version: '0.0.0-test', revision: 'test' },
};
const path = (): string => join(folder, 'weir.db');
const start = (): Promise<RunningGateway> => serve(configFor(path()), seams);
const openAsCommand = () => openStore(configFor(path()), seams, { exclusive: false, actor: 'cli:test' });

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-refusals-'));
});
afterEach(() => {
  driver.deaf = '';
  driver.connections.length = 0;
  rmSync(folder, { recursive: true, force: true });
});

/** What an operator is told. Fails when it starts after all. */
async function refusal(opening: () => Promise<unknown>): Promise<string> {
  const error = await opening().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OperatorError);
  return (error as OperatorError).message;
}

describe('a second server on the same file', () => {
  it('refuses with a clear sentence and status 1, while the first goes on', async () => {
    const first = await TestGateway.boot();
    await first.project('acme', 'db1');
    const bearer = await first.bearer('acme');
    await first.push('acme/db1/metrics', 'a 1\n', bearer);
    const storage = first.config.storage.path;
    const flags = ['--web.listen-address', '127.0.0.1:0', '--operator.listen-address', '127.0.0.1:0'];
    const command = ['--import', 'tsx', 'src/cli/weir.ts', 'serve', '--storage.path', storage, ...flags];
    // One that starts after all is not left behind.
    const second = spawn(process.execPath, command, { timeout: 15_000, killSignal: 'SIGKILL' });
    let said = '';
    second.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [status] = (await once(second, 'close')) as [number | null];
    expect(said).toBe(
      `weir: Another "weir serve" is running on ${storage}. ` +
        'Stop it first, or give this one a file of its own with --storage.path.\n',
    );
    expect(status).toBe(1);
    await first.push('acme/db1/metrics', 'a 2\n', bearer);
    expect(samples(await first.page('acme/db1/metrics', bearer))).toEqual(['a{instance_id="db1"} 2']);
    await first.stop();
  });

  it('may start when the first has stopped', async () => {
    await (await start()).stop();
    await (await start()).stop();
  });
});

describe('a file that a newer program has written', () => {
  it.each([
    ['serve', start],
    ['a command', openAsCommand],
  ])('is refused by %s and left as it was', async (_who, open) => {
    await (await start()).stop();
    const database = new Sqlite(path());
    database.exec("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of tomorrow', 99999999999999)");
    database.close();
    const before = readFileSync(path());
    const message = await refusal(open);
    expect(message).toContain(`The database ${path()} was written by a newer Weir`);
    expect(message).toContain('nothing was changed');
    expect(readFileSync(path()).equals(before)).toBe(true);
  });
});

describe('each connection', () => {
  it('syncs every commit: WAL with synchronous = 2', async () => {
    const gateway = await start();
    const command = await openAsCommand();
    const databases = driver.connections.filter(({ open, name }) => open && name === path());
    const pragmas = databases.map((connection) =>
      ['journal_mode', 'synchronous', 'foreign_keys'].map((name) => connection.pragma(name, { simple: true })),
    );
    expect(pragmas).toEqual([
      ['wal', 2, 1],
      ['wal', 2, 1],
    ]);
    await command.store.close();
    await gateway.stop();
  });

  it.each([
    ['synchronous', 'synchronous = 2 (it says 1)'],
    ['journal_mode', 'journal_mode = wal (it says delete)'],
  ])('is refused when the driver does not take %s', async (pragma, what) => {
    // better-sqlite3 enters WAL with NORMAL: a file that is in WAL shows what it does unasked.
    if (pragma === 'synchronous') await (await start()).stop();
    driver.deaf = pragma;
    expect(await refusal(start)).toBe(`The database ${path()} does not take ${what}.`);
    expect(driver.connections.filter(({ open }) => open)).toEqual([]);
  });
});

describe('the pepper', () => {
  it('is made by serve with mode 0600 when serve comes first, and taken over by commands', async () => {
    await (await start()).stop();
    const pepper = readFileSync(`${path()}.pepper`, 'utf8');
    expect(statSync(`${path()}.pepper`).mode & 0o777).toBe(0o600);
    expect(statSync(`${path()}.keys`).mode & 0o777).toBe(0o600);
    await (await openAsCommand()).store.close();
    expect(readFileSync(`${path()}.pepper`, 'utf8')).toBe(pepper);
  });

  it.each([
    ['serve', start],
    ['a command', openAsCommand],
  ])('of another database is refused by %s', async (_who, open) => {
    await (await start()).stop();
    writeFileSync(`${path()}.pepper`, `${systemRandom(32).toString('base64url')}\n`);
    expect(await refusal(open)).toMatch(/^The pepper in .* is not the one .* Bring back the file that belongs to it/);
  });

  it('that is no key is refused', async () => {
    await (await start()).stop();
    writeFileSync(`${path()}.pepper`, 'hunter2\n');
    expect(await refusal(start)).toMatch(/^The pepper file .* must hold 32 random bytes in base64url on each line\.$/);
  });

  it('that was lost is asked for, and works when it is back', async () => {
    await (await start()).stop();
    renameSync(`${path()}.pepper`, join(folder, 'kept'));
    expect(await refusal(start)).toMatch(/pepper file .* is missing.*Bring it back/);
    // A fresh one would stand in the way of the right one.
    expect(existsSync(`${path()}.pepper`)).toBe(false);
    copyFileSync(join(folder, 'kept'), `${path()}.pepper`);
    await (await start()).stop();
  });
});

describe('the encryption keys', () => {
  it('that were lost are asked for, and work when they are back', async () => {
    await (await start()).stop();
    renameSync(`${path()}.keys`, join(folder, 'kept'));
    expect(await refusal(start)).toMatch(/encryption keys file .* is missing.*Bring it back/);
    expect(existsSync(`${path()}.keys`)).toBe(false);
    copyFileSync(join(folder, 'kept'), `${path()}.keys`);
    await (await start()).stop();
  });
});

it('a start that is refused lets go of the file', async () => {
  await (await start()).stop();
  renameSync(`${path()}.keys`, join(folder, 'kept'));
  await refusal(start);
  expect(driver.connections.filter(({ open }) => open)).toEqual([]);
});
