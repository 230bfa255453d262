import { copyFileSync, existsSync, mkdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/domain/ids.js';
import { type RunningGateway, serve } from '../../src/main.js';
import { silentLog } from '../../src/telemetry/log.js';
import { samples, TestGateway } from '../support/gateway.js';
import { configFor } from './config-for.js';

const pushes = 20;

let gateway: TestGateway;
let bearer: string;
let after: RunningGateway | undefined;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
  bearer = await gateway.bearer('acme');
  for (let push = 1; push <= pushes; push++) await gateway.push('acme/db1/metrics', `a ${push}\n`, bearer);
});
afterEach(async () => {
  await after?.stop();
  after = undefined;
  await gateway.stop();
});

/** The files as a power cut would leave them: the server that has them open does not know. */
function copyWhileRunning(): string {
  const home = join(gateway.folder, 'after');
  mkdirSync(home);
  const from = gateway.config.storage.path;
  const copy = join(home, 'weir.db');
  for (const ending of ['', '-wal', '.pepper', '.keys']) copyFileSync(`${from}${ending}`, `${copy}${ending}`);
  return copy;
}

async function serveFrom(path: string): Promise<string> {
  gateway.clock.advance(1000);
  const build = { version: '0.0.0-test', revision: 'test' };
  after = await serve(configFor(path), { clock: gateway.clock, random: systemRandom, log: silentLog(), build });
  const url = `${after.publicUrl}/api/v1/acme/db1/metrics`;
  // The token from before: a restart must not cost a scraper its token.
  const response = await fetch(url, { headers: { authorization: bearer, accept: 'text/plain' } });
  expect(response.status).toBe(200);
  return response.text();
}

function integrity(path: string): unknown {
  const database = new Sqlite(path, { readonly: true });
  const verdict = database.pragma('integrity_check', { simple: true });
  database.close();
  return verdict;
}

describe('a copy of the database and its WAL, taken while the server runs,', () => {
  it('opens with everything that was acknowledged', async () => {
    const path = copyWhileRunning();
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    expect(samples(await serveFrom(path))).toEqual([`a{instance_id="db1"} ${pushes}`]);
    expect(integrity(path)).toBe('ok');
  });

  it('opens with an earlier push when the end of its WAL is torn off, and takes new ones', async () => {
    const path = copyWhileRunning();
    truncateSync(`${path}-wal`, statSync(`${path}-wal`).size - 100);
    expect(samples(await serveFrom(path))).toEqual([`a{instance_id="db1"} ${pushes - 1}`]);
    const response = await fetch(`${after!.publicUrl}/api/v1/acme/db1/metrics/job/new`, {
      method: 'PUT',
      body: 'a 1\n',
      headers: { authorization: bearer },
    });
    expect(response.status).toBe(200);
    expect(integrity(path)).toBe('ok');
  });
});

it('a server that was stopped leaves everything in the one file', async () => {
  const path = copyWhileRunning();
  await serveFrom(path);
  await after!.stop();
  expect(existsSync(`${path}-wal`)).toBe(false);
  expect(samples(await serveFrom(path))).toEqual([`a{instance_id="db1"} ${pushes}`]);
});
