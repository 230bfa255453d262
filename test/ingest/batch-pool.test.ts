import { expect, it } from 'vitest';
import type { SeriesBatch } from '../../src/formats/series-batch.js';
import { BatchPool } from '../../src/ingest/batch-pool.js';

it('batches serve again, but for those that many series or many labels have made large', async () => {
  const pool = new BatchPool();
  const lent = (series: number, labels: number): Promise<SeriesBatch> =>
    pool.lend(async (batch) => {
      for (let i = 0; i < series; i++) {
        batch.begin();
        for (let label = 0; label < labels; label++) batch.label(0, 1, 0, 1);
      }
      return batch;
    });
  const first = await lent(1, 1);
  expect(await lent(10_000, 10)).toBe(first);
  expect(await lent(1, 1_500_000)).toBe(first);
  const second = await lent(300_000, 1);
  expect(second).not.toBe(first);
  expect(await lent(1, 1)).not.toBe(second);
});

it('a batch is lent to one at a time, and is empty', async () => {
  const pool = new BatchPool();
  const seen: SeriesBatch[] = [];
  const refuse = pool.lend(async (batch) => {
    seen.push(batch);
    batch.begin();
    await pool.lend(async (other) => void seen.push(other));
    throw new Error('refused');
  });
  await expect(refuse).rejects.toThrow('refused');
  expect(new Set(seen).size).toBe(2);
  await pool.lend(async (batch) =>
    expect([seen.includes(batch), batch.series, batch.bytes.length]).toEqual([true, 0, 0]),
  );
});
