import { expect, it } from 'vitest';
import { type DailyUsage, dayMs, parseDay } from '../../src/domain/usage.js';
import { UsageMeters } from '../../src/telemetry/usage.js';

it('what could not be written is written with the next, nothing twice', async () => {
  const meters = new UsageMeters();
  meters.of('acme').samples(3, 0);
  meters.of('acme').token(dayMs);
  await expect(meters.write(() => Promise.reject(new Error('full')))).rejects.toThrow('full');
  meters.of('acme').samples(4, 10);
  const written: DailyUsage[] = [];
  const save = async (rows: readonly DailyUsage[]): Promise<void> => {
    written.push(...rows);
  };
  await meters.write(save);
  await meters.write(save);
  const totals = written.map(({ day, samplesIn, tokensIssued }) => [day, samplesIn, tokensIssued]);
  expect(totals).toEqual([
    [0, 7, 0],
    [dayMs, 0, 1],
  ]);
});

it('what many projects used is handed over a few at a time, each once, those first that waited longest', async () => {
  const meters = new UsageMeters();
  for (let i = 0; i < 100; i++) meters.of(`p${i}`).samples(1, 0);
  const portions: string[][] = [];
  const save = async (rows: readonly DailyUsage[]): Promise<void> => {
    portions.push(rows.map(({ projectId }) => projectId));
  };
  expect(await meters.write(save)).toBe(true);
  // It was written, and comes after all that were not.
  meters.of('p0').samples(1, 0);
  while (await meters.write(save));
  expect(portions.flat()).toEqual([...Array.from({ length: 100 }, (_, i) => `p${i}`), 'p0']);
  for (const portion of portions) expect(portion.length).toBeLessThanOrEqual(64);
});

it('a clock that is set back finds its day again', async () => {
  const meters = new UsageMeters();
  for (const now of [5, dayMs + 5, 6, dayMs, dayMs - 1]) meters.of('acme').scrape(100, now);
  let written: readonly DailyUsage[] = [];
  await meters.write(async (rows) => {
    written = rows;
  });
  expect(written.map(({ day, scrapes, bytesServed }) => [day, scrapes, bytesServed])).toEqual([
    [0, 3, 300],
    [dayMs, 2, 200],
  ]);
});

it('a day is a day of the calendar', () => {
  expect(parseDay('2026-01-02')).toBe(Date.UTC(2026, 0, 2));
  for (const wrong of ['2026-02-30', '2026-1-2', '2026-01-02T00:00:00Z', '', 'today']) {
    expect(parseDay(wrong), wrong).toBeUndefined();
  }
});
