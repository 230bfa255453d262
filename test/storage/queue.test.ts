import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, it } from 'vitest';
import type { MetricsEndpoint } from '../../src/domain/endpoint.js';
import { WeirError } from '../../src/domain/errors.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';

it('takes no more writes than fit in the queue while another process writes, and all that it took afterwards', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  const path = join(folder, 'weir.db');
  const store = openSqliteStore({ path, now: () => 1, exclusive: true });
  const other = new Sqlite(path);
  try {
    other.exec('BEGIN IMMEDIATE');
    const at = { id: 1, projectId: 'acme', metricsId: 'db1', lifetimeMs: 0 } as MetricsEndpoint;
    const write = (): Promise<void> => store.groups.update(at, { text: '[]', labels: [] }, () => ({ remove: true }));
    const taken = Array.from({ length: 4096 }, write);
    expect(() => store.checkQueue()).toThrow(/waiting to be stored/);
    const refusal = await write().catch((error) => error);
    expect(refusal).toBeInstanceOf(WeirError);
    expect(refusal).toMatchObject({ code: 'unavailable', facts: { retryAfterSeconds: 5 } });
    other.exec('ROLLBACK');
    await Promise.all(taken);
    store.checkQueue();
    await write();
  } finally {
    other.close();
    await store.close();
    rmSync(folder, { recursive: true });
  }
});

it('tells who waits for a commit in the turn after it, as answering is work, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-test-'));
  const store = openSqliteStore({ path: join(folder, 'weir.db'), now: () => 1, exclusive: true });
  try {
    const at = { id: 1, projectId: 'acme', metricsId: 'db1', lifetimeMs: 0 } as MetricsEndpoint;
    const seen: string[] = [];
    const written = store.groups
      .update(at, { text: '[]', labels: [] }, () => {
        seen.push('commit');
        return { remove: true };
      })
      .then(() => seen.push('answer'));
    // Comes in the turn of the commit, which was asked for before it.
    setImmediate(() => seen.push('end of the turn'));
    await written;
    expect(seen).toEqual(['commit', 'end of the turn', 'answer']);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
});
